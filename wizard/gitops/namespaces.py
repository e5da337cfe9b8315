"""The namespaces of all charts and their Pod Security levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wizard.gitops.layout import FLUX_NAMESPACE

if TYPE_CHECKING:
    from wizard.catalog import Chart

_LEVELS = ("restricted", "baseline", "privileged")
FOREIGN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease", FLUX_NAMESPACE})
"""Kubernetes' own and Flux's: they are there before, and nothing in Git decides about them."""


def levels(charts: Iterable[Chart]) -> dict[str, str]:
    """Namespace -> the highest Pod Security level that a chart in it needs, sorted by name."""
    found: dict[str, str] = {}
    for chart in charts:
        if chart.namespace not in FOREIGN:
            level = str(chart.pod_security.level)
            found[chart.namespace] = max(found.get(chart.namespace, level), level, key=_LEVELS.index)
    return dict(sorted(found.items()))


def namespace(name: str, level: str) -> Mapping[str, Any]:
    """A Namespace that Flux never deletes; `warn` and `audit` follow `enforce` so that nothing is refused without a word."""
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("audit", "enforce", "warn")}
    metadata = {"name": name, "labels": labels, "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
