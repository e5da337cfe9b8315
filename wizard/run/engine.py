"""The engine process of one run: prepare, propose, wait for approval, execute, tell.

It knows no product: a `Journey` says what is proposed and which steps do it. Exactly one engine per plan works at a time; views
may die and come back. Nothing is changed before an approval that names the digest of what was proposed.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wizard.clock import SYSTEM, Clock, stamp
from wizard.errors import Cancelled, NeedsOperator, TierupError
from wizard.run.control import ControlServer
from wizard.run.journal import Journal
from wizard.run.live import Live
from wizard.run.lock import MachineLock
from wizard.run.steps import Step, Walk
from wizard.secrets import Secret
from wizard.state import Activity, Change, Proposal, RunState

PATIENCE = 15.0
"""Seconds an engine waits for a first view, or for the last one to come back, before it gives up without having changed anything."""


class Journey(Protocol):
    """What is to be done, as the engine sees it."""

    name: str

    def prepare(self, given: Mapping[str, Secret]) -> Proposal:
        """Look at everything, change nothing outside this machine's state folder."""
        ...

    def confirm(self, proposal: Proposal) -> None:
        """Raise NeedsOperator when what was looked at has changed since."""
        ...

    def evidence(self) -> dict[str, Any]:
        """What an approval rests on, for the journal; no secrets."""
        ...

    def resume(self, evidence: Mapping[str, Any]) -> None:
        """Go on under an earlier approval; raise NeedsOperator when it does not hold here."""
        ...

    def steps(self) -> Sequence[Step]: ...

    def hold(self, run: str) -> AbstractContextManager[None]:
        """Keep other machines away while executing."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a run."""

    run: Path
    lock: Path
    socket: Path

    @property
    def journal(self) -> Path:
        return self.run / "journal.jsonl"

    @property
    def snapshot(self) -> Path:
        return self.run / "snapshot.json"


class Engine:
    """Drives one journey from the first look to the end."""

    def __init__(self, plan: str, places: Places, *, mode: str, resume: bool, clock: Clock = SYSTEM) -> None:
        """`mode`: apply, or plan (propose and end). `resume`: go on with the approval the journal holds."""
        self._places = places
        self._mode = mode
        self._resume = resume
        self._clock = clock
        self._lock = MachineLock(places.lock)
        start = RunState(run=places.run.name, plan=plan, started=stamp(clock.now()), log=str(places.run / "engine.log"))
        self.live = Live(start, places.snapshot, clock)
        self._control = ControlServer(places.socket, self.live)

    def ask_cancel(self) -> None:
        """Ask as a view would; safe in a signal handler."""
        self._control.commands.put({"do": "cancel"})

    def run(self, journey_of: Any) -> int:
        """Run to the end and return the exit code. `journey_of(live)` builds the journey once the lock is held."""
        self._lock.take(self._places.run.name)
        journal = Journal(self._places.journal, self._clock)
        self._control.start()
        self.live.start()
        code = 1
        try:
            code = self._guarded(journal, journey_of)
        finally:
            self.live.change(exit_code=code, finished=stamp(self._clock.now()))
            journal.write("ended", code=code)
            self.live.stop()
            self._control.stop()
            journal.close()
            self._lock.free()
        return code

    def _guarded(self, journal: Journal, journey_of: Any) -> int:
        try:
            given = self._begin()
            journey: Journey = journey_of(self.live)
            with contextlib.closing(journey):
                return self._drive(journal, journey, given)
        except Cancelled as error:
            self._tell(Activity.CANCELLED, error)
            return error.exit_code
        except TierupError as error:
            self._tell(Activity.FAILED, error)
            return error.exit_code
        except Exception as error:
            import traceback

            traceback.print_exc()  # into engine.log, 0600; code and lines, never values
            self._tell(
                Activity.FAILED,
                TierupError(
                    f"tierup itself failed ({type(error).__name__})",
                    remedy=f"run `tierup resume`; if it happens again, report it with {self._places.run / 'engine.log'}",
                ),
            )
            return 1

    def _tell(self, activity: Activity, error: TierupError) -> None:
        self.live.change(activity=activity, message=error.problems[0].what, problems=tuple(str(p) for p in error.problems))

    def _begin(self) -> dict[str, Secret]:
        """Wait for the view that started this engine: it brings what only it can read (its environment, typed values)."""
        return self._given(self._ask("begin"))

    def _drive(self, journal: Journal, journey: Journey, given: dict[str, Secret]) -> int:
        approved = self._resume and journal.last("approved") is not None
        proposal = self._prepare(journey, given, approved=approved)
        while proposal.missing and self._mode != "plan":
            given |= self._given(self._ask("give"))
            proposal = self._prepare(journey, given, approved=approved)
        if proposal.empty:
            self.live.change(activity=Activity.DONE, message="nothing to change, everything is Ready")
            return 0
        if self._mode == "plan":
            self.live.change(activity=Activity.DONE)
            return 2
        self._approve(journal, journey, proposal)
        walk = Walk(journey.steps(), journal, self.live, self._clock)
        self.live.change(activity=Activity.EXECUTING, message="")
        listener = threading.Thread(target=self._listen, args=(walk,), name="commands", daemon=True)
        listener.start()
        with journey.hold(self._places.run.name):
            walk.run()
        self.live.change(activity=Activity.DONE, message="all tiers are Ready")
        return 0

    def _prepare(self, journey: Journey, given: Mapping[str, Secret], *, approved: bool) -> Proposal:
        """Look and tell. A view that sees PROPOSED asks the operator: not so where an earlier approval answers."""
        self.live.change(activity=Activity.PREPARING, message="looking at the cluster, the repository and Terraform")
        proposal = journey.prepare(given)
        asks = not approved or bool(proposal.missing)
        self.live.change(activity=Activity.PROPOSED if asks else Activity.PREPARING, proposal=proposal, message="")
        return proposal

    def _approve(self, journal: Journal, journey: Journey, proposal: Proposal) -> None:
        """Have the operator's approval of exactly this, on disk; on resume the earlier one, as far as it goes."""
        earlier = journal.last("approved") if self._resume else None
        if earlier is not None:
            beyond = exceeding(proposal.changes, [Change(**c) for c in earlier["changes"]])
            if beyond:
                raise NeedsOperator(
                    "what would be done now goes beyond what was approved: " + "; ".join(f"{c.action} {c.subject}" for c in beyond),
                    remedy="look at it with `tierup plan`, then approve it with `tierup apply`",
                )
            journey.resume(earlier.get("evidence", {}))
            return
        digest = str(self._ask("approve").get("digest", ""))
        if digest != proposal.digest:
            raise NeedsOperator(
                "what was approved is not what would be done now: the plan, the cluster or the repository has changed since",
                remedy="look at the new proposal with `tierup plan` and approve that",
            )
        journey.confirm(proposal)
        journal.write("approved", digest=proposal.digest, changes=[_plain(c) for c in proposal.changes], evidence=journey.evidence())

    def _ask(self, wanted: str) -> dict[str, Any]:
        """The next command of that kind. Ends the run when no view is attached for PATIENCE seconds or the operator cancels."""
        alone = self._clock.monotonic()
        while True:
            try:
                command = self._control.commands.get(timeout=0.2)
            except queue.Empty:
                if self._control.views:
                    alone = self._clock.monotonic()
                elif self._clock.monotonic() - alone > PATIENCE:
                    raise Cancelled("nobody is attached to approve; nothing was changed") from None
                continue
            if command.get("do") == "cancel":
                raise Cancelled("cancelled; nothing was changed")
            if command.get("do") == wanted:
                return command

    def _listen(self, walk: Walk) -> None:
        while True:
            command = self._control.commands.get()
            if command.get("do") == "cancel" and not walk.cancel.is_set():
                self.live.change(message="cancelling: what runs now is brought to a safe end")
                walk.cancel.set()

    @staticmethod
    def _given(command: Mapping[str, Any]) -> dict[str, Secret]:
        values = command.get("values", {})
        return {str(name): Secret(str(value)) for name, value in values.items()} if isinstance(values, dict) else {}


def exceeding(proposed: Iterable[Change], approved: Iterable[Change]) -> list[Change]:
    """The proposed changes that no approval covers: a subject that was not named, or a harder action than the one approved.

    A create that was cut off may show as an update afterwards, or as nothing; it never becomes a delete or a replacement.
    """
    allowed = {(c.kind, c.subject): c.action for c in approved}
    gentle = {"create": {"create", "update", "adopt"}, "update": {"create", "update"}, "replace": {"replace", "create"}}
    beyond = []
    for change in proposed:
        approved_action = allowed.get((change.kind, change.subject))
        if approved_action is None or change.action not in gentle.get(approved_action, {approved_action}):
            beyond.append(change)
    return beyond


def _plain(change: Change) -> dict[str, str]:
    return {"kind": change.kind, "action": change.action, "subject": change.subject, "detail": change.detail}
