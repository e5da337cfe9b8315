"""What a push would do, and where it may do anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wizard.errors import TierupError
from wizard.gitops.layout import ROOT_FILES, cluster_folder
from wizard.state import Change


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a push would do. Nothing has left this machine yet."""

    cluster: str
    base: str | None
    """Head of the work branch it was made for; None for an empty remote."""
    commit: str
    """Head of the work branch afterwards; equal to `base` when nothing changes."""
    render: str
    """Head of the render branch afterwards."""
    tree_hash: str
    diff: str
    changes: tuple[Change, ...]
    conflicts: tuple[str, ...] = ()
    """Always empty: a conflict is an error that names the files."""
    notes: tuple[str, ...] = ()
    """What the operator should know, in sentences."""

    @property
    def empty(self) -> bool:
        """True if there is nothing to push."""
        return self.commit == self.base


def ours(path: str, cluster: str) -> bool:
    """True for what may be written for a cluster: its folder and the root files."""
    return path.startswith(f"{cluster_folder(cluster)}/") or path in ROOT_FILES


def check_paths(tree: Mapping[str, bytes], cluster: str) -> None:
    """TierupError for a path that is not the cluster's or that Git would not take."""
    for path in tree:
        parts = path.split("/")
        if not ours(path, cluster) or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
            raise TierupError(f"{path!r} does not lie in {cluster_folder(cluster)}")
