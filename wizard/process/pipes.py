"""Secrets on their way into a child: through pipes, written by threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Protocol


class Revealing(Protocol):
    """A `Secret`: revealed here, on its way into a pipe, and nowhere before."""

    def reveal(self) -> str: ...


Pipes = Mapping[str, "bytes | Revealing"]


class Feed:
    """The pipes of one child: their reading ends go to it, a thread writes each and closes it."""

    def __init__(self, pipes: Pipes) -> None:
        self._texts: list[tuple[int, bytes]] = []
        self.readers: dict[str, int] = {}
        for name, text in pipes.items():
            reader, writer = os.pipe()
            self.readers[name] = reader
            self._texts.append((writer, text if isinstance(text, bytes) else text.reveal().encode()))

    def arguments(self, argv: Sequence[str]) -> list[str]:
        """`argv` with each `{fd:NAME}` replaced by the path of that pipe in the child."""
        out = []
        for argument in argv:
            for name, fd in self.readers.items():
                argument = argument.replace(f"{{fd:{name}}}", f"/dev/fd/{fd}")
            out.append(argument)
        return out

    def begin(self) -> None:
        """The child has its copies: close ours, so that its end ends the writing too."""
        self._close_readers()
        for writer, text in self._texts:
            threading.Thread(target=_write, args=(writer, text), name="secret-pipe", daemon=True).start()
        self._texts = []

    def abandon(self) -> None:
        """No child came to be."""
        self._close_readers()
        for writer, _ in self._texts:
            os.close(writer)
        self._texts = []

    def _close_readers(self) -> None:
        for fd in self.readers.values():
            os.close(fd)
        self.readers = {}


def _write(fd: int, text: bytes) -> None:
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        pass  # the child ended, or did not want it all: its exit code tells
    finally:
        os.close(fd)
