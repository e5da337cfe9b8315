"""Files survive a crash at any point, have their mode from birth, and nothing but a regular file is ever read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wizard import files
from wizard.errors import InputError, TierupError

Calls = list[str]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The order of the system calls that make a write durable, each with what it was done to."""
    seen: Calls = []

    def kind(fd: int) -> str:
        return "directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"

    def record(name: str, real: Callable[..., Any], subject: Callable[..., str]) -> None:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            seen.append(f"{name} {subject(*args)}".strip())
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, wrapped)

    record("write", os.write, lambda fd, data: "")
    record("fsync", os.fsync, kind)
    record("replace", os.replace, lambda a, b: "")
    record("link", os.link, lambda a, b: "")
    return seen


def test_the_order_that_survives_a_power_cut(tmp_path: Path, calls: Calls) -> None:
    files.write_atomic(tmp_path / "a", "text")
    assert calls == ["write", "fsync file", "replace", "fsync directory"]


def test_a_new_file_is_as_durable_and_never_replaces(tmp_path: Path, calls: Calls) -> None:
    assert files.write_new(tmp_path / "a", "first")
    assert calls == ["write", "fsync file", "link", "fsync directory"]
    assert not files.write_new(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_appended_record_is_on_the_disk(tmp_path: Path, calls: Calls) -> None:
    fd = os.open(tmp_path / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    files.append_durable(fd, b"record\n")
    os.close(fd)
    assert calls == ["write", "fsync file"]
    assert (tmp_path / "journal").read_bytes() == b"record\n"


def test_a_new_directory_is_durable(tmp_path: Path, calls: Calls) -> None:
    files.private_directory(tmp_path / "a" / "b")
    assert calls == ["fsync directory", "fsync directory"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:3])))
    files.write_atomic(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize("point", ["created", "written", "synced", "renamed", "durable"])
def test_a_failure_at_any_point_leaves_old_or_new_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    target = tmp_path / "a"
    files.write_atomic(target, "old")

    def fail(reached: str) -> None:
        if reached == point:
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "failpoint", fail)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomic(target, "new")
    assert target.read_text() == ("new" if point in ("renamed", "durable") else "old")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_mode_is_final_at_birth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, umask: int) -> None:
    born: list[int] = []

    def look(point: str) -> None:
        if point == "created":
            (temporary,) = tmp_path.iterdir()
            born.append(stat.S_IMODE(temporary.stat().st_mode))

    monkeypatch.setattr(files, "failpoint", look)
    before = os.umask(umask)
    try:
        files.write_atomic(tmp_path / "a", "x", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    assert born == [mode & ~umask], "never wider than the final mode, not even for a moment"


@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "no space"), (errno.EDQUOT, "no space"), (errno.EROFS, "read-only"), (errno.EIO, "error")]
)
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_full_or_broken_disk_is_said_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, word: str, call: str
) -> None:
    target = tmp_path / "a"
    files.write_atomic(target, "old")
    tried: list[int] = []

    def broken(*args: Any, **kwargs: Any) -> int:
        tried.append(1)
        raise OSError(number, "broken")

    monkeypatch.setattr(os, call, broken)
    with pytest.raises(TierupError, match=word):
        files.write_atomic(target, "new")
    assert tried == [1], "a failed fsync is not tried again"
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_symbolic_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    files.write_atomic(tmp_path / "a", "new")
    assert (tmp_path / "elsewhere").read_text() == "kept"
    assert (tmp_path / "a").read_text() == "new"


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(TierupError, match="cannot write"):
        files.write_atomic(tmp_path / "none" / "a", "x")


def test_private_directory_is_made_and_tightened(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = files.private_directory(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (made, made.parent)] == [0o700, 0o700]
    made.chmod(0o755)
    assert stat.S_IMODE(files.private_directory(made).stat().st_mode) == 0o700


def test_private_directory_refuses_links_files_and_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="symbolic link"):
        files.private_directory(tmp_path / "link")
    with pytest.raises(InputError, match="cannot use"):
        files.private_directory(tmp_path / "file")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(InputError, match="belongs to user"):
        files.private_directory(tmp_path / "real")


def test_read_regular(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("a")
    assert files.read_regular(tmp_path / "a", limit=5) == b"12345"
    assert files.read_regular(tmp_path / "link", limit=5) == b"12345"
    with pytest.raises(InputError, match="5 bytes, at most 4"):
        files.read_regular(tmp_path / "a", limit=4)


def test_what_is_no_regular_file_is_named_and_never_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, word in [
        (tmp_path / "none", "no such file"),
        (tmp_path, "is a directory"),
        (tmp_path / "fifo", "is a FIFO"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path / "nul\0byte", "not a file name"),
        (tmp_path / ("x" * 300), "name too long"),
    ]:
        with pytest.raises(InputError, match=f"(?i){word}"):
            files.read_regular(path, limit=10)


def test_an_unreadable_file_names_owner_and_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o240)

    def denied(*args: Any, **kwargs: Any) -> int:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(InputError, match=f"user {os.getuid()} with mode 0240"):
        files.read_regular(tmp_path / "a", limit=10)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    monkeypatch.setattr(os, "read", lambda fd, size: b"x" * size)
    with pytest.raises(InputError, match="grew"):
        files.read_regular(tmp_path / "a", limit=10)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_private_file_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(mode)
    with pytest.raises(InputError) as caught:
        files.read_regular(tmp_path / "a", limit=10, private=True)
    assert caught.value.problems[0].remedy == f"chmod 600 {tmp_path / 'a'}"


def test_a_private_file_is_ours_and_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o600)
    (tmp_path / "link").symlink_to("a")
    assert files.read_regular(tmp_path / "a", limit=10, private=True) == b"x"
    with pytest.raises(InputError, match="symbolic link"):
        files.read_regular(tmp_path / "link", limit=10, private=True)
    monkeypatch.setattr(files, "_refuse_kind", lambda path, found: None)
    with pytest.raises(InputError, match="cannot read"):  # O_NOFOLLOW holds even if the link appears after the look
        files.read_regular(tmp_path / "link", limit=10, private=True)
    owner = os.geteuid()
    if owner != 0:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    else:
        os.chown(tmp_path / "a", 12345, 0)
    with pytest.raises(InputError, match="belongs to user"):
        files.read_regular(tmp_path / "a", limit=10, private=True)


def test_a_fifo_that_takes_a_files_place_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "a", 0o600)
    real = files._refuse_kind
    looks: list[os.stat_result] = []

    def blind_at_first(path: Path, found: os.stat_result) -> None:
        looks.append(found)
        if len(looks) > 1:
            real(path, found)

    monkeypatch.setattr(files, "_refuse_kind", blind_at_first)
    with pytest.raises(InputError, match="is a FIFO"):
        files.read_regular(tmp_path / "a", limit=10)
