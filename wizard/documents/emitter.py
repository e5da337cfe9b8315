"""Values to YAML: block style, the order given, one way to write each value.

A small emitter of our own instead of PyYAML's: it never folds lines, never makes anchors, and is fast enough to render a
thousand charts in well under a second.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from wizard.documents.scalars import quoted, written
from wizard.errors import InputError

LONGEST_KEY = 900
"""A YAML reader gives up on a key after 1024 characters; a longer one could not be read back."""
DEEPEST = 64

# Characters a literal block cannot carry unchanged, or that a reader of the file could not see.
_NOT_LITERAL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff"
    "\U000e0000-\U000e0fff]"
)


def dump(value: Any) -> str:
    """`value` (dict, list, str, int, float, bool, None) as one YAML document with LF line ends.

    Equal values give equal bytes; key order is kept. TypeError for any other type and for keys that are not strings.
    """
    out: list[str] = []
    if isinstance(value, Mapping) and value:
        _mapping(value, "", "", out)
    elif isinstance(value, (list, tuple)) and value:
        _sequence(value, "", out)
    else:
        out.append(_scalar(value, "") + "\n")
    text = "".join(out)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("a lone surrogate is not text and cannot be written") from None
    return text


def _mapping(value: Mapping[Any, Any], indent: str, first: str, out: list[str]) -> None:
    if len(indent) > 2 * DEEPEST:
        raise InputError(f"values are nested deeper than {DEEPEST}")
    lead = first or indent
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"a key must be a string, not {type(key).__name__}")
        if len(key) > LONGEST_KEY:
            raise InputError(f"a key has {len(key)} characters, at most {LONGEST_KEY} can be written")
        _item(f"{lead}{written(key)}:", item, indent, out)
        lead = indent


def _sequence(value: list[Any] | tuple[Any, ...], indent: str, out: list[str]) -> None:
    if len(indent) > 2 * DEEPEST:
        raise InputError(f"values are nested deeper than {DEEPEST}")
    for item in value:
        if isinstance(item, Mapping) and item:
            _mapping(item, indent + "  ", indent + "- ", out)
        else:
            _item(f"{indent}-", item, indent, out)


def _item(head: str, item: Any, indent: str, out: list[str]) -> None:
    if isinstance(item, str):
        out.append(f"{head} {_string(item, indent)}\n")
    elif isinstance(item, Mapping) and item:
        out.append(f"{head}\n")
        _mapping(item, indent + "  ", "", out)
    elif isinstance(item, (list, tuple)) and item:
        out.append(f"{head}\n")
        _sequence(item, indent + "  ", out)
    else:
        out.append(f"{head} {_scalar(item, indent)}\n")


def _scalar(value: Any, indent: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return _string(value, indent)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    raise TypeError(f"{type(value).__name__} has no YAML form")


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise InputError("infinity and not-a-number cannot be written: neither JSON nor Helm has them")
    # JSON has one kind of number: 3.0 and 3 are the same to Helm and Kubernetes, and an integer field takes only `3`.
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else float.__repr__(value)


def _string(value: str, indent: str) -> str:
    if "\n" not in value:
        return written(value)
    body = value.rstrip("\n")
    if not body.strip() or _NOT_LITERAL.search(value):
        return quoted(value)
    # Where a block starts with white space its indentation cannot be guessed from it, so it is said.
    hint = "2" if body[0] in " \n\t" else ""
    ends = len(value) - len(body)
    chomp = "-" if ends == 0 else "" if ends == 1 else "+"
    deeper = indent + "  "
    lines = [deeper + line if line else "" for line in body.split("\n")] + [""] * (ends - 1)
    return f"|{hint}{chomp}\n" + "\n".join(lines)
