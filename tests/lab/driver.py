"""tierup as an operator runs it, against a lab: the real command line in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import Lab

TOKENS = {
    "TIERUP_GIT_TOKEN": "",
    "TIERUP_PROXMOX_TOKEN": "canary-proxmox-7f3a9c51d2",
    "TIERUP_TRUENAS_API_KEY": "canary-truenas-0b81e66f4a",
    "TIERUP_S3_ACCESS_KEY": "canary-s3-access-93d5c7",
    "TIERUP_S3_SECRET_KEY": "canary-s3-secret-5e0d2b8817",
    "TIERUP_DNS_TOKEN": "canary-dns-c46a1f9e20",
}
"""What an operator's environment holds for the presets; the Git token is the lab's own."""


@dataclass
class Tierup:
    """One operator's machine: its own TIERUP_HOME, the environment of the lab."""

    lab: Lab
    home: Path
    preset: str = "homelab"
    name: str = "home"
    extra: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        tokens = {**TOKENS, "TIERUP_GIT_TOKEN": self.lab.git_password}
        return {**self.lab.environment(), **tokens, "TIERUP_HOME": str(self.home), "PYTHONUNBUFFERED": "1", **self.extra}

    @property
    def state(self) -> Path:
        return self.home / "state" / self.name

    def plan_options(self) -> list[str]:
        """What differs for this lab, as an operator would say it on the first apply."""
        given = ["--name", self.name, "--git", self.lab.git_url, "--context", self.lab.context]
        given += ["--set", f"gitUsername={self.lab.git_username}"]
        return [*given, "--mirror", self.lab.registry, "--mirror-http", self.lab.http, "--insecure", *self.options]

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a command; its output is one stream."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "wizard.cli", *args],
            env=self.environment,
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *args: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = self.start(*args)
        try:
            out, _ = command.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            command.kill()
            out, _ = command.communicate()
            raise AssertionError(f"tierup {' '.join(args)} did not end in {timeout:.0f} s:\n{out[-6000:]}") from None
        return subprocess.CompletedProcess(command.args, command.returncode, out, "")

    def apply(self, *args: str, preset: str | None = None, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        return self.run("apply", preset or self.preset, *self.plan_options(), "--yes", *args, timeout=timeout)

    def plan(self, *args: str, preset: str | None = None) -> subprocess.CompletedProcess[str]:
        return self.run("plan", preset or self.preset, *self.plan_options(), *args)

    def resume(self, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        return self.run("resume", "--name", self.name, timeout=timeout)

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--name", self.name, "--json")
        state: dict[str, Any] = json.loads(done.stdout)
        return state

    def engine(self) -> int | None:
        """Process id of the engine, by the lock it holds; None when none runs."""
        try:
            pid = int(json.loads((self.state / "lock").read_bytes())["pid"])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, KeyError):
            return None
        return pid if b"wizard.journeys" in command else None

    def kill_engine(self) -> bool:
        """SIGKILL to the engine alone; true when one was alive."""
        pid = self.engine()
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.engine() != pid, 10)
        return True


def until(condition: Callable[[], Any], seconds: float) -> Any:
    """The first true answer of `condition`; fails after `seconds`."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05) + 1):
        if found := condition():
            return found
        pause.wait(0.05)
    raise AssertionError(f"not so within {seconds:.0f} s: {condition}")
