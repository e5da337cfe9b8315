"""The commands of Terraform that tierup uses, each once, with the environment and the arguments it needs."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wizard import process
from wizard.clock import SYSTEM, Clock
from wizard.errors import TierupError
from wizard.files import private_directory
from wizard.terraform import program, rundir
from wizard.terraform.argv import FLAG, argv
from wizard.terraform.inputs import SecretValues
from wizard.terraform.runner import OnChild, OnEvent, Outcome, Runner
from wizard.text import clean

LOCK_WAIT = "60s"
"""How long another Terraform may hold the state before that is an error."""

_SHORT = 300.0
"""Seconds for commands that read or write a record and touch no resource."""


class Commands:
    """One run directory. Nothing here decides anything."""

    def __init__(
        self,
        path: Path | None,
        directory: Path,
        kubeconfig: Path,
        context: str | None,
        log_dir: Path,
        *,
        cache: Path | None = None,
        on_child: OnChild | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._cache = cache or directory.parent / "plugins"
        self.root = directory.name
        self.directory = private_directory(directory)
        self._path = path
        self._kubeconfig = kubeconfig
        self._context = context
        self._program: program.Program | None = None
        self.run = Runner(directory, private_directory(log_dir), on_child=on_child, clock=clock)

    def version(self) -> program.Program:
        """The program that will run; NeedsOperator when none can be used. Asked once."""
        self._program = self._program or program.find(self._path)
        return self._program

    def machine(self, more: Mapping[str, Any]) -> None:
        """Write what only this machine knows beside the root's files."""
        rundir.write_machine(
            self.directory, {"kubeconfig_path": str(self._kubeconfig), "kubeconfig_context": self._context or None, **more}
        )

    def init(self, *, force: bool, pinned: bool) -> bool:
        """`terraform init`, unless the last success was for the same; true when it ran. `pinned`: the lock file of the providers
        came from the repository and is obeyed as it is."""
        env, backend = self._environment(), rundir.backend_config(self.directory, self._kubeconfig, self._context)
        if not force and rundir.is_ready(self.directory, rundir.wanted(self.directory, self.version(), backend, env)):
            return False
        options = {"lockfile": "readonly"} if pinned else {}
        command = self._argv("init", json=FLAG, input=False, reconfigure=FLAG, backend_config=backend, **options)
        with rundir.cache_lock:
            Path(env["TF_PLUGIN_CACHE_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
            outcome = self.run(command, env, name="init")
        if outcome.code != 0:
            raise outcome.failure("init")
        rundir.mark_ready(self.directory, rundir.wanted(self.directory, self.version(), backend, env))
        return True

    def plan(self, secrets: SecretValues | None, out: Path, *, lock: str, cancel: threading.Event | None) -> Outcome:
        """`terraform plan` into the file `out`; its code is 0 (nothing), 2 (changes) or 1. `lock`: how long to wait for the state's
        lock; empty: without one."""
        locking: dict[str, Any] = {"lock_timeout": lock} if lock else {"lock": False}
        command = self._argv("plan", json=FLAG, input=False, detailed_exitcode=FLAG, out=out, **locking, **_file(secrets))
        return self.run(command, self._environment(), name="plan", pipes=_pipes(secrets), cancel=cancel)

    def apply(
        self, plan: Path, secrets: SecretValues | None, on_event: OnEvent | None, cancel: threading.Event | None, *, lock: str
    ) -> Outcome:
        """`terraform apply` of a saved plan. Ephemeral values must be given again, nothing else may be."""
        command = self._argv("apply", str(plan), json=FLAG, input=False, lock_timeout=lock, **_file(secrets))
        return self.run(command, self._environment(), name="apply", pipes=_pipes(secrets), on_event=on_event, cancel=cancel)

    def show(self, plan: Path) -> Mapping[str, Any]:
        """A saved plan as data; it holds no ephemeral value."""
        text = self.quiet("show", str(plan), json=FLAG)
        try:
            shown: Any = json.loads(text[text.index("{") :])
        except ValueError:
            raise TierupError(f"Terraform ({self.root}) shows a plan that cannot be read") from None
        return shown if isinstance(shown, dict) else {}

    def addresses(self) -> tuple[str, ...]:
        """What is on record in the state."""
        return tuple(self.quiet("state list").split("\n")[:-1])

    def forget(self, address: str) -> None:
        """Take a resource off the record; it stays in the cluster."""
        self.quiet("state rm", address, lock_timeout=LOCK_WAIT)

    def unlock(self, lock: str) -> None:
        """Free the state of the lock with this id."""
        self.quiet("force-unlock", lock, force=FLAG)

    def push(self, state: Path) -> None:
        """Write a state that could not be written when its apply ended."""
        self.quiet("state push", str(state), lock_timeout=LOCK_WAIT)

    def quiet(self, command: str, *arguments: str, **options: Any) -> str:
        """A short command without events; its output."""
        done = process.run(self._argv(command, *arguments, **options), cwd=self.directory, env=self._environment(), timeout=_SHORT)
        if done.code != 0:
            said = clean((done.err or done.out).decode("utf-8", "replace"), limit=600)
            raise TierupError(f"Terraform ({self.root}): {command} failed: {said}")
        return done.out.decode("utf-8", "replace")

    def _argv(self, command: str, *arguments: str, **options: Any) -> list[str]:
        return argv(self.version().path, command, *arguments, **options)

    def _environment(self) -> dict[str, str]:
        env = program.environment({"TF_DATA_DIR": str(self.directory / rundir.DATA)})
        return {"TF_PLUGIN_CACHE_DIR": str(self._cache), **env}


def _file(secrets: SecretValues | None) -> dict[str, str]:
    return {"var_file": "{fd:values}"} if secrets is not None else {}


def _pipes(secrets: SecretValues | None) -> dict[str, bytes]:
    return {"values": secrets.pipe()} if secrets is not None else {}
