"""Processes named by pid and start time, so that a recycled pid is never taken for one of ours."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    pid: int
    started: int
    """Clock ticks after boot, field 22 of /proc/PID/stat."""


def identify(pid: int) -> Identity | None:
    """None when there is no such process (a zombie counts as none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]))


def is_alive(who: Identity) -> bool:
    return identify(who.pid) == who


def send(who: Identity, number: signal.Signals) -> bool:
    """Through a pidfd: the process that is checked is the one that gets the signal. False when it is gone."""
    try:
        descriptor = os.pidfd_open(who.pid)
    except OSError:
        return False
    try:
        if not is_alive(who):
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def end(processes: Iterable[Identity], patience: float = 10) -> list[Identity]:
    """SIGKILL to all, then wait; returns those that are still there after `patience` seconds."""
    left = list(processes)
    deadline = time.monotonic() + patience
    while left and time.monotonic() < deadline:
        for who in left:
            send(who, signal.SIGKILL)
        time.sleep(0.02)
        left = [who for who in left if is_alive(who)]
    return left


def marked(marker: str) -> list[Identity]:
    """Processes whose environment holds `marker` (NAME=value): finds what a killed supervisor did not live to record."""
    needle = marker.encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if needle in (entry / "environ").read_bytes().split(b"\0"):
                    who = identify(int(entry.name))
                    if who is not None:
                        found.append(who)
    return found
