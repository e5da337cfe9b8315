"""Terraform for one root: plan for Review, apply of exactly what was approved, nothing lost and nothing left behind."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from wizard.clock import SYSTEM, Clock
from wizard.errors import Cancelled, NeedsOperator, Problem
from wizard.terraform import child, program, review, rundir
from wizard.terraform.backend import IsDead, LockInfo, StateLocked
from wizard.terraform.commands import Commands
from wizard.terraform.events import Diagnostic
from wizard.terraform.inputs import SecretValues
from wizard.terraform.review import TerraformPlan
from wizard.terraform.runner import OnChild, OnEvent, Outcome

T = TypeVar("T")
_ERRORED_STATE = "errored.tfstate"
_SAVED_PLAN = "apply.tfplan"
_NOT_READY = (
    "Backend initialization required",
    "Backend configuration changed",
    "Required plugins are not installed",
    "Missing required provider",
    "Inconsistent dependency lock file",
    "Module not installed",
)
_PROTECTED = re.compile(re.escape(review.NAMESPACE) + r'\.this\["([^"]+)"\]')


class Terraform:
    """One root. Calls for different roots may run in parallel; those for one root must not.

    `directory` is its run directory (named as the root), `machine` what only this machine knows besides the kubeconfig
    (inputs.machine), `is_dead` decides whether the holder of a lock is proved dead (default: child.holder_is_dead), `on_child`
    gets the identity of each Terraform that is started, for the journal.
    """

    def __init__(
        self,
        path: Path | None,
        directory: Path,
        kubeconfig: Path,
        context: str | None,
        log_dir: Path,
        *,
        machine: Mapping[str, Any] | None = None,
        is_dead: IsDead | None = None,
        on_child: OnChild | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.root = directory.name
        self._do = Commands(path, directory, kubeconfig, context, log_dir, on_child=on_child, clock=clock)
        self._directory = directory
        self._machine = dict(machine or {})
        self._is_dead = is_dead or (lambda info: child.holder_is_dead(info, directory))
        self._pinned = False

    def version(self) -> program.Program:
        """The program that will run; NeedsOperator when there is none that can be used."""
        return self._do.version()

    def stage(self, files: Mapping[str, bytes]) -> None:
        """Put the root's files (names without a path, as they are in the repository) into the run directory."""
        rundir.stage(self._directory, files)
        self._pinned = rundir.LOCK_FILE in files

    def init(self, *, force: bool = False) -> bool:
        """Fetch providers and configure the backend, unless nothing changed since that succeeded; true when it ran."""
        self._do.machine(self._machine)
        return self._do.init(force=force, pinned=self._pinned)

    def plan(
        self,
        secrets: SecretValues | None = None,
        *,
        lock: bool = False,
        out: Path | None = None,
        foreign: Iterable[tuple[str, str]] = (),
        cancel: threading.Event | None = None,
    ) -> TerraformPlan:
        """What would change. Without `secrets` and without a lock, as Review asks, nothing is written to the cluster. `out` keeps
        the plan for an apply (0600); `foreign`: Helm releases that exist already, see review.read. A Terraform that an engine
        which is gone left at work here is waited for first."""
        self.settle(cancel)
        self.init()
        (self._directory / _SAVED_PLAN).unlink(missing_ok=True)
        kept = out or self._directory / "review.tfplan"
        released: tuple[str, ...] = ()
        try:
            outcome = self._do.plan(secrets, kept, lock=lock, cancel=cancel)
            if outcome.code == 1 and any(d.summary in _NOT_READY for d in outcome.errors):
                self.init(force=True)
                outcome = self._do.plan(secrets, kept, lock=lock, cancel=cancel)
            if outcome.code == 1 and (released := _protected(outcome.errors)):
                self._do.machine({**self._machine, "kept_namespaces": list(released)})
                outcome = self._do.plan(secrets, kept, lock=lock, cancel=cancel)
                self._do.machine(self._machine)
            if outcome.code == 0:
                return TerraformPlan(self.root, released=released)
            if outcome.code != 2:
                raise self._failure(outcome, "plan")
            return review.read(self._do.show(kept), root=self.root, released=released, foreign=foreign)
        finally:
            if out is None:
                kept.unlink(missing_ok=True)

    def apply(
        self,
        secrets: SecretValues | None,
        approved_digest: str | None,
        on_event: OnEvent | None = None,
        cancel: threading.Event | None = None,
        *,
        approved: Iterable[str] = (),
    ) -> TerraformPlan:
        """Plan again with the values and a lock, and apply that if it is what was approved: the same digest, or (a run that goes on
        after a kill) nothing but changes whose marks are among `approved`. Returns what was applied.

        NeedsOperator when something changed since Review, or when a Secret would be written without its values; Cancelled when
        `cancel` made Terraform stop before its end; StateLocked when somebody else is at it.
        """
        self.settle(cancel)
        self.init()
        self._push_errored_state()
        saved = self._directory / _SAVED_PLAN
        try:
            plan = self._unlocking(lambda: self.plan(secrets, lock=True, out=saved, cancel=cancel))
            self._approve(plan, approved_digest, approved)
            rest = plan
            if plan.released:
                for name in plan.released:
                    self._do.forget(f'{review.NAMESPACE}.this["{name}"]')
                rest = self._unlocking(lambda: self.plan(secrets, lock=True, out=saved, cancel=cancel))
                self._approve(rest, None, plan.marks)
            if rest.planned:
                self._refuse_empty(rest, secrets)
                self._unlocking(lambda: self._apply(saved, secrets, on_event, cancel))
            return plan
        finally:
            saved.unlink(missing_ok=True)

    def settle(self, cancel: threading.Event | None = None) -> bool:
        """Wait for what an earlier engine left at work in the run directory (it finishes by itself); true when there was something.
        `cancel` ends the waiting with Cancelled, not the work."""
        return self._do.run.settle(cancel=cancel)

    def release_stale_lock(self, info: LockInfo) -> bool:
        """Free the state if the lock's holder is proved dead; true when it was."""
        if not info.id or not self._is_dead(info):
            return False
        self._do.unlock(info.id)
        return True

    def addresses(self) -> tuple[str, ...]:
        """What Terraform has on record."""
        self.init()
        return self._do.addresses()

    def _apply(self, saved: Path, secrets: SecretValues | None, on_event: OnEvent | None, cancel: threading.Event | None) -> None:
        outcome = self._do.apply(saved, secrets, on_event, cancel)
        if outcome.code != 0:
            raise self._failure(outcome, "apply")

    def _unlocking(self, act: Callable[[], T]) -> T:
        """Once more after a lock was in the way whose holder is proved dead."""
        try:
            return act()
        except StateLocked as locked:
            if locked.info is None or not self.release_stale_lock(locked.info):
                raise
        return act()

    def _approve(self, plan: TerraformPlan, digest: str | None, approved: Iterable[str]) -> None:
        beyond = () if plan.digest == digest else plan.beyond(approved)
        if beyond:
            listed = "; ".join(f"{c.action} {c.subject}" + (f" ({c.detail})" if c.detail else "") for c in beyond[:8])
            raise NeedsOperator(
                f"Terraform ({self.root}) would now do what was not approved: {listed}",
                remedy="Something changed since Review: look at the plan again and approve it.",
            )

    def _refuse_empty(self, plan: TerraformPlan, secrets: SecretValues | None) -> None:
        empty = review.unsupplied(plan, secrets.supplied if secrets else ())
        if empty:
            remedy = "Give its values a source and try again."
            raise NeedsOperator([Problem(f"Secret {key} would be written without its values", None, remedy) for key in empty])

    def _push_errored_state(self) -> None:
        """A state that could not be written when the last apply ended (the API server was gone) is written now."""
        errored = self._directory / _ERRORED_STATE
        if errored.exists():
            self._do.push(errored)
            errored.unlink()

    def _failure(self, outcome: Outcome, command: str) -> Exception:
        if outcome.interrupted:
            return Cancelled(f"Terraform ({self.root}) stopped as asked; what it had begun is finished and on record.")
        return outcome.failure(command)


def _protected(errors: Iterable[Diagnostic]) -> tuple[str, ...]:
    """Namespaces that left the plan: prevent_destroy keeps Terraform from destroying them, so it refuses to plan."""
    refused = [d for d in errors if d.summary == "Instance cannot be destroyed"]
    found = {m[1] for d in refused for m in [_PROTECTED.search(f"{d.address} {d.detail}")] if m}
    return tuple(sorted(found))
