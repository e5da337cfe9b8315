"""The Terraform this machine started last in a run directory: written down before it starts, so that a later engine can wait for
it when it lives and prove it when it is dead."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wizard import process
from wizard.clock import SYSTEM, Clock, parse_stamp, stamp
from wizard.errors import InputError
from wizard.files import read_regular, write_atomic
from wizard.terraform.backend import SLACK, LockInfo

NAME = "child.json"
_NAMES = ("terraform", "tofu")


@dataclass(frozen=True, slots=True)
class Child:
    """`identity` is None when the engine was killed between the intent and the start."""

    started: datetime
    log: Path
    identity: dict[str, Any] | None = None


def write(directory: Path, log: Path, identity: Mapping[str, Any] | None, *, clock: Clock = SYSTEM, started: str | None = None) -> str:
    """Record an intent (no identity yet), then the child. Returns the moment of the intent for the second call."""
    moment = started or stamp(clock.now())
    record = {"started": moment, "log": str(log), "identity": dict(identity) if identity else None}
    write_atomic(directory / NAME, json.dumps(record, sort_keys=True) + "\n")
    return moment


def read(directory: Path) -> Child | None:
    """The last child, None when there was none or the record is not readable."""
    try:
        data = json.loads(read_regular(directory / NAME, limit=64 * 1024))
        started = parse_stamp(data["started"])
        return Child(started, Path(data["log"]), data.get("identity")) if started else None
    except (InputError, OSError, ValueError, KeyError, TypeError):
        return None


def at_work(directory: Path) -> tuple[int, ...]:
    """Process ids of Terraform in this directory, and of its providers, which outlive it and finish their requests. Told by their
    name: an operator's shell that stands in the directory is not waited for."""
    here = os.path.realpath(directory)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().startswith(_NAMES) and (entry / "cwd").readlink() == Path(here):
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended, or is another user's
    return tuple(sorted(found))


def living(directory: Path) -> bool:
    """Whether anything that was started in this directory still runs."""
    child = read(directory)
    return bool(at_work(directory)) or bool(child and child.identity and process.alive(child.identity))


def holder_is_dead(info: LockInfo, directory: Path) -> bool:
    """True only when the holder of the lock is proved to be our own child of this directory and nothing of it lives.

    It must be this user on this host, the lock no older than our last start there and not much younger than that child's last
    sign of life (its log): a Terraform of somebody else in another directory of this machine is thereby not taken for ours.
    """
    child = read(directory)
    if child is None or info.created is None or info.who != f"{getpass.getuser()}@{socket.gethostname()}":
        return False
    try:
        last_sign = datetime.fromtimestamp(child.log.stat().st_mtime, tz=child.started.tzinfo)
    except OSError:
        last_sign = child.started
    return child.started - SLACK / 90 <= info.created <= last_sign + SLACK and not living(directory)
