"""Built things outside the repository, one folder per content: `<root>/<part>-<hash>/`, made once, safe against two builders at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

Report = Callable[[str], None]


def _root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("TIERUP_LAB_CACHE") or Path(base) / "tierup-lab")


ROOT = _root()
"""Read once, at import: tests that move HOME afterwards must not build the world again."""


def content_hash(files: Iterable[Path], *more: str) -> str:
    """Hash over names and bytes of `files` (in sorted order) and over `more`."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for text in more:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]


def made(part: str, key: str, make: Callable[[Path], None], report: Report) -> Path:
    """The folder of `part` at content `key`; `make` fills an empty one if there is none. A failed `make` leaves nothing."""
    final = ROOT / f"{part}-{key}"
    if final.is_dir():
        return final
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / f"{part}-{key}.lock").open("w") as lock:
        _acquire(lock.fileno(), part, report)
        if final.is_dir():
            return final
        began = time.monotonic()
        draft = Path(tempfile.mkdtemp(prefix=f".{part}-", dir=ROOT))
        try:
            make(draft)
            draft.chmod(0o755)
            draft.rename(final)
        finally:
            if draft.exists():
                shutil.rmtree(draft, ignore_errors=True)
        report(f"{part}: ready in {time.monotonic() - began:.0f} s, kept in {final}")
    return final


def _acquire(descriptor: int, part: str, report: Report) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report(f"{part}: another process is building it, waiting")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
