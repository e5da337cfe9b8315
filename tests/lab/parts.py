"""A program that the supervisor owns. Started from the main thread only: the kernel ties the death signal to the starting thread."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, TypeVar

from tests.lab.processes import Identity, identify, is_alive, send

T = TypeVar("T")


class MainThread:
    """Lets any thread run something in the main one."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def do(self, action: Callable[[], T]) -> T:
        if threading.current_thread() is threading.main_thread():
            return action()
        future: Future[T] = Future()

        def job() -> None:
            try:
                future.set_result(action())
            except Exception as problem:
                future.set_exception(problem)

        self._jobs.put(job)
        return future.result(timeout=60)

    def serve(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._jobs.get(timeout=seconds)()


class Part:
    """A program with its log; `stop` and `start` may be repeated, a death that nobody asked for is `died`."""

    def __init__(
        self,
        name: str,
        argv: list[str],
        log: Path,
        main: MainThread,
        environment: Mapping[str, str],
        lines: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self.argv = argv
        self.log = log
        self.identity: Identity | None = None
        self.exit_code: int | None = None
        self.is_wanted = False
        self.is_paused = False
        self._main = main
        self._environment = environment
        self._lines = lines
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def died(self) -> bool:
        return self.is_wanted and not self.is_running

    def start(self) -> None:
        if not self.is_running:
            self._main.do(self._start)

    def _start(self) -> None:
        wrapper = shutil.which("setpriv")
        death = [wrapper, "--pdeathsig", "KILL", "--"] if wrapper else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*death, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log if self._lines is None else subprocess.PIPE,
                stderr=log if self._lines is None else subprocess.STDOUT,
                env=dict(self._environment),
                cwd=self.log.parent,
                start_new_session=True,
            )
        self.identity = identify(self._process.pid)
        self.is_wanted, self.is_paused, self.exit_code = True, False, None
        if self._process.stdout is not None:
            threading.Thread(target=self._copy, args=(self._process.stdout,), name=f"output of {self.name}", daemon=True).start()

    def _copy(self, stream: IO[bytes]) -> None:
        with stream, self.log.open("ab", buffering=0) as log:
            for raw in stream:
                log.write(raw)
                if self._lines is not None:
                    self._lines(raw.decode(errors="replace").rstrip("\n"))

    def stop(self, number: signal.Signals = signal.SIGKILL, patience: float = 5) -> None:
        """Ends it and waits; what has not gone after `patience` seconds is killed."""
        self.is_wanted = False
        if self._process is None:
            return
        if self.is_paused:
            self.signal(signal.SIGCONT)
        self.signal(number)
        try:
            self.exit_code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.exit_code = self._process.wait()
        self.is_paused = False

    def pause(self, on: bool = True) -> None:
        self.signal(signal.SIGSTOP if on else signal.SIGCONT)
        self.is_paused = on

    def signal(self, number: signal.Signals) -> None:
        if self.identity is not None and is_alive(self.identity):
            send(self.identity, number)

    def last_lines(self, count: int = 20) -> list[str]:
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 16384))
            return log.read().decode(errors="replace").splitlines()[-count:]
        return []

    def record(self) -> dict[str, Any]:
        state = "paused" if self.is_paused else "running" if self.is_running else "died" if self.is_wanted else "stopped"
        who = self.identity
        return {"pid": who.pid if who else 0, "started": who.started if who else 0, "state": state, "log": str(self.log)}
