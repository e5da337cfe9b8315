"""The vault file: no value is lost, none is made twice, and every way it can be unreadable is told apart."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrage import x25519

from wizard import files
from wizard.errors import InputError, TierupError
from wizard.secrets import DamagedVault, NewerVault, RolledBack, Secret, VaultError, VaultFile, WrongKey

CANARY = "CANARY-44de-value"


class Days:
    """A clock that goes on by a day whenever it is asked."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(days=1)
        return self._now

    def monotonic(self) -> float:
        return 0.0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.is_set()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "config"


def vault(home: Path, **options: Any) -> VaultFile:
    found = VaultFile(home / "rack-1" / "vault.age", home / "identity.txt", clock=Days(), **options)
    found.open()
    return found


def value(of: VaultFile, name: str) -> str:
    entry = of.get(name)
    assert entry is not None
    return entry.value.reveal()


def put(into: VaultFile, origin: str = "prompt", /, **values: str) -> None:
    into.put({name: (Secret(text), origin) for name, text in values.items()})


def test_opening_makes_nothing(home: Path) -> None:
    empty = vault(home)
    assert (empty.names(), empty.vault_id, empty.generation, empty.get("a")) == ((), "", 0, None)
    assert not home.exists()


def test_the_first_put_makes_key_and_vault_private(home: Path) -> None:
    old = os.umask(0)
    try:
        put(vault(home), a=CANARY)
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [home, *home.rglob("*")]}
    assert modes == {
        "config": 0o700, "rack-1": 0o700, "identity.txt": 0o600, "vault.age": 0o600, ".vault.age.seen": 0o600, ".vault.age.lock": 0o600,
    }  # fmt: skip
    for path in home.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN X-----\nMIIB\r\n\n  indented\n-----END X-----\n",
        "  lead and trail \t",
        "é\U0001f600\u202e\u0301",
        '"\\${x}%{y}',
        "\x1b\x01",
        "x" * 500_000,
        "\n",
    ],
)
def test_values_survive_byte_for_byte(home: Path, text: str) -> None:
    put(vault(home), a=text)
    assert value(vault(home), "a") == text


def test_another_machine_opens_it_with_the_two_files(home: Path, tmp_path: Path) -> None:
    put(vault(home), a=CANARY)
    other = tmp_path / "other"
    files.private_directory(other / "rack-1")
    files.write_atomic(other / "identity.txt", (home / "identity.txt").read_bytes())
    files.write_atomic(other / "rack-1" / "vault.age", (home / "rack-1" / "vault.age").read_bytes())
    assert value(vault(other), "a") == CANARY
    assert vault(other).digest("a") == vault(home).digest("a")


def test_a_revision_rises_only_with_the_value(home: Path) -> None:
    one = vault(home)
    put(one, a="1", b="1")
    put(one, a="2", b="1")
    put(one, "env:X", a="2", b="1")
    entries = {name: one.get(name) for name in one.names()}
    assert {name: entry.revision for name, entry in entries.items() if entry} == {"a": 2, "b": 1}
    assert one.generation == 2, "what changes nothing is not written"
    assert (entries["a"] and entries["a"].created) == (entries["b"] and entries["b"].created), "created stays"
    assert entries["a"]
    assert entries["a"].updated > entries["a"].created
    assert entries["a"].origin == "prompt"
    assert vault(home).generation == 2


def test_a_digest_changes_with_the_value_and_is_the_vaults_own(home: Path, tmp_path: Path) -> None:
    one, other = vault(home), vault(tmp_path / "other")
    put(one, a="1", b="1")
    put(other, a="1")
    before = one.digest("a")
    assert len(before) == 16
    assert int(before, 16) >= 0
    assert len({before, one.digest("b"), other.digest("a")}) == 3, "neither another name nor another vault gives the same"
    put(one, a="2")
    assert one.digest("a") != before
    put(one, a="1")
    assert one.digest("a") == before
    with pytest.raises(KeyError):
        one.digest("none")


def test_one_put_is_one_atomic_durable_write_of_the_vault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = vault(home)
    put(one, a="1")
    order: list[str] = []
    real_replace, real_fsync = os.replace, os.fsync

    def replace(source: Any, target: Any, **options: Any) -> None:
        order.append(f"replace {Path(target).name}")
        real_replace(source, target, **options)

    def fsync(fd: int) -> None:
        order.append("fsync")
        real_fsync(fd)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "fsync", fsync)
    put(one, a="2", b="1", c="1")
    writes = [step for step in order if step not in ("fsync", "replace vault.age.2", "replace vault.age.3")]
    assert writes == ["replace vault.age.1", "replace vault.age", "replace .vault.age.seen"]
    at = order.index("replace vault.age")
    assert (order[at - 1], order[at + 1]) == ("fsync", "fsync"), "the file before its name, the name before anything else"


@pytest.mark.parametrize("point", ["created", "written", "synced", "renamed", "durable"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_kill_at_any_point_of_a_put_loses_nothing(home: Path, monkeypatch: pytest.MonkeyPatch, point: str, nth: int) -> None:
    put(vault(home), a="1", b="1")
    hits = 0

    def kill(reached: str) -> None:
        nonlocal hits
        hits += reached == point
        if hits == nth and reached == point:
            raise KeyboardInterrupt

    one = vault(home)
    monkeypatch.setattr(files, "failpoint", kill)
    with pytest.raises(KeyboardInterrupt):
        put(one, a="2", c="1")
    monkeypatch.undo()
    after = vault(home)
    held = {name: value(after, name) for name in after.names()}
    assert held in ({"a": "1", "b": "1"}, {"a": "2", "b": "1", "c": "1"}), "all of the put or nothing of it"
    put(after, d="1")
    assert value(vault(home), "d") == "1"


def test_a_failed_write_is_said_and_leaves_the_vault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = vault(home)
    put(one, a="1")
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(TierupError, match="no space"):
        put(one, a="2")
    monkeypatch.undo()
    assert value(vault(home), "a") == "1"


def test_three_generations_stay_readable(home: Path, tmp_path: Path) -> None:
    one = vault(home)
    for number in range(1, 7):
        put(one, a=str(number))
    files_there = sorted(path.name for path in (home / "rack-1").glob("vault.age*"))
    assert files_there == ["vault.age", "vault.age.1", "vault.age.2", "vault.age.3"]
    for number, expected in ((1, "5"), (2, "4"), (3, "3")):
        old = VaultFile(home / "rack-1" / f"vault.age.{number}", home / "identity.txt", seen=tmp_path / f"seen{number}")
        old.open()
        assert value(old, "a") == expected


def test_two_writers_take_turns(home: Path) -> None:
    one, two = vault(home), vault(home)
    put(one, a="1")
    put(two, b="1")
    assert two.names() == ("a", "b"), "what the other wrote meanwhile stays"
    two.put({"a": (Secret("generated anew"), "generated")}, unless_held={"a"})
    assert value(two, "a") == "1"
    writers = [threading.Thread(target=put, args=(vault(home),), kwargs={f"t{number}": "x"}) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert vault(home).names() == ("a", "b", *(f"t{number}" for number in range(8)))


def test_two_first_writers_end_with_one_key(home: Path) -> None:
    clusters = [VaultFile(home / f"rack-{number}" / "vault.age", home / "identity.txt") for number in range(6)]
    writers = [threading.Thread(target=put, args=(cluster,), kwargs={"a": "x"}) for cluster in clusters]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for cluster in clusters:
        again = VaultFile(cluster.path, cluster.identity)
        again.open()
        assert value(again, "a") == "x"


# --- ways to be unreadable


def rewrite(home: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Alters what is inside the vault with its own key."""
    path = home / "rack-1" / "vault.age"
    identity = x25519.Identity.from_str((home / "identity.txt").read_text().splitlines()[-1])
    payload = json.loads(pyrage.decrypt(path.read_bytes(), [identity]))
    change(payload)
    files.write_atomic(path, pyrage.encrypt(json.dumps(payload).encode(), [identity.to_public()]))


@pytest.fixture
def written(home: Path) -> Path:
    one = vault(home)
    put(one, a="1")
    put(one, a=CANARY)
    return home


def test_the_format(written: Path) -> None:
    seen: dict[str, Any] = {}
    rewrite(written, seen.update)
    assert set(seen) == {"format", "version", "vaultId", "revision", "updatedAt", "hmacKey", "entries"}
    assert (seen["format"], seen["version"], seen["revision"]) == ("tierup/vault", 1, 2)
    assert set(seen["entries"]["a"]) == {"value", "encoding", "createdAt", "updatedAt", "origin", "revision"}


def another_key(home: Path) -> None:
    files.write_atomic(home / "identity.txt", str(x25519.Identity.generate()))


def no_key(home: Path) -> None:
    (home / "identity.txt").unlink()


def cut(home: Path) -> None:
    path = home / "rack-1" / "vault.age"
    files.write_atomic(path, path.read_bytes()[:-7])


def flipped(home: Path) -> None:
    path = home / "rack-1" / "vault.age"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    files.write_atomic(path, bytes(data))


def emptied(home: Path) -> None:
    files.write_atomic(home / "rack-1" / "vault.age", b"")


def not_ours(home: Path) -> None:
    rewrite(home, lambda payload: payload.update(format="other"))


def bare(home: Path) -> None:
    rewrite(home, lambda payload: payload.clear())


def bad_entry(home: Path) -> None:
    rewrite(home, lambda payload: payload["entries"].update(a="x"))


def newer(home: Path) -> None:
    rewrite(home, lambda payload: payload.update(version=2))


def older(home: Path) -> None:
    path = home / "rack-1" / "vault.age"
    path.with_name("vault.age.1").replace(path)


def other_vault(home: Path) -> None:
    rewrite(home, lambda payload: payload.update(vaultId="another"))


def vanished(home: Path) -> None:
    (home / "rack-1" / "vault.age").unlink()


@pytest.mark.parametrize(
    ("harm", "error", "words", "remedy"),
    [
        (another_key, WrongKey, "not encrypted for the key", "identity file"),
        (no_key, WrongKey, "its key .* is not", "copy the identity"),
        (cut, DamagedVault, "cut short or altered", r"vault\.age\.1 \(generation 1, 2026-01-02"),
        (flipped, DamagedVault, "cut short or altered", r"generation 1"),
        (emptied, DamagedVault, "cut short or altered", r"generation 1"),
        (not_ours, DamagedVault, "no vault of tierup", r"generation 1"),
        (bare, DamagedVault, "no vault of tierup", r"generation 1"),
        (bad_entry, DamagedVault, "no vault of tierup", r"generation 1"),
        (newer, NewerVault, "version 2, this tierup knows 1", "newer one"),
        (older, RolledBack, "generation 1 of 2026-01-02.*seen last was generation 2 of 2026-01-0", "on purpose, remove .*seen"),
        (other_vault, RolledBack, "another vault", "on purpose"),
        (vanished, RolledBack, "is gone: it was there with generation 2", r"generation 1"),
    ],
)
def test_what_is_wrong_is_told_apart(written: Path, harm: Callable[[Path], None], error: type[VaultError], words: str, remedy: str) -> None:
    harm(written)
    files_before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    for use in (
        lambda: vault(written),
        lambda: VaultFile(written / "rack-1" / "vault.age", written / "identity.txt").put({"a": (Secret("x"), "y")}),
    ):
        with pytest.raises(error, match=words) as caught:
            use()
        assert caught.value.exit_code == 3
        assert re.search(remedy, caught.value.problems[0].remedy)
        assert CANARY not in str(caught.value)
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == files_before, "nothing is touched, no key is made"


def test_an_older_vault_can_be_taken_on_purpose(written: Path) -> None:
    older(written)
    (written / "rack-1" / ".vault.age.seen").unlink()
    assert value(vault(written), "a") == "1"


def test_the_note_of_what_was_seen_can_lie_elsewhere(home: Path, tmp_path: Path) -> None:
    put(vault(home, seen=tmp_path / "state" / "seen"), a="1")
    assert json.loads((tmp_path / "state" / "seen").read_text())["revision"] == "1"
    assert not (home / "rack-1" / ".vault.age.seen").exists()
    (tmp_path / "state" / "seen").write_text("not json")
    assert value(vault(home, seen=tmp_path / "state" / "seen"), "a") == "1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no age identity"),
        ("# only\n", "no age identity"),
        ("hello\n", "not an age identity"),
        ("AGE-SECRET-KEY-PQ-1ABC\n", "post-quantum"),
    ],
)
def test_a_wrong_identity_file_is_said(written: Path, text: str, words: str) -> None:
    files.write_atomic(written / "identity.txt", text)
    with pytest.raises(InputError, match=words) as caught:
        vault(written)
    assert "PQ-1ABC" not in str(caught.value)


def test_an_identity_others_may_read_is_refused(written: Path) -> None:
    (written / "identity.txt").chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        vault(written)


def test_an_identity_of_several_lines_opens_with_any(written: Path) -> None:
    mine = (written / "identity.txt").read_text()
    files.write_atomic(written / "identity.txt", f"# another\n{x25519.Identity.generate()}\n{mine}")
    assert value(vault(written), "a") == CANARY


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_vault_never_gives_a_value_or_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    home = tmp_path_factory.mktemp("v") / "config"
    put(vault(home), a=CANARY)
    path = home / "rack-1" / "vault.age"
    raw = bytearray(path.read_bytes())
    at = int(data.draw(st.floats(0, 1, exclude_max=True)) * len(raw))  # a share: age files of equal content differ in length
    raw[at] ^= data.draw(st.integers(1, 255))
    files.write_atomic(path, bytes(raw))
    with pytest.raises(VaultError):
        vault(home)
