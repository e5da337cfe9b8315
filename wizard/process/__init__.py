"""The one place that starts programs.

Every child gets an argument list (never a shell line), a small environment, umask 077, a session of its own and no inherited
descriptor but those meant for it. A secret reaches a child only through a pipe: `{fd:NAME}` in the arguments becomes
`/dev/fd/N`, so neither the arguments nor the environment, which any process of this user may read, ever hold it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.clock import SYSTEM
from wizard.process.conversation import converse
from wizard.process.environment import environment
from wizard.process.environment import program as find_program
from wizard.process.failure import ProcessError, ending, last_words, too_long
from wizard.process.identity import alive, boot, own_identity, start_of
from wizard.process.pipes import Feed, Pipes, Revealing

__all__ = ["Finished", "Pipes", "ProcessError", "Revealing", "Running", "alive", "environment", "observe", "own_identity", "run", "start"]

observe: Callable[[list[str], dict[str, str]], None] | None = None
"""For tests: called with the arguments and the environment of every child before it starts."""

_SHIELDED = 'trap "" HUP; exec "$@"'
"""An ignored signal stays ignored across exec: a closed terminal kills neither Terraform nor what it has begun. Popen's own hook
for this (preexec_fn) may deadlock in a process with threads, so a shell does it; it holds none of the arguments in its text."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program did. `code` is negative for the signal that ended it."""

    code: int
    out: bytes
    err: bytes
    seconds: float


def _spawn(
    argv: Sequence[str],
    *,
    cwd: Path | str | None,
    env: Mapping[str, str] | None,
    pipes: Pipes,
    purpose: str,
    shielded: bool,
    **handles: Any,
) -> subprocess.Popen[bytes]:
    surroundings = dict(environment() if env is None else env)
    program = find_program(argv[0], surroundings, cwd, purpose)
    feed = Feed(pipes)
    try:
        arguments = [program, *feed.arguments(argv[1:])]
        if observe is not None:
            observe(list(arguments), dict(surroundings))
        child = subprocess.Popen(
            ["/bin/sh", "-c", _SHIELDED, "sh", *arguments] if shielded else arguments,
            cwd=cwd,
            env=surroundings,
            pass_fds=tuple(feed.readers.values()),
            close_fds=True,
            start_new_session=True,
            umask=0o077,
            **handles,
        )
    except OSError as error:
        feed.abandon()
        raise ProcessError(f"`{argv[0]}` cannot be started: {os.strerror(error.errno or 0)}") from None
    except BaseException:
        feed.abandon()
        raise
    feed.begin()
    return child


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def run(
    argv: Sequence[str],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float,
    pipes: Pipes | None = None,
    check: bool = False,
    limit: int = 64 * 1024 * 1024,
    purpose: str = "",
) -> Finished:
    """Run a program to its end. `env` None means `environment()`; without `stdin` it reads /dev/null.

    ProcessError when it is missing (`purpose` says what it is for: "push the repository"), when it takes longer than `timeout`
    seconds or writes more than `limit` bytes to either stream (it and all it started are killed), and, with `check`, when it fails.
    """
    began = SYSTEM.monotonic()
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    child = _spawn(
        argv,
        cwd=cwd,
        env=env,
        pipes=pipes or {},
        purpose=purpose,
        shielded=False,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        out, err = converse(child, stdin, began + timeout, timeout, limit, argv[0])
        code = child.wait(timeout=max(began + timeout - SYSTEM.monotonic(), 0.1))
    except BaseException as error:
        _kill_group(child)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise too_long(argv[0], timeout) from None
        raise
    finally:
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
    finished = Finished(code, out, err, SYSTEM.monotonic() - began)
    if check and code != 0:
        raise ProcessError(f"`{Path(argv[0]).name}` failed ({ending(code)}): {last_words(err) or last_words(out) or 'it said nothing'}")
    return finished


class Running:
    """A program that goes on by itself, its words in a log file. It outlives whoever started it."""

    def __init__(self, child: subprocess.Popen[bytes], name: str) -> None:
        self._child = child
        self._name = name
        self._interrupted = threading.Lock()
        self.pid = child.pid
        self.identity: dict[str, Any] = {"pid": child.pid, "start": start_of(child.pid)[0], "boot": boot()}
        """For the journal: tells this process from a later one with the same number."""

    def poll(self) -> int | None:
        """Its exit code (negative: the signal that ended it), None while it runs."""
        return self._child.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; ProcessError after `timeout` seconds (it goes on)."""
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"`{self._name}` is still running after {timeout:g} s") from None

    def interrupt(self) -> bool:
        """Ask it to stop by one SIGINT, false when that was done before or it has ended.

        Never twice: a second SIGINT makes Terraform give up without saving its state.
        """
        if not self._interrupted.acquire(blocking=False) or self.poll() is not None:
            return False
        self._child.send_signal(signal.SIGINT)
        return True

    def kill(self) -> None:
        """End it and all it started, at once."""
        _kill_group(self._child)
        self._child.wait()


def start(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    pipes: Pipes | None = None,
    purpose: str = "",
) -> Running:
    """Start a program that survives a closed terminal (SIGHUP ignored). Both its streams are appended to `log`, mode 0600.

    A file, not a pipe to us: a program whose reader dies is killed by SIGPIPE, Terraform in the middle of an apply.
    """
    try:
        words = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ProcessError(f"cannot write the log {log}: {os.strerror(error.errno or 0)}") from None
    try:
        os.fchmod(words, 0o600)
        child = _spawn(
            argv,
            cwd=cwd,
            env=env,
            pipes=pipes or {},
            purpose=purpose,
            shielded=True,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
        )
    finally:
        os.close(words)
    return Running(child, Path(argv[0]).name)
