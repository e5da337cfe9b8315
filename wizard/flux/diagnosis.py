"""Why a chart does not get ready: what is wrong, what shows it, and what to do, in plain words.

The deepest cause comes first: a pod that cannot start explains the release that waits for it, not the other way round. Kubernetes'
and registries' own texts are matched loosely (bootstrap.md 4.6), for their wording changes with their versions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from wizard.flux.fields import mapping, name_of, text
from wizard.flux.snapshot import event_time
from wizard.text import clean

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`what` is wrong, `evidence` is the cluster's own word for it, `remedy` one next action, `pod` the pod it shows at
    (`namespace/name`)."""

    what: str
    evidence: str = ""
    remedy: str = ""
    pod: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of a chart. Events are newest first. `storage_classes` is None when they were not looked at."""

    chart: str
    release: Object | None
    kustomizations: Sequence[Object]
    source: Object | None
    pods: Sequence[Object]
    events: Sequence[Object]
    workloads: Sequence[Object]
    claims: Sequence[Object]
    nodes: Sequence[Object] = ()
    storage_classes: Sequence[Object] | None = None
    revision: str | Collection[str] | None = field(default=None)

    def last_event(self, obj: Object, *reasons: str) -> str:
        """The newest event about an object, of one of the reasons if some are given: `Reason: message`, cleaned."""
        key = (text(obj.get("kind")) or "Pod", *name_of(obj))
        for event in self.events:
            about = mapping(event, "involvedObject")
            if (text(about.get("kind")), text(about.get("namespace")), text(about.get("name"))) != key:
                continue
            if not reasons or event.get("reason") in reasons:
                return clean(f"{text(event.get('reason'))}: {text(event.get('message'))}", limit=400)
        return ""


Rule = Callable[[Case], Diagnosis | None]


def diagnose(
    chart_id: str,
    helmrelease: Object | None,
    kustomizations: Sequence[Object],
    source: Object | None,
    pods: Sequence[Object],
    events: Sequence[Object],
    workloads: Sequence[Object],
    claims: Sequence[Object],
    *,
    nodes: Sequence[Object] = (),
    storage_classes: Sequence[Object] | None = None,
    revision: str | Collection[str] | None = None,
) -> Diagnosis | None:
    """The deepest known cause, None when nothing is known to be wrong. Never raises on malformed objects."""
    from wizard.flux.fluxfaults import RULES as ABOUT_FLUX
    from wizard.flux.placefaults import RULES as ABOUT_PLACES
    from wizard.flux.podfaults import RULES as ABOUT_PODS

    newest = sorted(events, key=event_time, reverse=True)
    case = Case(chart_id, helmrelease, kustomizations, source, pods, newest, workloads, claims, nodes, storage_classes, revision)
    rules: tuple[Rule, ...] = (*ABOUT_PODS, *ABOUT_PLACES, *ABOUT_FLUX)
    for rule in rules:
        found = rule(case)
        if found is not None:
            return found
    return None


def is_default(storage_class: object) -> bool:
    """The class that claims without one get."""
    notes = mapping(storage_class, "metadata", "annotations")
    return "true" in (
        notes.get("storageclass.kubernetes.io/is-default-class"),
        notes.get("storageclass.beta.kubernetes.io/is-default-class"),
    )
