"""What each secret of a plan needs: the heart of "no generated value is ever made twice".

The survey changes nothing. `store` writes everything new in one step, and under the vault's lock a generated value gives way to one
that is already there: two runs at once still end with one value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from wizard.errors import TierupError
from wizard.secrets.envelope import Entry
from wizard.secrets.generation import DEFAULT_LENGTH, generate
from wizard.secrets.remarks import Remark, remarks
from wizard.secrets.resolving import Ask, resolve
from wizard.secrets.secret import Secret
from wizard.secrets.sources import Source
from wizard.secrets.vault_file import VaultFile

Action = Literal["keep", "create", "replace", "generate", "missing"]


@dataclass(frozen=True, slots=True)
class Need:
    """A secret a plan needs. `generate` is (kind, length), None when nobody can make it up; `lines`: several lines are expected."""

    name: str
    purpose: str = ""
    generate: tuple[str, int] | None = None
    lines: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What will be done about one secret. `value` is there only if something is to be stored; `note` says what an operator should know."""

    name: str
    action: Action
    origin: str
    length: int = 0
    value: Secret | None = field(default=None, repr=False, compare=False)
    note: str = ""
    purpose: str = ""


def survey(
    needs: Sequence[Need],
    vault: VaultFile,
    sources: Mapping[str, Source],
    given: Mapping[str, Secret],
    *,
    environ: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> tuple[Finding, ...]:
    """One finding per name, in the order of `needs`.

    First what was `given` now, then the source, then what the vault holds, then a generated value. A source that gives nothing now
    (a variable not set, a command that fails) does not take away what the vault holds. `generate` and `prompt` never overrule it.
    """
    found: dict[str, Finding] = {}
    for need in needs:
        if need.name not in found:
            found[need.name] = _find(need, vault, sources.get(need.name), given.get(need.name), environ or {}, ask)
    return tuple(found.values())


def _find(
    need: Need, vault: VaultFile, source: Source | None, given: Secret | None, environ: Mapping[str, str], ask: Ask | None
) -> Finding:
    held = vault.get(need.name)
    if given is not None:
        return _offered(need, held, given, "given")
    if source is None or source.kind in ("generate", "prompt"):
        if held is not None:
            return _kept(need, held)
        if source is not None and source.kind == "generate":
            return _generated(need, need.generate or ("password", DEFAULT_LENGTH))
        if source is None and need.generate is not None:
            return _generated(need, need.generate)
        source = Source("prompt")
    try:
        value = resolve(source, environ=environ, ask=ask, vault=vault, name=need.name)
    except TierupError as error:
        why = error.problems[0].what
        if held is not None:
            return _kept(need, held, f"{why}; the stored value stays")
        return Finding(need.name, "missing", str(source), note=why, purpose=need.purpose)
    return _offered(need, held, value, str(source))


def _kept(need: Need, held: Entry, note: str = "") -> Finding:
    return Finding(need.name, "keep", held.origin, len(held.value), note=note, purpose=need.purpose)


def _generated(need: Need, how: tuple[str, int]) -> Finding:
    value = generate(*how)
    return Finding(need.name, "generate", "generated", len(value), value, purpose=need.purpose)


def _offered(need: Need, held: Entry | None, value: Secret, origin: str) -> Finding:
    if held is not None and held.value.reveal() == value.reveal():
        return _kept(need, held)
    found = remarks(value, lines=need.lines)
    refused = [remark for remark in found if remark.refused]
    if refused:
        return Finding(need.name, "missing", origin, note="refused: " + _words(refused), purpose=need.purpose)
    action: Action = "create" if held is None else "replace"
    return Finding(need.name, action, origin, len(value), value, _words(found), need.purpose)


def _words(found: Sequence[Remark]) -> str:
    return "; ".join(remark.what for remark in found)


def store(vault: VaultFile, findings: Sequence[Finding]) -> None:
    """Put all new values into the vault in one durable write; must return before the first change anywhere else."""
    new = {finding.name: (finding.value, finding.origin) for finding in findings if finding.value is not None}
    generated = {finding.name for finding in findings if finding.action == "generate"}
    if new:
        vault.put(new, unless_held=generated)
