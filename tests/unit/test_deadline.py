"""A chart's deadline: time that it waits for others does not count, and when it is over the run says which chart and why."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wizard.errors import TierupError
from wizard.journeys.tiers import Tiers
from wizard.run.live import Live
from wizard.state import ChartState, Phase, RunState


@dataclass
class Standing:
    """A clock that moves when it is pushed."""

    at: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at)

    def monotonic(self) -> float:
        return self.at

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.at += seconds
        return event.is_set()


@dataclass
class Shown:
    """A board with these phases; what is set from outside stays until it is cleared."""

    phases: dict[str, Phase]
    said: dict[str, tuple[Phase, str, str]] = field(default_factory=dict)
    waits_for: tuple[str, ...] = ()

    def charts(self) -> tuple[ChartState, ...]:
        return tuple(self._state(name) for name in self.phases)

    def _state(self, name: str) -> ChartState:
        phase, message, remedy = self.said.get(name, (self.phases[name], "pulls its image", ""))
        return ChartState(chart=name, tier="apps", phase=phase, message=message, remedy=remedy, waits_for=self.waits_for)

    def set_phase(self, chart: str, phase: Phase, message: str = "", remedy: str = "") -> None:
        self.said[chart] = (phase, message, remedy)

    def clear_phase(self, chart: str) -> None:
        self.said.pop(chart, None)

    def diagnose(self, chart: str) -> Any:
        return SimpleNamespace(pod="web-0", what="its image cannot be pulled", evidence="ErrImagePull", remedy="mend the image")


def tiers(board: Shown, clock: Standing, edges: Sequence[tuple[str, str]] = ()) -> Tiers:
    order = SimpleNamespace(charts=tuple(board.phases), edges=tuple(SimpleNamespace(source=a, target=b) for a, b in edges))
    live = Live(RunState(run="r", plan="p", started=""), Path("/nonexistent/snapshot.json"), clock)
    api = SimpleNamespace(get=None)
    return Tiers(cast(Any, api), cast(Any, order), cast(Any, board), dict.fromkeys(board.phases, 60.0), live, clock)


def test_a_chart_that_is_never_ready_fails_at_its_deadline_with_its_pod_and_reason() -> None:
    board, clock = Shown({"web": Phase.APPLYING}), Standing()
    watched = tiers(board, clock)
    watched._judge(board.charts())
    clock.at = 59
    watched._judge(board.charts())
    assert board.charts()[0].phase is Phase.APPLYING
    clock.at = 61
    watched._judge(board.charts())
    assert board.charts()[0].phase is Phase.FAILED
    with pytest.raises(TierupError) as caught:
        watched.wait(threading.Event())
    problem = caught.value.problems[0]
    for word in ("web", "1 min", "pod web-0", "ErrImagePull"):
        assert word in problem.what
    assert problem.remedy == "mend the image"


@pytest.mark.parametrize(("waits_for", "phase"), [(("db",), Phase.APPLYING), ((), Phase.FAILED)])
def test_time_that_a_chart_waits_for_others_does_not_count(waits_for: tuple[str, ...], phase: Phase) -> None:
    """Between two tries it looks as if it waited, but for nobody: that counts."""
    board, clock = Shown({"web": Phase.APPLYING}), Standing()
    watched = tiers(board, clock)
    watched._judge(board.charts())
    clock.at = 40
    board.phases["web"], board.waits_for = Phase.WAITING, waits_for
    watched._judge(board.charts())
    clock.at = 59
    board.phases["web"] = Phase.APPLYING
    watched._judge(board.charts())
    clock.at = 61
    watched._judge(board.charts())
    assert board.charts()[0].phase is phase


def test_a_chart_that_gets_ready_after_its_deadline_counts_as_ready_again() -> None:
    board, clock = Shown({"web": Phase.APPLYING}), Standing()
    watched = tiers(board, clock)
    watched._judge(board.charts())
    clock.at = 61
    watched._judge(board.charts())
    board.said["web"] = (Phase.READY, "", "")
    watched._judge(board.charts())
    assert "web" not in board.said


def test_the_others_come_to_their_end_before_a_failure_ends_the_run() -> None:
    board, clock = Shown({"web": Phase.FAILED, "db": Phase.APPLYING, "page": Phase.WAITING}), Standing()
    watched = tiers(board, clock, [("page", "web")])
    assert watched._stuck(board.charts()) == []
    board.phases["db"] = Phase.READY
    found = watched._stuck(board.charts())
    assert [p.what for p in found] == ["web: pulls its image", "waiting for that: page"]
