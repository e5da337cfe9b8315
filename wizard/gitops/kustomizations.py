"""Flux Kustomizations: `<tier>/<chart>.yaml`, and the `kustomization.yaml` of every folder.

API `kustomize.toolkit.fluxcd.io/v1` (kustomize-controller 1.9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wizard.gitops.layout import FLUX_NAMESPACE, GIT_SOURCE, SETTINGS, Node

API = "kustomize.toolkit.fluxcd.io/v1"

_DATA_KINDS = frozenset(
    {
        "PersistentVolumeClaim",
        "PersistentVolume",
        "VolumeSnapshot",
        "Database",
        "Tenant",
        "MariaDB",
        "Dragonfly",
        "Redis",
        "Valkey",
        "GarageCluster",
        "ObjectBucketClaim",
        "Bucket",
    }
)
_DATA_GROUPS = frozenset({"postgresql.cnpg.io", "k8s.mariadb.com", "dragonflydb.io", "seaweed.seaweedfs.com", "minio.min.io"})

BUILTIN_HEALTH: Mapping[tuple[str, str], Mapping[str, str]] = {
    # A claim of a class that binds at first use stays Pending until the chart that waits for this Kustomization has a pod.
    ("v1", "PersistentVolumeClaim"): {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "current": "has(status.phase) && status.phase in ['Bound', 'Pending']",
        "failed": "has(status.phase) && status.phase == 'Lost'",
    },
}


def holds_data(resources: Iterable[Mapping[str, Any]]) -> bool:
    """True if deleting one of these objects deletes an operator's data."""
    return any(r.get("kind") in _DATA_KINDS or str(r.get("apiVersion")).partition("/")[0] in _DATA_GROUPS for r in resources)


def chart_kustomization(one: Node, path: str, waits_for: Sequence[Node], *, wait: bool, timeout: str) -> dict[str, Any]:
    """The Kustomization of a chart. It waits for its HelmRelease only where custom resources are gated on it."""
    return _object(one.name, {**_spec(path, timeout, waits_for), "prune": True, "wait": wait, **_SUBSTITUTE})


def part_kustomization(
    one: Node,
    path: str,
    waits_for: Sequence[Node],
    *,
    resources: Sequence[Mapping[str, Any]],
    health: Sequence[Mapping[str, str]],
    timeout: str,
) -> dict[str, Any]:
    """The Kustomization of a chart's custom resources; Ready once they are.

    Claims and whatever holds data are neither pruned nor deleted with it: a plan without a chart must not cost its database.
    """
    keeps = one.part == "claims" or holds_data(resources)
    spec = {**_spec(path, timeout, waits_for), "prune": not keeps}
    if keeps:
        spec["deletionPolicy"] = "Orphan"
    spec["wait"] = True
    if health:
        spec["healthCheckExprs"] = [dict(h) for h in health]
    return _object(one.name, {**spec, **_SUBSTITUTE})


def folder(resources: Iterable[str]) -> dict[str, Any]:
    """The `kustomization.yaml` of a folder: what in it is applied."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(resources)}


# `Always`: where the ConfigMap is empty Flux would not substitute at all and leave every escaped `$${` as it is.
_SUBSTITUTE: dict[str, Any] = {
    "postBuild": {"substituteStrategy": "Always", "substituteFrom": [{"kind": "ConfigMap", "name": SETTINGS}]},
}


def _spec(path: str, timeout: str, waits_for: Sequence[Node]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "interval": "1h",
        # Without it a failed apply is tried again only after `interval`.
        "retryInterval": "30s",
        "timeout": timeout,
        "sourceRef": {"kind": "GitRepository", "name": GIT_SOURCE},
        "path": f"./{path}",
    }
    if waits_for:
        spec["dependsOn"] = [{"name": other.name} for other in waits_for]
    return spec


def _object(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "Kustomization", "metadata": {"name": name, "namespace": FLUX_NAMESPACE}, "spec": spec}
