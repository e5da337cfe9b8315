"""Where a lab keeps its things, and the small JSON files that its processes read and write."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
CATALOG = REPOSITORY / "presets" / "charts"
MARKER = "TIERUP_LAB_PART_OF"


def _base() -> Path:
    return Path(os.environ.get("TIERUP_LAB_STATE") or Path(os.environ.get("XDG_STATE_HOME") or tempfile.gettempdir()) / "tierup-lab")


BASE = _base()
"""Read once, at import: see `cache.ROOT`."""


def directory_of(name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,40}", name):
        raise ValueError(f"a lab's name is made of a-z, 0-9, '-' and '.': {name!r}")
    return BASE / name


@dataclass(frozen=True, slots=True)
class Settings:
    """What a lab was asked to be."""

    name: str
    nodes: int = 3
    catalog: str = str(CATALOG)
    resources_after: float = 1.0
    """Seconds until a custom resource turns Ready."""
    clock_skew: str = "0s"
    """Go duration by which the API server's certificate is moved: `24h` is valid from tomorrow."""

    def save(self, directory: Path) -> None:
        write_json(directory / "settings.json", asdict(self))

    @classmethod
    def load(cls, directory: Path) -> Settings:
        return cls(**json.loads((directory / "settings.json").read_text()))


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=1) + "\n")
    draft.replace(path)


def read_json(path: Path) -> Any:
    """The content, or None where there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
