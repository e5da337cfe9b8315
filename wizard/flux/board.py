"""Every chart of a run at a glance: objects in, `ChartState`s out. What it cannot see freshly it calls unknown, never ready."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wizard.clock import SYSTEM, Clock, stamp
from wizard.cluster import Freshness
from wizard.flux.conditions import Assessment, assess
from wizard.flux.diagnosis import Diagnosis, diagnose
from wizard.flux.fields import name_of
from wizard.flux.judgement import Verdict, judge
from wizard.flux.kstatus import pods_of
from wizard.flux.snapshot import Key, Object, Snapshot
from wizard.flux.watched import FLUX_NAMESPACE, WORKLOADS, CatalogLike, OrderLike, Watched, watched
from wizard.state import ChartState, Phase
from wizard.text import seconds_in_words

_SEEN_BY = {True: ("Kustomization", "HelmRelease", "OCIRepository", "HelmChart"), False: WORKLOADS[:3]}
"""Kinds that must be fresh before a chart of Flux (True) or of Terraform (False) may look ready."""


@dataclass(frozen=True, slots=True)
class _Said:
    phase: Phase
    message: str
    remedy: str


class Board:
    """The charts of an order. Thread-safe. `revision`: our commit (or several of which any will do); None before there is one, and then
    any applied revision counts."""

    def __init__(
        self,
        order: OrderLike | None = None,
        catalog: CatalogLike | None = None,
        *,
        charts: Iterable[Watched] = (),
        revision: str | Collection[str] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._charts = watched(order, catalog) if order is not None and catalog is not None else tuple(charts)
        self._names = _names(self._charts)
        self._revision = revision
        self._clock = clock
        self._lock = threading.RLock()
        self._objects: dict[str, Mapping[Key, Object]] = {}
        self._freshness: dict[str, Freshness] = {}
        self._said: dict[str, _Said] = {}
        self._since: dict[str, tuple[Phase, str]] = {}
        self._snapshot: Snapshot | None = None
        self._states: tuple[ChartState, ...] | None = None

    def update(self, kind: str, objects: Mapping[Key, Object] | Iterable[Object], freshness: Freshness | None = None) -> None:
        """The newest objects of a kind and how far they can be trusted. Without `freshness` they count as live."""
        table = objects if isinstance(objects, Mapping) else {name_of(o): o for o in objects}
        with self._lock:
            if self._objects.get(kind) is not table:
                self._objects[kind] = table
                self._snapshot = self._states = None
            self.refresh(kind, freshness or Freshness("live", 0.0))

    def refresh(self, kind: str, freshness: Freshness) -> None:
        """The same objects, but how far they can be trusted has changed."""
        with self._lock:
            before = self._freshness.get(kind)
            self._freshness[kind] = freshness
            if before is None or (before.state, before.message) != (freshness.state, freshness.message):
                self._states = None

    def set_revision(self, revision: str | Collection[str] | None) -> None:
        """From now on only these commits count as ours."""
        with self._lock:
            self._revision = revision
            self._states = None

    def set_phase(self, chart: str, phase: Phase, message: str = "", remedy: str = "") -> None:
        """What the engine itself says of a chart: for Terraform's charts it stands; for Flux's it stands until the chart is seen ready
        (a chart past its deadline that gets ready after all is ready)."""
        with self._lock:
            self._said[chart] = _Said(phase, message, remedy)
            self._states = None

    def clear_phase(self, chart: str) -> None:
        """Judge the chart by its objects again."""
        with self._lock:
            self._said.pop(chart, None)
            self._states = None

    def charts(self) -> tuple[ChartState, ...]:
        """The state of each chart in the order of the plan; computed when something has changed, else the same tuple."""
        with self._lock:
            if self._states is None:
                view = self._view()
                self._states = tuple(self._state(chart, view) for chart in self._charts)
            return self._states

    def diagnose(self, chart: str) -> Diagnosis | None:
        """What is wrong with a chart, in words; None when nothing is known to be."""
        with self._lock:
            view = self._view()
            return next((self._diagnosis(c, view) for c in self._charts if c.chart == chart), None)

    def source(self) -> Assessment:
        """The state of our GitRepository."""
        return self._flux_object("GitRepository")

    def flux(self) -> Assessment:
        """The state of the FluxInstance."""
        with self._lock:
            found = next(iter(self._view().kind("FluxInstance").values()), None)
        return assess(found) if found is not None else Assessment(Phase.WAITING, "", "no FluxInstance yet")

    def root(self) -> Assessment:
        """The state of the Kustomization that all others come from, at our revision."""
        return self._flux_object("Kustomization")

    def _flux_object(self, kind: str) -> Assessment:
        with self._lock:
            found = self._view().kind(kind).get((FLUX_NAMESPACE, "flux-system"))
            return assess(found, self._revision) if found is not None else Assessment(Phase.WAITING, "", f"no {kind} yet")

    def _view(self) -> Snapshot:
        if self._snapshot is None:
            self._snapshot = Snapshot(self._objects, self._charts)
        return self._snapshot

    def _state(self, chart: Watched, view: Snapshot) -> ChartState:
        verdict = judge(chart, view, self._revision, self._names)
        remedy = ""
        said = self._said.get(chart.chart)
        spoken = said is not None and not (chart.by_flux and verdict.phase is Phase.READY)
        if said is not None and spoken:
            verdict, remedy = Verdict(said.phase, said.message, verdict.waits_for, verdict.failing), said.remedy
        elif verdict.phase in (Phase.APPLYING, Phase.FAILED):
            found = self._diagnosis(chart, view)
            if found is not None:
                place = f"pod {found.pod}" if found.pod else ""
                evidence = ": ".join(part for part in (place, found.evidence) if part)
                verdict, remedy = replace(verdict, message=f"{found.what} ({evidence})" if evidence else found.what), found.remedy
        if not spoken:
            verdict = self._doubted(chart, verdict)
        ready, wanted = self._pods(chart, view)
        return ChartState(
            chart=chart.chart,
            tier=chart.tier,
            phase=verdict.phase,
            message=verdict.message,
            since=self._entered(chart.chart, verdict),
            waits_for=verdict.waits_for,
            ready=ready,
            wanted=wanted,
            remedy=remedy,
            usual=chart.usual,
        )

    def _doubted(self, chart: Watched, verdict: Verdict) -> Verdict:
        """Unknown in place of what old data say: nothing was heard of the kinds that decide."""
        if not chart.by_flux and not chart.workloads:
            return verdict
        for kind in _SEEN_BY[chart.by_flux]:
            told = self._freshness.get(kind)
            if told is not None and told.state != "live":
                age = f"{kind} last seen {seconds_in_words(told.age)} ago" if told.age < float("inf") else f"{kind} not seen yet"
                return Verdict(Phase.UNKNOWN, f"{age}; {told.message}".rstrip("; "), verdict.waits_for)
        return verdict

    def _entered(self, chart: str, verdict: Verdict) -> str:
        before = self._since.get(chart)
        if before is not None and before[0] is verdict.phase:
            return before[1]
        since = (verdict.since if before is None else "") or stamp(self._clock.now())
        self._since[chart] = (verdict.phase, since)
        return since

    def _pods(self, chart: Watched, view: Snapshot) -> tuple[int, int]:
        counts = [pods_of(w) for w in view.workloads.get(chart.chart, ()) if w.get("kind") != "Job"]
        if not counts and not chart.by_flux:
            counts = [pods_of(w) for kind, name in chart.workloads if (w := view.kind(kind).get((chart.namespace, name)))]
        return sum(c[0] for c in counts), sum(c[1] for c in counts)

    def _diagnosis(self, chart: Watched, view: Snapshot) -> Diagnosis | None:
        release = view.release(chart)
        pods, workloads, claims = (table.get(chart.chart, []) for table in (view.pods, view.workloads, view.claims))
        mine: list[dict[str, Any]] = [*pods, *workloads, *claims, *([release] if release else [])]
        return diagnose(
            chart.chart,
            release,
            [k for name in chart.kustomizations if (k := view.kustomization(name)) is not None],
            view.source(release),
            pods,
            view.events(mine),
            workloads,
            claims,
            nodes=list(view.kind("Node").values()),
            storage_classes=list(view.kind("StorageClass").values()) if "StorageClass" in self._objects else None,
            revision=self._revision,
        )


def _names(charts: Iterable[Watched]) -> dict[str, str]:
    found: dict[str, str] = {}
    for chart in charts:
        for name in chart.kustomizations:
            found[f"{FLUX_NAMESPACE}/{name}"] = chart.chart
        for name in {chart.release, chart.chart}:
            found.setdefault(f"{chart.namespace}/{name}", chart.chart)
    return found
