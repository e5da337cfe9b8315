"""A root of Terraform's own resources, local state, and everything a test watches it by."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wizard import process
from wizard.terraform.events import Event
from wizard.terraform.terraform import Terraform

Seen = list[tuple[list[str], dict[str, str]]]

GATE = """
resource "terraform_data" "first" {
  input = "one"
}

resource "terraform_data" "gate" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "exec cat GATE > /dev/null"
  }
}

resource "terraform_data" "last" {
  depends_on = [terraform_data.gate]
}
"""
"""Its second resource waits until something is written into the FIFO `gate`."""


class Root:
    """One run directory below `home`, the calls of its children, the events of its applies."""

    def __init__(self, home: Path, text: str, name: str = "sample") -> None:
        self.directory = home / "run" / name
        self.gate = home / "gate"
        self.logs = home / "logs"
        self.text = text.replace("GATE", str(self.gate))
        self.events: list[Event] = []
        self.children: list[Mapping[str, Any]] = []
        self.terraform = Terraform(None, self.directory, home / "kubeconfig", None, self.logs, on_child=self.children.append)
        self.terraform.stage({"main.tf": self.text.encode()})

    def change(self, old: str, new: str) -> None:
        """Stage the root with a part of its text replaced."""
        assert old in self.text
        self.text = self.text.replace(old, new)
        self.terraform.stage({"main.tf": self.text.encode()})

    def apply(self, **given: Any) -> None:
        """Apply what a plan shows now."""
        digest = self.terraform.plan(given.get("secrets")).digest
        self.terraform.apply(given.pop("secrets", None), digest, self.events.append, **given)

    @property
    def state(self) -> Path:
        return self.directory / "terraform.tfstate"

    def phases(self) -> list[tuple[str, str]]:
        return [(e.address.removeprefix("terraform_data."), e.phase) for e in self.events if e.phase != "progress"]

    def log_text(self) -> str:
        return "\n".join(p.read_text() for p in sorted(self.logs.iterdir()))


def when(phase: str, address: str, act: Callable[[], None]) -> Callable[[Event], None]:
    """An observer that acts at one event."""

    def seen(event: Event) -> None:
        if event.phase == phase and event.address == address:
            act()

    return seen


def commands(seen: Seen) -> list[str]:
    """The Terraform commands among the children that were started."""
    return [argv[1] for argv, _ in seen if Path(argv[0]).name == "terraform"]


def open_gate(gate: Path) -> None:
    """Let the FIFO's reader go; returns once it has read."""
    fd = os.open(gate, os.O_WRONLY)
    os.write(fd, b"x")
    os.close(fd)


def watch(seen: Seen) -> Callable[[list[str], dict[str, str]], None]:
    assert process.observe is None
    return lambda argv, env: seen.append((argv, env))
