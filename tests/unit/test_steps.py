"""The walk: probe before apply, verify after, dependencies in order, one failure stops what comes after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wizard.clock import SYSTEM
from wizard.errors import Cancelled, NeedsOperator, TierupError
from wizard.run.journal import Journal, read
from wizard.run.live import Live
from wizard.run.steps import Probe, Verdict, Walk
from wizard.state import Phase, RunState


@dataclass
class Recorded:
    """A step whose effect is an entry in a shared set: the stand-in for a cluster."""

    id: str
    world: set[str]
    told: list[str]
    after: tuple[str, ...] = ()
    works: bool = True
    foreign: bool = False
    failure: Exception | None = None
    gate: threading.Event | None = None
    started: threading.Event = field(default_factory=threading.Event)

    @property
    def title(self) -> str:
        return self.id

    def probe(self) -> Probe:
        self.told.append(f"probe {self.id}")
        if self.foreign:
            return Probe(Verdict.FOREIGN, "belongs to somebody else")
        return Probe(Verdict.DONE if self.id in self.world else Verdict.ABSENT)

    def apply(self, tell: Callable[[str], None], cancel: threading.Event) -> Mapping[str, Any]:
        self.told.append(f"apply {self.id}")
        self.started.set()
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        if self.works:
            self.world.add(self.id)
        return {"made": self.id}

    def verify(self) -> Probe:
        return Probe(Verdict.DONE if self.id in self.world else Verdict.ABSENT)


@dataclass
class Stage:
    folder: Path
    world: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def step(self, name: str, *after: str, **options: Any) -> Recorded:
        return Recorded(name, self.world, self.told, after, **options)

    def walk(self, *steps: Recorded) -> tuple[Walk, Live]:
        live = Live(RunState(), self.folder / "snapshot.json", SYSTEM)
        return Walk(steps, Journal(self.folder / "journal.jsonl"), live, SYSTEM), live

    def events(self) -> list[tuple[str, str]]:
        return [(r["event"], r.get("step", "")) for r in read(self.folder / "journal.jsonl")]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_the_probe_finds_done_is_never_done_again(stage: Stage) -> None:
    stage.world.add("a")
    walk, _ = stage.walk(stage.step("a"), stage.step("b", "a"))
    walk.run()
    assert stage.told == ["probe a", "probe b", "apply b"]
    assert stage.events() == [("adopted", "a"), ("started", "b"), ("succeeded", "b")]


def test_the_intent_is_on_disk_before_the_effect(stage: Stage) -> None:
    gate = threading.Event()
    step = stage.step("a", gate=gate)
    walk, _ = stage.walk(step)
    thread = threading.Thread(target=walk.run)
    thread.start()
    assert step.started.wait(10)
    assert stage.events() == [("started", "a")]
    gate.set()
    thread.join(10)
    assert stage.events()[-1] == ("succeeded", "a")


def test_done_but_not_seen_afterwards_is_a_failure(stage: Stage) -> None:
    walk, live = stage.walk(stage.step("a", works=False), stage.step("b", "a"))
    with pytest.raises(TierupError, match="not seen afterwards"):
        walk.run()
    assert "probe b" not in stage.told
    assert live.state.steps[0].phase is Phase.FAILED


def test_somebody_elses_object_is_left_alone(stage: Stage) -> None:
    walk, _ = stage.walk(stage.step("a", foreign=True))
    with pytest.raises(NeedsOperator, match="belongs to somebody else"):
        walk.run()
    assert stage.told == ["probe a"]


def test_steps_that_wait_for_nothing_run_side_by_side(stage: Stage) -> None:
    gate = threading.Event()
    first, second = stage.step("a", gate=gate), stage.step("b", gate=gate)
    walk, _ = stage.walk(first, second, stage.step("c", "a", "b"))
    thread = threading.Thread(target=walk.run)
    thread.start()
    assert first.started.wait(10)
    assert second.started.wait(10)
    assert "probe c" not in stage.told
    gate.set()
    thread.join(10)
    assert stage.told[-1] == "apply c"


def test_a_failure_lets_the_neighbour_finish_and_stops_what_comes_after(stage: Stage) -> None:
    gate = threading.Event()
    bad = stage.step("bad", failure=TierupError("no"))
    slow = stage.step("slow", gate=gate)
    walk, _ = stage.walk(bad, slow, stage.step("later", "slow"))
    failure: list[BaseException] = []

    def run() -> None:
        try:
            walk.run()
        except TierupError as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert slow.started.wait(10)
    while ("failed", "bad") not in stage.events():
        threading.Event().wait(0.005)
    gate.set()
    thread.join(10)
    assert str(failure[0]) == "no"
    assert "slow" in stage.world
    assert "probe later" not in stage.told


def test_two_failures_are_both_told(stage: Stage) -> None:
    gate = threading.Event()
    first, second = stage.step("a", failure=TierupError("one"), gate=gate), stage.step("b", failure=TierupError("two"), gate=gate)
    walk, _ = stage.walk(first, second)

    def release() -> None:
        first.started.wait(10)
        second.started.wait(10)
        gate.set()

    threading.Thread(target=release).start()
    with pytest.raises(TierupError) as error:
        walk.run()
    assert {p.what for p in error.value.problems} == {"one", "two"}


def test_cancel_ends_after_the_running_step(stage: Stage) -> None:
    gate = threading.Event()
    step = stage.step("a", gate=gate)
    walk, _ = stage.walk(step, stage.step("b", "a"))

    def cancel() -> None:
        step.started.wait(10)
        walk.cancel.set()
        gate.set()

    threading.Thread(target=cancel).start()
    with pytest.raises(Cancelled):
        walk.run()
    assert stage.world == {"a"}
    assert "probe b" not in stage.told


def test_the_text_of_a_foreign_exception_reaches_no_record(stage: Stage) -> None:
    walk, live = stage.walk(stage.step("a", failure=RuntimeError("canary-5f1c")))
    with pytest.raises(RuntimeError):
        walk.run()
    assert "canary" not in (stage.folder / "journal.jsonl").read_text()
    assert "canary" not in str(live.state.to_json())
