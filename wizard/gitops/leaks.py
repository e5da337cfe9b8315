"""The scan for secrets: in what would be committed, and in whatever else a test hands it.

A value is looked for in the forms it takes on the way: as it is, in JSON, URL and hex form, base64 (at its three alignments, and
encoded twice), UTF-16, and inside gzip and zip. Reports name the secret and the place, never the value.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from wizard.errors import Problem, TierupError
from wizard.gitops.program import Git
from wizard.secrets import Secret

SHORT = 8
"""Values of fewer characters occur by chance: they count only as a whole scalar."""

LARGEST = 64 * 1024 * 1024
DEPTH = 3

_TOKENS = re.compile(
    rb"ghp_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{20,}"
)
_SECRET_KIND = re.compile(rb"^kind:\s*[\"']?Secret[\"']?\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hit:
    """The secret `name` stands in `where`, in the form `form`."""

    name: str
    where: str
    form: str


def scan(blobs: Mapping[str, bytes], secrets: Mapping[str, Secret]) -> tuple[Hit, ...]:
    """Where which secret stands in `blobs` (name -> bytes), packed contents included."""
    needles = {name: variants(secret.reveal()) for name, secret in secrets.items() if len(secret)}
    found: dict[Hit, None] = {}
    for where, data in blobs.items():
        for inner in _unpacked(data[:LARGEST], DEPTH):
            for name, forms in needles.items():
                for form, needle in forms:
                    if _stands(needle, inner, len(secrets[name])):
                        found[Hit(name, where, form)] = None
    return tuple(found)


def variants(value: str) -> list[tuple[str, bytes]]:
    """The forms a value takes, each with its bytes."""
    raw = value.encode("utf-8", "surrogatepass")
    forms = [
        ("as it is", raw),
        ("JSON", json.dumps(value)[1:-1].encode()),
        ("JSON", json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")),
        ("URL", quote(value, safe="", errors="replace").encode()),
        ("URL", quote_plus(value, errors="replace").encode()),
        ("hex", raw.hex().encode()),
        ("hex", raw.hex().upper().encode()),
        ("UTF-16", value.encode("utf-16-le", "surrogatepass")),
        ("UTF-16", value.encode("utf-16-be", "surrogatepass")),
    ]
    if len(raw) >= SHORT:
        forms += [("base64", piece) for piece in _aligned(raw)]
        forms += [("base64 twice", piece) for once in _aligned(raw) for piece in _aligned(once)]
    seen: dict[bytes, str] = {}
    for form, needle in forms:
        if needle:
            seen.setdefault(needle, form)
    return [(form, needle) for needle, form in seen.items()]


def refuse_leaks(tree: Mapping[str, bytes], secrets: Mapping[str, Secret]) -> None:
    """Raises TierupError, naming places and secrets, when files for Git hold a value, a token's shape or an object of kind Secret."""
    problems = [
        Problem(f"{hit.where} would hold the secret {hit.name} ({hit.form})", remedy="take the value out of the plan: declare it below `secrets:`")
        for hit in scan(tree, secrets)
    ]
    for where, data in tree.items():
        if _TOKENS.search(data):
            problems.append(Problem(f"{where} would hold something that looks like a token or a private key"))
        if where.endswith((".yaml", ".yml")) and _SECRET_KIND.search(data):
            problems.append(Problem(f"{where} would hold an object of kind Secret", remedy="Secrets are Terraform's, never Git's"))
    if problems:
        raise TierupError(problems)


def scan_directory(folder: Path, secrets: Mapping[str, Secret]) -> tuple[Hit, ...]:
    """Every regular file below a folder."""
    hits: list[Hit] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            hits += scan({str(path): path.read_bytes()}, secrets)
    return tuple(hits)


def scan_repository(git: Git, secrets: Mapping[str, Secret]) -> tuple[Hit, ...]:
    """Every object of a repository after decompression, reachable or not."""
    listed = git.run("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").out
    stream = io.BytesIO(git.run("cat-file", "--batch", "--buffer", stdin=listed).out)
    hits: list[Hit] = []
    while header := stream.readline().split():
        data = stream.read(int(header[2]))
        stream.read(1)
        hits += scan({f"git object {header[0].decode()}": data}, secrets)
    return tuple(hits)


def _aligned(raw: bytes) -> Iterator[bytes]:
    """The part of base64 text that is the same whatever stands around, for the three places a value may begin at in a group."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        start = (before * 8 + 5) // 6
        end = (before + len(raw)) * 8 // 6
        yield text[start:end]
        safe = text[start:end].translate(bytes.maketrans(b"+/", b"-_"))
        if safe != text[start:end]:
            yield safe


def _stands(needle: bytes, data: bytes, length: int) -> bool:
    if needle not in data:
        return False
    if length >= SHORT:
        return True
    return re.search(rb"(?<![\w.-])" + re.escape(needle) + rb"(?![\w.-])", data) is not None and _as_value(needle, data)


def _as_value(needle: bytes, data: bytes) -> bool:
    """A short value counts where it is all of a scalar: behind `: ` or in quotes."""
    return re.search(rb"(?::\s+|[\"'=])" + re.escape(needle) + rb"[\"']?\s*(?:$|[,}\n])", data, re.MULTILINE) is not None


def _unpacked(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if depth == 0:
        return
    for start in (m.start() for m in re.finditer(rb"\x1f\x8b\x08", data)):
        try:
            inner = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data[start:], LARGEST)
        except zlib.error:
            continue
        yield from _unpacked(inner, depth - 1)
    if data[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield from _unpacked(archive.read(name), depth - 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
            return
    for packed in re.findall(rb"H4sIA[A-Za-z0-9+/]{20,}={0,2}", data):
        try:
            yield from _unpacked(gzip.decompress(base64.b64decode(packed + b"=" * (-len(packed) % 4))), depth - 1)
        except (OSError, ValueError, EOFError, zlib.error):
            continue
