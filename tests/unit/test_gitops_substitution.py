"""What an operator writes reaches the cluster as written; what the catalog leaves to Flux is left to Flux."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from wizard.documents import dump
from wizard.gitops.substitution import escape, escaped, unsafe_settings, written_out

VARIABLES = {"domain": "home.example.net"}


def flux(text: str) -> str:
    """fluxcd/pkg envsubst 1.7.1 for plain `${name}`, compared with the Go program on 20,000 texts: `${` begins a variable, of two dollar
    signs in a row the first is dropped and the second is text, anything undefined is an error (strict is the default since Flux 2.9)."""
    out, at = [], 0
    while at < len(text):
        if text.startswith("${", at):
            found = re.compile(r"\$\{([A-Za-z0-9_]+)\}").match(text, at)
            assert found and found[1] in VARIABLES, f"bad substitution in {text!r}"
            out.append(VARIABLES[found[1]])
            at = found.end()
        elif text.startswith("$$", at):
            out.append("$")
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


DOLLARS = st.text(
    st.sampled_from(["$", "{", "}", "a", "domain", "${domain}", "\\", ":", "=", " ", "\n", "é"]).map(str), max_size=0
) | st.lists(st.sampled_from(["$", "{", "}", "a", "${domain}", "$$", "\\", ":=", " ", "\n", "é", "(HOME)"]), max_size=12).map("".join)


@given(DOLLARS | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])))
@example("${x}")
@example("$${x}")
@example("$$${x}")
@example("a$")
@example("$(HOME)")
@example("^x$|$$")
def test_what_was_escaped_comes_back_as_it_was(value: str) -> None:
    assert flux(escape(value)) == value


@given(st.lists(st.sampled_from(["$", "{", "}", "a", "${domain}", "$$", "'", '"', ": ", "#", "\n", "1e3", "é"]), max_size=10).map("".join))
def test_values_survive_yaml_substitution_and_yaml_again(value: str) -> None:
    """As Flux does: parsed, written again, substituted as text, parsed."""
    document = {"key": escaped({value: [value, {"deep": value}]})}
    written_again = yaml.safe_dump(yaml.safe_load(dump(document)), width=10**6, allow_unicode=True)
    assert yaml.safe_load(flux(written_again)) == {"key": {value: [value, {"deep": value}]}}


def test_what_needs_no_escape_has_none() -> None:
    for text in ("$(HOME)", "cost: 5$", "a$b", "^x$", "plain"):
        assert escape(text) == text
    assert escaped([1, True, None, 1.5]) == [1, True, None, 1.5]


@pytest.mark.parametrize("text", ["1e3", "yes", "10.5", "a: b", "x #y", "two\nlines", "'q'", "", "12:30:45", "0x1f", "- a", "null", "${x}"])
def test_settings_that_yaml_would_misread_are_written_out(text: str) -> None:
    unsafe = unsafe_settings({"s": text, "domain": "home.example.net"})
    assert unsafe.keys() == {"s"}
    assert flux(written_out("${s}", unsafe)) == text


@pytest.mark.parametrize(
    "text", ["home.example.net", "192.0.2.40-192.0.2.60", "Europe/Paris", "https://s3.example.net:9000/x", "me@example.net"]
)
def test_other_settings_are_left_to_flux(text: str) -> None:
    assert unsafe_settings({"s": text}) == {}
    assert written_out(["${s}", {"${s}": 1}], {}) == ["${s}", {"${s}": 1}]


def test_only_whole_names_are_written_out() -> None:
    assert written_out("${a}-${ab}-$${a}-${a:=x}", {"a": "1"}) == "1-${ab}-$${a}-${a:=x}"
