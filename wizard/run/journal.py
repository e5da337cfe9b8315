"""The journal of a run: one line a transition, on disk before the next thing happens.

A line is `crc32 SP json LF`, written with one write and followed by fsync, so that after a crash or a power cut everything up
to the last good line is known. A torn tail is cut off when the journal is opened again; a bad line before the tail means that
the disk lied and is an error. The cluster, not the journal, is the truth: the journal tells intent, attempts and children.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wizard.clock import SYSTEM, Clock, stamp
from wizard.errors import TierupError


class Journal:
    """An append-only file of records. Thread-safe."""

    def __init__(self, path: Path, clock: Clock = SYSTEM) -> None:
        """Open or create; raises TierupError when a record before the tail is damaged or cannot be written."""
        self.path = path
        self._clock = clock
        self._guard = threading.Lock()
        self.records: list[dict[str, Any]]
        self.records, good = _read(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._fd).st_size > good:
            os.ftruncate(self._fd, good)
        os.fsync(self._fd)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def write(self, event: str, **fields: Any) -> dict[str, Any]:
        """Append one record and wait until it is on disk. Fields never hold secret values."""
        with self._guard:
            record = {"v": 1, "seq": len(self.records) + 1, "at": stamp(self._clock.now()), "event": event, **fields}
            text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=False).encode()
            line = b"%08x %s\n" % (zlib.crc32(text), text)
            try:
                view = memoryview(line)
                while view:
                    view = view[os.write(self._fd, view) :]
                os.fsync(self._fd)
            except OSError as error:
                raise TierupError(
                    f"the journal {self.path} cannot be written: {error.strerror}",
                    remedy="free space on that disk, then run `tierup resume`; nothing further was changed",
                ) from error
            self.records.append(record)
            return record

    def last(self, event: str, **match: object) -> dict[str, Any] | None:
        """The newest record of that event whose fields match."""
        for record in reversed(self.records):
            if record["event"] == event and all(record.get(k) == v for k, v in match.items()):
                return dict(record)
        return None

    def attempts(self, step: str) -> int:
        """How often a step was started."""
        return sum(1 for r in self.records if r["event"] == "started" and r.get("step") == step)

    def close(self) -> None:
        """Close the file; nothing can be written afterwards."""
        os.close(self._fd)


def read(path: Path) -> list[dict[str, Any]]:
    """The good records of a journal, for views; a torn tail is left out."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    if not path.exists():
        return [], 0
    data = path.read_bytes()
    records: list[dict[str, Any]] = []
    good = 0
    for number, (line, end) in enumerate(_lines(data), start=1):
        record = _record(line, number)
        if record is None:
            if end < len(data):
                raise TierupError(
                    f"the journal {path} is damaged at record {number}",
                    remedy="move the run's folder away and run `tierup apply` again: the cluster is probed, nothing is made twice",
                )
            break
        records.append(record)
        good = end
    return records, good


def _lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    start = 0
    while start < len(data):
        newline = data.find(b"\n", start)
        end = len(data) if newline < 0 else newline + 1
        yield data[start:end], end
        start = end


def _record(line: bytes, number: int) -> dict[str, Any] | None:
    """The record of a line, None when it is torn or damaged or out of sequence."""
    head, _, text = line.partition(b" ")
    if not line.endswith(b"\n") or len(head) != 8:
        return None
    text = text[:-1]
    try:
        if int(head, 16) != zlib.crc32(text):
            return None
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("seq") == number else None
