"""Files that survive a power cut and never follow where a stranger points.

Recipe of `write_atomic`: a temporary file in the same directory born with its final mode, all bytes written, fsync of the
file, rename over the target, fsync of the directory. After a crash at any point the target holds the old bytes or the new
ones, never a mixture. A failed fsync is final: the kernel may have dropped the pages, so it is never tried again on the
same descriptor.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from wizard.errors import InputError, TierupError

failpoint: Callable[[str], None] | None = None
"""For tests: called with `created`, `written`, `synced`, `renamed`, `durable`; what it raises is raised from there."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


def _reach(point: str) -> None:
    if failpoint is not None:
        failpoint(point)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _cannot_write(path: Path, size: int, error: OSError) -> TierupError:
    if error.errno in _FULL:
        return TierupError(f"cannot write {path}: no space left", remedy=f"free at least {max(size, 4096)} bytes there, then run it again")
    if error.errno == errno.EROFS:
        return TierupError(f"cannot write {path}: the file system is read-only")
    return TierupError(f"cannot write {path}: {os.strerror(error.errno or 0)}")


def write_atomic(path: Path, data: bytes | str, *, mode: int = 0o600) -> None:
    """Replace `path` by `data` (text as UTF-8) durably and all at once. TierupError when that cannot be done; then nothing changed."""
    _place(path, data, mode, replace=True)


def write_new(path: Path, data: bytes | str, *, mode: int = 0o600) -> bool:
    """Like `write_atomic`, but never over a file that is there: of several makers at once one wins. False when it was there."""
    return _place(path, data, mode, replace=False)


def _place(path: Path, data: bytes | str, mode: int, *, replace: bool) -> bool:
    raw = data.encode() if isinstance(data, str) else data
    temporary = f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_write(path, len(raw), error) from None
    fd = -1
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=directory)
        _reach("created")
        os.fchmod(fd, mode)  # only ever widens: the umask may have taken bits from the mode asked for
        _write_all(fd, raw)
        _reach("written")
        os.fsync(fd)
        _reach("synced")
        os.close(fd)
        fd = -1
        if replace:
            os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        else:
            os.link(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        _reach("renamed")
        os.fsync(directory)
        _reach("durable")
    except OSError as error:
        if isinstance(error, FileExistsError) and not replace:
            return False
        raise _cannot_write(path, len(raw), error) from None
    finally:
        if fd >= 0:
            os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        os.close(directory)
    return True


def append_durable(fd: int, data: bytes) -> None:
    """Append `data` to an open file and wait until the disk has it. OSError is the caller's: it knows the file's name."""
    _write_all(fd, data)
    os.fsync(fd)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: a new file's bytes are of no use without its name."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def private_directory(path: Path) -> Path:
    """Make `path` (and what lies above it) with mode 0700, or tighten it to that; InputError for a symbolic link or another's directory."""
    missing = [path]
    while not os.path.lexists(missing[-1].parent):
        missing.append(missing[-1].parent)
    try:
        for directory in reversed(missing):
            with contextlib.suppress(FileExistsError):
                directory.mkdir(mode=0o700)
                sync_directory(directory.parent)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise InputError(
                f"{path} is a symbolic link", remedy="private files are kept in a directory of your own; remove the link"
            ) from None
        raise InputError(f"cannot use the directory {path}: {os.strerror(error.errno or 0)}") from None
    try:
        found = os.fstat(fd)
        if found.st_uid != os.geteuid():
            raise InputError(f"{path} belongs to user {found.st_uid}, not to you", remedy=f"choose another directory or `chown` {path}")
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(fd, 0o700)
    finally:
        os.close(fd)
    return path


_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


def read_regular(path: Path, *, limit: int, private: bool = False) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; InputError says why not. Never blocks and opens no device.

    `private`: no symbolic link, owned by this user or root, no rights for group and others.
    """
    try:
        _refuse_kind(path, path.stat(follow_symlinks=not private))
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (os.O_NOFOLLOW if private else 0))
    except FileNotFoundError:
        raise InputError(f"cannot read {path}: there is no such file") from None
    except PermissionError:
        raise InputError(f"cannot read {path}: {_owner(path)}") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "not a file name"
        raise InputError(f"cannot read {str(path)!r}: {reason}") from None
    try:
        found = os.fstat(fd)  # once more: what was looked at may have been replaced before it was opened
        _refuse_kind(path, found)
        if private:
            _refuse_shared(path, found)
        if found.st_size > limit:
            raise InputError(f"cannot read {path}: it has {found.st_size} bytes, at most {limit} are read")
        chunks: list[bytes] = []
        left = limit + 1
        while left and (chunk := os.read(fd, left)):
            chunks.append(chunk)
            left -= len(chunk)
        if not left:
            raise InputError(f"cannot read {path}: it grew beyond {limit} bytes")
        return b"".join(chunks)
    except OSError as error:
        raise InputError(f"cannot read {path}: {os.strerror(error.errno or 0)}") from None
    finally:
        os.close(fd)


def _refuse_kind(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"cannot read {path}: is {_KINDS.get(stat.S_IFMT(found.st_mode), 'not a regular file')}")


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise InputError(f"cannot use {path}: it belongs to user {found.st_uid}, not to you or root")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise InputError(f"cannot use {path}: others may read it (mode {stat.S_IMODE(found.st_mode):04o})", remedy=f"chmod 600 {path}")


def _owner(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "a directory above it does not let you in"
    return f"it belongs to user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}"
