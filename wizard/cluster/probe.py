"""What is there: one look at a cluster, all questions at once. It reads, and asks one question as a dry run; it changes nothing.

Secrets are looked at as metadata alone. What this kubeconfig may not read becomes a warning; without version and namespaces there is
no answer at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from wizard.cluster.api import Api
from wizard.cluster.apierror import ApiError
from wizard.cluster.network import cni, kube_proxy
from wizard.cluster.ownflux import flux_facts
from wizard.state import ClusterFacts, Node, StorageClass
from wizard.text import clean, quantity_bytes, quantity_millicores

Object = dict[str, Any]

SKEW = 60.0
"""Seconds between our clock and the server's from which certificates and tokens begin to fail."""
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_LEVEL = re.compile(r'violates PodSecurity "?(restricted|baseline)')
PRIVILEGED_POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "tierup-asks-pod-security", "namespace": "default"},
    "spec": {
        "automountServiceAccountToken": False,
        "hostNetwork": True,
        "containers": [{"name": "asks", "image": "registry.k8s.io/pause", "securityContext": {"privileged": True}}],
    },
}


def probe(api: Api) -> ClusterFacts:
    """The facts of the cluster behind `api`. Raises ApiError when its version or namespaces cannot be read."""
    questions: dict[str, Callable[[], Any]] = {
        "version": lambda: api.get("/version"),
        "namespaces": lambda: api.list("/api/v1/namespaces"),
        "nodes": lambda: api.list("/api/v1/nodes"),
        "daemons": lambda: api.list("/apis/apps/v1/daemonsets"),
        "storage": lambda: api.list("/apis/storage.k8s.io/v1/storageclasses"),
        "ingress": lambda: api.metadata("/apis/networking.k8s.io/v1/ingressclasses"),
        "crds": lambda: api.metadata("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
        "helm": lambda: api.metadata("/api/v1/secrets", fieldSelector="type=helm.sh/release.v1", labelSelector="owner=helm"),
        "proxies": lambda: api.metadata("/api/v1/namespaces/kube-system/pods", labelSelector="k8s-app=kube-proxy"),
        "pod security": lambda: pod_security(api),
        "flux": lambda: flux_facts(api),
    }
    warnings: list[str] = []
    with ThreadPoolExecutor(len(questions), thread_name_prefix="probe") as pool:
        asked = {name: pool.submit(ask) for name, ask in questions.items()}
        version, namespaces = asked["version"].result(), asked["namespaces"].result()
        found: dict[str, Any] = {"version": version, "namespaces": namespaces}
        for name, answer in asked.items():
            try:
                found[name] = answer.result()
            except ApiError as error:
                found[name] = None
                if not error.missing:
                    warnings.append(f"{name} could not be read: {error.what}")
    nodes = tuple(sorted((_node(item) for item in found["nodes"] or ()), key=lambda n: n.name))
    talos = any("talos" in n.os_image.lower() for n in nodes) or any("talos.dev/" in k for i in found["nodes"] or () for k in _keys(i))
    networks = cni(found["daemons"] or (), found["nodes"] or ())
    classes = tuple(sorted((_storage_class(item) for item in found["storage"] or ()), key=lambda c: c.name))
    warnings += _warnings(api, namespaces, nodes, networks, classes)
    return ClusterFacts(
        server=api.server,
        identity=next((str(_meta(n).get("uid") or "") for n in namespaces if _meta(n).get("name") == "kube-system"), ""),
        ca_fingerprint=api.ca_fingerprint,
        version=clean(version.get("gitVersion") or "", limit=60),
        nodes=nodes,
        talos=talos,
        kubeprism=talos and kubeprism_default(nodes),
        kube_proxy=kube_proxy(found["daemons"] or (), found["proxies"] or (), version),
        cni=networks,
        storage_classes=classes,
        ingress_classes=_names(found["ingress"]),
        crds=frozenset(_names(found["crds"])),
        namespaces=frozenset(_names(namespaces)),
        pod_security=found["pod security"] or "",
        flux=found["flux"],
        helm_releases=frozenset(_releases(found["helm"] or ())),
        warnings=tuple(warnings),
    )


def pod_security(api: Api) -> str:
    """The Pod Security level a namespace without labels gets: privileged, baseline or restricted; empty when the answer does not tell.
    Asked by the dry run of a privileged pod in namespace default, which writes nothing."""
    try:
        api.create("/api/v1/namespaces/default/pods", PRIVILEGED_POD, dryRun="All")
    except ApiError as error:
        level = _LEVEL.search(error.what)
        if level:
            return level[1]
        if error.status in (403, 409) or error.status >= 500:
            return ""
        raise
    return "privileged"


def kubeprism_default(nodes: tuple[Node, ...]) -> bool:
    """KubePrism (127.0.0.1:7445) cannot be seen from outside: it is in the machine configuration alone. Talos has it on by default since
    1.6, so a Talos of that version or later counts as having it, and charts that rely on it can be told otherwise by an option."""
    versions = [re.search(r"v?(\d+)\.(\d+)", node.os_image) for node in nodes if "talos" in node.os_image.lower()]
    return all(v is None or (int(v[1]), int(v[2])) >= (1, 6) for v in versions)


def _warnings(
    api: Api, namespaces: list[Object], nodes: tuple[Node, ...], networks: tuple[str, ...], classes: tuple[StorageClass, ...]
) -> list[str]:
    said = []
    for item in namespaces:
        if _meta(item).get("deletionTimestamp"):
            why = [
                str(c.get("message") or "")
                for c in (item.get("status") or {}).get("conditions") or ()
                if isinstance(c, dict) and c.get("status") == "True"
            ]
            told = clean("; ".join(filter(None, why)), limit=300)
            said.append(f"namespace {clean(_meta(item).get('name'), limit=70)} is being deleted" + (f": {told}" if told else ""))
    away = [node.name for node in nodes if not node.ready]
    if away and networks:
        said.append("nodes not ready: " + ", ".join(away))
    if not nodes:
        said.append("the cluster has no nodes that can be seen")
    if nodes and not away and not networks:
        said.append("the nodes are ready though no known network (CNI) was found")
    defaults = [c.name for c in classes if c.default]
    if len(defaults) > 1:
        said.append(f"several storage classes are the default: {', '.join(defaults)}; a claim without a class gets the newest")
    if api.skew is not None and abs(api.skew) > SKEW:
        said.append(f"this machine's clock and the cluster's differ by {abs(api.skew):.0f} s: certificates and tokens may be refused")
    return said


def _node(item: Object) -> Node:
    meta, spec, status = _meta(item), item.get("spec") or {}, item.get("status") or {}
    labels = {str(k): clean(v, limit=100) for k, v in (meta.get("labels") or {}).items()}
    room, info = status.get("allocatable") or status.get("capacity") or {}, status.get("nodeInfo") or {}
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or () if isinstance(c, dict))
    taints = tuple(clean(f"{t.get('key')}:{t.get('effect')}", limit=150) for t in spec.get("taints") or () if isinstance(t, dict))
    return Node(
        name=clean(meta.get("name") or "", limit=100),
        ready=ready,
        control_plane="node-role.kubernetes.io/control-plane" in labels or "node-role.kubernetes.io/master" in labels,
        cpu=_quantity(quantity_millicores, room.get("cpu")),
        memory=_quantity(quantity_bytes, room.get("memory")),
        os_image=clean(info.get("osImage") or "", limit=120),
        kubelet=clean(info.get("kubeletVersion") or "", limit=60),
        labels=tuple(sorted(labels.items())),
        taints=taints,
    )


def _quantity(read: Callable[[str], int], raw: object) -> int:
    try:
        return read(str(raw)) if raw else 0
    except Exception:  # a quantity nobody can read counts as nothing
        return 0


def _storage_class(item: Object) -> StorageClass:
    notes = _meta(item).get("annotations") or {}
    return StorageClass(
        name=clean(_meta(item).get("name") or "", limit=253),
        provisioner=clean(item.get("provisioner") or "", limit=253),
        default=any(notes.get(name) == "true" for name in _DEFAULT),
    )


def _releases(items: Any) -> set[tuple[str, str]]:
    return {
        (str(_meta(i).get("namespace") or ""), str((_meta(i).get("labels") or {}).get("name")))
        for i in items
        if (_meta(i).get("labels") or {}).get("name")
    }


def _names(items: list[Object] | None) -> tuple[str, ...]:
    return tuple(sorted(clean(_meta(i).get("name") or "", limit=253) for i in items or ()))


def _keys(item: Object) -> list[str]:
    meta = _meta(item)
    return [str(k) for part in ("annotations", "labels") for k in (meta.get(part) or {})]


def _meta(item: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = item.get("metadata")
    return meta if isinstance(meta, dict) else {}
