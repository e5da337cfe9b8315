"""Foreign text cannot move a cursor, hide or run on; quantities and durations are read as Kubernetes and people mean them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wizard.errors import InputError
from wizard.text import clean, closest, quantity_bytes, quantity_millicores, seconds_in_words


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("plain text", "plain text"),
        ("a\x1b[31mred\x1b[0m", "a\ufffdred\ufffd"),
        ("a\x1b[2Jb", "a\ufffdb"),
        ("a\x9b2Jb", "a\ufffdb"),
        ("a\x1b]52;c;c2VjcmV0\x07b", "a\ufffdb"),
        ("a\x1b]0;title\x1b\\b", "a\ufffdb"),
        ("a\x9d0;title\x9cb", "a\ufffdb"),
        ("a\x1bPq#0\x1b\\b", "a\ufffdb"),
        ("a\x1bcb", "a\ufffdb"),
        ("a\x1b]never closed", "a\ufffdnever closed"),
        ("abc\u202edef", "abc\ufffddef"),
        ("x\u200by\ufeffz\u2066w", "x\ufffdy\ufffdz\ufffdw"),
        ("tag\U000e0041", "tag\ufffd"),
        ("lone \ud800", "lone \ufffd"),
        ("bell\x07 nul\x00 del\x7f", "bell\ufffd nul\ufffd del\ufffd"),
        ("one\r\ntwo\n\n  three\tfour", "one two three four"),
        ("[/foo] [@click=x]", "[/foo] [@click=x]"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        (ValueError("said"), "said"),
    ],
)
def test_clean(hostile: object, harmless: str) -> None:
    assert clean(hostile) == harmless


def test_clean_keeps_lines_when_asked() -> None:
    assert clean("one\r\ntwo\x85three\u2028four", lines=True) == "one\ntwo\nthree\nfour"


def test_clean_cuts_and_says_so() -> None:
    assert clean("x" * 50, limit=10) == "x" * 9 + "…"
    assert len(clean("\x1b[0m" * 1_000_000, limit=100)) == 100


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(1, 200))
def test_clean_leaves_nothing_a_terminal_obeys(text: str, limit: int) -> None:
    for lines in (False, True):
        result = clean(text, limit=limit, lines=lines)
        assert len(result) <= limit
        bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
        left = [c for c in result if unicodedata.category(c) in bad and not (lines and c == "\n")]
        # format characters that are part of a script's own letters (Arabic number signs and the like) have a shape
        assert all(unicodedata.category(c) == "Cf" and ord(c) > 127 and c not in "\u202e\u2066\u200b\ufeff" for c in left)


@given(st.lists(st.sampled_from(["\x1b", "\x1b]", "\x1b[", "\x9d", "a", "\x07", "\\", "0", ";", "m"]), max_size=60))
def test_clean_survives_broken_sequences(parts: list[str]) -> None:
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in clean("".join(parts)))


def test_closest() -> None:
    names = ["charts", "cluster", "settings"]
    assert closest("charst", names) == "charts"
    assert closest("CLUSTER", names) == "cluster"
    assert closest("zebra", names) is None
    assert closest("x", []) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (41, "41 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3780, "1 h 3 min"),
        (-3, "0 s"),
        (float("inf"), "unknown"),
    ],
)
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1Gi", 2**30),
        ("500M", 500_000_000),
        ("1e3", 1000),
        ("1E", 10**18),
        ("1.5Ki", 1536),
        ("100m", 1),
        ("0", 0),
        (".5k", 500),
        ("128974848", 128974848),
    ],
)
def test_quantity_bytes(text: str, number: int) -> None:
    assert quantity_bytes(text) == number


@pytest.mark.parametrize(("text", "number"), [("500m", 500), ("2", 2000), ("0.1", 100), ("1u", 1), ("1500000n", 2)])
def test_quantity_millicores(text: str, number: int) -> None:
    assert quantity_millicores(text) == number


@pytest.mark.parametrize(
    ("text", "meant"),
    [("10GB", "10G"), ("1gi", "1Gi"), ("5 Mi", "5Mi"), ("1.5.2", "10Gi"), ("", "10Gi"), ("١", "10Gi"), ("9" * 999, "10Gi")],
)
def test_what_is_no_quantity_is_said(text: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        quantity_bytes(text)
    assert meant in caught.value.problems[0].remedy
