"""Causes that show at pods and the nodes they are on."""

from __future__ import annotations

import re

from wizard.flux.diagnosis import Case, Diagnosis, Object, Rule
from wizard.flux.fields import conditions, mapping, name_of, number, text
from wizard.flux.podparts import at_pod, is_ready, statuses, waiting_containers, words
from wizard.text import clean

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_SECRET = re.compile(r"(?:secret|configmap) \"?([a-z0-9.-]{1,253})\"? not found", re.I)
_KEY = re.compile(r"couldn't find key ([-._a-zA-Z0-9]{1,253}) in (Secret|ConfigMap) ([a-z0-9./-]{1,320})", re.I)


def image(case: Case) -> Diagnosis | None:
    for pod, container, waiting in waiting_containers(case):
        if text(waiting.get("reason")) not in _PULL:
            continue
        picture = clean(text(container.get("image")), limit=200)
        last = case.last_event(pod, "Failed", "BackOff", "InspectFailed") or words(waiting)
        low = last.lower() + words(waiting).lower()
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
        return at_pod(pod, what, last, remedy)
    return None


def missing_input(case: Case) -> Diagnosis | None:
    for pod, _container, waiting in waiting_containers(case):
        if text(waiting.get("reason")) in _CONFIG:
            found = _input(pod, words(waiting))
            if found is not None:
                return found
    for pod in case.pods:
        last = case.last_event(pod, "FailedMount")
        found = _input(pod, last) if last and not is_ready(pod) else None
        if found is not None:
            return found
    return None


def _input(pod: Object, said: str) -> Diagnosis | None:
    key = _KEY.search(said)
    if key:
        what = f"{key[2]} {key[3]} has no key {key[1]}"
        return at_pod(pod, what, said, "add the key to the secret's entry in the plan, then apply again")
    name = _SECRET.search(said)
    if name:
        kind = "ConfigMap" if "configmap" in name[0].lower() else "Secret"
        return at_pod(
            pod, f"{kind} {name[1]} is missing in namespace {name_of(pod)[0]}", said, "give its value (tierup asks for it) and apply again"
        )
    if "CreateContainerConfigError" in said:
        return at_pod(pod, "a container's settings cannot be put together", said, "look at the Secrets and ConfigMaps it names")
    return None


def crash(case: Case) -> Diagnosis | None:
    for pod in case.pods:
        for status in statuses(pod):
            waiting, last, now = (
                mapping(status, "state", "waiting"),
                mapping(status, "lastState", "terminated"),
                mapping(status, "state", "terminated"),
            )
            ended = last or now
            looping = text(waiting.get("reason")) == "CrashLoopBackOff"
            failed = bool(ended) and (number(ended.get("exitCode")) != 0 or text(ended.get("reason")) == "OOMKilled")
            if not looping and not (failed and not is_ready(pod) and number(status.get("restartCount")) > 0) and not (failed and now):
                continue
            name = clean(text(status.get("name")), limit=70)
            times = number(status.get("restartCount"))
            event = case.last_event(pod)
            if text(ended.get("reason")) == "OOMKilled":
                return at_pod(
                    pod,
                    f"container {name} runs out of memory ({times} restarts)",
                    event or "OOMKilled",
                    "raise its memory limit in the chart's values",
                )
            code = number(ended.get("exitCode"))
            said = clean(text(ended.get("message")), limit=200)
            evidence = "; ".join(part for part in (f"exit code {code}" if ended else "", said, event) if part)
            return at_pod(
                pod, f"container {name} crashes again and again ({times} restarts)", evidence, "read its log: the last lines say why"
            )
    return None


def node(case: Case) -> Diagnosis | None:
    """A pod on a node that is gone or not ready."""
    away = {name_of(n)[1]: n for n in case.nodes if text(conditions(n).get("Ready", {}).get("status")) != "True"}
    for pod in case.pods:
        at = text(mapping(pod, "spec").get("nodeName"))
        if at in away and not is_ready(pod):
            said = clean(text(conditions(away[at]).get("Ready", {}).get("message")), limit=300)
            last = case.last_event(pod)
            return at_pod(pod, f"node {at} is not ready", "; ".join(filter(None, (said, last))), "see the node: power, network, kubelet")
    for pod in case.pods:
        last = case.last_event(pod, "FailedCreatePodSandBox", "NetworkNotReady")
        if last and not is_ready(pod):
            return at_pod(pod, "the node cannot give the pod a network", last, "look at the CNI's pods on that node")
    return None


RULES: tuple[Rule, ...] = (node, image, missing_input, crash)
