"""The engine's socket: views attach, hear the newest state, and say what the operator wants.

Only processes of the same user are heard (SO_PEERCRED; the socket is 0600 as well). A view that does not read is dropped and
never holds the engine up.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from wizard.errors import TierupError
from wizard.run.live import Live
from wizard.state.wire import BEAT, LIMIT, decode, encode

PACE = 0.1
"""Least seconds between two states sent to a view."""


class ControlServer:
    """Serves views until stopped; what they ask for lands in `commands` as JSON objects."""

    def __init__(self, path: Path, live: Live) -> None:
        self._path = path
        self._live = live
        self.commands: queue.Queue[dict[str, Any]] = queue.Queue()
        self._end = threading.Event()
        self._views: set[threading.Thread] = set()
        self._guard = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    @property
    def views(self) -> int:
        """How many views are attached now."""
        with self._guard:
            return len(self._views)

    def start(self) -> None:
        """Bind and listen; a socket file left by a dead engine is replaced (the machine lock says it is dead)."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        try:
            _bind(self._server, self._path)
        except OSError as error:
            raise TierupError(
                f"{self._path} cannot be opened: {error.strerror}", remedy="set TIERUP_HOME to a folder with a shorter path"
            ) from error
        self._server.listen(16)
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def stop(self) -> None:
        """Send the last state to every view, then close."""
        self._end.set()
        self._live.change()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for view in list(self._views):
            view.join(timeout=2)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _accept(self) -> None:
        while not self._end.is_set():
            try:
                view, _ = self._server.accept()
            except OSError:
                return
            if _peer(view) != os.getuid():
                view.close()
                continue
            view.settimeout(5)
            sender = threading.Thread(target=self._send, args=(view,), name="view", daemon=True)
            with self._guard:
                self._views.add(sender)
            sender.start()
            threading.Thread(target=self._hear, args=(view,), name="view-in", daemon=True).start()

    def _send(self, view: socket.socket) -> None:
        try:
            version = -1
            while True:
                last = self._end.is_set()
                state = self._live.newer(version, BEAT)
                view.sendall(encode({"state": state.to_json()}))
                version = state.version
                if last:
                    return
                self._end.wait(PACE)
        except OSError:
            return
        finally:
            with self._guard:
                self._views.discard(threading.current_thread())
            with contextlib.suppress(OSError):
                view.shutdown(socket.SHUT_RDWR)
            view.close()

    def _hear(self, view: socket.socket) -> None:
        buffer = b""
        while not self._end.is_set():
            try:
                chunk = view.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not chunk:
                with contextlib.suppress(OSError):
                    view.shutdown(socket.SHUT_RDWR)
                return
            buffer += chunk
            if len(buffer) > LIMIT:
                return
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    self.commands.put(decode(line))


def _bind(server: socket.socket, path: Path) -> None:
    """Bind with mode 0600 from birth, also when the path is longer than the 107 bytes a socket address holds."""
    before = os.umask(0o177)
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            server.bind(f"/proc/self/fd/{directory}/{path.name}" if len(os.fsencode(path)) > 100 else os.fspath(path))
        finally:
            os.close(directory)
    finally:
        os.umask(before)


def _peer(view: socket.socket) -> int:
    """User id of the other side."""
    return int(struct.unpack("3i", view.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[1])
