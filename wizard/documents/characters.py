"""The characters of a file before any YAML: text at all, and nothing in it that reads otherwise than it looks."""

from __future__ import annotations

import re

from wizard.errors import InputError, Place, Problem

MOST_PROBLEMS = 50

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
# Bidi marks, overrides and isolates, zero-width space, separators, BOM, tag characters: they make a file read otherwise than
# it looks. Joiners (U+200C, U+200D) are part of words and emoji; names are ASCII by their own patterns.
DECEPTIVE = re.compile("[\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")


def decode(data: bytes, name: str, limit: int) -> str:
    """The text of a file; InputError when it is too large or no UTF-8 text. A byte order mark is taken off."""
    if len(data) > limit:
        raise InputError(f"the file has {len(data)} bytes, at most {limit} are read", place=Place(name))
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError("the file is UTF-16", place=Place(name), remedy="save it as UTF-8")
    if (nul := data.find(b"\0")) >= 0:
        raise InputError(f"the file is not text: NUL at byte {nul}", place=Place(name))
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        raise InputError(f"the file is not UTF-8: byte {error.start}", place=Place(name), remedy="save it as UTF-8") from None


def forbidden_in(text: str, name: str) -> list[Problem]:
    """Every control and deceptive character with its place, at most MOST_PROBLEMS of each sort."""
    problems = []
    if not text.isascii() or CONTROL.search(text):
        for pattern in (CONTROL, DECEPTIVE):
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                column = match.start() - text.rfind("\n", 0, match.start())
                problems.append(Problem(forbidden(match[0]), Place(name, line, column)))
                if len(problems) >= MOST_PROBLEMS:
                    break
    return problems


def forbidden(char: str) -> str:
    """A character in words."""
    return f"forbidden character U+{ord(char):04X}"
