"""The scanner finds what is planted, in every form, and nothing where there is nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import json
import urllib.parse
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.githttp import git
from wizard.errors import TierupError
from wizard.gitops.leaks import Hit, refuse_leaks, scan, scan_directory, scan_repository, shapes
from wizard.secrets import Secret

VALUES = {
    "plain": "correct-horse-battery-staple",
    "hostile": "a\"b'c$d${e}%{f}\\g<h>&i @/#?[/b]: j",
    "accents": "pässwörd-漢字-näme",
    "base64-like": "QUJDREVGR0hJSktMTU5PUA==",
    "spaces": "  leading and trailing  ",
    "lines": "first line of it\n  second line\nthird line\n",
    "eight": "k3Jq9_xZ",
}
CANARIES = {name: Secret(value) for name, value in VALUES.items()}


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", data)
    return b"leading bytes" + out.getvalue()


FORMS: dict[str, Callable[[str], bytes]] = {
    "raw": lambda v: v.encode(),
    "json": lambda v: json.dumps({"a": v}).encode(),
    "json of go": lambda v: json.dumps(v).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode(),
    "json utf-8": lambda v: json.dumps(v, ensure_ascii=False).encode(),
    "url": lambda v: urllib.parse.quote(v, safe="").encode(),
    "url path": lambda v: urllib.parse.quote(v).encode(),
    "form": lambda v: urllib.parse.urlencode({"p": v}).encode(),
    "html": lambda v: html.escape(v).encode(),
    "single quotes": lambda v: ("x: '" + v.replace("'", "''") + "'").encode(),
    "indented block": lambda v: ("x: |\n" + "".join(f"      {line}\n" for line in v.split("\n"))).encode(),
    "hex": lambda v: v.encode().hex().encode(),
    "HEX": lambda v: v.encode().hex().upper().encode(),
    "base64": lambda v: b64(v.encode()),
    "base64 at 1": lambda v: b64(b"u" + v.encode() + b"tail"),
    "base64 at 2": lambda v: b64(b"us" + v.encode() + b"tail"),
    "basic auth": lambda v: b"Authorization: Basic " + b64(b"user:" + v.encode()),
    "urlsafe": lambda v: base64.urlsafe_b64encode(b"\xff\xff" + v.encode() + b"\xff"),
    "base64 wrapped": lambda v: base64.encodebytes(b"x" * 50 + v.encode() + b"y" * 50),
    "base64 twice": lambda v: b64(b64(v.encode())),
    "base64 twice at 1 and 2": lambda v: b64(b"s" + b64(b"us" + v.encode() + b"tail")),
    "utf-16": lambda v: v.encode("utf-16-le"),
    "utf-16 be": lambda v: b"\xfe\xff" + v.encode("utf-16-be"),
    "gzip": lambda v: b"head" + gzip.compress(b"x: " + v.encode()),
    "gzip in gzip": lambda v: gzip.compress(gzip.compress(v.encode())),
    "gzip cut off": lambda v: gzip.compress(v.encode() + b"." * 99)[:-8],
    "zip": lambda v: zipped(v.encode()),
    "helm release": lambda v: b64(b64(gzip.compress(json.dumps({"config": v}).encode()))),
    "base64 of gzip": lambda v: b'{"state": "' + b64(gzip.compress(v.encode())) + b'"}',
    "sha256": lambda v: hashlib.sha256(v.encode()).hexdigest().encode(),
    "sha1": lambda v: hashlib.sha1(v.encode()).hexdigest().encode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VALUES)
def test_every_planted_leak_is_found_and_named(name: str, form: str) -> None:
    blobs = {"clean": b"nothing here\n" * 50, "planted": b"before\n" + FORMS[form](VALUES[name]) + b"\nafter"}
    assert scan(blobs, CANARIES) == (Hit(name, "planted"),)


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=12, max_size=60),
    st.sampled_from(sorted(FORMS)),
    st.binary(max_size=20),
)
def test_any_value_in_any_form_is_found(value: str, form: str, before: bytes) -> None:
    if len("".join(value.split()).encode()) < 8:
        return
    assert Hit("it", "x") in scan({"x": before + b"\n" + FORMS[form](value)}, {"it": Secret(value)})


def test_long_values_are_known_by_their_middle() -> None:
    body = "\n".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200))
    key = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    other = f"-----BEGIN PRIVATE KEY-----\n{'A' * 64}\n-----END PRIVATE KEY-----\n"
    for form in ("raw", "json", "indented block", "base64 at 1", "base64 twice", "helm release"):
        assert scan({"x": FORMS[form](key), "other": other.encode()}, {"key": Secret(key)}) == (Hit("key", "x"),), form


@pytest.mark.parametrize(
    "text", ["pin: 4711", "pin: '4711'", '{"pin":"4711"}', "--pin=4711", "4711\n", "x: [1, 4711]", "pin: NDcxMQ==", "pin: 34373131"]
)
def test_a_short_value_counts_as_a_whole_scalar(text: str) -> None:
    assert scan({"x": text.encode()}, {"pin": Secret("4711")}) == (Hit("pin", "x"),)


@pytest.mark.parametrize("text", ["port: 47110", "sha: ab4711", "x4711y", "1.4711.2", "4711-a"])
def test_a_short_value_within_a_word_does_not(text: str) -> None:
    assert scan({"x": text.encode()}, {"pin": Secret("4711")}) == ()


def test_an_empty_value_is_nowhere() -> None:
    assert scan({"x": b"a: ''\n"}, {"none": Secret(""), "blank": Secret("   ")}) == ()


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a GitHub token", "ghp_" + "a1B2" * 9),
        ("a GitHub token", "github_pat_" + "11AAAAAAA0" * 3),
        ("a GitLab token", "glpat-" + "x" * 20),
        ("an AWS access key", "AKIA" + "ABCDEFGH12345678"),
        ("a private key", "-----BEGIN OPENSSH PRIVATE KEY-----"),
        ("a private key", "-----BEGIN PRIVATE KEY-----"),
        ("an age identity", "AGE-SECRET-KEY-1" + "Q" * 58),
        ("a Secret object", "apiVersion: v1\nkind: Secret\nmetadata: {name: x}"),
        ("a Secret object", "a: 1\n---\n'kind': \"Secret\"  # x\n"),
        ("a Secret object", '{"apiVersion": "v1", "kind": "Secret"}'),
    ],
)
def test_shapes_are_refused_whoever_they_belong_to(what: str, text: str) -> None:
    assert shapes({"x": f"{text}\n".encode()}) == (Hit(what, "x"),)
    if what != "a Secret object":
        assert shapes({"x": gzip.compress(text.encode())}) == (Hit(what, "x"),)
    with pytest.raises(TierupError, match="x would hold") as error:
        refuse_leaks({"x": f"{text}\n".encode()}, {})
    assert text not in str(error.value)


def test_references_to_secrets_are_no_secrets() -> None:
    text = (
        b"spec:\n  valuesFrom:\n    - kind: Secret\n      name: x\nkind: HelmRelease\n---\nkind: SecretStore\n---\nkind: ExternalSecret\n"
    )
    refuse_leaks({"x": text, "doc": b"A `-----BEGIN CERTIFICATE-----` is public, ghp_ alone is a prefix."}, CANARIES)


def test_refusal_names_the_secret_and_never_its_value() -> None:
    with pytest.raises(TierupError) as error:
        refuse_leaks({"a/b.yaml": b"x: " + VALUES["plain"].encode()}, CANARIES)
    assert "a/b.yaml" in str(error.value) and "plain" in str(error.value) and VALUES["plain"] not in str(error.value)


def test_every_object_of_a_repository_is_looked_at(tmp_path: Path) -> None:
    git("init", "--quiet", tmp_path, cwd=tmp_path)
    canary = {"pw": CANARIES["plain"]}

    def commit(text: str) -> None:
        (tmp_path / "f").write_text(text)
        git("add", "f", cwd=tmp_path)
        git("commit", "--quiet", "-m", "m", cwd=tmp_path)

    commit("clean")
    assert scan_repository(tmp_path / ".git", canary) == ()
    commit(VALUES["plain"])
    git("reset", "--quiet", "--hard", "HEAD~1", cwd=tmp_path)
    unreachable = [h.where.split()[0] for h in scan_repository(tmp_path / ".git", canary)]
    assert unreachable == ["blob"]
    git("repack", "--quiet", "-a", "-d", "--keep-unreachable", cwd=tmp_path)
    assert [h.where.split()[0] for h in scan_repository(tmp_path / ".git", canary)] == ["blob"]


@pytest.mark.parametrize("place", ["message", "name", "config"])
def test_messages_names_and_configuration_are_looked_at(tmp_path: Path, place: str) -> None:
    git("init", "--quiet", tmp_path, cwd=tmp_path)
    value = VALUES["plain"]
    (tmp_path / (value if place == "name" else "f")).write_text("x")
    git("add", "--all", cwd=tmp_path)
    git("commit", "--quiet", "-m", value if place == "message" else "m", cwd=tmp_path)
    if place == "config":
        git("config", "remote.origin.url", f"https://u:{value}@h/r", cwd=tmp_path)
    assert {h.name for h in scan_repository(tmp_path / ".git", CANARIES)} == {"plain"}


def test_a_directory_is_looked_at_whole(tmp_path: Path) -> None:
    (tmp_path / "a" / ".hidden").mkdir(parents=True)
    (tmp_path / "a" / ".hidden" / "state.tfstate").write_bytes(FORMS["helm release"](VALUES["plain"]))
    (tmp_path / VALUES["eight"]).touch()
    (tmp_path / "link").symlink_to("/nowhere/" + VALUES["accents"])
    (tmp_path / "loop").symlink_to(tmp_path)
    assert {h.name for h in scan_directory(tmp_path, CANARIES)} == {"plain", "eight", "accents"}
