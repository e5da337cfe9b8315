"""Strict YAML: every doubtful file is refused with its place, and what is written is read back the same by every reader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.helm_scalars import READ_BY_HELM, REFUSED_BY_HELM, STRINGS_TO_HELM
from wizard import documents
from wizard.documents.scalars import Unreadable, resolve
from wizard.errors import InputError, Place, Problem


def refused(data: bytes, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        documents.load(data, name="f.yaml", **options)
    return caught.value.problems


# --- scalars as Helm reads them


@pytest.mark.parametrize(("text", "value"), READ_BY_HELM.items())
def test_a_scalar_is_read_as_helm_reads_it(text: str, value: bool | float | None) -> None:
    got = documents.load(f"x: {text}\n".encode(), name="f").value["x"]
    assert isinstance(got, bool) == isinstance(value, bool)
    if isinstance(value, float | int):
        assert float(got) == float(value)
    else:
        assert got is value


@pytest.mark.parametrize("text", STRINGS_TO_HELM)
def test_a_string_to_helm_is_a_string(text: str) -> None:
    assert documents.load(f"x: {text}\n".encode(), name="f").value == {"x": text}


@pytest.mark.parametrize("text", REFUSED_BY_HELM)
def test_what_helm_refuses_is_refused(text: str) -> None:
    assert refused(f"x: {text}\n".encode())[0].place == Place("f.yaml", 1, 4)


@pytest.mark.parametrize("text", [*READ_BY_HELM, *STRINGS_TO_HELM, *REFUSED_BY_HELM])
def test_quotes_make_a_string_of_anything(text: str) -> None:
    for quoted in (f'"{text}"', f"'{text}'", f"|-\n  {text}"):
        assert documents.load(f"x: {quoted}\n".encode(), name="f").value == {"x": text}
    assert documents.load(documents.dump({"x": text, text: 1}).encode(), name="f").value == {"x": text, text: 1}


@given(st.text(alphabet="0123456789+-._eExXoObBaAfFnN:T", max_size=12))
def test_resolve_is_total(text: str) -> None:
    try:
        value = resolve(text)
    except Unreadable:
        return
    assert value is None or isinstance(value, str | int | float)
    if isinstance(value, str):
        assert value == text


# --- what is refused (the bad-input rows for files)


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        (b"", None, None, "empty"),
        (b"# only\n# comments\n", None, None, "empty"),
        (b"---\n...\n", None, None, "empty"),
        (b"a: \xff\n", None, None, "not UTF-8: byte 3"),
        ("a: 1\n".encode("utf-16"), None, None, "UTF-16"),
        (b"a: \0\n", None, None, "NUL at byte 3"),
        (b"a: [1, 2\nb: 3\n", 2, 2, "not YAML"),
        (b"a:\n\t- b\n", 2, 1, "not YAML"),
        (b"a: 1\nb: &x 1\n", 2, 4, "anchors"),
        (b"a: 1\nb: *x\n", 2, 4, "aliases"),
        (b"a: &a [*a]\n", 1, 4, "anchors"),
        (b"a: !!python/object/apply:os.system [x]\n", 1, 4, "tags"),
        (b"a: !!str 1\n", 1, 4, "tags"),
        (b"!t\na: 1\n", 1, 1, "tags"),
        (b"a: 1\n<<: {b: 1}\n", 2, 1, "merge"),
        (b"a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key, first on line 1"),
        (b"a: {b: 1, 'b': 2}\n", 1, 11, "duplicate"),
        (b"a: 1\n---\nb: 2\n", 2, 1, "second document"),
        (b"? [a]\n: 1\n", 1, 3, "key must be text"),
        (b"? {a: 1}\n: 1\n", 1, 3, "key must be text"),
        (b"on: 1\n", 1, 1, "key must be text"),
        (b"y: 1\n", 1, 1, "key must be text"),
        (b"010: 1\n", 1, 1, "key must be text"),
        (b"1.5: 1\n", 1, 1, "key must be text"),
        (b"~: 1\n", 1, 1, "key must be text"),
        (b"? \n: 1\n", 1, 2, "key must be text"),
        (b"*x : 1\n", 1, 1, "aliases"),
        (b"a: " + b"9" * 5000, 1, 4, "digits"),
        (b"a: -" + b"1_" * 80 + b"1", 1, 4, "digits"),
        (b"a: .inf\n", 1, 4, "infinity"),
        (b"a: -.Inf\n", 1, 4, "infinity"),
        (b"a: .NaN\n", 1, 4, "not-a-number"),
        (b"a: \x1b[2J\n", 1, 4, "U+001B"),
        (b"a: x\x7f\n", 1, 5, "U+007F"),
        (b'a: 1\nb: "\\e[2J"\n', 2, 4, "U+001B"),
        (b'a: "\\x07"\n', 1, 4, "U+0007"),
        ("a: x\u202ey\n".encode(), 1, 5, "U+202E"),
        (b'a: "\\u202e"\n', 1, 4, "U+202E"),
        ("a: x\u2066\n".encode(), 1, 5, "U+2066"),
        ("a\u200b: 1\n".encode(), 1, 2, "U+200B"),
        ("a: \U000e0041\n".encode(), 1, 4, "U+E0041"),
        ("a: x\ufeff\n".encode(), 1, 5, "U+FEFF"),
        ("a: x\x85b: 1\n".encode(), 1, 5, "U+0085"),
        (b'a: "\\ud800"\n', 1, 7, "not YAML"),
        (b"%YAML 1.2\n---\na: 1\n", 1, 1, "directives"),
        (b"%TAG ! x\n---\na: 1\n", 1, 1, "directives"),
    ],
)
def test_a_doubtful_file_is_refused_with_its_place(data: bytes, line: int | None, column: int | None, words: str) -> None:
    first = refused(data)[0]
    assert words in first.what
    assert first.place == Place("f.yaml", line, column)


def test_a_tab_is_named() -> None:
    assert "tab" in refused(b"a:\n\t- b\n")[0].remedy


@pytest.mark.parametrize("brackets", [b"[", b"{a: ", b"- "])
def test_deep_nesting_is_refused_before_it_costs_anything(brackets: bytes) -> None:
    assert refused(brackets * 50_000)[0].what == "nested deeper than 32"
    fine = b"[" * 32 + b"1" + b"]" * 32
    assert documents.load(fine, name="f").value


def test_a_billion_laughs_is_refused() -> None:
    lines = ["a0: &a0 x"] + [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 30)]
    assert all("not allowed" in problem.what for problem in refused("\n".join(lines).encode()))


def test_size_is_checked_before_parsing() -> None:
    assert "at most 262144" in refused(b"[" * (256 * 1024 + 1))[0].what
    assert documents.load(b"a: 1\n", name="f", limit=5).value == {"a": 1}
    assert "at most 4" in refused(b"a: 1\n", limit=4)[0].what


def test_all_problems_are_told_at_once() -> None:
    what = [str(problem.place) for problem in refused(b"a: 1\na: 2\nb: &x 1\nc: !t 1\non: 1\nd: .nan\n[k]: 2\ne: 1\ne: 2\n")]
    assert what == [f"f.yaml:{place}" for place in ("2:1", "3:4", "4:4", "5:1", "6:4", "7:1", "9:1")]


@pytest.mark.parametrize(
    "data",
    [
        b"password: hunter2secret\n\thunter2secret: x\n",
        b"a: 'hunter2secret\n",
        b"hunter2secret: 1\nhunter2secret: 2\n",
        b"a: !hunter2secret x\n",
        b"a: &hunter2secret x\n",
        b"a: *hunter2secret\n",
        b"a: {b: hunter2secret\n",
        b"a: hunter2secret: x\n",
        b"a: hunter2secret\x1b\n",
    ],
)
def test_no_message_repeats_what_the_file_holds(data: bytes) -> None:
    assert "hunter2" not in "".join(f"{problem.what} {problem.remedy}" for problem in refused(data))


def test_what_is_accepted() -> None:
    assert documents.load(b"\xef\xbb\xbfa: 1\r\nb: two\r\n", name="f").value == {"a": 1, "b": "two"}
    assert documents.load(b"80: web\n", name="f").value == {"80": "web"}
    assert documents.load(b'"<<": 1\n"on": 2\n', name="f").value == {"<<": 1, "on": 2}
    assert documents.load("a: caf\u00e9 \U0001f600 \u200d\n".encode(), name="f").value == {"a": "caf\u00e9 \U0001f600 \u200d"}
    assert documents.load(b"a:\nb: ~\nc: ''\n", name="f").value == {"a": None, "b": None, "c": ""}
    assert documents.load(b"---\na: >-\n  one\n  two\n...\n", name="f").value == {"a": "one two"}


@given(st.binary(max_size=200))
@example(b"? ? a\n")
@example(b"{? [a]: b, *c : d}")
@example(b"[a: b, c]")
def test_any_bytes_end_in_a_value_or_an_input_error(data: bytes) -> None:
    try:
        documents.load(data, name="f")
    except InputError as error:
        assert error.problems


@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@`# \n\t0<~", max_size=60))
def test_any_punctuation_ends_in_a_value_or_an_input_error(text: str) -> None:
    try:
        found = documents.load(text.encode(), name="f").value
    except InputError:
        return
    assert found == yaml.load(text, Loader=yaml.CBaseLoader) or _without_types(found) == yaml.load(text, Loader=yaml.CBaseLoader)


def _without_types(value: Any) -> Any:
    """As PyYAML's BaseLoader gives it: every scalar a string. Only what the alphabet above can make."""
    if isinstance(value, dict):
        return {key: _without_types(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_types(item) for item in value]
    return value if isinstance(value, str) else _Any()


class _Any:
    """Equal to every string: the text of a scalar that is not one."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = None  # type: ignore[assignment]


# --- places


def test_every_value_and_key_knows_its_place() -> None:
    text = b"a: 1\nlist:\n  - x\n  - {b: on, c: 'two'}\ntext: |\n  one\nlast: [1,\n  2]\n"
    document = documents.load(text, name="f.yaml")
    assert document.place() == Place("f.yaml", 1, 1)
    assert document.place("list", 1, "c") == Place("f.yaml", 4, 16)
    assert document.key_place("list", 1, "c") == Place("f.yaml", 4, 13)
    assert document.key_place("list", 1) == document.place("list", 1) == Place("f.yaml", 4, 5)
    assert document.place("last", 1) == Place("f.yaml", 8, 3)
    assert document.place("list", 1, "none", "deeper") == document.place("list", 1)
    assert document.place("text") == Place("f.yaml", 5, 7)
    assert document.plain("list", 1, "b") == "on"
    assert document.plain("list", 1, "c") is None


# --- writing

_SAFE = st.characters(exclude_categories=["Cs"])
_STRINGS = st.one_of(
    st.text(_SAFE, max_size=30),
    st.sampled_from([*READ_BY_HELM, *STRINGS_TO_HELM, *REFUSED_BY_HELM]),
    st.text(alphabet="ab \n\t'\":-#?|>&*!%@`{}[],\\$\r", max_size=30),
    st.text(alphabet="0123456789.eExo_:+-TZ", max_size=12),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | _STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_STRINGS, inner, max_size=4),
    max_leaves=20,
)
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)


def _strings(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(key + _strings(item) for key, item in value.items())
    if isinstance(value, list):
        return "".join(map(_strings, value))
    return value if isinstance(value, str) else ""


class _Yaml11(yaml.CSafeLoader):
    """PyYAML as a second, independent reader."""


@given(_VALUES)
@example({"a": "x\n", "b": "\n", "c": "\nx", "d": " x\ny", "e": "x\n\n\n", "f": "x\n  y\n ", "g": "\t\nx", "h": "#\n#", "i": "x\r\ny"})
@example(["---\n---\n", "...\nx", "%YAML\nx", "- a\n- b", "a: b\nc", [["x\ny"], [{"k": "x\ny\n"}]]])
@example("x\ny")
@example({"a": {"b": [[], {}, [[1, 2], []], {"c": [{"d": None}]}]}})
@example(-0.0)
@example(1.7976931348623157e308)
def test_what_is_written_is_read_back(value: Any) -> None:
    text = documents.dump(value)
    assert documents.dump(value) == text
    assert text.endswith("\n")
    assert "\r" not in text
    assert _same(yaml.load(text, Loader=_Yaml11), value), "PyYAML reads it otherwise"
    if value is None or _FORBIDDEN.search(_strings(value)):
        return  # refused by our own loader on purpose: nobody could see what is there
    assert _same(documents.load(text.encode(), name="f", limit=1 << 20).value, value)


def _same(one: Any, other: Any) -> bool:
    """Equal, strings being strings and booleans booleans; numbers are one kind, as in JSON."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, str) and not isinstance(other, str | bool) and isinstance(other, float):
        return float(one) == other  # PyYAML reads 1e+22 as a string, every other reader as a number
    return isinstance(one, bool) == isinstance(other, bool) and isinstance(one, str) == isinstance(other, str) and bool(one == other)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "plain words", "b": "10.0.0.0/16", "c": "1Gi", "d": "v1.2.3"}, "a: plain words\nb: 10.0.0.0/16\nc: 1Gi\nd: v1.2.3\n"),
        ({"a": "on", "b": "1.10", "c": "0o7", "d": "12:30:45", "e": ""}, 'a: "on"\nb: "1.10"\nc: "0o7"\nd: "12:30:45"\ne: ""\n'),
        ({"a": "${domain}", "b": "x: y", "c": "x #y", "d": "- x"}, 'a: "${domain}"\nb: "x: y"\nc: "x #y"\nd: "- x"\n'),
        ({"a": 1.0, "b": 0.5, "c": True, "d": None}, "a: 1\nb: 0.5\nc: true\nd: null\n"),
        ({"a": [], "b": {}, "c": [{"x": 1, "z": [2]}]}, "a: []\nb: {}\nc:\n  - x: 1\n    z:\n      - 2\n"),
        ({"a": "one\ntwo\n", "b": "x"}, "a: |\n  one\n  two\nb: x\n"),
        ({"a": "one\ntwo"}, "a: |-\n  one\n  two\n"),
        ({"a": "one\n\n"}, "a: |+\n  one\n\n"),
        ({"a": "\u202e\x1b"}, 'a: "\\u202e\\e"\n'),
        ({"https://x.org/y": "https://x.org:443/y"}, "https://x.org/y: https://x.org:443/y\n"),
        ("x", "x\n"),
        ([], "[]\n"),
    ],
)
def test_how_it_is_written(value: Any, text: str) -> None:
    assert documents.dump(value) == text


def test_lines_are_never_folded() -> None:
    long = "word " * 500 + "end"
    assert documents.dump({"a": long}).count("\n") == 1


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "\ud800", {"k" * 901: 1}, {"\udfff": 1}])
def test_what_cannot_be_written_is_said(value: Any) -> None:
    with pytest.raises(InputError):
        documents.dump(value)


@pytest.mark.parametrize("value", [object(), {1: "x"}, {"a": Path("x")}, {"a": {1, 2}}, b"x"])
def test_what_has_no_yaml_form_is_a_mistake_of_ours(value: Any) -> None:
    with pytest.raises(TypeError):
        documents.dump(value)


def test_a_circle_ends() -> None:
    circle: dict[str, Any] = {}
    circle["a"] = [circle]
    with pytest.raises(InputError, match="deeper"):
        documents.dump(circle)
