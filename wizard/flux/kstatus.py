"""Whether an object does what its spec asks, by the rules of kstatus (sigs.k8s.io/cli-utils), which Flux and Helm wait by."""

from __future__ import annotations

from typing import Any

from wizard.flux.fields import conditions, mapping, number, text
from wizard.state import Phase


def kstatus(obj: object) -> Phase:
    """READY: current. APPLYING: in progress. FAILED: kstatus Failed. WAITING: being deleted. Never raises."""
    meta, spec, status = mapping(obj, "metadata"), mapping(obj, "spec"), mapping(obj, "status")
    if meta.get("deletionTimestamp"):
        return Phase.WAITING
    seen = status.get("observedGeneration")
    if seen is not None and number(seen) != number(meta.get("generation")):
        return Phase.APPLYING
    found = conditions(obj)
    if text(found.get("Reconciling", {}).get("status")) == "True":
        return Phase.APPLYING
    if text(found.get("Stalled", {}).get("status")) == "True":
        return Phase.FAILED
    rule = _RULES.get(text(mapping({"x": obj}, "x").get("kind")))
    if rule is not None:
        return rule(spec, status, found, number(meta.get("generation")))
    ready = text(found.get("Ready", {}).get("status"))
    return Phase.READY if ready in ("", "True") else Phase.APPLYING


def _deployment(spec: dict[str, Any], status: dict[str, Any], found: dict[str, dict[str, Any]], generation: int) -> Phase:
    if text(found.get("Progressing", {}).get("reason")) == "ProgressDeadlineExceeded":
        return Phase.FAILED
    if generation and status.get("observedGeneration") is None:
        return Phase.APPLYING
    wanted = number(spec.get("replicas", 1))
    updated, total = number(status.get("updatedReplicas")), number(status.get("replicas"))
    available, ready = number(status.get("availableReplicas")), number(status.get("readyReplicas"))
    done = updated >= wanted and total <= updated and available >= updated and ready >= wanted
    return Phase.READY if done else Phase.APPLYING


def _stateful(spec: dict[str, Any], status: dict[str, Any], _found: dict[str, dict[str, Any]], generation: int) -> Phase:
    if generation and status.get("observedGeneration") is None:
        return Phase.APPLYING
    wanted = number(spec.get("replicas", 1))
    if number(status.get("readyReplicas")) < wanted or number(status.get("replicas")) < wanted:
        return Phase.APPLYING
    if text(mapping(spec, "updateStrategy").get("type")) == "OnDelete":
        return Phase.READY
    return Phase.READY if status.get("currentRevision") == status.get("updateRevision") else Phase.APPLYING


def _daemon(_spec: dict[str, Any], status: dict[str, Any], _found: dict[str, dict[str, Any]], generation: int) -> Phase:
    if generation and status.get("observedGeneration") is None:
        return Phase.APPLYING
    if "desiredNumberScheduled" not in status:
        return Phase.APPLYING
    wanted = number(status.get("desiredNumberScheduled"))
    done = min(number(status.get(name)) for name in ("updatedNumberScheduled", "numberAvailable", "numberReady")) >= wanted
    return Phase.READY if done else Phase.APPLYING


def _job(_spec: dict[str, Any], _status: dict[str, Any], found: dict[str, dict[str, Any]], _generation: int) -> Phase:
    if text(found.get("Failed", {}).get("status")) == "True":
        return Phase.FAILED
    return Phase.READY if text(found.get("Complete", {}).get("status")) == "True" else Phase.APPLYING


def _claim(_spec: dict[str, Any], status: dict[str, Any], _found: dict[str, dict[str, Any]], _generation: int) -> Phase:
    return Phase.READY if status.get("phase") == "Bound" else Phase.APPLYING


def _pod(_spec: dict[str, Any], status: dict[str, Any], found: dict[str, dict[str, Any]], _generation: int) -> Phase:
    phase = text(status.get("phase"))
    if phase == "Succeeded":
        return Phase.READY
    if phase == "Failed":
        return Phase.FAILED
    return Phase.READY if text(found.get("Ready", {}).get("status")) == "True" else Phase.APPLYING


_RULES = {
    "Deployment": _deployment,
    "StatefulSet": _stateful,
    "DaemonSet": _daemon,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
}


def pods_of(workload: object) -> tuple[int, int]:
    """(ready, wanted) pods of a workload."""
    spec, status = mapping(workload, "spec"), mapping(workload, "status")
    kind = text(mapping({"x": workload}, "x").get("kind"))
    if kind == "DaemonSet":
        return number(status.get("numberReady")), number(status.get("desiredNumberScheduled"))
    if kind == "Job":
        wanted = number(spec.get("completions", 1))
        return min(number(status.get("succeeded")), wanted), wanted
    wanted = number(spec.get("replicas", 1))
    return min(number(status.get("readyReplicas")), wanted), wanted
