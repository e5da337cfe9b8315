"""From a name to a running lab and back to nothing, whatever state the last one was left in."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.lab.build import build
from tests.lab.cache import Report
from tests.lab.layout import MARKER, REPOSITORY, Settings, read_json
from tests.lab.processes import Identity, end, is_alive, marked, send

PATIENCE = 300.0
"""Seconds for a lab to come up once everything is built; it takes about 10."""


class LabError(RuntimeError):
    """The lab could not do what was asked of it; the text says which part, with its last lines."""


def up(directory: Path, settings: Settings, report: Report) -> None:
    """Builds, cleans up after a lab of this name that died, starts the supervisor and waits until it is ready."""
    build(report)  # here, where its progress is seen; the supervisor finds it in the cache
    with _alone(directory):
        if supervisor(directory) is not None and status(directory)["phase"] == "ready":
            report(f"lab {settings.name} is already up in {directory}")
            return
        down(directory)
        directory.mkdir(parents=True, mode=0o700)
        settings.save(directory)
        (directory / "progress.log").touch()
        began = time.monotonic()
        with (directory / "supervisor.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.lab.supervisor", str(directory)],
                cwd=directory,
                env={**_clean_environment(), "PYTHONPATH": str(REPOSITORY), MARKER: str(directory)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _follow(directory, process, report)
    report(f"lab {settings.name} is up in {directory} ({time.monotonic() - began:.1f} s)")


def _clean_environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "XDG_STATE_HOME", "TMPDIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS")
    chosen = {key: value for key, value in os.environ.items() if key in kept or key.startswith("TIERUP_LAB_")}
    return chosen | {"PYTHONDONTWRITEBYTECODE": "1"}


def _follow(directory: Path, process: subprocess.Popen[bytes], report: Report) -> None:
    deadline = time.monotonic() + PATIENCE
    with (directory / "progress.log").open() as progress:
        while True:
            for line in progress:
                report(line.rstrip("\n"))
            state = read_json(directory / "status.json") or {}
            if state.get("phase") == "ready":
                return
            failed = state.get("phase") == "failed" or process.poll() is not None or time.monotonic() > deadline
            if failed:
                tail = "\n".join((directory / "supervisor.log").read_text().splitlines()[-20:])
                problem = state.get("problem") or "its supervisor ended, or took too long"
                stop_processes(directory)
                process.wait()
                raise LabError(f"the lab did not come up: {problem}\n{tail}\n(logs are kept in {directory})")
            time.sleep(0.05)


def supervisor(directory: Path) -> Identity | None:
    """The running supervisor, if there is one."""
    record = read_json(directory / "supervisor.json")
    who = Identity(record["pid"], record["started"]) if record else None
    return who if who is not None and is_alive(who) else None


def status(directory: Path) -> dict[str, Any]:
    """What the supervisor wrote last; phase `down` where there is no lab, `orphaned` where its supervisor was killed."""
    content: dict[str, Any] | None = read_json(directory / "status.json")
    if content is None:
        return {"phase": "down" if supervisor(directory) is None else "starting", "problem": "", "parts": {}, "died": {}}
    if supervisor(directory) is None:
        content["phase"] = "orphaned"
    return content


def down(directory: Path) -> None:
    """No process of the lab is left when this returns, and no file."""
    stop_processes(directory)
    shutil.rmtree(directory, ignore_errors=True)


def stop_processes(directory: Path) -> None:
    who = supervisor(directory)
    if who is not None:
        send(who, signal.SIGTERM)
        with contextlib.suppress(LabError):
            wait_for(lambda: not is_alive(who), 10, "the supervisor to end")
    recorded = [Identity(part["pid"], part["started"]) for part in status(directory)["parts"].values()]
    left = end([*recorded, *([who] if who else []), *marked(f"{MARKER}={directory}")])
    if left:
        raise LabError(f"these processes could not be ended: {', '.join(str(item.pid) for item in left)}")


def wait_for(test: Callable[[], bool], patience: float, what: str) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if test():
                return
        time.sleep(0.05)
    raise LabError(f"waited {patience:.0f} s for {what}")


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One `up` of a name at a time."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
