"""Read a plan or a preset, strictly, with the place of everything in it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from wizard.documents import Document, validate
from wizard.documents import load as read
from wizard.errors import InputError, Place
from wizard.files import read_regular
from wizard.plan.model import Plan
from wizard.text import closest

LARGEST = 256 * 1024
"""Bytes of a plan file; the largest sensible one has a tenth of that."""


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A plan and the file it was read from, which knows where everything stands."""

    plan: Plan
    document: Document


def load_plan(path: Path) -> LoadedPlan:
    """The plan or preset of a file. InputError with every problem and its place."""
    return _parsed(read_regular(path, limit=LARGEST), str(path))


def presets() -> tuple[str, ...]:
    """Names of the presets that ship."""
    shipped = (entry.name for entry in files("presets").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in shipped if name.endswith(".yaml")))


def load_preset(name_or_path: str) -> LoadedPlan:
    """A preset that ships by its bare name, or any file by its path."""
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        return load_plan(Path(name_or_path))
    known = presets()
    if name_or_path not in known:
        meant = closest(name_or_path, known)
        said = f"did you mean `{meant}`?" if meant else f"there are: {', '.join(known)}; or give the path of a file"
        raise InputError("there is no preset of that name", remedy=said, place=Place(name_or_path))
    entry = files("presets") / f"{name_or_path}.yaml"
    return _parsed(entry.read_bytes(), f"presets/{name_or_path}.yaml")


def _parsed(data: bytes, name: str) -> LoadedPlan:
    document = read(data, name=name, limit=LARGEST)
    return LoadedPlan(validate(document, Plan), document)


def schema() -> dict[str, Any]:
    """JSON Schema of plan and preset files, for editors."""
    content = Plan.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tierup plan",
        **{k: v for k, v in content.items() if k != "title"},
    }
