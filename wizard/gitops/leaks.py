"""Secrets where none may be: in files to commit, in directories, in all objects of a Git repository.

A hit names the secret and the place, never the value. This is one of the few modules that may reveal a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard import process
from wizard.errors import Problem, TierupError
from wizard.gitops.encodings import SHORT, needles, scalars, squeezed
from wizard.gitops.unpacking import inside
from wizard.secrets import Secret


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret, by name, or the shape of one, and where it was found."""

    name: str
    where: str


SHAPES: Mapping[str, re.Pattern[bytes]] = {
    "a GitHub token": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{22,}"),
    "a GitLab token": re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY"),
    "an age identity": re.compile(rb"AGE-SECRET-KEY-1[A-Z0-9]{20,}", re.IGNORECASE),
}
# At the margin alone: `kind: Secret` further in is a reference to one.
_SECRET_OBJECT = re.compile(rb"^(?:- )?[\"']?kind[\"']?: *[\"']?Secret[\"']? *(?:#.*)?,?\r?$|^\{.*\"kind\": *\"Secret\"", re.MULTILINE)
_WORD = re.compile(rb"[^\s\"',:=\[\]{}<>&]+")
_SCALAR = re.compile(rb"(?:^|[:=,\[{-])[ \t]*[\"']?([^\r\n\"',\]}]+?)[\"']?[ \t]*(?=$|[\r\n,\]}])", re.MULTILINE)
_BATCH = 16 * 1024 * 1024


class Scanner:
    """Looks for the values of `secrets` in bytes; made once, used for many."""

    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self._long: list[tuple[str, frozenset[bytes]]] = []
        self._short: dict[bytes, list[str]] = {}
        for name in sorted(secrets):
            value = secrets[name].reveal()
            if len(squeezed(value.encode())) >= SHORT:
                self._long.append((name, needles(value)))
            else:
                for scalar in scalars(value) if value.strip() else ():
                    self._short.setdefault(scalar, []).append(name)

    def names(self, data: bytes) -> set[str]:
        """Names of the secrets that are in `data` or in what is packed in it."""
        found: set[str] = set()
        for layer in (data, *inside(data)):
            tight = squeezed(layer)
            found |= {name for name, forms in self._long if name not in found and any(form in tight for form in forms)}
            if self._short:
                words = set(_WORD.findall(layer)) | set(_SCALAR.findall(layer)) | {layer.strip()}
                found |= {name for scalar, names in self._short.items() if scalar in words for name in names}
        return found


def scan(blobs: Mapping[str, bytes], secrets: Mapping[str, Secret]) -> tuple[Hit, ...]:
    """Where `secrets` are in `blobs` (place -> bytes), in any encoding, in the place's name too; sorted."""
    return _hits(blobs.items(), Scanner(secrets))


def shapes(blobs: Mapping[str, bytes]) -> tuple[Hit, ...]:
    """What looks like a token, a private key or a Kubernetes Secret object, whoever's it is."""
    found = []
    for where, data in blobs.items():
        layers = (data, *inside(data))
        found += [Hit(what, where) for what, shape in SHAPES.items() if any(shape.search(layer) for layer in layers)]
        if _SECRET_OBJECT.search(data):
            found.append(Hit("a Secret object", where))
    return tuple(sorted(found, key=lambda h: (h.where, h.name)))


def refuse_leaks(blobs: Mapping[str, bytes], secrets: Mapping[str, Secret]) -> None:
    """TierupError naming every secret and its place, when any of `blobs` holds one."""
    hits = (*scan(blobs, secrets), *shapes(blobs))
    if hits:
        raise TierupError(
            Problem(f"{hit.where} would hold {hit.name if hit.name.startswith(('a ', 'an ')) else f'the value of secret {hit.name}'}",
                    remedy="nothing was committed. Take it out of the plan and give it as a secret")
            for hit in hits
        )  # fmt: skip


def scan_directory(path: Path, secrets: Mapping[str, Secret]) -> tuple[Hit, ...]:
    """Where `secrets` are in the files below `path`, in their names and in the targets of links; links are not followed."""
    return _hits(_files(path), Scanner(secrets))


def scan_repository(git_dir: Path, secrets: Mapping[str, Secret]) -> tuple[Hit, ...]:
    """Where `secrets` are in any object of a Git repository, unreachable ones too, and in its other files (config, logs, refs)."""
    scanner = Scanner(secrets)
    return tuple(sorted({*_hits(_objects(git_dir), scanner), *_hits(_files(git_dir), scanner)}, key=lambda h: (h.where, h.name)))


def _hits(blobs: Iterable[tuple[str, bytes]], scanner: Scanner) -> tuple[Hit, ...]:
    found = [Hit(name, where) for where, data in blobs for name in scanner.names(data) | scanner.names(where.encode("utf-8", "replace"))]
    return tuple(sorted(found, key=lambda h: (h.where, h.name)))


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    for one in sorted(path.rglob("*")):
        if one.is_symlink():
            yield str(one), bytes(one.readlink())
        elif one.is_file():
            yield str(one), one.read_bytes()


def _objects(git_dir: Path) -> Iterator[tuple[str, bytes]]:
    git = ["git", f"--git-dir={git_dir}", "cat-file"]
    env = process.environment({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"})
    purpose = "look for secrets in the repository"
    listed = process.run([*git, "--batch-all-objects", "--unordered", "--batch-check"], env=env, timeout=300, check=True, purpose=purpose)
    batch: list[bytes] = []
    size = 0
    lines = listed.out.splitlines()
    for number, line in enumerate(lines, 1):
        name, _, length = line.split()
        batch.append(name)
        size += int(length)
        if size >= _BATCH or number == len(lines):
            out = process.run(
                [*git, "--batch", "--buffer"],
                env=env,
                stdin=b"\n".join(batch) + b"\n",
                timeout=300,
                check=True,
                limit=size + 256 * len(batch) + 1024,
            ).out
            yield from _parsed(out)
            batch, size = [], 0


def _parsed(out: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        name, kind, length = out[at:end].decode().split()
        yield f"{kind} {name}", out[end + 1 : end + 1 + int(length)]
        at = end + 2 + int(length)
