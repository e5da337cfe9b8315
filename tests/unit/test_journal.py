"""The journal is on disk before the next thing happens, and a crash costs at most the line being written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wizard.errors import TierupError
from wizard.run.journal import Journal, read


def test_records_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("started", step="git")
    journal.write("succeeded", step="git", evidence={"commit": "abc"})
    journal.close()
    records = read(tmp_path / "journal.jsonl")
    assert [(r["seq"], r["event"]) for r in records] == [(1, "started"), (2, "succeeded")]
    assert records[1]["evidence"] == {"commit": "abc"}


def test_each_record_is_synced_before_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    seen: list[tuple[str, int]] = []
    real_write, real_fsync = os.write, os.fsync

    def write(fd: int, data: bytes | memoryview) -> int:
        seen.append(("write", fd))
        return real_write(fd, data)

    def fsync(fd: int) -> None:
        seen.append(("fsync", fd))
        real_fsync(fd)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fsync", fsync)
    journal.write("started", step="git")
    assert [what for what, _ in seen] == ["write", "fsync"]
    assert seen[0][1] == seen[1][1]


def test_a_new_journal_syncs_its_directory_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").resolve() == tmp_path)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    Journal(tmp_path / "journal.jsonl").close()
    assert synced == [False, True]


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_torn_tail_is_cut_and_writing_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write("started", step="a")
    journal.write("started", step="b")
    journal.close()
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    again = Journal(path)
    assert [r.get("step") for r in again.records] == ["a"]
    again.write("started", step="c")
    again.close()
    assert [r.get("step") for r in read(path)] == ["a", "c"]


def test_damage_before_the_tail_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for step in "abc":
        journal.write("started", step=step)
    journal.close()
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    with pytest.raises(TierupError, match="damaged at record 1"):
        Journal(path)


def test_a_missing_record_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for step in "abc":
        journal.write("started", step=step)
    journal.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2] + lines[2])
    with pytest.raises(TierupError, match="damaged at record 2"):
        read(path)


def test_a_full_disk_is_said_before_anything_else_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.jsonl")

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TierupError, match="No space left") as error:
        journal.write("started", step="a")
    assert "resume" in error.value.problems[0].remedy


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.jsonl").close()
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o777 == 0o600
