"""The forms a secret value may take where it should not be: as it is, quoted, escaped, encoded, hashed."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORT = 8
"""Values with fewer characters are looked for as whole scalars alone: they occur in ordinary text."""
WINDOW = 64
"""Of long values this much of the middle is looked for: beginnings (`-----BEGIN …`) are common to many."""
WHITE = b" \t\r\n"


def squeezed(data: bytes) -> bytes:
    """`data` without white space, so that folded, wrapped and indented text is found too."""
    return data.translate(None, WHITE)


def needles(value: str) -> frozenset[bytes]:
    """What to look for in squeezed bytes to find `value`, of 8 characters or more, in any of its forms."""
    body = value.strip()
    if len(body) > 2 * WINDOW:
        middle = len(body) // 2
        body = body[middle - WINDOW // 2 : middle + WINDOW // 2].strip() or body
    found = {squeezed(form) for form in _forms(body)}
    for data in {value.encode(), body.encode()}:
        found |= {hashlib.new(kind, data).hexdigest().encode() for kind in ("sha1", "sha256")}
    return frozenset(form for form in found if len(form) >= SHORT)


def scalars(value: str) -> frozenset[bytes]:
    """What a whole scalar must be to be the short `value`."""
    raw = value.encode()
    once = base64.b64encode(raw)
    # The padding may be taken for a separator.
    return frozenset({raw, raw.hex().encode(), once, once.rstrip(b"="), base64.b64encode(once), base64.b64encode(once).rstrip(b"=")})


def _forms(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield raw
    for ascii_only in (True, False):
        written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield written.encode()
        # Go's JSON escapes these three as well.
        yield written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()
    yield text.replace("'", "''").encode()
    yield html.escape(text).encode()
    for written in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield written.encode()
        yield written.lower().encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for codec in ("utf-16-le", "utf-16-be"):
        yield text.encode(codec)
    for once in _base64(raw):
        yield once
        yield from _base64(once)


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters of base64 that `raw` alone decides, at each of the three places it may begin, in both alphabets."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw)
        first = (0, 2, 3)[before]
        last = (8 * (before + len(raw))) // 6
        yield coded[first:last]
        yield coded[first:last].translate(bytes.maketrans(b"+/", b"-_"))
