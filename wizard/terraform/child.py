"""The Terraforms this machine started last in a run directory: written down before they start, so that a later engine can wait for
one that lives and prove it when it is dead."""

from __future__ import annotations

import getpass
import json
import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from wizard import process
from wizard.clock import parse_stamp, stamp
from wizard.errors import InputError
from wizard.files import read_regular, write_atomic
from wizard.terraform.backend import SLACK, LockInfo

NAME = "child.json"
_KEPT = 31
_ROUNDED = timedelta(milliseconds=1)  # what a recorded moment may be too late
_NAMES = ("terraform", "tofu")


@dataclass(frozen=True, slots=True)
class Child:
    """`identity` is None when the engine was killed between the intent and the start, `code` when it did not see the end."""

    started: datetime
    log: Path
    identity: dict[str, Any] | None = None
    code: int | None = None

    @property
    def may_hold_lock(self) -> bool:
        """A command that ended well (0, or 2: a plan with changes) has given its lock back."""
        return self.code not in (0, 2)

    @property
    def last_sign(self) -> datetime:
        """When it last wrote into its log."""
        try:
            return datetime.fromtimestamp(self.log.stat().st_mtime, tz=self.started.tzinfo)
        except OSError:
            return self.started


def write(directory: Path, child: Child) -> None:
    """Record a child: before its start, with its identity, with its end. The same start is the same child."""
    others = [c for c in read_all(directory) if c.started != child.started]
    records = [{"started": stamp(c.started), "log": str(c.log), "identity": c.identity, "code": c.code} for c in (*others[-_KEPT:], child)]
    write_atomic(directory / NAME, json.dumps(records) + "\n")


def read_all(directory: Path) -> tuple[Child, ...]:
    """The last children, newest last; none when there were none or the record is not readable."""
    try:
        found = []
        for data in json.loads(read_regular(directory / NAME, limit=256 * 1024)):
            started = parse_stamp(data["started"])
            if started is not None:
                found.append(Child(started, Path(data["log"]), data["identity"], data["code"]))
        return tuple(found)
    except (InputError, OSError, ValueError, KeyError, TypeError):
        return ()


def read(directory: Path) -> Child | None:
    """The last child, None when none is known."""
    return next(reversed(read_all(directory)), None)


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
    known = [c.identity for c in read_all(directory) if c.identity and c.code is None]
    return bool(at_work(directory)) or any(process.alive(identity) for identity in known)


def holder_is_dead(info: LockInfo, directory: Path) -> bool:
    """True only when the holder of the lock is proved to be a child of ours in this directory and nothing of it lives.

    It must be this user on this host, and the lock taken between the start and the last sign of life of a child that did not end
    well: a Terraform of somebody else in another directory of this machine is thereby not taken for ours.
    """
    created = info.created
    if created is None or info.who != f"{getpass.getuser()}@{socket.gethostname()}":
        return False
    ours = any(c.may_hold_lock and c.started - _ROUNDED <= created <= c.last_sign + SLACK for c in read_all(directory))
    return ours and not living(directory)
