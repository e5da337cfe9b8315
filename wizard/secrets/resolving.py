"""A source to its value. Each way to fail has its own words, none of which holds a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from wizard import files, process
from wizard.errors import InputError, NeedsOperator, TierupError
from wizard.secrets.secret import Secret
from wizard.secrets.sources import Source
from wizard.text import clean

LIMIT = 64 * 1024
"""Most bytes a command may print."""
FILE_LIMIT = 1024 * 1024

Ask = Callable[[str], "Secret | None"]


class _Held(Protocol):
    @property
    def value(self) -> Secret: ...


class Holder(Protocol):
    """A vault, as far as resolving needs one."""

    def get(self, name: str) -> _Held | None: ...


class Unresolved(NeedsOperator):
    """A source gives no value now; only a person can change that."""


def resolve(
    source: Source,
    *,
    environ: Mapping[str, str],
    ask: Ask | None = None,
    vault: Holder | None = None,
    name: str = "the secret",
) -> Secret:
    """The value a source gives now; `ask` puts the question for `prompt` (None: there is nobody to ask).

    Unresolved when it gives none, InputError when a file is not fit to hold a secret. `generate` has no value to find: ValueError.
    """
    if source.kind == "prompt":
        answer = ask(name) if ask is not None else None
        if answer is None:
            raise Unresolved(f"`{name}` must be typed in and there is nobody to ask", remedy=f"give it with `--secret {name}=env:NAME`")
        return _filled(answer, source)
    if source.kind == "env":
        if source.argument not in environ:
            raise Unresolved(f"the variable {source.argument} is not set", remedy=f"export {source.argument} and run it again")
        return _filled(Secret(environ[source.argument]), source)
    if source.kind == "file":
        data = files.read_regular(Path(source.argument).expanduser(), limit=FILE_LIMIT, private=True)
        return _filled(Secret(_one_line(data)), source)
    if source.kind == "cmd":
        return _filled(_command(source), source)
    if source.kind == "vault":
        entry = vault.get(source.argument) if vault is not None else None
        if entry is None:
            raise Unresolved(f"the vault file has no entry `{source.argument}`", remedy=f"give `{name}` another source once, then it stays")
        return entry.value
    raise ValueError(f"a source of kind {source.kind} has no value to find")


def _filled(secret: Secret, source: Source) -> Secret:
    if not len(secret):
        raise Unresolved(f"{source} gives an empty value")
    return secret


def _one_line(data: bytes) -> bytes:
    """A text file of one line ends with a line end that is not part of the secret; several lines (PEM) are kept byte for byte."""
    body = data.removesuffix(b"\n").removesuffix(b"\r")
    return data if b"\n" in body else body


def _command(source: Source) -> Secret:
    try:
        done = process.run(
            source.argv,
            env=process.environment(keep=source.keep),
            timeout=source.seconds,
            limit=LIMIT,
            purpose="read a secret (sources.yaml)",
        )
    except TierupError as error:
        problem = error.problems[0]
        raise Unresolved(f"{source}: {problem.what}", remedy=problem.remedy) from None
    if done.code != 0:
        said = clean(done.err[-4096:], limit=300)
        raise Unresolved(
            f"{source}: the program ended with {done.code}" + (f": {said}" if said else ""), remedy="run it by hand to see why"
        )
    out = done.out.removesuffix(b"\n").removesuffix(b"\r")
    if not out:
        raise Unresolved(f"{source}: the program printed nothing")
    try:
        return Secret(out)
    except InputError:
        raise Unresolved(f"{source}: the program did not print UTF-8 text") from None
