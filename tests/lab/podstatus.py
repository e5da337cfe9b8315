"""Pod statuses and events as a kubelet writes them."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
BACK_OFF = "back-off 10s restarting failed container={name} pod={pod}"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_ip(pod: Object) -> str:
    number = hashlib.sha256(pod["metadata"]["uid"].encode()).digest()
    return f"10.244.{number[0]}.{number[1] or 1}"


def _conditions(pod: Object, *, ready: bool, reason: str = "", initialized: bool = True) -> list[Object]:
    names = ", ".join(container["name"] for container in pod["spec"]["containers"])
    old = {item["type"]: item for item in pod["status"].get("conditions", [])}
    wanted = {"PodReadyToStartContainers": True, "Initialized": initialized, "Ready": ready, "ContainersReady": ready}
    for kind, is_true in wanted.items():
        status = "True" if is_true else "False"
        same = old.get(kind, {}).get("status") == status
        item = {"type": kind, "status": status, "lastTransitionTime": old[kind]["lastTransitionTime"] if same else now()}
        if not is_true:
            item |= {"reason": reason or "ContainersNotReady", "message": f"containers with unready status: [{names}]"}
        old[kind] = item
    return list(old.values())


def status(
    pod: Object, state: Object, *, ready: bool, phase: str, restarts: int = 0, last: Object | None = None, reason: str = ""
) -> Object:
    """A whole status with every container in `state`; init containers count as done as soon as a container has been started."""
    uid = pod["metadata"]["uid"]
    begun = "running" in state or restarts > 0 or phase in ("Succeeded", "Failed")
    containers = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": f"{container['image']}@sha256:{hashlib.sha256(container['image'].encode()).hexdigest()}" if begun else "",
            "containerID": f"containerd://{hashlib.sha256((uid + container['name'] + str(restarts)).encode()).hexdigest()}"
            if begun
            else "",
            "ready": ready,
            "started": "running" in state,
            "restartCount": restarts,
            "state": state,
            "lastState": last or {},
        }
        for container in pod["spec"]["containers"]
    ]
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now(), "finishedAt": now()}}
    inits = [
        {"name": item["name"], "image": item["image"], "imageID": "", "ready": True, "restartCount": 0, "state": done, "lastState": {}}
        for item in pod["spec"].get("initContainers", [])
    ]
    host = pod["spec"].get("hostNetwork", False)
    address = "127.0.0.1" if host else pod_ip(pod)
    return {
        "phase": phase,
        "conditions": _conditions(pod, ready=ready, reason=reason),
        "containerStatuses": containers,
        "initContainerStatuses": inits,
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": pod["status"].get("startTime") or now(),
    }


def running(pod: Object, *, ready: bool, restarts: int = 0, last: Object | None = None) -> Object:
    started = next(
        (item["state"]["running"]["startedAt"] for item in pod["status"].get("containerStatuses", []) if "running" in item["state"]), now()
    )
    return status(pod, {"running": {"startedAt": started}}, ready=ready, phase="Running", restarts=restarts, last=last)


def waiting(pod: Object, reason: str, message: str, *, phase: str = "Pending", restarts: int = 0, last: Object | None = None) -> Object:
    return status(pod, {"waiting": {"reason": reason, "message": message}}, ready=False, phase=phase, restarts=restarts, last=last)


def terminated(code: int, reason: str, message: str = "") -> Object:
    return {
        "terminated": {"exitCode": code, "reason": reason, "startedAt": now(), "finishedAt": now()}
        | ({"message": message} if message else {})
    }


def event(pod: Object, reason: str, message: str, *, warning: bool = False, count: int = 1) -> Object:
    meta = pod["metadata"]
    first = pod["spec"]["containers"][0]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{secrets.token_hex(8)}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
            "fieldPath": f"spec.containers{{{first}}}",
        },
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
        "reportingComponent": "kubelet",
        "reportingInstance": pod["spec"].get("nodeName", ""),
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": count,
    }
