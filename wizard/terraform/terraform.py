"""Terraform for one root: plan for Review, apply of exactly what was approved, nothing lost and nothing left behind."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from wizard.clock import SYSTEM, Clock
from wizard.errors import Cancelled, NeedsOperator, Problem
from wizard.terraform import child, program, review, rundir
from wizard.terraform.backend import IsDead, LockInfo, StateLocked
from wizard.terraform.commands import LOCK_WAIT, Commands
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
        cache: Path | None = None,
        is_dead: IsDead | None = None,
        on_child: OnChild | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.root = directory.name
        self._directory = directory
        self._machine = dict(machine or {})
        self._files: dict[str, bytes] = {}
        cache = cache or directory.parent / "plugins"
        self._do = Commands(path, directory, kubeconfig, context, log_dir, cache=cache, on_child=on_child, clock=clock)
        self._elsewhere = partial(
            Terraform, path, kubeconfig=kubeconfig, context=context, log_dir=log_dir, machine=self._machine, cache=cache, on_child=on_child
        )
        self._is_dead = is_dead or (lambda info: child.holder_is_dead(info, directory))
        self._pinned = False

    def version(self) -> program.Program:
        """The program that will run; NeedsOperator when there is none that can be used."""
        return self._do.version()

    def stage(self, files: Mapping[str, bytes]) -> None:
        """Put the root's files (names without a path, as they are in the repository) into the run directory."""
        self._files = dict(files)
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
        lock: str = "",
        out: Path | None = None,
        fresh: bool = False,
        foreign: Iterable[tuple[str, str]] = (),
        cancel: threading.Event | None = None,
    ) -> TerraformPlan:
        """What would change. `lock` is how long to wait for the state's lock ("60s"; empty, as Review asks: without one); `out` keeps
        the plan for an apply (0600); `foreign`: Helm releases that exist already, see review.read. A Terraform that an engine
        which is gone left at work here is waited for first.

        `fresh`: the cluster has no state of this root yet (nothing at backend.state_path). The backend would write an empty one
        even for a plan, so the plan is made without it, and nothing is written to the cluster.
        """
        self.settle(cancel)
        if fresh:
            return self._plan_elsewhere(foreign, cancel)
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
            plan = self._unlocking(lambda wait: self.plan(secrets, lock=wait, out=saved, cancel=cancel))
            self._approve(plan, approved_digest, approved)
            rest = plan
            if plan.released:
                for name in plan.released:
                    self._do.forget(f'{review.NAMESPACE}.this["{name}"]')
                rest = self._unlocking(lambda wait: self.plan(secrets, lock=wait, out=saved, cancel=cancel))
                self._approve(rest, None, plan.marks)
            if rest.planned:
                self._refuse_empty(rest, secrets)
                self._unlocking(lambda wait: self._check(self._do.apply(saved, secrets, on_event, cancel, lock=wait)))
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

    def _check(self, outcome: Outcome) -> None:
        if outcome.code != 0:
            raise self._failure(outcome, "apply")

    def _unlocking(self, act: Callable[[str], T]) -> T:
        """Without waiting; if the state is locked, once more: at once when the holder is proved dead, else after a while."""
        try:
            return act("0s")
        except StateLocked as locked:
            if locked.info is not None:
                self.release_stale_lock(locked.info)
        return act(LOCK_WAIT)

    def _plan_elsewhere(self, foreign: Iterable[tuple[str, str]], cancel: threading.Event | None) -> TerraformPlan:
        """The same root with a state file of its own that stays empty, in a folder that is gone afterwards."""
        folder = self._directory / "fresh"
        try:
            other = self._elsewhere(directory=folder / self.root)
            other.stage({**self._files, rundir.OVERRIDE: b'terraform {\n  backend "local" {}\n}\n'})
            plan = other.plan(foreign=foreign, cancel=cancel)
            chosen = folder / self.root / rundir.LOCK_FILE  # the provider versions the plan was made with
            if chosen.exists():
                rundir.stage(self._directory, {**self._files, rundir.LOCK_FILE: chosen.read_bytes()})
            return plan
        finally:
            shutil.rmtree(folder, ignore_errors=True)

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
