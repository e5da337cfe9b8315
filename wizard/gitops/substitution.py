"""`${name}` in the repository: Flux puts a setting in its place; everything an operator wrote reaches the cluster as written.

How Flux reads a manifest (fluxcd/pkg envsubst 1.7.1, parse/scan.go): `${` begins a variable, and of every two dollar signs in a
row one is dropped. So only `${` and runs of two or more are special; a single `$` elsewhere stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wizard.documents import dump

_DOLLARS = re.compile(r"\$+\{?")
# An odd number of dollar signs: the pairs before it are escapes.
_VARIABLE = re.compile(r"(?<!\$)((?:\$\$)*)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PLAIN = re.compile(r"[A-Za-z0-9._/:@+-]+")


def escape(text: str) -> str:
    """`text` so that Flux's substitution gives it back unchanged."""
    return _DOLLARS.sub(_doubled, text) if "$" in text else text


def _doubled(found: re.Match[str]) -> str:
    run = found.group()
    dollars = len(run.rstrip("{"))
    if dollars == 1 and not run.endswith("{"):
        return run
    return "$" * dollars + run


def escaped(value: Any) -> Any:
    """A copy of `value` with every string, keys too, escaped."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {escape(key) if isinstance(key, str) else key: escaped(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [escaped(item) for item in value]
    return value


def unsafe_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings whose text YAML would read as something else than that text.

    Flux substitutes in YAML that has lost its quotes: a setting `1e3` or `yes` would turn into a number or a boolean, and one
    with a colon or a line end could break the document. These are written out, escaped, instead of being left to Flux.
    """
    return {name: escape(text) for name, text in settings.items() if not (_PLAIN.fullmatch(text) and dump(text) == text + "\n")}


def written_out(value: Any, settings: Mapping[str, str]) -> Any:
    """A copy of the catalog's `value` with `${name}` replaced for the names in `settings`; others stay for Flux."""
    if isinstance(value, str):
        return (
            _VARIABLE.sub(lambda found: found[1] + settings[found[2]] if found[2] in settings else found[0], value)
            if "${" in value
            else value
        )
    if isinstance(value, Mapping):
        return {written_out(key, settings): written_out(item, settings) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [written_out(item, settings) for item in value]
    return value
