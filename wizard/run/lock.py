"""One engine per plan on this machine: a file lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

from wizard.errors import Locked, TierupError


class MachineLock:
    """`flock` on a file, held for the life of the process that took it. Its content names the holder and is for display only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def take(self, run: str) -> None:
        """Take the lock; raises Locked, naming the holder, when another process has it."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(fd)
            os.close(fd)
            raise Locked(
                f"another tierup works on this cluster ({holder})",
                remedy="watch it with `tierup attach`, or stop it with `tierup cancel`",
            ) from None
        except OSError as error:
            os.close(fd)
            raise TierupError(
                f"{self.path} cannot be locked: {error.strerror}", remedy="set TIERUP_HOME to a folder on a local disk"
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": os.getpid(), "run": run, "host": socket.gethostname()}).encode(), 0)
        self._fd = fd

    def free(self) -> None:
        """Give it back; harmless when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _holder(fd: int) -> str:
    try:
        data = json.loads(os.pread(fd, 4096, 0))
        return f"process {int(data['pid'])} on {data['host']}, run {data['run']}"
    except (ValueError, KeyError, TypeError):
        return "holder unknown"
