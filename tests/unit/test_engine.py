"""The engine: nothing before an approval that names what was shown; one at a time; views come and go."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_steps import Recorded
from wizard.client.connection import Connection, EngineGone, as_seen, read_snapshot, wait_for
from wizard.errors import Locked, NeedsOperator, TierupError
from wizard.run.engine import Engine, Places, exceeding
from wizard.run.journal import read
from wizard.run.lock import MachineLock, held
from wizard.run.steps import Step
from wizard.secrets import Secret
from wizard.state import Activity, Change, Proposal, RunState

CREATE = Change("terraform", "create", "Secret a/b")


@dataclass
class Fake:
    """A journey over a set of names."""

    world: set[str] = field(default_factory=set)
    digest: str = "d1"
    missing: tuple[str, ...] = ()
    changes: tuple[Change, ...] = (CREATE,)
    given: dict[str, str] = field(default_factory=dict)
    altered: bool = False
    gate: threading.Event | None = None
    held: list[str] = field(default_factory=list)
    name: str = "fake"
    failure: Exception | None = None
    told: list[str] = field(default_factory=list)

    def prepare(self, given: Mapping[str, Secret]) -> Proposal:
        if self.failure is not None:
            raise self.failure
        self.given = {name: secret.reveal() for name, secret in given.items()}
        changes = () if "a" in self.world else self.changes
        return Proposal(self.digest, changes=changes, missing=tuple(m for m in self.missing if m not in self.given))

    def confirm(self, proposal: Proposal) -> None:
        if self.altered:
            raise NeedsOperator("the remote moved")

    def evidence(self) -> dict[str, Any]:
        return {"cluster": "c1"}

    def resume(self, evidence: Mapping[str, Any]) -> None:
        self.told.append("resumed")

    def steps(self) -> Sequence[Step]:
        return [Recorded("a", self.world, self.told, gate=self.gate)]

    @contextlib.contextmanager
    def hold(self, run: str) -> Iterator[None]:
        self.held.append("taken")
        yield
        self.held.append("released")

    def close(self) -> None:
        self.told.append("closed")


@dataclass
class Run:
    places: Places
    fake: Fake
    code: list[int | BaseException] = field(default_factory=list)

    def start(self, *, mode: str = "apply", resume: bool = False) -> threading.Thread:
        def work() -> None:
            try:
                self.code.append(Engine("home", self.places, mode=mode, resume=resume).run(lambda live: self.fake))
            except BaseException as error:
                self.code.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def view(self) -> Connection:
        return wait_for(self.places.socket, 10, lambda: not self.code)

    def events(self) -> list[str]:
        return [r["event"] for r in read(self.places.journal)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "r1").mkdir()
    return Run(Places(tmp_path / "r1", tmp_path / "lock", tmp_path / "s"), Fake())


def until(view: Connection, activity: Activity) -> RunState:
    for state in view.states():
        if state.activity is activity:
            return state
    raise AssertionError(f"ended before {activity}")


def drive(run: Run, digest: str | None = None, values: Mapping[str, Secret] | None = None) -> RunState:
    with run.view() as view:
        view.begin(values or {})
        last: RunState | None = None
        approved = False
        for last in view.states():
            if last.activity is Activity.PROPOSED and last.proposal is not None and not approved:
                approved = True
                view.approve(digest or last.proposal.digest)
        assert last is not None
        return last


def test_an_approved_run_ends_done(run: Run) -> None:
    thread = run.start()
    last = drive(run)
    thread.join(10)
    assert run.code == [0]
    assert (last.activity, last.exit_code) == (Activity.DONE, 0)
    assert run.fake.world == {"a"}
    assert run.fake.held == ["taken", "released"]
    assert run.events() == ["approved", "started", "succeeded", "ended"]
    assert run.fake.told[-1] == "closed"


def test_an_approval_of_something_else_changes_nothing(run: Run) -> None:
    thread = run.start()
    last = drive(run, digest="of yesterday")
    thread.join(10)
    assert run.code == [3]
    assert "not what would be done now" in last.problems[0]
    assert run.fake.world == set()
    assert "approved" not in run.events()


def test_what_changed_after_approval_is_refused(run: Run) -> None:
    run.fake.altered = True
    thread = run.start()
    last = drive(run)
    thread.join(10)
    assert run.code == [3]
    assert "the remote moved" in last.problems[0]
    assert run.fake.world == set()


def test_plan_proposes_and_ends_with_2(run: Run) -> None:
    thread = run.start(mode="plan")
    with run.view() as view:
        view.begin({})
        last = list(view.states())[-1]
    thread.join(10)
    assert run.code == [2]
    assert last.proposal is not None
    assert last.proposal.changes == (CREATE,)
    assert run.fake.world == set()


def test_nothing_to_do_ends_with_0_and_takes_no_lease(run: Run) -> None:
    run.fake.world.add("a")
    thread = run.start()
    last = drive(run)
    thread.join(10)
    assert run.code == [0]
    assert last.activity is Activity.DONE
    assert run.fake.held == []


def test_missing_secrets_are_asked_for_and_never_written(run: Run) -> None:
    run.fake.missing = ("token",)
    thread = run.start()
    with run.view() as view:
        view.begin({})
        asked = until(view, Activity.PROPOSED)
        assert asked.proposal is not None
        assert asked.proposal.missing == ("token",)
        view.give({"token": Secret("canary-91ab")})
        for state in view.states():
            if state.activity is Activity.PROPOSED and state.proposal is not None and not state.proposal.missing:
                view.approve(state.proposal.digest)
                break
        assert list(view.states())[-1].activity is Activity.DONE
    thread.join(10)
    assert run.fake.given == {"token": "canary-91ab"}
    for file in run.places.run.iterdir():
        assert b"canary-91ab" not in file.read_bytes()


def test_a_second_engine_is_refused_and_names_the_first(run: Run) -> None:
    run.fake.gate = threading.Event()
    thread = run.start()
    with run.view() as view:
        view.begin({})
        state = until(view, Activity.PROPOSED)
        assert state.proposal is not None
        view.approve(state.proposal.digest)
        until(view, Activity.EXECUTING)
        with pytest.raises(Locked, match="run r1"):
            Engine("home", run.places, mode="apply", resume=False).run(lambda live: run.fake)
        run.fake.gate.set()
        assert list(view.states())[-1].exit_code == 0
    thread.join(10)
    assert not held(run.places.lock)


def test_resume_goes_on_with_the_approval_of_the_journal(run: Run) -> None:
    run.fake.failure = None
    thread = run.start()
    with run.view() as view:
        view.begin({})
        state = until(view, Activity.PROPOSED)
        assert state.proposal is not None
        run.fake.altered = True
        view.approve(state.proposal.digest)
        list(view.states())
    thread.join(10)
    run.fake.altered = False
    run.code.clear()
    from wizard.run.journal import Journal

    journal = Journal(run.places.journal)
    journal.write("approved", digest="d1", changes=[{"kind": c.kind, "action": c.action, "subject": c.subject} for c in run.fake.changes])
    journal.close()
    run.fake.digest = "d2"
    thread = run.start(resume=True)
    with run.view() as view:
        view.begin({})
        assert list(view.states())[-1].exit_code == 0
    thread.join(10)
    assert run.fake.world == {"a"}


def test_a_resume_never_looks_as_if_it_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that saw PROPOSED, however short, would ask for an approval, or end the run where nobody is there to give one."""
    from wizard.run.journal import Journal
    from wizard.run.live import Live

    run.places.run.mkdir(parents=True, exist_ok=True)
    journal = Journal(run.places.journal)
    journal.write("approved", digest="d1", changes=[{"kind": c.kind, "action": c.action, "subject": c.subject} for c in run.fake.changes])
    journal.close()
    told: list[object] = []
    change = Live.change

    def spy(live: Live, **fields: object) -> None:
        told.append(fields.get("activity"))
        change(live, **fields)

    monkeypatch.setattr(Live, "change", spy)
    thread = run.start(resume=True)
    with run.view() as view:
        view.begin({})
        assert list(view.states())[-1].exit_code == 0
    thread.join(10)
    assert Activity.EXECUTING in told
    assert Activity.PROPOSED not in told


def test_resume_does_not_go_beyond_what_was_approved(run: Run) -> None:
    from wizard.run.journal import Journal

    journal = Journal(run.places.journal)
    journal.write("approved", digest="d1", changes=[{"kind": "terraform", "action": "create", "subject": "Secret a/b"}])
    journal.close()
    run.fake.changes = (CREATE, Change("terraform", "delete", "Namespace media"))
    thread = run.start(resume=True)
    with run.view() as view:
        view.begin({})
        last = list(view.states())[-1]
    thread.join(10)
    assert run.code == [3]
    assert "delete Namespace media" in last.problems[0]
    assert run.fake.world == set()


def test_a_run_goes_on_when_its_view_dies(run: Run) -> None:
    run.fake.gate = threading.Event()
    thread = run.start()
    view = run.view()
    view.begin({})
    state = until(view, Activity.PROPOSED)
    assert state.proposal is not None
    view.approve(state.proposal.digest)
    until(view, Activity.EXECUTING)
    view.close()
    with run.view() as late:
        assert next(late.states()).activity is Activity.EXECUTING
        run.fake.gate.set()
        assert list(late.states())[-1].activity is Activity.DONE
    thread.join(10)
    snapshot = read_snapshot(run.places.run)
    assert snapshot is not None
    assert snapshot.activity is Activity.DONE


def test_a_view_that_does_not_read_holds_nothing_up(run: Run) -> None:
    thread = run.start()
    deaf = [run.view() for _ in range(3)]
    last = drive(run)
    thread.join(10)
    assert last.exit_code == 0
    for view in deaf:
        view.close()


def test_an_unexpected_exception_is_words_to_the_view_and_shows_no_text(run: Run) -> None:
    run.fake.failure = ZeroDivisionError("canary-77aa")
    thread = run.start()
    with run.view() as view:
        view.begin({})
        last = list(view.states())[-1]
    thread.join(10)
    assert run.code == [1]
    assert "tierup itself failed (ZeroDivisionError)" in last.problems[0]
    assert "canary" not in last.problems[0]


def test_garbage_on_the_socket_is_ignored(run: Run) -> None:
    thread = run.start()
    with run.view() as view:
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(run.places.socket))
            rude.sendall(b"\x00\xff garbage\n[1,2]\n{}\n" + b'{"do": 7}\n')
        view.begin({})
        state = until(view, Activity.PROPOSED)
        assert state.proposal is not None
        view.approve(state.proposal.digest)
        assert list(view.states())[-1].exit_code == 0
    thread.join(10)


def test_no_engine_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(EngineGone, match="no engine is running"):
        Connection(tmp_path / "nothing")


def test_a_snapshot_without_its_engine_never_looks_alive() -> None:
    state = RunState(activity=Activity.EXECUTING, heartbeat="2026-01-01T00:00:00Z")
    seen = as_seen(state, alive=False)
    assert seen.activity is Activity.FAILED
    assert "resume" in seen.message
    assert as_seen(state, alive=True) is state


def test_the_lock_is_given_back_when_its_holder_dies(tmp_path: Path) -> None:
    first, second = MachineLock(tmp_path / "lock"), MachineLock(tmp_path / "lock")
    first.take("r1")
    with pytest.raises(Locked):
        second.take("r2")
    first.free()
    second.take("r2")
    second.free()


@pytest.mark.parametrize(
    ("approved", "now", "beyond"),
    [
        ("create", "create", False),
        ("create", "update", False),
        ("update", "update", False),
        ("replace", "create", False),
        ("delete", "delete", False),
        ("create", "delete", True),
        ("create", "replace", True),
        ("update", "replace", True),
        ("delete", "create", True),
    ],
)
def test_what_an_approval_covers(approved: str, now: str, beyond: bool) -> None:
    assert bool(exceeding([Change("terraform", now, "x")], [Change("terraform", approved, "x")])) is beyond
    assert exceeding([Change("terraform", now, "y")], [Change("terraform", approved, "x")])


def test_a_failure_to_prepare_ends_in_its_words(run: Run) -> None:
    run.fake.failure = TierupError("the API server does not answer", remedy="start it")
    thread = run.start()
    with run.view() as view:
        view.begin({})
        last = list(view.states())[-1]
    thread.join(10)
    assert run.code == [1]
    assert last.problems == ("the API server does not answer\n  start it",)
