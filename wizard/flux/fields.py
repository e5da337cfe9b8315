"""Reading fields of objects that may be anything: whatever is not as it should be reads as empty."""

from __future__ import annotations

from typing import Any


def mapping(obj: object, *path: str) -> dict[str, Any]:
    """The mapping at `path`, empty when there is none."""
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}


def sequence(obj: object, *path: str) -> list[Any]:
    """The list at `path`, empty when there is none."""
    found = mapping(obj, *path[:-1]).get(path[-1]) if path else obj
    return found if isinstance(found, list) else []


def text(value: object) -> str:
    """A string as it is, everything else as empty."""
    return value if isinstance(value, str) else ""


def number(value: object) -> int:
    """An integer as it is, everything else as 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def conditions(obj: object) -> dict[str, dict[str, Any]]:
    """type -> condition of `status.conditions`; the last one of a type counts."""
    return {text(c.get("type")): c for c in sequence(obj, "status", "conditions") if isinstance(c, dict)}


def name_of(obj: object) -> tuple[str, str]:
    """(namespace, name)."""
    meta = mapping(obj, "metadata")
    return text(meta.get("namespace")), text(meta.get("name"))
