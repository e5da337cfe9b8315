"""What a commit changes, in words: files, and the Flux Kustomizations that would go."""

from __future__ import annotations

import re

from wizard.gitops.layout import cluster_folder
from wizard.gitops.program import EMPTY_TREE, Git
from wizard.state import Change

_WORDS = {"A": "create", "D": "delete"}
_RESOURCE = re.compile(rb"(?:^|[\s\[,\"'])([^\s\"'\[\],#]+\.ya?ml)", re.MULTILINE)
_NAME = re.compile(rb"^  name: *[\"']?([^\s\"'#]+)|^metadata: *\{[^}\n]*?name: *[\"']?([^\s\"',}]+)", re.MULTILINE)
_FLUX = re.compile(rb"^apiVersion: *[\"']?kustomize\.toolkit\.fluxcd\.io/", re.MULTILINE)


def file_changes(git: Git, base: str | None, commit: str) -> tuple[Change, ...]:
    """One change per file between `base` (None: nothing) and `commit`, in the order of their paths."""
    ends = (base or EMPTY_TREE, commit)
    words = git.run("diff-tree", "-r", "-z", "--no-renames", "--name-status", *ends).out.split(b"\0")
    lines = git.run("diff-tree", "-r", "-z", "--no-renames", "--numstat", *ends).out.split(b"\0")
    counts = {path: f"+{added} -{gone}" for added, gone, path in (_text(line).split("\t", 2) for line in lines if line)}
    pairs = zip(words[0::2], words[1::2], strict=False)
    return tuple(Change("file", _WORDS.get(_text(w), "update"), path, counts.get(path, "")) for w, p in pairs if (path := _text(p)))


def diff(git: Git, base: str | None, commit: str) -> str:
    """The unified diff between `base` and `commit`."""
    finished = git.run("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", base or EMPTY_TREE, commit)
    return finished.out.decode("utf-8", "replace")


def kustomizations(git: Git, commit: str | None, cluster: str) -> frozenset[str]:
    """Names of the Flux Kustomizations that Flux would find in the cluster's folder at `commit`.

    Read as Flux does: only files that `kustomization.yaml` lists count, so that a line taken out there counts as a loss too.
    """
    if commit is None:
        return frozenset()
    root = cluster_folder(cluster)
    index = git.run("cat-file", "blob", f"{commit}:{root}/kustomization.yaml", ok=(0, 128)).out
    listed = [_text(path) for path in _RESOURCE.findall(index)]
    if not listed:
        return frozenset()
    wanted = "".join(f"{commit}:{root}/{path}\n" for path in listed).encode("utf-8", "surrogateescape")
    found: set[str] = set()
    for document in re.split(rb"^---", git.run("cat-file", "--batch", "--buffer", stdin=wanted).out, flags=re.MULTILINE):
        for one in re.split(rb"^(?=apiVersion:)", document, flags=re.MULTILINE):
            name = _NAME.search(one)
            if name and _FLUX.search(one):
                found.add(_text(name[1] or name[2]))
    return frozenset(found)


def losses(git: Git, base: str | None, commit: str, cluster: str) -> tuple[Change, ...]:
    """The Kustomizations that are there at `base` and not at `commit`: Flux would remove all they hold."""
    gone = kustomizations(git, base, cluster) - kustomizations(git, commit, cluster)
    return tuple(Change("object", "delete", f"Kustomization flux-system/{name}", "and what it installed") for name in sorted(gone))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
