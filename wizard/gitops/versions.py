"""Chart versions: read back from Git, compared, never lowered."""

from __future__ import annotations

import re

_SEMVER = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_Key = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


def newer(one: str, other: str) -> bool:
    """True if version `one` is higher than `other` (SemVer 2 precedence, a leading `v` ignored); false when that cannot be said."""
    left, right = _key(one), _key(other)
    return left is not None and right is not None and left > right


def chosen(wanted: str, in_git: str | None) -> str:
    """The version to render: the higher of what the plan wants and what stands in Git.

    Where the two cannot be compared, what stands in Git stays: somebody put it there.
    """
    if in_git is None or in_git == wanted:
        return wanted
    return wanted if newer(wanted, in_git) else in_git if _key(in_git) is None or _key(wanted) is None or newer(in_git, wanted) else wanted


def _key(version: str) -> _Key | None:
    found = _SEMVER.fullmatch(version)
    if found is None:
        return None
    major, minor, patch, tail = found.groups()
    words = tuple((0, int(w), "") if w.isdigit() else (1, 0, w) for w in tail.split(".")) if tail else ()
    # A version without a tail is higher than any with one.
    return int(major), int(minor or 0), int(patch or 0), 0 if tail else 1, words


# `tag` of an OCIRepository, `version` of a HelmChart; never the `apiVersion` at the margin.
_VERSION = re.compile(rb"^ +(?:tag|version): *[\"']?([^\s\"'#]+)", re.MULTILINE)


def version_of(source: bytes) -> str | None:
    """The chart version that a `source.yaml` asks for, None when it names none.

    Read as text: the file may have been edited by anybody, and what cannot be read here is left to the merge.
    """
    found = _VERSION.search(source)
    return found[1].decode("utf-8", "replace").replace("_", "+") if found else None
