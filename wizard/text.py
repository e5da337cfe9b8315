"""Words: foreign text made harmless, near misses named, durations and Kubernetes quantities read."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from decimal import Decimal

from wizard.errors import InputError

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# A terminal obeys these wherever they stand: CSI and two-byte escapes, and the strings OSC, DCS, SOS, PM, APC up to their end.
# No body may hold an introducer, so the scan stays linear in hostile text.
_SEQUENCES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-~]"
)
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_FOLDS = re.compile("[ \t]*\n[ \t\n]*")
# C0, DEL, C1; soft hyphen, Arabic letter mark, Mongolian separator, zero-width, bidi, invisible operators, isolates, BOM,
# interlinear marks, tag characters; surrogates and noncharacters: nothing of these has a shape of its own.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def clean(text: object, *, limit: int = 2000, lines: bool = False) -> str:
    """Foreign text made fit for a terminal, a log or a message.

    Escape sequences and characters without a shape become U+FFFD. Line ends become a space unless `lines`; tabs become a
    space. The result has at most `limit` characters, the last one `…` when something was cut.
    """
    raw = text if isinstance(text, str) else text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    cut = len(raw) > limit * 4 + 8192
    if cut:
        raw = raw[: limit * 4 + 8192]
    if not raw.isprintable():
        raw = _SEQUENCES.sub(REPLACEMENT, raw)
        raw = _LINE_ENDS.sub("\n", raw)
        if not lines:
            raw = _FOLDS.sub(" ", raw)
        raw = _INVISIBLE.sub(REPLACEMENT, raw.replace("\t", " "))
    raw = raw.strip()
    if cut or len(raw) > limit:
        raw = raw[: max(limit - 1, 0)].rstrip() + "…"
    return raw


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant, None when none is near."""
    by_fold = {candidate.casefold(): candidate for candidate in sorted(candidates, reverse=True)}
    found = difflib.get_close_matches(word.casefold()[:200], by_fold, n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def seconds_in_words(s: float) -> str:
    """A duration as people say it: `0.4 s`, `41 s`, `2 min 5 s`, `1 h 3 min`."""
    if not math.isfinite(s):
        return "unknown"
    s = max(s, 0.0)
    if s < 9.95:
        return f"{s:.1f}".removesuffix(".0") + " s"
    whole = round(s)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    pairs = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    while not pairs[0][0]:
        pairs.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in pairs[:2] if number)


# Kubernetes resource.Quantity: a signed decimal and one suffix, or a decimal exponent.
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?")
_SUFFIXES: dict[str, Decimal] = {
    **{suffix: Decimal(10) ** (3 * power) for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)},
    **{suffix + "i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def _quantity(text: str) -> Decimal:
    match = _QUANTITY.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        meant = re.fullmatch(r"([0-9.]+) *([kKmMgGtTpP])(i?)[bB]?", text)
        nearest = f"{meant[1]}{'k' if meant[2] in 'kK' and not meant[3] else meant[2].upper()}{meant[3]}" if meant else "10Gi, 500m or 2"
        raise InputError(f"`{clean(text, limit=40)}` is not a Kubernetes quantity", remedy=f"write it as {nearest}")
    number, suffix, exponent = match.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""])


def quantity_bytes(text: str) -> int:
    """Bytes of a Kubernetes quantity (`1Gi`, `500M`, `1e9`), rounded up as Kubernetes does; InputError when it is none."""
    return math.ceil(_quantity(text))


def quantity_millicores(text: str) -> int:
    """Thousandths of a CPU of a Kubernetes quantity (`500m`, `2`, `0.1`), rounded up; InputError when it is none."""
    return math.ceil(_quantity(text) * 1000)
