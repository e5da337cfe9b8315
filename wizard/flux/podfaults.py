"""Causes that show at pods, the workloads that should make them, their claims and nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.flux.diagnosis import Case, Diagnosis, Object, Rule, is_default
from wizard.flux.fields import conditions, mapping, name_of, number, sequence, text
from wizard.text import clean

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_SECRET = re.compile(r"(?:secret|configmap) \"?([a-z0-9.-]{1,253})\"? not found", re.I)
_KEY = re.compile(r"couldn't find key ([-._a-zA-Z0-9]{1,253}) in (Secret|ConfigMap) ([a-z0-9./-]{1,320})", re.I)


def image(case: Case) -> Diagnosis | None:
    for pod, container, waiting in _waiting(case):
        if text(waiting.get("reason")) not in _PULL:
            continue
        picture = clean(text(container.get("image")), limit=200)
        last = case.last_event(pod, "Failed", "BackOff", "InspectFailed") or _say(waiting)
        low = last.lower() + _say(waiting).lower()
        if any(word in low for word in ("unauthorized", "denied", "authentication required", "401", "403")):
            what, remedy = (
                f"image {picture} cannot be pulled: the registry wants credentials",
                "add an image pull Secret, or check the image's name",
            )
        elif any(word in low for word in ("not found", "manifest unknown", "404")):
            what, remedy = f"image {picture} cannot be pulled: there is no such image or tag", "correct the image or the chart version"
        elif any(word in low for word in ("toomanyrequests", "rate limit", "429")):
            what, remedy = (
                f"image {picture} cannot be pulled: the registry's rate limit is used up",
                "wait, log in to the registry, or use a mirror",
            )
        elif any(word in low for word in ("no such host", "lookup ", "i/o timeout", "server misbehaving")):
            what, remedy = f"image {picture} cannot be pulled: the node does not reach the registry", "check DNS and network of the node"
        else:
            what, remedy = f"image {picture} cannot be pulled", "check the image's name and that the nodes reach its registry"
        return _at(pod, what, last, remedy)
    return None


def missing_input(case: Case) -> Diagnosis | None:
    for pod, _container, waiting in _waiting(case):
        if text(waiting.get("reason")) in _CONFIG:
            found = _input(pod, _say(waiting))
            if found is not None:
                return found
    for pod in case.pods:
        last = case.last_event(pod, "FailedMount")
        found = _input(pod, last) if last and not _ready(pod) else None
        if found is not None:
            return found
    return None


def _input(pod: Object, said: str) -> Diagnosis | None:
    key = _KEY.search(said)
    if key:
        what = f"{key[2]} {key[3]} has no key {key[1]}"
        return _at(pod, what, said, "add the key to the secret's entry in the plan, then apply again")
    name = _SECRET.search(said)
    if name:
        kind = "ConfigMap" if "configmap" in name[0].lower() else "Secret"
        return _at(
            pod, f"{kind} {name[1]} is missing in namespace {name_of(pod)[0]}", said, "give its value (tierup asks for it) and apply again"
        )
    if "CreateContainerConfigError" in said:
        return _at(pod, "a container's settings cannot be put together", said, "look at the Secrets and ConfigMaps it names")
    return None


def crash(case: Case) -> Diagnosis | None:
    for pod in case.pods:
        for status in _statuses(pod):
            waiting, last, now = (
                mapping(status, "state", "waiting"),
                mapping(status, "lastState", "terminated"),
                mapping(status, "state", "terminated"),
            )
            ended = last or now
            looping = text(waiting.get("reason")) == "CrashLoopBackOff"
            failed = bool(ended) and (number(ended.get("exitCode")) != 0 or text(ended.get("reason")) == "OOMKilled")
            if not looping and not (failed and not _ready(pod) and number(status.get("restartCount")) > 0) and not (failed and now):
                continue
            name = clean(text(status.get("name")), limit=70)
            times = number(status.get("restartCount"))
            event = case.last_event(pod)
            if text(ended.get("reason")) == "OOMKilled":
                return _at(
                    pod,
                    f"container {name} runs out of memory ({times} restarts)",
                    event or "OOMKilled",
                    "raise its memory limit in the chart's values",
                )
            code = number(ended.get("exitCode"))
            said = clean(text(ended.get("message")), limit=200)
            evidence = "; ".join(part for part in (f"exit code {code}" if ended else "", said, event) if part)
            return _at(
                pod, f"container {name} crashes again and again ({times} restarts)", evidence, "read its log: the last lines say why"
            )
    return None


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
            return _at(pod, "no node is ready to take pods", said, "look at the nodes; without a network (CNI) they never get ready")
        if "insufficient" in low:
            lacks = " and ".join(dict.fromkeys(re.findall(r"insufficient ([a-z0-9./-]{1,60})", low))) or "something"
            return _at(pod, f"no node has enough {lacks} left", said, "lower the chart's requests, drop a chart, or add a node")
        if "control-plane" in low:
            return _at(
                pod, "only control-plane nodes are there and they take no pods", said, "Talos: cluster.allowSchedulingOnControlPlanes: true"
            )
        if "affinity" in low or "selector" in low or "anti-affinity" in low:
            return _at(
                pod,
                "no node fits the pod's placement rules",
                said,
                "label a node, or loosen nodeSelector and affinity in the chart's values",
            )
        return _at(pod, "the pod cannot be scheduled", said, "look at taints, requests and placement rules")
    return None


def storage(case: Case) -> Diagnosis | None:
    for claim in case.claims:
        if text(mapping(claim, "status").get("phase")) not in ("Pending", "Lost"):
            continue
        namespace, name = name_of(claim)
        pod = next((p for p in case.pods if _mounts(p, name) and name_of(p)[0] == namespace), None)
        wanted = mapping(claim, "spec").get("storageClassName")
        known = None if case.storage_classes is None else {name_of(c)[1] for c in case.storage_classes}
        last = case.last_event(claim, "ProvisioningFailed", "FailedBinding") or case.last_event(claim)
        if not wanted and (
            ("no storage class is set" in last) or (known is not None and not any(map(is_default, case.storage_classes or ())))
        ):
            what = f"claim {namespace}/{name} waits for a volume and the cluster has no default storage class"
            return _at(pod, what, last, "choose a storage chart, or make one class the default")
        if wanted and (
            (known is not None and text(wanted) not in known) or ("storageclass" in last.lower() and "not found" in last.lower())
        ):
            what = f"claim {namespace}/{name} asks for storage class {clean(wanted, limit=70)}, which does not exist"
            return _at(pod, what, last, "correct the class in the chart's options, or add the storage chart that brings it")
        if last.startswith(("ProvisioningFailed", "FailedBinding")):
            return _at(
                pod,
                f"no volume can be made for claim {namespace}/{name}",
                last,
                "look at the storage driver's controller and its credentials",
            )
        if last.startswith("ExternalProvisioning") and pod is not None:
            return _at(pod, f"claim {namespace}/{name} waits for its storage driver", last, "look at the storage driver's controller pod")
        if pod is not None and "unbound" in text(conditions(pod).get("PodScheduled", {}).get("message")):
            return _at(pod, f"claim {namespace}/{name} is not bound", last, "look at the storage class and its driver")
    for pod in case.pods:
        last = case.last_event(pod, "FailedAttachVolume", "FailedMount")
        if last and not _ready(pod):
            return _at(pod, "a volume cannot be mounted", last, "look at the storage driver's node pod on that node")
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


def node(case: Case) -> Diagnosis | None:
    """A pod on a node that is gone or not ready."""
    away = {name_of(n)[1]: n for n in case.nodes if text(conditions(n).get("Ready", {}).get("status")) != "True"}
    for pod in case.pods:
        at = text(mapping(pod, "spec").get("nodeName"))
        if at in away and not _ready(pod):
            said = clean(text(conditions(away[at]).get("Ready", {}).get("message")), limit=300)
            last = case.last_event(pod)
            return _at(pod, f"node {at} is not ready", "; ".join(filter(None, (said, last))), "look at the node: power, network, kubelet")
    for pod in case.pods:
        last = case.last_event(pod, "FailedCreatePodSandBox", "NetworkNotReady")
        if last and not _ready(pod):
            return _at(pod, "the node cannot give the pod a network", last, "look at the CNI's pods on that node")
    return None


def _waiting(case: Case) -> Iterator[tuple[Object, Object, Object]]:
    for pod in case.pods:
        for status in _statuses(pod):
            waiting = mapping(status, "state", "waiting")
            if waiting:
                yield pod, status, waiting


def _statuses(pod: Object) -> list[Object]:
    found = [*sequence(pod, "status", "initContainerStatuses"), *sequence(pod, "status", "containerStatuses")]
    return [s for s in found if isinstance(s, dict)]


def _ready(pod: Object) -> bool:
    return text(conditions(pod).get("Ready", {}).get("status")) == "True" or text(mapping(pod, "status").get("phase")) == "Succeeded"


def _mounts(pod: Object, claim: str) -> bool:
    return any(mapping(v, "persistentVolumeClaim").get("claimName") == claim for v in sequence(pod, "spec", "volumes"))


def _say(waiting: Object) -> str:
    return clean(f"{text(waiting.get('reason'))}: {text(waiting.get('message'))}".rstrip(": "), limit=400)


def _at(pod: Object | None, what: str, evidence: str, remedy: str) -> Diagnosis:
    return Diagnosis(what, evidence, remedy, clean("/".join(name_of(pod)), limit=320) if pod is not None else None)


RULES: tuple[Rule, ...] = (node, image, missing_input, crash, refused, storage, scheduling)
