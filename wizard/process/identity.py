"""Telling a process from a later one with the same number."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def alive(identity: Mapping[str, Any]) -> bool:
    """True while exactly the process of this identity runs: same number, same start, same boot; one that has ended but was not yet
    waited for is dead."""
    start_time, state = start_of(int(identity["pid"]))
    return bool(start_time) and state not in "ZX" and start_time == identity["start"] and identity["boot"] == boot()


def own_identity() -> dict[str, Any]:
    """The identity of this process, as `Running.identity` is of a child."""
    return {"pid": os.getpid(), "start": start_of(os.getpid())[0], "boot": boot()}


def boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def start_of(pid: int) -> tuple[str, str]:
    """When a process started (clock ticks since boot) and its state letter; both empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ("", "") if Path("/proc/self/stat").exists() else _start_by_ps(pid)
    fields = stat[stat.rindex(")") + 2 :].split()  # the name before it may hold spaces and brackets
    return fields[19], fields[0]


def _start_by_ps(pid: int) -> tuple[str, str]:
    """Systems without /proc (macOS)."""
    asked = subprocess.run(["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=10)
    state, _, began = asked.stdout.strip().partition(" ")
    return (began.strip(), state[:1]) if asked.returncode == 0 else ("", "")
