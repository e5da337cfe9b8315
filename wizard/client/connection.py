"""A view's end of the engine's socket."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from wizard.clock import SYSTEM, Clock, parse_stamp
from wizard.errors import TierupError
from wizard.secrets import Secret
from wizard.state import Activity, RunState, run_state
from wizard.state.wire import LIMIT, SILENCE, decode, encode


class EngineGone(TierupError):
    """The engine process ended or does not answer."""


class Connection:
    """Attached to a living engine: hears its states, says what the operator wants."""

    def __init__(self, path: Path) -> None:
        """Connect; raises EngineGone when no engine listens there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._buffer = b""
        try:
            _connect(self._socket, path)
        except OSError as error:
            self._socket.close()
            raise EngineGone("no engine is running for this plan", remedy="start one with `tierup apply` or `tierup resume`") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def begin(self, values: Mapping[str, Secret]) -> None:
        """Hand over what only this process can read. Values go through the socket and nowhere else."""
        self._say("begin", values={name: secret.reveal() for name, secret in values.items()})

    def give(self, values: Mapping[str, Secret]) -> None:
        """Hand over values the engine asked for."""
        self._say("give", values={name: secret.reveal() for name, secret in values.items()})

    def approve(self, digest: str) -> None:
        """Approve the proposal of that digest, and nothing else."""
        self._say("approve", digest=digest)

    def cancel(self) -> None:
        """Ask the engine to stop at the next safe point."""
        self._say("cancel")

    def states(self) -> Iterator[RunState]:
        """Every state the engine sends, ending with its last one. Raises EngineGone after SILENCE seconds without a word."""
        while True:
            message = self._hear(SILENCE)
            if message is None:
                return
            if "state" in message:
                yield run_state(message["state"])

    def _say(self, what: str, **fields: Any) -> None:
        try:
            self._socket.sendall(encode({"do": what, **fields}))
        except OSError as error:
            raise EngineGone("the engine ended", remedy="`tierup status` shows how far it came, `tierup resume` goes on") from error

    def _hear(self, seconds: float) -> dict[str, Any] | None:
        while b"\n" not in self._buffer:
            readable, _, _ = select.select([self._socket], [], [], seconds)
            if not readable:
                raise EngineGone(
                    f"the engine has not answered for {seconds:.0f} s",
                    remedy="what is shown is old; look at its log with `tierup logs`, then run `tierup resume`",
                )
            try:
                chunk = self._socket.recv(65536)
            except OSError:
                chunk = b""
            if not chunk:
                return None
            self._buffer += chunk
            if len(self._buffer) > LIMIT:
                raise EngineGone("the engine sends what is no state")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return decode(line)


def wait_for(path: Path, seconds: float, alive: Any) -> Connection:
    """Connect to an engine that is just starting; raises EngineGone when it ended (`alive()` is false) or `seconds` have passed."""
    limit = SYSTEM.monotonic() + seconds
    while True:
        try:
            return Connection(path)
        except EngineGone:
            if not alive() or SYSTEM.monotonic() > limit:
                raise
            SYSTEM.wait(threading.Event(), 0.02)  # the engine binds its socket some 100 ms after its start


def read_snapshot(run: Path) -> RunState | None:
    """The last state a run's engine left on disk; None when it left none that can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return run_state(json.loads((run / "snapshot.json").read_bytes()))
    return None


def as_seen(state: RunState, *, alive: bool, clock: Clock = SYSTEM) -> RunState:
    """A snapshot as it must be shown: a run whose engine is gone is not going on, and what it last saw is old."""
    if alive or state.activity in (Activity.DONE, Activity.FAILED, Activity.CANCELLED):
        return state
    beat = parse_stamp(state.heartbeat)
    ago = f" {int((clock.now() - beat).total_seconds())} s ago" if beat else ""
    return replace(state, activity=Activity.FAILED, message=f"the engine ended{ago} in the middle; `tierup resume` goes on", exit_code=1)


def _connect(view: socket.socket, path: Path) -> None:
    if len(os.fsencode(path)) <= 100:
        view.connect(os.fspath(path))
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        view.connect(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
