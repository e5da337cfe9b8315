"""Types of options: what is accepted, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wizard.catalog import Option, seconds, wrong
from wizard.catalog.kinds import OptionType
from wizard.catalog.paths import steps, target

GOOD: list[tuple[OptionType, Any]] = [
    ("text", "anything"),
    ("number", 0),
    ("switch", False),
    ("list", ["a"]),
    ("address", "192.0.2.1"),
    ("address", "2001:db8::1"),
    ("range", "192.0.2.40-192.0.2.60"),
    ("cidr", "10.244.0.0/16"),
    ("host", "photos.home.example.net"),
    ("host", "localhost"),
    ("host", "192.0.2.1"),
    ("url", "https://proxmox.example.net:8006/api2/json"),
    ("email", "me@example.net"),
    ("timezone", "America/Argentina/Buenos_Aires"),
    ("duration", "1h30m"),
    ("size", "10Gi"),
]

BAD: list[tuple[OptionType, Any, str]] = [
    ("text", 1.10, "quotes"),
    ("text", "a\nb", "one line"),
    ("number", "1", "whole number"),
    ("number", True, "whole number"),
    ("switch", "yes", "true or false"),
    ("list", ["a", 1], "list of texts"),
    ("list", "a", "list of texts"),
    ("address", "192.0.2.256", "IP address"),
    ("address", "192.0.2.1/24", "IP address"),
    ("range", "192.0.2.60-192.0.2.40", "above"),
    ("range", "192.0.2.1-2001:db8::1", "both"),
    ("range", "192.0.2.0/24", "range"),
    ("cidr", "10.244.0.1/16", "10.244.0.0/16"),
    ("cidr", "10.244.0.0", "network"),
    ("host", "Photos.example.net", "host name"),
    ("host", "https://example.net", "host name"),
    ("host", "example.net:443", "host name"),
    ("host", "-a.example.net", "host name"),
    ("url", "ftp://example.net", "https://"),
    ("url", "https://user:word@example.net", "user or password"),
    ("url", 'https://example.net/"', "https://"),
    ("email", "example.net", "e-mail"),
    ("timezone", "Europe / Paris", "time zone"),
    ("duration", "90", "duration"),
    ("duration", "", "duration"),
    ("size", "10 GB", "size"),
    ("size", "0Gi", "size"),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_accepts(kind: OptionType, value: Any) -> None:
    assert wrong(kind, value) is None


@pytest.mark.parametrize(("kind", "value", "said"), BAD)
def test_refuses_and_says_why(kind: OptionType, value: Any, said: str) -> None:
    assert said in (wrong(kind, value) or "")


def test_no_refusal_repeats_the_value() -> None:
    canary = "hunter2-canary"
    for kind in ("number", "switch", "list", "address", "range", "cidr", "url", "email", "timezone", "duration", "size"):
        assert canary not in str(wrong(kind, canary + "!"))


def test_choice_pattern_and_limits() -> None:
    choice = Option(type="choice", label="x", choices=("a", "b"), default="a")
    assert choice.problem("b") is None
    assert "one of a, b" in (choice.problem("c") or "")
    number = Option(type="number", label="x", minimum=1, maximum=3)
    assert number.problem(2) is None
    assert "at least 1" in (number.problem(0) or "")
    assert "at most 3" in (number.problem(4) or "")
    name = Option(type="text", label="x", pattern="[a-z]+")
    assert name.problem("abc") is None
    assert "match" in (name.problem("abc1") or "")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "choice"},
        {"type": "text", "choices": ["a"]},
        {"type": "size", "default": "a lot"},
        {"type": "text", "pattern": "("},
        {"type": "text", "sets": "a..b"},
    ],
)
def test_an_unsound_option_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Option.model_validate({"label": "x", **fields})


def test_a_default_with_a_setting_is_not_judged() -> None:
    assert Option(type="host", label="x", default="photos.${domain}").default == "photos.${domain}"


def test_durations_in_seconds() -> None:
    assert [seconds(text) for text in ("90s", "10m", "1h30m", "2h5s")] == [90.0, 600.0, 5400.0, 7205.0]


@pytest.mark.parametrize(
    ("path", "walk"),
    [
        ("a.b", ("a", "b")),
        ("a[0].b", ("a", 0, "b")),
        (r"a.x\.y/z[1]", ("a", "x.y/z", 1)),
        ("machine-learning.enabled", ("machine-learning", "enabled")),
    ],
)
def test_paths(path: str, walk: tuple[str | int, ...]) -> None:
    assert steps(path) == walk


@pytest.mark.parametrize("path", ["", ".", "a.", "a..b", "[0]", "a[x]", "a[0", "a]b", ".a", "a[-1]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        steps(path)


def test_a_path_into_a_resource() -> None:
    found = target("config/ClusterIssuer/letsencrypt#spec.acme.email")
    assert found == ("config", "ClusterIssuer", "letsencrypt", ("spec", "acme", "email"))
    assert target("a.b").part == ""
