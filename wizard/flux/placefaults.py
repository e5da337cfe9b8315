"""Causes that keep a pod from a place: refused, without a volume, without a node."""

from __future__ import annotations

import re

from wizard.flux.diagnosis import Case, Diagnosis, Rule, is_default
from wizard.flux.fields import conditions, mapping, name_of, text
from wizard.flux.podparts import at_pod, is_ready, mounts
from wizard.text import clean


def scheduling(case: Case) -> Diagnosis | None:
    """A pod without a node. A claim that no pod can wait for is `storage`'s to explain."""
    for pod in case.pods:
        scheduled = conditions(pod).get("PodScheduled", {})
        if text(scheduled.get("status")) != "False" or text(scheduled.get("reason")) not in ("Unschedulable", "SchedulerError"):
            continue
        said = clean(text(scheduled.get("message")), limit=400)
        low = said.lower()
        if "persistentvolumeclaim" in low:
            continue
        if "not-ready" in low or "network-unavailable" in low:
            return at_pod(pod, "no node is ready to take pods", said, "look at the nodes; without a network (CNI) they never get ready")
        if "insufficient" in low:
            lacks = " and ".join(dict.fromkeys(re.findall(r"insufficient ([a-z0-9./-]{1,60})", low))) or "something"
            return at_pod(pod, f"no node has enough {lacks} left", said, "lower the chart's requests, drop a chart, or add a node")
        if "control-plane" in low:
            return at_pod(
                pod, "only control-plane nodes are there and they take no pods", said, "Talos: cluster.allowSchedulingOnControlPlanes: true"
            )
        if "affinity" in low or "selector" in low or "anti-affinity" in low:
            return at_pod(
                pod,
                "no node fits the pod's placement rules",
                said,
                "label a node, or loosen nodeSelector and affinity in the chart's values",
            )
        return at_pod(pod, "the pod cannot be scheduled", said, "look at taints, requests and placement rules")
    return None


def storage(case: Case) -> Diagnosis | None:
    for claim in case.claims:
        if text(mapping(claim, "status").get("phase")) not in ("Pending", "Lost"):
            continue
        namespace, name = name_of(claim)
        pod = next((p for p in case.pods if mounts(p, name) and name_of(p)[0] == namespace), None)
        wanted = mapping(claim, "spec").get("storageClassName")
        known = None if case.storage_classes is None else {name_of(c)[1] for c in case.storage_classes}
        last = case.last_event(claim, "ProvisioningFailed", "FailedBinding") or case.last_event(claim)
        if not wanted and (
            ("no storage class is set" in last) or (known is not None and not any(map(is_default, case.storage_classes or ())))
        ):
            what = f"claim {namespace}/{name} waits for a volume and the cluster has no default storage class"
            return at_pod(pod, what, last, "choose a storage chart, or make one class the default")
        if wanted and (
            (known is not None and text(wanted) not in known) or ("storageclass" in last.lower() and "not found" in last.lower())
        ):
            what = f"claim {namespace}/{name} asks for storage class {clean(wanted, limit=70)}, which does not exist"
            return at_pod(pod, what, last, "correct the class in the chart's options, or add the storage chart that brings it")
        if last.startswith(("ProvisioningFailed", "FailedBinding")):
            return at_pod(
                pod,
                f"no volume can be made for claim {namespace}/{name}",
                last,
                "look at the storage driver's controller and its credentials",
            )
        if last.startswith("ExternalProvisioning") and pod is not None:
            return at_pod(pod, f"claim {namespace}/{name} waits for its storage driver", last, "see the storage driver's controller pod")
        if pod is not None and "unbound" in text(conditions(pod).get("PodScheduled", {}).get("message")):
            return at_pod(pod, f"claim {namespace}/{name} is not bound", last, "look at the storage class and its driver")
    for pod in case.pods:
        last = case.last_event(pod, "FailedAttachVolume", "FailedMount")
        if last and not is_ready(pod):
            return at_pod(pod, "a volume cannot be mounted", last, "look at the storage driver's node pod on that node")
    return None


def refused(case: Case) -> Diagnosis | None:
    """No pod at all: what should make it is told no."""
    for workload in case.workloads:
        failure = conditions(workload).get("ReplicaFailure", {})
        said = clean(text(failure.get("message")), limit=500) if text(failure.get("status")) == "True" else ""
        said = said or case.last_event(workload, "FailedCreate")
        if not said:
            continue
        owner = f"{text(workload.get('kind'))} {'/'.join(name_of(workload))}"
        level = re.search(r'violates PodSecurity "?(\w+)', said)
        if level:
            what = f"{owner}: its pods are refused by Pod Security level {level[1]}"
            return Diagnosis(what, said, f"label namespace {name_of(workload)[0]} pod-security.kubernetes.io/enforce: privileged")
        if "exceeded quota" in said:
            return Diagnosis(
                f"{owner}: its pods would exceed the namespace's quota", said, "raise the ResourceQuota or lower the chart's requests"
            )
        if "failed calling webhook" in said:
            return Diagnosis(f"{owner}: an admission webhook does not answer", said, "look at the pods of the service that is named")
        return Diagnosis(f"{owner}: its pods cannot be made", said, "the message names what refuses them")
    return None


RULES: tuple[Rule, ...] = (refused, storage, scheduling)
