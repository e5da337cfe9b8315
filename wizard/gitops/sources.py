"""Where Flux reads a chart from: `source.yaml`, which also holds the chart's version.

API `source.toolkit.fluxcd.io/v1` (source-controller 1.9): a chart in a registry is an OCIRepository whose chart layer is copied, a
chart in a Helm repository is a HelmRepository with a HelmChart. Renovate's flux manager reads the version of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.catalog import OciSource, RepoSource
from wizard.errors import InputError

if TYPE_CHECKING:
    from wizard.catalog import Chart
    from wizard.plan import Registry

API = "source.toolkit.fluxcd.io/v1"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
INTERVAL = "1h"


@dataclass(frozen=True, slots=True)
class Source:
    """The objects of `source.yaml` and the kind that the HelmRelease names."""

    kind: str
    documents: tuple[dict[str, Any], ...]
    comment: str = ""


def source(chart: Chart, name: str, version: str, registry: Registry) -> Source:
    """Where `chart` comes from at `version`: upstream, or the operator's mirror of it.

    Mirror rule: `HOST/PATH` of a registry and `HOST/PATH/CHART` of a Helm repository lie below the mirror under the same name.
    """
    metadata = {"name": name, "namespace": chart.namespace}
    if isinstance(chart.source, OciSource):
        oci = chart.source.oci
        address = f"{registry.mirror}/{oci}" if registry.mirror else oci
        return Source("OCIRepository", (_oci(metadata, address, version, registry),), _hint("docker", oci, registry))
    if not isinstance(chart.source, RepoSource):
        raise InputError(f"chart {chart.id} has no Helm chart: only Terraform's tier may hold plain manifests")
    repo, packed = chart.source.repo, chart.source.chart
    if registry.mirror:
        address = f"{registry.mirror}/{repo.split('://', 1)[-1].strip('/')}/{packed}"
        return Source(
            "OCIRepository", (_oci(metadata, address, version, registry),), _hint("helm", f"{packed} registryUrl={repo}", registry)
        )
    repository = {"apiVersion": API, "kind": "HelmRepository", "metadata": metadata, "spec": {"interval": INTERVAL, "url": repo}}
    helm_chart = {
        "apiVersion": API,
        "kind": "HelmChart",
        "metadata": metadata,
        "spec": {"interval": INTERVAL, "chart": packed, "version": version, "sourceRef": {"kind": "HelmRepository", "name": name}},
    }
    return Source("HelmChart", (repository, helm_chart))


def _oci(metadata: dict[str, str], address: str, version: str, registry: Registry) -> dict[str, Any]:
    spec: dict[str, Any] = {"interval": INTERVAL, "url": f"oci://{address}"}
    if registry.mirror and registry.insecure:
        spec["insecure"] = True
    # A tag cannot hold `+`: Helm writes `_` in its place when it pushes.
    spec["ref"] = {"tag": version.replace("+", "_")}
    spec["layerSelector"] = {"mediaType": CHART_LAYER, "operation": "copy"}
    return {"apiVersion": API, "kind": "OCIRepository", "metadata": metadata, "spec": spec}


def _hint(datasource: str, upstream: str, registry: Registry) -> str:
    """Where Renovate finds new versions of a chart that is read from a mirror."""
    return f"# renovate: datasource={datasource} depName={upstream}\n" if registry.mirror else ""
