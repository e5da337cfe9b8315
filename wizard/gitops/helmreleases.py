"""HelmReleases: `helmrelease.yaml`. API `helm.toolkit.fluxcd.io/v2` (helm-controller 1.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wizard.gitops.gates import release_timeout

if TYPE_CHECKING:
    from wizard.catalog import Chart
    from wizard.gitops.values import Contents

API = "helm.toolkit.fluxcd.io/v2"


def release_name(chart: Chart) -> str:
    """Name of the Helm release, of its HelmRelease and of its source."""
    return chart.release or chart.id


def helm_release(chart: Chart, contents: Contents, source_kind: str, waits_for: Sequence[Chart]) -> dict[str, Any]:
    """The HelmRelease of `chart`. It is tried again for ever: tierup, not Flux, decides when a chart counts as failed."""
    name = release_name(chart)
    spec: dict[str, Any] = {
        "interval": "1h",
        "timeout": release_timeout(chart.ready.after),
        "chartRef": {"kind": source_kind, "name": name},
    }
    if waits_for:
        spec["dependsOn"] = [{"name": release_name(other), "namespace": other.namespace} for other in waits_for]
    spec["install"] = _action(chart)
    spec["upgrade"] = _action(chart)
    if contents.values_from:
        spec["valuesFrom"] = contents.values_from
    if contents.values:
        spec["values"] = contents.values
    return {"apiVersion": API, "kind": "HelmRelease", "metadata": {"name": name, "namespace": chart.namespace}, "spec": spec}


def _action(chart: Chart) -> dict[str, Any]:
    # CRDs of a chart's crds/ folder are left alone by upgrades unless told otherwise.
    action: dict[str, Any] = {"crds": "CreateReplace", "strategy": {"name": "RetryOnFailure", "retryInterval": "30s"}}
    if not chart.wait:
        action["disableWait"] = True
    return action
