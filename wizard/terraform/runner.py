"""One Terraform command: started with its log file, watched line by line, asked once to stop when that is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wizard import process
from wizard.clock import SYSTEM, Clock
from wizard.errors import Cancelled, Problem, TierupError
from wizard.terraform import child
from wizard.terraform.backend import StateLocked, from_diagnostic
from wizard.terraform.events import Diagnostic, Event, Raw, Tail, problem

OnEvent = Callable[[Event], None]
OnChild = Callable[[Mapping[str, Any]], None]

_POLL = 0.05
_LOCKED = "Error acquiring the state lock"


@dataclass(slots=True)
class Outcome:
    """How a command ended. `code`: 0, 1, or 2 (a plan with changes); negative for a signal."""

    root: str
    code: int
    log: Path
    interrupted: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    done: list[Event] = field(default_factory=list)

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors, without the warnings."""
        return [d for d in self.diagnostics if d.severity == "error"]

    def failure(self, command: str) -> TierupError:
        """The error in words: a held lock as such, else every error Terraform named, else its last words."""
        locked = next((d for d in self.errors if d.summary == _LOCKED), None)
        if locked is not None:
            return StateLocked(self.root, from_diagnostic(locked.detail))
        if self.errors:
            return TierupError([problem(d, root=self.root) for d in self.errors])
        how = f"was killed by signal {-self.code}" if self.code < 0 else f"ended with {self.code}"
        said = f": {' '.join(self.raw[-3:])}" if self.raw else ""
        return TierupError(Problem(f"Terraform ({self.root}): {command} {how}{said}", None, f"Its log is {self.log}."))


class Runner:
    """Runs commands in one run directory, one at a time."""

    def __init__(self, directory: Path, log_dir: Path, *, on_child: OnChild | None = None, clock: Clock = SYSTEM) -> None:
        self.directory = directory
        self._log_dir = log_dir
        self._on_child = on_child
        self._clock = clock
        self._never = threading.Event()

    def __call__(
        self,
        argv: list[str],
        env: Mapping[str, str],
        *,
        name: str,
        pipes: Mapping[str, bytes] | None = None,
        on_event: OnEvent | None = None,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Run to the end. `cancel` sends one SIGINT, after which it is waited for however long it takes: a second signal would lose
        what Terraform is just making."""
        log = self._log(name)
        record = child.Child(self._clock.now(), log)
        child.write(self.directory, record)
        running = process.start(argv, cwd=self.directory, env=env, log=log, pipes=pipes or {}, purpose="build the cluster")
        record = replace(record, identity=running.identity)
        child.write(self.directory, record)
        if self._on_child is not None:
            self._on_child(running.identity)
        tail, outcome, waker = Tail(log), Outcome(self.directory.name, 0, log), cancel or self._never
        while (code := running.poll()) is None:
            self._take(tail, outcome, on_event)
            if waker is cancel and cancel.is_set():
                outcome.interrupted = running.interrupt() or outcome.interrupted
                waker = self._never
            self._clock.wait(waker, _POLL)
        self._take(tail, outcome, on_event, last=True)
        child.write(self.directory, replace(record, code=code))
        outcome.code = code
        return outcome

    def settle(self, *, cancel: threading.Event | None = None) -> bool:
        """Wait for what an earlier engine left running here (it finishes by itself); true when there was something."""
        waited = False
        while child.living(self.directory):
            waited = True
            if cancel is not None and cancel.is_set():
                raise Cancelled("Terraform of an earlier run is still at work", remedy="Let it finish, then `tierup resume`.")
            self._clock.wait(cancel or self._never, 0.2)
        return waited

    def _log(self, name: str) -> Path:
        """A file that does not exist yet: 01-plan.log, 02-apply.log …"""
        taken = len(list(self._log_dir.glob(f"terraform-{self.directory.name}-*.log")))
        while (log := self._log_dir / f"terraform-{self.directory.name}-{taken + 1:03d}-{name}.log").exists():
            taken += 1
        return log

    def _take(self, tail: Tail, outcome: Outcome, on_event: OnEvent | None, *, last: bool = False) -> None:
        for record in tail.lines(last=last):
            if isinstance(record, Event):
                if record.phase == "done":
                    outcome.done.append(record)
                if on_event is not None:
                    on_event(record)
            elif isinstance(record, Diagnostic):
                outcome.diagnostics.append(record)
            elif isinstance(record, Raw):
                outcome.raw.append(record.text)
