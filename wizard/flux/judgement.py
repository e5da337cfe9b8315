"""The state of one chart from its Kustomizations, its HelmRelease, its source and its workloads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from wizard.flux.conditions import Assessment, assess
from wizard.flux.fields import mapping, text
from wizard.flux.kstatus import kstatus
from wizard.flux.snapshot import Object, Snapshot
from wizard.flux.watched import FLUX_NAMESPACE, Watched
from wizard.state import Phase


@dataclass(frozen=True, slots=True)
class Verdict:
    """`waits_for` are chart ids where they are known. `failing`: something is wrong, a diagnosis is worth making."""

    phase: Phase
    message: str = ""
    waits_for: tuple[str, ...] = ()
    failing: bool = False
    since: str = ""


def judge(chart: Watched, view: Snapshot, revision: str | Collection[str] | None, names: dict[str, str]) -> Verdict:
    """A chart is ready when its HelmRelease is ready at its own generation with the chart its source has now, and all its Kustomizations
    are ready at our revision. `names`: `namespace/name` of Kustomizations and HelmReleases -> chart id."""
    if not chart.by_flux:
        return _by_workloads(chart, view)
    parts = [(name, view.kustomization(name)) for name in chart.kustomizations]
    states = {name: assess(item, revision) for name, item in parts if item is not None}
    main = states.get(chart.chart)
    if main is None:
        return Verdict(Phase.WAITING, "not in the cluster yet: Flux has still to apply our commit")
    if main.phase is Phase.SUSPENDED:
        return _told(main, names, chart)
    before = states.get(f"{chart.chart}-claims")
    if chart.claims and (before is None or before.phase is not Phase.READY):
        return _own_part(before, "the resources it needs first", names, chart)
    release = view.release(chart)
    state = assess(release) if release is not None else None
    broken = (main.failing or main.phase is Phase.FAILED) and main.reason != "HealthCheckFailed"
    if state is None or broken or (main.phase is not Phase.READY and state.phase is Phase.READY):
        if main.phase is Phase.READY:
            return Verdict(Phase.WAITING, "its HelmRelease is on the way", since=main.since)
        if state is None and main.phase is Phase.APPLYING and not main.failing:
            return Verdict(Phase.WAITING, "Flux is about to apply it", since=main.since)
        return _told(main, names, chart)
    if state.phase is not Phase.READY:
        return _release(state, view, release, names, chart)
    late = _older_chart(release, view)
    if late:
        return Verdict(Phase.APPLYING, late, since=state.since)
    after = states.get(f"{chart.chart}-config")
    if chart.config and (after is None or after.phase is not Phase.READY):
        return _own_part(after, "its own resources", names, chart)
    return Verdict(Phase.READY, state.message, since=state.since)


def _release(state: Assessment, view: Snapshot, release: Object | None, names: dict[str, str], chart: Watched) -> Verdict:
    """A HelmRelease that waits for its source is no better off than that source."""
    if state.phase is Phase.APPLYING and not state.failing and state.message.startswith("Fulfilling prerequisites"):
        return Verdict(Phase.WAITING, "Flux looks whether all it needs is there", since=state.since)
    if state.reason in ("SourceNotReady", "ArtifactFailed"):
        source = view.source(release)
        told = assess(source) if source is not None else None
        if told is not None and (told.failing or told.phase is Phase.FAILED):
            return Verdict(told.phase, told.message, (), True, told.since)
        return Verdict(Phase.APPLYING, state.message or "its chart is being fetched", (), state.failing, state.since)
    return _told(state, names, chart)


def _older_chart(release: Object | None, view: Snapshot) -> str:
    """A version bump changes the source alone: the HelmRelease is still ready, with the chart of before. Says so, or nothing."""
    source = view.source(release)
    if source is None:
        return ""
    state = assess(source)
    if not state.generation_seen and state.phase is not Phase.READY:
        return "a new chart version is asked for, its source has still to fetch it"
    has = text(mapping(source, "status", "artifact").get("revision"))
    status = mapping(release, "status")
    if source.get("kind") == "OCIRepository" and text(status.get("lastAttemptedRevisionDigest")):
        wanted, ran = has.rpartition("@")[2], text(status.get("lastAttemptedRevisionDigest"))
    else:
        wanted, ran = _plain_version(has), _plain_version(text(status.get("lastAttemptedRevision")))
    if has and wanted and ran and wanted != ran and source.get("kind") in ("OCIRepository", "HelmChart"):
        return f"its source has fetched {has[:60]}, the release still runs {text(status.get('lastAttemptedRevision'))[:60]}"
    return ""


def _plain_version(revision: str) -> str:
    return revision.partition("@")[0].partition("+")[0].removeprefix("v")


def _own_part(state: Assessment | None, what: str, names: dict[str, str], chart: Watched) -> Verdict:
    if state is None:
        return Verdict(Phase.APPLYING, f"{what}: not in the cluster yet")
    told = _told(state, names, chart)
    phase = Phase.APPLYING if state.phase is Phase.WAITING and not told.waits_for else told.phase
    return Verdict(phase, f"{what}: {told.message}", told.waits_for, told.failing, told.since)


def _told(state: Assessment, names: dict[str, str], chart: Watched) -> Verdict:
    waits = tuple(dict.fromkeys(names.get(w, w.removeprefix(f"{FLUX_NAMESPACE}/")) for w in state.waits_for))
    others = tuple(w for w in waits if w != chart.chart)
    message = f"waits for {', '.join(others)}" if others and state.phase is Phase.WAITING else state.message
    return Verdict(state.phase, message, others, state.failing, state.since)


def _by_workloads(chart: Watched, view: Snapshot) -> Verdict:
    found: list[tuple[str, Any]] = [(f"{kind} {name}", view.kind(kind).get((chart.namespace, name))) for kind, name in chart.workloads]
    if not found:
        return Verdict(Phase.WAITING)
    if all(item is None for _, item in found):
        return Verdict(Phase.WAITING, "not in the cluster yet")
    for what, item in found:
        phase = kstatus(item) if item is not None else Phase.APPLYING
        if phase is not Phase.READY:
            return Verdict(Phase.APPLYING, f"{what} is not ready", failing=phase is Phase.FAILED)
    return Verdict(Phase.READY)
