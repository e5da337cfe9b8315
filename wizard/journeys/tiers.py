"""Watching the tiers come up: live copies of what Flux and the workloads say, a board, and a deadline for each chart."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta

from wizard.clock import SYSTEM, Clock, stamp
from wizard.cluster import Api, Reflector
from wizard.errors import Cancelled, Problem, TierupError
from wizard.flux import WATCHES, Board
from wizard.order import Order
from wizard.run.live import Live
from wizard.state import ChartState, Phase
from wizard.text import seconds_in_words

LOOK = 0.25
"""Seconds between two looks at the board; views get at most ten states a second anyway."""

STARVED = 120.0
"""Seconds the API server may be silent before a run that only watches gives up; everything in the cluster goes on without us."""


class Tiers:
    """The board of a run, kept current by reflectors; started before the first change so that views see everything."""

    def __init__(self, api: Api, order: Order, board: Board, deadlines: Mapping[str, float], live: Live, clock: Clock = SYSTEM) -> None:
        self.board = board
        self._order = order
        self._deadlines = deadlines
        self._live = live
        self._clock = clock
        self._reflectors = {w.kind: Reflector(api, w.path, params=dict(w.params)) for w in WATCHES}
        self._versions: dict[str, int] = {}
        self._busy: dict[str, float] = {}
        self._overdue: set[str] = set()
        self._end = threading.Event()
        self._looker = threading.Thread(target=self._look_on, name="tiers", daemon=True)
        self._before = {name: self._dependencies(name) for name in order.charts}

    def start(self) -> None:
        for reflector in self._reflectors.values():
            reflector.start()
        self._looker.start()

    def stop(self) -> None:
        self._end.set()
        for reflector in self._reflectors.values():
            reflector.stop()

    def wait(self, cancel: threading.Event) -> None:
        """Until every chart is Ready, confirmed by reading everything anew; TierupError naming what is not when it cannot become so."""
        silent = self._clock.monotonic()
        while True:
            if cancel.is_set():
                raise Cancelled("stopped watching; Flux goes on by itself", remedy="`tierup resume` watches again")
            charts = self.board.charts()
            if all(c.phase is Phase.READY for c in charts) and self._confirmed():
                return
            if all(r.freshness().state == "live" for r in self._reflectors.values()):
                silent = self._clock.monotonic()
            elif self._clock.monotonic() - silent > STARVED:
                raise TierupError(
                    f"the API server has not answered for {seconds_in_words(STARVED)}",
                    remedy="Flux goes on in the cluster; run `tierup resume` when it answers again",
                )
            if stuck := self._stuck(charts):
                raise TierupError(stuck)
            self._clock.wait(cancel, LOOK)

    def _confirmed(self) -> bool:
        deciding = [self._reflectors[kind] for kind in ("Kustomization", "HelmRelease", "OCIRepository")]
        if not all(r.resync(10.0) for r in deciding):
            return False
        self._refresh()
        return all(c.phase is Phase.READY for c in self.board.charts())

    def _look_on(self) -> None:
        while not self._end.is_set():
            self._refresh()
            charts = self.board.charts()
            self._judge(charts)
            charts = self.board.charts()
            age = max((r.freshness().age for k, r in self._reflectors.items() if k in ("Kustomization", "HelmRelease", "Pod")), default=0.0)
            seen = stamp(self._clock.now() - timedelta(seconds=age)) if age < 1e6 else ""
            self._live.charts(charts, data_at=seen, left=self._left(charts))
            self._clock.wait(self._end, LOOK)

    def _refresh(self) -> None:
        for kind, reflector in self._reflectors.items():
            version = reflector.version
            if self._versions.get(kind) != version:
                self._versions[kind] = version
                self.board.update(kind, reflector.objects(), reflector.freshness())
            else:
                self.board.refresh(kind, reflector.freshness())

    def _judge(self, charts: Sequence[ChartState]) -> None:
        """A chart that retries for ever counts as failed at its deadline; time that it waits for others does not count. Between two
        tries it looks as if it waited, but for nobody: the clock goes on."""
        now = self._clock.monotonic()
        for chart in charts:
            if chart.phase is Phase.READY:
                self._busy.pop(chart.chart, None)
                if chart.chart in self._overdue:
                    self._overdue.discard(chart.chart)
                    self.board.clear_phase(chart.chart)
            elif chart.phase is Phase.APPLYING and chart.chart not in self._overdue:
                begun = self._busy.setdefault(chart.chart, now)
                if now - begun > self._deadlines[chart.chart]:
                    self._overdue.add(chart.chart)
                    self.board.set_phase(chart.chart, Phase.FAILED, *self._verdict(chart))
            elif chart.phase is Phase.WAITING and chart.waits_for:
                self._busy.pop(chart.chart, None)

    def _verdict(self, chart: ChartState) -> tuple[str, str]:
        limit = seconds_in_words(self._deadlines[chart.chart])
        found = self.board.diagnose(chart.chart)
        if found is None:
            return f"not Ready within {limit}: {chart.message}", "look at it with `tierup logs`, mend it, then `tierup resume`"
        pod = f"pod {found.pod}: " if found.pod else ""
        return f"not Ready within {limit}: {found.what} ({pod}{found.evidence})", found.remedy

    def _stuck(self, charts: Sequence[ChartState]) -> list[Problem]:
        """The failed charts, once everything else is Ready or waits for one of them; none before."""
        failed = {c.chart: c for c in charts if c.phase in (Phase.FAILED, Phase.SUSPENDED)}
        if not failed:
            return []
        for chart in charts:
            if chart.phase is not Phase.READY and chart.chart not in failed and not self._before[chart.chart] & failed.keys():
                return []
        waiting = [c.chart for c in charts if c.phase is not Phase.READY and c.chart not in failed]
        problems = [
            Problem(f"{c.chart}: {c.message or c.phase}", remedy=c.remedy or "mend it, then run `tierup resume`") for c in failed.values()
        ]
        if waiting:
            problems.append(Problem(f"waiting for that: {', '.join(waiting)}"))
        return problems

    def _dependencies(self, chart: str) -> set[str]:
        """All charts a chart waits for, directly or not."""
        edges: dict[str, set[str]] = {}
        for edge in self._order.edges:
            edges.setdefault(edge.source.partition("/")[0], set()).add(edge.target.partition("/")[0])
        found: set[str] = set()
        todo = [chart]
        while todo:
            for target in edges.get(todo.pop(), ()):
                if target != chart and target not in found:
                    found.add(target)
                    todo.append(target)
        return found

    def _left(self, charts: Sequence[ChartState]) -> float | None:
        """Seconds left by the usual times of what is not Ready, along the longest path."""
        now = self._clock.monotonic()
        missing = {c.chart: c.usual for c in charts if c.phase is not Phase.READY}
        if not missing:
            return 0.0
        spent = {name: max(0.0, usual - (now - self._busy.get(name, now))) for name, usual in missing.items()}
        return self._order.longest(spent)[0]


def survey_board(api: Api, order: Order, board: Board) -> tuple[ChartState, ...]:
    """The charts as they are now, by one list of each kind; kinds the cluster does not have yet have no objects."""
    from concurrent.futures import ThreadPoolExecutor

    from wizard.cluster import ApiError

    def listed(path: str, params: Mapping[str, str]) -> list[dict[str, object]]:
        try:
            return api.list(path, **params)
        except ApiError as error:
            if error.missing:
                return []
            raise

    kinds = [w for w in WATCHES if w.kind not in ("Event", "ClaimEvent", "Node", "StorageClass")]
    with ThreadPoolExecutor(4, "board") as side:
        for watch, objects in zip(kinds, side.map(lambda w: listed(w.path, dict(w.params)), kinds), strict=True):
            board.update(watch.kind, objects)
    return board.charts()
