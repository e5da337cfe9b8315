"""Paths into chart values and custom resources: `storageClass[0].storage`, `annotations.example\\.org/name`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from wizard.errors import InputError

_STEP = re.compile(r"(?:^|\.)((?:[^.\[\]\\]|\\.)+)|\[(\d{1,3})\]|(?P<bad>.)", re.DOTALL)
_RESOURCE = re.compile(r"(claims|config)/([^/#]+)/([^#]+)#(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A place in one of a chart's custom resources: `config/ClusterIssuer/letsencrypt#spec.acme.email`."""

    part: str
    kind: str
    name: str
    path: str


def resource_path(text: str) -> ResourcePath | None:
    """The place in a custom resource that `text` names, None when it is a path into the chart's values."""
    found = _RESOURCE.fullmatch(text)
    return ResourcePath(*found.groups()) if found else None


def steps(path: str) -> tuple[str | int, ...]:
    """The keys and list positions of `path`; a dot inside a key is written `\\.`. InputError when it is no path."""
    found: list[str | int] = []
    for match in _STEP.finditer(path):
        if match["bad"]:
            raise InputError(
                f"{path!r} is not a path into values", remedy=r"write keys with dots between, [0] for a list, \. for a dot in a key"
            )
        found.append(int(match[2]) if match[2] else re.sub(r"\\(.)", r"\1", match[1]))
    if not found or isinstance(found[0], int):
        raise InputError(f"{path!r} is not a path into values", remedy="it begins with a key")
    return tuple(found)


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set `value` at `path`, making maps and lists on the way; what is in the way and neither is replaced."""
    here: Any = tree
    walk = steps(path)
    for step, following in zip(walk, (*walk[1:], None), strict=True):
        if isinstance(step, int):
            while len(here) <= step:
                here.append({})
        if following is None:
            here[step] = value
            return
        below = here[step] if isinstance(step, int) else here.get(step)
        wanted: type = list if isinstance(following, int) else dict
        if not isinstance(below, wanted):
            here[step] = wanted()
        here = here[step]
