"""Where objects of known kinds live in the API, so that no discovery is needed for them."""

from __future__ import annotations

from urllib.parse import quote

_KINDS: dict[tuple[str, str], tuple[str, bool]] = {
    ("", "Namespace"): ("namespaces", False),
    ("", "Node"): ("nodes", False),
    ("", "Pod"): ("pods", True),
    ("", "Event"): ("events", True),
    ("", "Secret"): ("secrets", True),
    ("", "ConfigMap"): ("configmaps", True),
    ("", "Service"): ("services", True),
    ("", "ServiceAccount"): ("serviceaccounts", True),
    ("", "PersistentVolumeClaim"): ("persistentvolumeclaims", True),
    ("", "PersistentVolume"): ("persistentvolumes", False),
    ("apps", "Deployment"): ("deployments", True),
    ("apps", "StatefulSet"): ("statefulsets", True),
    ("apps", "DaemonSet"): ("daemonsets", True),
    ("apps", "ReplicaSet"): ("replicasets", True),
    ("batch", "Job"): ("jobs", True),
    ("batch", "CronJob"): ("cronjobs", True),
    ("storage.k8s.io", "StorageClass"): ("storageclasses", False),
    ("networking.k8s.io", "Ingress"): ("ingresses", True),
    ("networking.k8s.io", "IngressClass"): ("ingressclasses", False),
    ("rbac.authorization.k8s.io", "ClusterRole"): ("clusterroles", False),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("clusterrolebindings", False),
    ("coordination.k8s.io", "Lease"): ("leases", True),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("customresourcedefinitions", False),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): ("kustomizations", True),
    ("helm.toolkit.fluxcd.io", "HelmRelease"): ("helmreleases", True),
    ("source.toolkit.fluxcd.io", "GitRepository"): ("gitrepositories", True),
    ("source.toolkit.fluxcd.io", "OCIRepository"): ("ocirepositories", True),
    ("source.toolkit.fluxcd.io", "HelmRepository"): ("helmrepositories", True),
    ("source.toolkit.fluxcd.io", "HelmChart"): ("helmcharts", True),
    ("fluxcd.controlplane.io", "FluxInstance"): ("fluxinstances", True),
}


def known_path(
    api_version: str, kind: str, namespace: str = "", name: str = "", *, plural: str = "", namespaced: bool | None = None
) -> str | None:
    """The path of an object, or of its collection without `name`; None for a kind that is not in the table and has no `plural`."""
    group, _, version = api_version.rpartition("/")
    if not plural:
        found = _KINDS.get((group, kind))
        if found is None:
            return None
        plural, namespaced = found
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespaced and namespace else ""
    return f"{base}{scope}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def resource_path(api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
    """`known_path` for kinds of the table. Raises KeyError for others: `Api.resource_path` looks those up."""
    path = known_path(api_version, kind, namespace, name)
    if path is None:
        raise KeyError(f"{api_version} {kind}")
    return path
