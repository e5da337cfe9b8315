"""Steps and the walk over them: probe, apply, verify, in the order of their dependencies.

A step is probed before it is applied, on the first try as on every resume, because the cluster is the truth: after a crash the
effect may be there though the journal does not say so. Steps that do not wait for one another run side by side.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from wizard.clock import Clock
from wizard.errors import Cancelled, NeedsOperator, Problem, TierupError
from wizard.run.journal import Journal
from wizard.run.live import Live
from wizard.state import Phase


class Verdict(StrEnum):
    """What a probe found. foreign: there, but somebody else's, so the operator must decide."""

    ABSENT = "absent"
    PARTIAL = "partial"
    DONE = "done"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Probe:
    verdict: Verdict
    detail: str = ""


class Step(Protocol):
    """One thing a journey does. `after` names the steps that must have ended well before."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def after(self) -> tuple[str, ...]: ...

    def probe(self) -> Probe:
        """Look, change nothing."""
        ...

    def apply(self, tell: Callable[[str], None], cancel: threading.Event) -> Mapping[str, Any]:
        """Do it; `tell` shows a message; the result is evidence for the journal (no secrets)."""
        ...

    def verify(self) -> Probe:
        """Look again; anything but DONE fails the step."""
        ...


class Walk:
    """Runs steps. One failed step stops what comes after it; what runs beside it ends in peace."""

    def __init__(self, steps: Sequence[Step], journal: Journal, live: Live, clock: Clock) -> None:
        self._steps = {step.id: step for step in steps}
        self._journal = journal
        self._live = live
        self._clock = clock
        self.cancel = threading.Event()

    def run(self) -> None:
        """Walk to the end; raises the error of the failed step (of all, when several failed) or Cancelled."""
        waiting = dict(self._steps)
        done: set[str] = set()
        running: set[str] = set()
        failures: list[BaseException] = []
        ended: queue.Queue[tuple[str, BaseException | None]] = queue.Queue()
        while waiting or running:
            for step in list(waiting.values()):
                if set(step.after) <= done and not failures and not self.cancel.is_set():
                    del waiting[step.id]
                    running.add(step.id)
                    threading.Thread(target=self._guarded, args=(step, ended), name=f"step-{step.id}", daemon=True).start()
            if not running:
                break
            name, failure = ended.get()
            running.discard(name)
            if failure is None:
                done.add(name)
            else:
                failures.append(failure)
        if failures:
            raise _joined(failures)
        if waiting:
            raise Cancelled("cancelled", remedy="`tierup resume` goes on where it stopped")

    def _guarded(self, step: Step, ended: queue.Queue[tuple[str, BaseException | None]]) -> None:
        try:
            self._one(step)
        except BaseException as error:  # handed to the walk, which raises it
            ended.put((step.id, error))
        else:
            ended.put((step.id, None))

    def _one(self, step: Step) -> None:
        begun = self._clock.monotonic()
        self._live.step(step.id, phase=Phase.APPLYING, message="looking")
        try:
            found = step.probe()
            if found.verdict is Verdict.FOREIGN:
                raise NeedsOperator(f"{step.title}: {found.detail}", remedy="nothing of it was touched; decide, then run `tierup resume`")
            if found.verdict is Verdict.DONE:
                self._journal.write("adopted", step=step.id, detail=found.detail)
            else:
                self._journal.write("started", step=step.id, attempt=self._journal.attempts(step.id) + 1, found=found.verdict.value)
                evidence = step.apply(lambda message: self._live.step(step.id, message=message), self.cancel)
                seen = step.verify()
                if seen.verdict is not Verdict.DONE:
                    raise TierupError(f"{step.title}: done, but not seen afterwards ({seen.detail or seen.verdict})")
                self._journal.write("succeeded", step=step.id, evidence=dict(evidence))
        except BaseException as error:
            phase = Phase.CANCELLED if isinstance(error, Cancelled) else Phase.FAILED
            self._live.step(step.id, phase=phase, message=_line(error), seconds=self._clock.monotonic() - begun)
            self._journal.write("cancelled" if phase is Phase.CANCELLED else "failed", step=step.id, error=_line(error))
            raise
        self._live.step(step.id, phase=Phase.READY, message=found.detail, seconds=self._clock.monotonic() - begun)


def _line(error: BaseException) -> str:
    """One line about an error that is safe to keep: foreign exceptions are named by type only, their text may hold anything."""
    return error.problems[0].what if isinstance(error, TierupError) else type(error).__name__


def _joined(failures: list[BaseException]) -> BaseException:
    known = [f for f in failures if isinstance(f, TierupError)]
    if len(known) < len(failures):
        return next(f for f in failures if not isinstance(f, TierupError))
    real = [f for f in known if not isinstance(f, Cancelled)] or known
    if len(real) == 1:
        return real[0]
    problems: list[Problem] = [problem for failure in real for problem in failure.problems]
    return type(real[0])(replace(p) for p in problems)
