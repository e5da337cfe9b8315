"""Flux and Kubernetes objects as a cluster shows them, with the fields that matter."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

COMMIT = "4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"
OLD = "0000000000000000000000000000000000000001"
THEN = "2026-11-23T09:00:00Z"


def condition(kind: str, status: str, reason: str = "", message: str = "", generation: int | None = 1) -> Object:
    found: Object = {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": THEN}
    return found if generation is None else found | {"observedGeneration": generation}


def obj(
    kind: str, name: str, *conditions: Object, namespace: str = "ns", generation: int = 1, seen: int | None = None, **parts: Any
) -> Object:
    """`seen` is observedGeneration, the generation itself when it is not given; `spec` and `status` may be given."""
    status = {"observedGeneration": generation if seen is None else seen, "conditions": list(conditions)} | parts.get("status", {})
    meta = {"name": name, "namespace": namespace, "generation": generation, "uid": f"uid-{name}"} | parts.get("meta", {})
    return {"apiVersion": "x/v1", "kind": kind, "metadata": meta, "spec": parts.get("spec", {}), "status": status}


def ready(message: str = "", reason: str = "ReconciliationSucceeded", generation: int = 1) -> Object:
    return condition("Ready", "True", reason, message, generation)


def failed(reason: str, message: str) -> Object:
    return condition("Ready", "False", reason, message)


def kustomization(name: str, *conditions: Object, commit: str = COMMIT, **parts: Any) -> Object:
    status = {"lastAppliedRevision": f"main@sha1:{commit}"} | parts.pop("status", {})
    return obj("Kustomization", name, *(conditions or (ready(),)), namespace="flux-system", status=status, **parts)


def release(name: str, *conditions: Object, namespace: str = "ns", **parts: Any) -> Object:
    spec = {"chartRef": {"kind": "OCIRepository", "name": name}} | parts.pop("spec", {})
    return obj("HelmRelease", name, *(conditions or (ready(reason="InstallSucceeded"),)), namespace=namespace, spec=spec, **parts)


def oci(name: str, *conditions: Object, namespace: str = "ns", revision: str = "1.0.0@sha256:" + "a" * 64, **parts: Any) -> Object:
    status = {"artifact": {"revision": revision}} | parts.pop("status", {})
    spec = {"url": f"oci://registry.example/charts/{name}"}
    return obj("OCIRepository", name, *(conditions or (ready(reason="Succeeded"),)), namespace=namespace, spec=spec, status=status, **parts)


def deployment(name: str, *, namespace: str = "ns", ready_pods: int = 1, wanted: int = 1, owner: str = "", **parts: Any) -> Object:
    labels = {"helm.toolkit.fluxcd.io/name": owner, "helm.toolkit.fluxcd.io/namespace": namespace} if owner else {}
    counts = {"replicas": wanted, "updatedReplicas": wanted, "availableReplicas": ready_pods, "readyReplicas": ready_pods}
    meta = {"labels": labels} | parts.pop("meta", {})
    return obj("Deployment", name, *parts.pop("conditions", ()), namespace=namespace, spec={"replicas": wanted}, status=counts, meta=meta)


def pod(name: str, *, namespace: str = "ns", of: str = "", container: Object | None = None, **parts: Any) -> Object:
    """`of`: the Deployment whose ReplicaSet owns it. `container`: its container status."""
    owners = [{"kind": "ReplicaSet", "name": f"{of}-5d4f8c", "controller": True}] if of else []
    conditions = parts.pop("conditions", [condition("Ready", "False", "ContainersNotReady", generation=None)])
    status = {"phase": "Pending", "conditions": conditions, "containerStatuses": [container] if container else []}
    meta = {"name": name, "namespace": namespace, "ownerReferences": owners, "labels": parts.pop("labels", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": parts.pop("spec", {}), "status": status}


def waiting(
    reason: str, message: str = "", *, image: str = "registry.example/app:1", restarts: int = 0, last: Object | None = None
) -> Object:
    found: Object = {"name": "app", "image": image, "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": message}}}
    return found | ({"lastState": {"terminated": last}} if last else {})


def warning(about: Object, reason: str, message: str, at: str = THEN) -> Object:
    meta = about["metadata"]
    involved = {"kind": about["kind"], "namespace": meta.get("namespace", ""), "name": meta["name"]}
    name = f"{meta['name']}.{reason}.{at}"
    return {
        "kind": "Event",
        "metadata": {"name": name, "namespace": meta.get("namespace", "")},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
    }


def claim(
    name: str, *, namespace: str = "ns", phase: str = "Pending", storage_class: str | None = None, labels: Object | None = None
) -> Object:
    spec = {"storageClassName": storage_class} if storage_class else {}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": spec,
        "status": {"phase": phase},
    }
