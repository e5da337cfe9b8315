r"""Paths into chart values and custom resources, as Helm writes them: `a.b[0].c`, a dot within a key as `\.`."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

_STEP: Final = re.compile(r"(?:^|\.)((?:[^.\[\]\\]|\\.)+)|\[(\d{1,3})\]")
_RESOURCE: Final = re.compile(r"(claims|config)/([A-Za-z0-9]+)/([-a-z0-9.]+)#(.+)")

Steps = tuple[str | int, ...]


class Target(NamedTuple):
    """Where an option writes: the chart's values (`part` empty), or the resource `kind` `name` of its `claims` or `config`."""

    part: str
    kind: str
    name: str
    steps: Steps


def steps(path: str) -> Steps:
    """The keys and list positions of a path; ValueError when it is not one."""
    found: list[str | int] = []
    end = 0
    for match in _STEP.finditer(path):
        if match.start() != end:
            break
        end = match.end()
        found.append(int(match[2]) if match[2] else re.sub(r"\\(.)", r"\1", match[1]))
    if end != len(path) or not found or isinstance(found[0], int) or path.startswith("."):
        raise ValueError(f"`{path}` is not a path into values (`a.b[0].c`, a dot within a key as `\\.`)")
    return tuple(found)


def target(path: str) -> Target:
    """A path of a catalog entry: into values, or `config/KIND/NAME#PATH` into one of its own resources. ValueError when malformed."""
    if match := _RESOURCE.fullmatch(path):
        return Target(match[1], match[2], match[3], steps(match[4]))
    return Target("", "", "", steps(path))


def find(tree: Any, walk: Steps) -> Any:
    """The value at a path, None when there is none."""
    for step in walk:
        if isinstance(step, int):
            tree = tree[step] if isinstance(tree, list) and step < len(tree) else None
        else:
            tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
