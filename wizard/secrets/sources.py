"""Where a secret comes from, in words: `env:NAME`, `vault:NAME`, `generate`, `prompt` in plans; `file:` and `cmd:` on this machine.

A plan may come from a stranger: a command in it would run as the operator, a path would carry any file into the cluster. Both are
therefore allowed only in `sources.yaml`, which lies beside the operator's own key with mode 0600, and on the command line.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from wizard.errors import InputError, Place, Problem

KINDS = ("prompt", "env", "file", "cmd", "vault", "generate")
_SHAREABLE = ("prompt", "env", "vault", "generate")
_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}", re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
# Not secrets: a plan that asks for one of these is mistaken.
_ORDINARY = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "TERM", "LANG", "TZ", "TMPDIR", "HOSTNAME"})

CMD_SECONDS = 30.0
SOURCES_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """`kind` of KINDS; `argument` is the variable, file or vault entry; `argv` and `keep` (variables it may see) belong to `cmd`."""

    kind: str
    argument: str = ""
    argv: tuple[str, ...] = ()
    seconds: float = CMD_SECONDS
    keep: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For display: of a command only its program, since arguments may name what is private."""
        if self.kind == "cmd":
            return f"cmd:{Path(self.argv[0]).name}"
        return f"{self.kind}:{self.argument}" if self.argument else self.kind


def parse_source(text: str, place: Place | None = None, *, machine: bool = False) -> Source:
    """A source as it is written in a plan, or with `machine` on this machine's own command line.

    InputError never repeats the text: what is no source may be the value itself, pasted where it must not be.
    """
    kind, _, argument = text.partition(":")
    if kind not in KINDS:
        raise InputError(
            "this is not a source of a secret; if it is the value itself, it must not be in this file",
            place=place,
            remedy="write `prompt`, `env:NAME`, `vault:NAME` or `generate`, and change the secret if it was shared",
        )
    if kind not in _SHAREABLE and not machine:
        raise InputError(f"`{kind}:` is not allowed here", place=place, remedy="put it into sources.yaml, which stays on this machine")
    if kind in ("prompt", "generate"):
        if argument:
            raise InputError(f"`{kind}` takes nothing after it", place=place)
        return Source(kind)
    if not argument.strip():
        raise InputError(f"`{kind}:` needs something after the colon", place=place)
    if kind == "env" and (not _ENV_NAME.fullmatch(argument) or argument in _ORDINARY):
        raise InputError("`env:` needs the name of a variable that holds a secret", place=place, remedy="such as `env:GIT_TOKEN`")
    if kind == "vault" and not _NAME.fullmatch(argument):
        raise InputError("`vault:` needs the name of an entry", place=place, remedy="such as `vault:git-token`")
    if kind == "cmd":
        try:
            argv = tuple(shlex.split(argument))
        except ValueError:
            raise InputError("the command of `cmd:` has an unclosed quote", place=place) from None
        return Source("cmd", argv=argv)
    return Source(kind, argument)


def load_sources(path: Path) -> dict[str, Source]:
    """The sources of this machine; empty when there is no such file. InputError with every problem, and for a file others may read.

    Each entry is a text as in a plan, or `{file: PATH}`, or `{cmd: [PROGRAM, …], timeoutSeconds: 30, env: [BW_SESSION]}`.
    """
    if not path.exists() and not path.is_symlink():
        return {}
    from wizard import documents, files
    from wizard.secrets.sources_file import SourcesFile

    data = files.read_regular(path, limit=SOURCES_LIMIT, private=True)
    document = documents.load(data, name=str(path), limit=SOURCES_LIMIT)
    parsed = documents.validate(document, SourcesFile)
    found: dict[str, Source] = {}
    problems: list[Problem] = []
    for name, entry in parsed.sources.items():
        place = document.place("sources", name)
        if not _NAME.fullmatch(name):
            problems.append(
                Problem("the name of a secret has lower-case letters, digits, `-` and `.`", document.key_place("sources", name))
            )
        if isinstance(entry, str):
            try:
                found[name] = parse_source(entry, place, machine=True)
            except InputError as error:
                problems += error.problems
        else:
            found[name] = entry.source()
    if problems:
        raise InputError(problems)
    return found
