"""Flux as it is found in a cluster, and whose it is."""

from __future__ import annotations

from typing import Any

from wizard.cluster.api import Api
from wizard.state import FluxFacts
from wizard.text import clean

_NAMESPACE = "flux-system"
_STATE = "/api/v1/namespaces/kube-system/secrets"
_STATE_LABEL = "tfstateSecretSuffix=tierup-flux"
"""Terraform's kubernetes backend labels the Secret of its state so; the suffix is that of tierup's flux root."""


def flux_facts(api: Api) -> FluxFacts | None:
    """Flux's owner, version and what it follows; None when there is no Flux. A FluxInstance is tierup's when tierup's own Terraform state
    lies in this cluster, else it is the flux-operator user's. Without one, controllers that follow themselves are `flux bootstrap`'s."""
    instance = _first(api, "/apis/fluxcd.controlplane.io/v1/fluxinstances")
    git = api.find(f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{_NAMESPACE}/gitrepositories/flux-system") or {}
    root = api.find(f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{_NAMESPACE}/kustomizations/flux-system") or {}
    controllers = api.find(f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/kustomize-controller") or {}
    if instance is None and not git and not root and not controllers:
        return None
    labels = _part(controllers, "metadata", "labels") or _part(root, "metadata", "labels")
    sync = _part(instance or {}, "spec", "sync")
    if instance is not None:
        owner = "tierup" if api.metadata(_STATE, labelSelector=_STATE_LABEL) else "flux-operator"
        version = _part(instance, "status").get("lastAppliedRevision") or _part(instance, "spec", "distribution").get("version")
    else:
        owner = "flux bootstrap" if labels.get("kustomize.toolkit.fluxcd.io/name") == "flux-system" else "unknown"
        version = labels.get("app.kubernetes.io/version")
    return FluxFacts(
        owner=owner,
        version=clean(version or "", limit=60).partition("@")[0],
        url=clean(_part(git, "spec").get("url") or sync.get("url") or "", limit=300),
        path=clean(_part(root, "spec").get("path") or sync.get("path") or "", limit=300),
        ready=_ready(instance if instance is not None else root),
    )


def _first(api: Api, path: str) -> dict[str, Any] | None:
    found = api.find(path) or {}
    items = found.get("items") or []
    return items[0] if items and isinstance(items[0], dict) else None


def _ready(obj: dict[str, Any]) -> bool:
    listed = _part(obj, "status").get("conditions")
    return any(isinstance(c, dict) and c.get("type") == "Ready" and c.get("status") == "True" for c in (listed or ()))


def _part(obj: object, *path: str) -> dict[str, Any]:
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}
