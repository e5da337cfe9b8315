"""How a scalar of a YAML file is read: as Helm and Kubernetes read it, and how a string is written so that nobody misreads it.

`resolve` follows what was measured with `helm template` (sigs.k8s.io/yaml, which is go-yaml v2): `on` and `y` are true, `010`
is 8, `0o7` is 7, `1_000` is 1000, while `12:30:45`, `2024-01-01` and `1e400` stay strings. The measured table is in the tests.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {"": None, "~": None}
for _names, _value in (("null", None), ("true yes on", True), ("false no off", False)):
    for _name in _names.split():
        _WORDS |= {_name: _value, _name.capitalize(): _value, _name.upper(): _value}
_WORDS |= {"y": True, "Y": True, "n": False, "N": False}

_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT_FIRST = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_INTEGERS = (
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16, 2),
    (re.compile(r"[-+]?0[bB][01]+"), 2, 2),
    (re.compile(r"[-+]?0[oO][0-7]+"), 8, 2),
    (re.compile(r"[-+]?0[0-7]+"), 8, 1),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), 10, 0),
)
_ODD_BINARY = re.compile(r"0b[-+][01]+")
_NO_NUMBERS = frozenset(sign + word for word in (".inf", ".Inf", ".INF") for sign in ("", "+", "-")) | {".nan", ".NaN", ".NAN"}

LONGEST_NUMBER = 64
"""Digits of a number beyond which it is refused: no value of a chart needs more and Python's own limit is a traceback."""


class Unreadable(ValueError):
    """A plain scalar that Helm cannot take or that is no sensible number; the text says why."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar. Unreadable for `.inf`, `.nan`, `<<` and numbers without end."""
    first = text[:1]
    if first and first not in "0123456789+-.yYnNtTfFoO~<":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text in _NO_NUMBERS:
        raise Unreadable("neither JSON nor Helm has infinity or not-a-number")
    if text == "<<":
        raise Unreadable("merge keys are not allowed")
    if first in "0123456789+-":
        return _number(text)
    if first == "." and _POINT_FIRST.fullmatch(text):
        return _float(text, text.replace("_", ""))
    return text


def _number(text: str) -> Scalar:
    plain = text.replace("_", "")
    if len(plain) > LONGEST_NUMBER and plain.strip("+-").isdigit():
        raise Unreadable(f"a number of more than {LONGEST_NUMBER} digits")
    for pattern, base, prefix in _INTEGERS:
        if pattern.fullmatch(plain):
            sign = -1 if plain[0] == "-" else 1
            value = sign * int(plain.lstrip("+-")[prefix:], base)
            if -(2**63) <= value < 2**63 or (plain[0] not in "+-" and value < 2**64):
                return value
            break
    if _FLOAT.fullmatch(plain):
        return _float(text, plain)
    if _ODD_BINARY.fullmatch(plain):
        return int(plain[2:], 2)
    return text


def _float(text: str, plain: str) -> float | str:
    value = float(plain)
    return text if math.isinf(value) else value


# Plain only where every reader (YAML 1.1, 1.2, go-yaml v2 and v3, JSON) agrees on a string. When in doubt: quotes.
_PLAIN = re.compile(
    r"(?:[A-Za-z/_][A-Za-z0-9_./@+=^~;-]*(?::[A-Za-z0-9_./@+=^~;-]+)*(?: [A-Za-z0-9_./@+=^~;(][A-Za-z0-9_./@+=^~;(),-]*)*"
    r"|[0-9]+(?:\.[0-9]+)?(?:ms|[smh]|[KMGTP]i)"
    r"|[0-9]+\.[0-9]+\.[0-9]+(?:\.[0-9]+)?(?:[-+/][0-9A-Za-z.+-]+)?)",
    re.ASCII,
)
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "none"})
_ESCAPED = re.compile(
    '[\x00-\x1f"\\\\\x7f-\xa0\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff'
    "\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\0": "\\0", "\x1b": "\\e"}


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")


def quoted(text: str) -> str:
    """A string in double quotes; what has no shape of its own is escaped."""
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def written(text: str) -> str:
    """A string as one line of YAML: plain where every reader sees a string, else in double quotes."""
    if len(text) <= 200 and _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return quoted(text)
