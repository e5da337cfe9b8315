"""What lies inside bytes: gzip streams, zip archives, and base64 of either (the way Helm keeps its releases)."""

from __future__ import annotations

import base64
import binascii
import io
import re
import zipfile
import zlib
from collections.abc import Iterator

LARGEST = 64 * 1024 * 1024
"""Bytes read of one stream; a bomb gives no more."""
DEEPEST = 4

# base64 of `\x1f\x8b\x08` or `PK\x03\x04` begins so; a second time encoded, so.
_CODED = re.compile(rb"(?:H4sI|UEsD|SDRzS|VUVzR)[A-Za-z0-9+/_=\s-]{20,}")


def inside(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """`data`'s inner contents, unpacked, to a depth of 4; `data` itself is not among them."""
    if depth >= DEEPEST:
        return
    for inner in _once(data):
        yield inner
        yield from inside(inner, depth + 1)


def _once(data: bytes) -> Iterator[bytes]:
    start = data.find(b"\x1f\x8b\x08")
    while start >= 0:
        if inner := _inflated(data[start:]):
            yield inner
        start = data.find(b"\x1f\x8b\x08", start + 3)
    if b"PK\x03\x04" in data:
        yield from _unzipped(data[data.find(b"PK\x03\x04") :])
    for match in _CODED.finditer(data):
        text = re.sub(rb"[\s=]", b"", match.group()).translate(bytes.maketrans(b"-_", b"+/"))
        try:
            yield base64.b64decode(text[: len(text) // 4 * 4] if len(text) % 4 == 1 else text + b"=" * (-len(text) % 4))
        except binascii.Error:
            continue


def _inflated(data: bytes) -> bytes:
    """A gzip stream's content, as much of it as can be had: the checksum at its end may be damaged or cut off."""
    stream = zlib.decompressobj(wbits=-15)
    found = bytearray()
    start = _header(data)
    try:
        # In pieces, so that a damaged end does not hide the beginning.
        for at in range(start, len(data), 65536):
            found += stream.decompress(data[at : at + 65536], LARGEST - len(found))
            if stream.eof or len(found) >= LARGEST:
                break
    except zlib.error:
        pass
    return bytes(found)


def _header(data: bytes) -> int:
    """Length of a gzip header (RFC 1952, 2.3)."""
    flags, at = data[3] if len(data) > 3 else 0, 10
    if flags & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for bit in (8, 16):
        if flags & bit:
            at = data.find(b"\0", at) + 1 or len(data)
    return at + (2 if flags & 2 else 0)


def _unzipped(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    yield member.read(LARGEST)
    except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError, zlib.error):
        return
