"""A Secret does not come out by accident; sources are strict; each way to fail has its own words and holds no value."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import pickle
import re
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wizard.errors import InputError, Place, TierupError
from wizard.secrets import Secret, Source, Unresolved, generate, load_sources, parse_source, remarks, resolve

CANARY = "CANARY-91bc-value"


# --- the type


@pytest.mark.parametrize(
    "leak",
    [
        str,
        print,
        format,
        lambda s: f"{s}",
        lambda s: f"{s:>20}",
        lambda s: "%s" % s,  # noqa: UP031
        lambda s: "".join(s),
        json.dumps,
        lambda s: json.dumps({"a": s}),
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        list,
        iter,
        lambda s: s[0],
        lambda s: s == CANARY,
        lambda s: s != Secret(CANARY),
        lambda s: CANARY in [s],
        lambda s: "C" in s,
        lambda s: s + "x",
        lambda s: s.encode(),
        hash,
        vars,
        lambda s: s.__dict__,
        lambda s: s.__getstate__(),
        bytes,
        lambda s: setattr(s, "_Secret__value", "x"),
        lambda s: setattr(s, "other", "x"),
    ],
)
def test_a_secret_does_not_come_out(leak: Callable[[Any], Any], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((TypeError, AttributeError)) as caught:
        leak(Secret(CANARY))
    assert CANARY not in str(caught.value)
    assert CANARY not in capsys.readouterr().out


def test_what_a_secret_shows() -> None:
    secret = Secret(CANARY)
    assert repr(secret) == "Secret(******)"
    assert repr({"a": [secret]}) == "{'a': [Secret(******)]}"
    assert len(secret) == len(CANARY)
    assert secret.reveal() == CANARY
    assert Secret("é\n".encode()).reveal() == "é\n"


def test_bytes_that_are_no_text_are_said_without_them() -> None:
    with pytest.raises(InputError) as caught:
        Secret(b"CANARY\xff")
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_no_dataclass_copies_it() -> None:
    @dataclasses.dataclass
    class Holds:
        secret: Secret

    with pytest.raises(TypeError):
        dataclasses.asdict(Holds(Secret(CANARY)))


def test_a_crash_and_a_log_show_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(secret: Secret) -> None:
        held = {"x": secret}
        raise RuntimeError("broken", held)

    try:
        fails(Secret(CANARY))
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "Secret(******)" in shown
    assert CANARY not in shown
    handler = logging.StreamHandler()
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "value %r", (Secret(CANARY),), None)
    assert handler.format(record) == "value Secret(******)"


def test_an_uncaught_crash_with_rich_locals_shows_nothing() -> None:
    code = (
        "import sys; from rich.console import Console; from wizard.secrets import Secret\n"
        "def f(s):\n    held = [s]\n    raise RuntimeError('broken')\n"
        f"try: f(Secret(''.join(reversed({CANARY[::-1]!r}))))\n"
        "except RuntimeError: Console(width=200).print_exception(show_locals=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "broken" in done.stdout
    assert CANARY not in done.stdout + done.stderr


# --- generated


@pytest.mark.parametrize("length", [8, 20, 40, 64, 1024])
def test_generated_passwords_survive_every_parser(length: int) -> None:
    for _ in range(30):
        value = generate("password", length).reveal()
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", value)
        assert len(value) == length
        assert re.search("[a-z]", value)
        assert re.search("[A-Z]", value)
        assert re.search("[0-9]", value)


@pytest.mark.parametrize(
    ("kind", "length", "pattern"),
    [
        ("hex", 64, r"[0-9a-f]{64}"),
        ("hex", 33, r"[0-9a-f]{33}"),
        ("base64", 32, r"[A-Za-z0-9+/]{43}="),
        ("uuid", 0, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    ],
)
def test_generated_kinds(kind: str, length: int, pattern: str) -> None:
    values = {generate(kind, length).reveal() for _ in range(50)}
    assert len(values) == 50
    assert all(re.fullmatch(pattern, value) for value in values)


@pytest.mark.parametrize(("kind", "length"), [("password", 7), ("password", 1025), ("hex", 0), ("rsa", 40)])
def test_generated_with_nonsense(kind: str, length: int) -> None:
    with pytest.raises(ValueError, match=r"secret"):
        generate(kind, length)


# --- what is doubtful about a value


@pytest.mark.parametrize(
    ("value", "words", "refused"),
    [
        ("", "empty", True),
        (" \n\t", "only white space", True),
        ("x" * 1_048_577, "1048577 bytes", True),
        ("a" * 20 + "\0", "NUL", True),
        ("changeme", "placeholder", True),
        ("Change-Me123!", "placeholder", True),
        ("<token>", "placeholder", True),
        ("xxxxxxxx", "placeholder", True),
        ("your-api-token", "placeholder", True),
        ("${GIT_TOKEN}", "placeholder", True),
        ("{{ .Values.x }}", "placeholder", True),
        ("example", "placeholder", True),
        ("line one\nline two", "line breaks", True),
        (" " + "x1" * 8, "white space", False),
        ("x1" * 8 + "\n", "white space", False),
        ("x1" * 8 + "\x1b", "control", False),
        ("short1", "weak", False),
        ("Password", "weak", False),
    ],
)
def test_doubtful_values(value: str, words: str, refused: bool) -> None:
    found = remarks(Secret(value))
    assert any(words in remark.what and remark.refused == refused for remark in found)
    assert not value.strip() or len(value) < 6 or not any(value.strip() in remark.what for remark in found)


PEM = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "value", ["x1" * 8, "correct horse battery staple", PEM, "pässwörd-lang-genug", "$2y$10$abcdefghijklmnopqrstuv", "exampleXtoken99"]
)
def test_good_values(value: str) -> None:
    assert remarks(Secret(value)) == ()
    assert remarks(Secret("one line\nand two\n"), lines=True) == ()


# --- sources


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("prompt", Source("prompt")),
        ("prompt:", Source("prompt")),
        ("generate", Source("generate")),
        ("env:GIT_TOKEN", Source("env", "GIT_TOKEN")),
        ("vault:git-token", Source("vault", "git-token")),
    ],
)
def test_sources_of_a_plan(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize("text", ["file:/etc/passwd", "cmd:op read x"])
def test_a_plan_names_neither_files_nor_commands(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(text, Place("plan.yaml", 3, 7))
    assert caught.value.problems[0].place == Place("plan.yaml", 3, 7)
    assert "sources.yaml" in caught.value.problems[0].remedy


def test_this_machine_names_both() -> None:
    assert parse_source("file:~/key", machine=True) == Source("file", "~/key")
    assert parse_source("cmd:op read 'a b'", machine=True) == Source("cmd", argv=("op", "read", "a b"))
    assert str(parse_source("cmd:/usr/bin/op read secret-item", machine=True)) == "cmd:op"


NO_SOURCES = (
    CANARY, f"https://user:{CANARY}@host", f"env:{CANARY}", f"vault:{CANARY} x", f"generate:{CANARY}", f"prompt:{CANARY}", f"cmd:'{CANARY}",
    "", "Prompt", "env:", "env:PATH", "env:git_token", "env:A\n", "vault:", "vault:A", "cmd:", "file: ",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_SOURCES)
def test_what_is_no_source_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(text, machine=True)
    assert CANARY not in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_source_or_refused(text: str) -> None:
    for prefix in ("", "env:", "vault:", "cmd:", "file:"):
        try:
            parse_source(prefix + text, machine=True)
        except InputError:
            continue


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


HEAD = "apiVersion: tierup/v1\nkind: SecretSources\nsources:\n"


def test_sources_of_this_machine(tmp_path: Path) -> None:
    path = write(
        tmp_path / "sources.yaml",
        HEAD + "  git-token: {cmd: [op, read, 'op://home/git'], timeoutSeconds: 5, env: [OP_SESSION]}\n  tls-key: {file: /etc/tls.key}\n"
        "  other: env:OTHER\n",
    )
    assert load_sources(path) == {
        "git-token": Source("cmd", argv=("op", "read", "op://home/git"), seconds=5, keep=("OP_SESSION",)),
        "tls-key": Source("file", "/etc/tls.key"),
        "other": Source("env", "OTHER"),
    }
    assert load_sources(tmp_path / "none.yaml") == {}


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        ("  a: {cmd: op read}\n", "4:12", "must be a list"),
        ("  a: {cmd: []}\n", "4:12", "at least 1"),
        ("  a: {comand: [x]}\n", "4:6", "unknown field"),
        ("  a: {cmd: [x], timeoutSeconds: 900}\n", "4:33", "300"),
        (f"  a: {CANARY}\n", "4:6", "not a source"),
        ("  A_b: prompt\n", "4:3", "lower-case"),
        ("  a: {cmd: [x, 010]}\n", "4:16", "put it in quotes"),
        ("  a: prompt\n  a: prompt\n", "5:3", "duplicate"),
    ],
)
def test_a_wrong_sources_file(tmp_path: Path, body: str, place: str, words: str) -> None:
    path = write(tmp_path / "sources.yaml", HEAD + body)
    with pytest.raises(InputError, match=words) as caught:
        load_sources(path)
    assert str(caught.value.problems[0].place) == f"{path}:{place}"
    assert CANARY not in str(caught.value)


def test_a_sources_file_others_may_touch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="others"):
        load_sources(write(tmp_path / "sources.yaml", HEAD, 0o644))


# --- resolving


def cmd(script: str, **options: Any) -> Source:
    return Source("cmd", argv=("/bin/sh", "-c", script), **options)


def test_resolving_env_and_prompt() -> None:
    assert resolve(Source("env", "A"), environ={"A": " x "}).reveal() == " x "
    assert resolve(Source("prompt"), environ={}, ask=lambda name: Secret(name + "!"), name="a").reveal() == "a!"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"token\n", "token"),
        (b"token\r\n", "token"),
        (b"token", "token"),
        (b"  x \n", "  x "),
        (PEM.encode(), PEM),
        (b"a\nb\n", "a\nb\n"),
    ],
)
def test_resolving_a_file_keeps_every_byte_but_the_line_end_of_one_line(tmp_path: Path, data: bytes, value: str) -> None:
    (tmp_path / "f").write_bytes(data)
    (tmp_path / "f").chmod(0o400)
    assert resolve(Source("file", str(tmp_path / "f")), environ={}).reveal() == value


def test_resolving_a_command() -> None:
    assert resolve(cmd("printf ' two\\nlines \\n\\n'"), environ={}).reveal() == " two\nlines \n", "one line end is removed"
    assert resolve(Source("cmd", argv=("echo", "$HOME; x")), environ={}).reveal() == "$HOME; x", "there is no shell"


def test_a_command_sees_only_the_variables_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BW_SESSION", "session")
    monkeypatch.setenv("OTHER_TOKEN", CANARY)
    assert resolve(cmd("echo $BW_SESSION-$OTHER_TOKEN", keep=("BW_SESSION",)), environ={}).reveal() == "session-"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source("prompt"), "nobody to ask"),
        (Source("env", "UNSET"), "variable UNSET is not set"),
        (Source("env", "EMPTY"), "env:EMPTY gives an empty value"),
        (Source("vault", "none"), "has no entry `none`"),
        (Source("cmd", argv=("no-such-program",)), "was not found"),
        (cmd("exit 1"), "ended with 1\\n"),
        (cmd("echo not logged in >&2; exit 2"), "ended with 2: not logged in"),
        (cmd("printf '\\033]0;x\\007bad\\n' >&2; exit 2"), "ended with 2: \ufffdbad"),
        (cmd("true"), "printed nothing"),
        (cmd("echo"), "printed nothing"),
        (cmd("sleep 600", seconds=0.2), r"did not finish within 0\.2 s"),
        (cmd("exec cat /dev/zero"), "wrote more than 65536"),
        (cmd("printf '\\377'"), "UTF-8"),
        (cmd("cat; [ -t 0 ] || exit 5"), "ended with 5"),
    ],
)
def test_each_failure_has_its_words(source: Source, words: str) -> None:
    with pytest.raises(Unresolved, match=words) as caught:
        resolve(source, environ={"EMPTY": ""}, name="a")
    assert caught.value.exit_code == 3


def test_a_long_complaint_is_cut() -> None:
    with pytest.raises(Unresolved) as caught:
        resolve(cmd("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1"), environ={})
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InputError, match="chmod 600"):
        resolve(Source("file", str(write(tmp_path / "f", CANARY, mode))), environ={})


def test_a_file_that_is_a_link_or_a_fifo_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "f", CANARY)
    (tmp_path / "link").symlink_to("f")
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name, word in (("link", "symbolic link"), ("fifo", "FIFO"), ("none", "no such file")):
        with pytest.raises(InputError, match=word):
            resolve(Source("file", str(tmp_path / name)), environ={})


def test_a_file_may_be_named_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "key", "x")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert resolve(Source("file", "~/key"), environ={}).reveal() == "x"


def test_generate_has_nothing_to_resolve() -> None:
    with pytest.raises(ValueError, match="generate"):
        resolve(Source("generate"), environ={})
    assert issubclass(Unresolved, TierupError)
