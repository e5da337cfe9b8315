"""What the conditions of a Flux object mean: waiting, applying, ready, failed (bootstrap.md 4.1 to 4.3, read from the controllers).

Ready counts only at the generation that was asked for, and for a Kustomization only at our revision: right after a push both the
condition and the object are those of the change before.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from wizard.flux.fields import conditions, mapping, number, sequence, text
from wizard.state import Phase
from wizard.text import clean

_DEPENDENCY = re.compile(r"(?:dependency '|unable to get ')([a-z0-9.-]{0,253}/?[a-z0-9.-]{1,253})'")
_BY_CONDITION = frozenset({"FluxInstance", "ResourceSet", "FluxReport"})
"""Kinds whose status has no observedGeneration of its own: their conditions carry it."""
_WAITS = frozenset({"DependencyNotReady"})
_SOURCE = frozenset({"SourceNotReady", "ArtifactFailed"})


@dataclass(frozen=True, slots=True)
class Assessment:
    """`reason` is Flux's own word, `message` is cleaned for display. `waits_for` are `namespace/name` of dependencies that are not ready.
    `generation_seen`: the controller has looked at the newest spec. `failing`: the last try failed and is repeated (phase APPLYING).
    `since` is the RFC 3339 time of the condition's last change."""

    phase: Phase
    reason: str = ""
    message: str = ""
    waits_for: tuple[str, ...] = ()
    generation_seen: bool = False
    failing: bool = False
    since: str = ""


def assess(obj: object, revision: str | Collection[str] | None = None) -> Assessment:
    """The state of a Kustomization, HelmRelease, source, HelmChart or FluxInstance. `revision`: commit (or several, any of which will do)
    that a Kustomization must have applied to be ready. Never raises, whatever the object looks like."""
    spec, found = mapping(obj, "spec"), conditions(obj)
    meta = mapping(obj, "metadata")
    ready, stalled, reconciling = (found.get(name, {}) for name in ("Ready", "Stalled", "Reconciling"))
    generation = number(meta.get("generation"))
    seen = _seen(obj, generation)
    if meta.get("deletionTimestamp"):
        return Assessment(Phase.APPLYING, "Terminating", "is being deleted", generation_seen=seen)
    if spec.get("suspend") is True:
        return Assessment(Phase.SUSPENDED, "Suspended", "suspended: Flux does not look at it", generation_seen=seen)
    if not ready and not stalled:
        if mapping(obj).get("kind") == "HelmRepository" and spec.get("type") == "oci":
            return Assessment(Phase.READY, "Static", "", generation_seen=True)  # there is nothing to fetch before a chart is asked for
        return _plain(Phase.APPLYING if reconciling else Phase.WAITING, reconciling, "Flux has not looked at it yet", seen)
    if _is(stalled, "True") and _current(stalled, generation):
        told = ready if text(ready.get("message")) and not _is(ready, "True") else stalled
        return Assessment(Phase.FAILED, _reason(stalled), _told(told), (), seen, True, text(stalled.get("lastTransitionTime")))
    if _is(ready, "True"):
        return _ready(obj, ready, reconciling, generation, seen, revision)
    if _is(ready, "False"):
        return _not_ready(obj, ready, reconciling, generation, seen)
    told = reconciling if text(reconciling.get("message")) else ready
    return _plain(Phase.APPLYING, told, "is being reconciled", seen)


def _ready(
    obj: object, ready: dict[str, Any], reconciling: dict[str, Any], generation: int, seen: bool, revision: str | Collection[str] | None
) -> Assessment:
    if not seen or not _current(ready, generation):
        return _plain(Phase.APPLYING, reconciling, "a newer spec is there, Flux has not applied it yet", seen, always=True)
    if _is(reconciling, "True"):
        return _plain(Phase.APPLYING, reconciling, "is being reconciled", seen)
    if mapping(obj).get("kind") == "Kustomization" and revision is not None:
        wanted = (revision,) if isinstance(revision, str) else tuple(revision)
        applied = text(mapping(obj, "status").get("lastAppliedRevision"))
        if not any(commit and commit in applied for commit in wanted):
            at = clean(applied, limit=80) or "nothing"
            return Assessment(Phase.APPLYING, "OtherRevision", f"has applied {at}, our commit is not there yet", generation_seen=seen)
    return Assessment(Phase.READY, _reason(ready), _told(ready), (), seen, False, text(ready.get("lastTransitionTime")))


def _not_ready(obj: object, ready: dict[str, Any], reconciling: dict[str, Any], generation: int, seen: bool) -> Assessment:
    reason, message, since = _reason(ready), _told(ready), text(ready.get("lastTransitionTime"))
    if not _current(ready, generation):
        return Assessment(Phase.APPLYING, "Stale", "a newer spec is there, Flux has not applied it yet", generation_seen=False, since=since)
    if reason in _WAITS:
        return Assessment(Phase.WAITING, reason, message, _dependencies(obj, text(ready.get("message"))), seen, False, since)
    if reason in _SOURCE and not _lasting(message):
        return Assessment(Phase.WAITING, reason, message, (), seen, False, since)
    if _is(reconciling, "True") and _reason(reconciling) == "Progressing" and reason == "Progressing":
        return _plain(Phase.APPLYING, reconciling, message, seen)
    return Assessment(Phase.APPLYING, reason, message, (), seen, True, since)


def _lasting(message: str) -> bool:
    """A source or path that time alone does not mend."""
    low = message.lower()
    return (
        "path not found" in low
        or "could not load chart" in low
        or ("is not ready:" in low and "does not have an artifact" not in low and "latest generation" not in low)
    )


def _dependencies(obj: object, message: str) -> tuple[str, ...]:
    """`namespace/name` of what the message names; without a name, all that the spec depends on."""
    namespace = text(mapping(obj, "metadata").get("namespace"))
    named = [f"{namespace}/{n}" if "/" not in n else n for n in _DEPENDENCY.findall(message[:4000])]
    if not named:
        for entry in sequence(obj, "spec", "dependsOn"):
            if isinstance(entry, dict) and text(entry.get("name")):
                named.append(f"{text(entry.get('namespace')) or namespace}/{text(entry.get('name'))}")
    return tuple(dict.fromkeys(clean(n, limit=300) for n in named))


def _seen(obj: object, generation: int) -> bool:
    status = mapping(obj, "status")
    if mapping(obj).get("kind") in _BY_CONDITION and "observedGeneration" not in status:
        return number(conditions(obj).get("Ready", {}).get("observedGeneration")) == generation
    return "observedGeneration" in status and number(status.get("observedGeneration")) == generation


def _current(condition: dict[str, Any], generation: int) -> bool:
    at = condition.get("observedGeneration")
    return at is None or number(at) == generation


def _is(condition: dict[str, Any], status: str) -> bool:
    return text(condition.get("status")) == status


def _reason(condition: dict[str, Any]) -> str:
    return clean(text(condition.get("reason")), limit=80)


def _told(condition: dict[str, Any]) -> str:
    return clean(text(condition.get("message")), limit=600)


def _plain(phase: Phase, condition: dict[str, Any], otherwise: str, seen: bool, *, always: bool = False) -> Assessment:
    message = otherwise if always else _told(condition) or otherwise
    return Assessment(phase, _reason(condition), message, (), seen, False, text(condition.get("lastTransitionTime")))
