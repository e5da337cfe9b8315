"""What each secret of a plan needs. The heart: no generated value is ever made twice, and nothing that is held is lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wizard.secrets import Finding, Need, Secret, Source, VaultFile, store, survey
from wizard.secrets.surveying import Action

CANARY = "CANARY-5e10-value"
MADE = Need("made", "session key", ("password", 40))
TYPED = Need("typed", "API token")


@pytest.fixture
def vault(tmp_path: Path) -> VaultFile:
    return reopened(tmp_path)


def reopened(home: Path) -> VaultFile:
    found = VaultFile(home / "c" / "vault.age", home / "identity.txt")
    found.open()
    return found


def one(
    need: Need, vault: VaultFile, source: Source | None = None, given: str | None = None, environ: Mapping[str, str] | None = None
) -> Finding:
    (found,) = survey(
        [need], vault, {need.name: source} if source else {}, {need.name: Secret(given)} if given is not None else {}, environ=environ
    )
    return found


ENV = Source("env", "X")
BROKEN = Source("cmd", argv=("false",))


@pytest.mark.parametrize(
    ("need", "source", "given", "environ", "fresh", "held"),
    [
        # need, source, given now, environment -> with an empty vault, with another value held
        (MADE, None, None, {}, "generate", "keep"),
        (TYPED, None, None, {}, "missing", "keep"),
        (MADE, Source("generate"), None, {}, "generate", "keep"),
        (TYPED, Source("generate"), None, {}, "generate", "keep"),
        (MADE, Source("prompt"), None, {}, "missing", "keep"),
        (TYPED, Source("prompt"), None, {}, "missing", "keep"),
        (TYPED, None, "given-value-1", {}, "create", "replace"),
        (MADE, None, "given-value-1", {}, "create", "replace"),
        (MADE, Source("generate"), "given-value-1", {}, "create", "replace"),
        (TYPED, ENV, None, {"X": "env-value-1"}, "create", "replace"),
        (MADE, ENV, None, {"X": "env-value-1"}, "create", "replace"),
        (TYPED, ENV, None, {}, "missing", "keep"),
        (MADE, ENV, None, {}, "missing", "keep"),
        (TYPED, ENV, "given-value-1", {"X": "env-value-1"}, "create", "replace"),
        (TYPED, BROKEN, None, {}, "missing", "keep"),
        (TYPED, Source("vault", "none"), None, {}, "missing", "keep"),
        (TYPED, ENV, None, {"X": "changeme"}, "missing", "missing"),
        (TYPED, None, "  ", {}, "missing", "missing"),
    ],
)
def test_every_case(
    vault: VaultFile, need: Need, source: Source | None, given: str | None, environ: dict[str, str], fresh: Action, held: Action
) -> None:
    assert one(need, vault, source, given, environ).action == fresh
    vault.put({need.name: (Secret("held-value-0"), "prompt")})
    found = one(need, vault, source, given, environ)
    assert found.action == held
    assert (found.value is not None) == (held in ("create", "replace", "generate")), "a value only where something is to be stored"


def test_what_a_finding_says(vault: VaultFile) -> None:
    vault.put({"typed": (Secret("held-value-0"), "env:OLD")})
    kept = one(TYPED, vault, ENV)
    assert (kept.action, kept.origin, kept.length, kept.purpose) == ("keep", "env:OLD", 12, "API token")
    assert kept.note == "the variable X is not set; the stored value stays"
    made = one(MADE, vault)
    assert (made.origin, made.length) == ("generated", 40)
    given = one(TYPED, vault, given="abc ")
    assert (given.action, given.origin, given.length) == ("replace", "given", 4)
    assert "white space" in given.note
    assert "weak" in given.note
    refused = one(TYPED, vault, given="changeme")
    assert refused.note == "refused: it looks like a placeholder, not like a value"
    assert CANARY not in repr(one(TYPED, vault, given=CANARY))


def test_the_same_value_again_is_kept(vault: VaultFile) -> None:
    vault.put({"typed": (Secret("held-value-0"), "prompt")})
    assert one(TYPED, vault, ENV, environ={"X": "held-value-0"}).action == "keep"
    assert one(TYPED, vault, given="held-value-0").action == "keep"


def test_several_lines_only_where_expected(vault: VaultFile) -> None:
    assert one(TYPED, vault, given="two\nlines of text").action == "missing"
    assert one(Need("typed", lines=True), vault, given="two\nlines of text").action == "create"


def test_another_entry_of_the_vault_may_be_the_source(vault: VaultFile) -> None:
    vault.put({"shared": (Secret("shared-value"), "prompt")})
    found = one(TYPED, vault, Source("vault", "shared"))
    assert (found.action, found.origin, found.length) == ("create", "vault:shared", 12)


def test_a_question_is_asked_only_when_there_is_no_value(vault: VaultFile) -> None:
    asked: list[str] = []

    def ask(name: str) -> Secret:
        asked.append(name)
        return Secret("typed-value-1")

    first = survey([TYPED, MADE], vault, {"typed": Source("prompt")}, {}, ask=ask)
    store(vault, first)
    survey([TYPED, MADE], vault, {"typed": Source("prompt")}, {}, ask=ask)
    assert asked == ["typed"]


def test_a_name_needed_twice_is_found_once_and_all_missing_are_told(vault: VaultFile) -> None:
    found = survey([MADE, TYPED, MADE, Need("b")], vault, {}, {})
    assert [(one.name, one.action) for one in found] == [("made", "generate"), ("typed", "missing"), ("b", "missing")]


def test_a_survey_writes_nothing(vault: VaultFile, tmp_path: Path) -> None:
    survey([MADE, TYPED], vault, {}, {"typed": Secret("given-value")})
    assert list(tmp_path.iterdir()) == []


def test_a_generated_value_is_made_once(vault: VaultFile, tmp_path: Path) -> None:
    store(vault, survey([MADE], vault, {}, {}))
    held = vault.get("made")
    assert held
    for _ in range(3):
        again = reopened(tmp_path)
        found = survey([MADE], again, {"made": Source("generate")}, {})
        assert found[0].action == "keep"
        store(again, found)
    last = reopened(tmp_path)
    entry = last.get("made")
    assert entry
    assert (entry.value.reveal(), entry.revision, last.generation) == (held.value.reveal(), 1, 1)


def test_two_runs_at_once_end_with_one_value(tmp_path: Path) -> None:
    one, two = reopened(tmp_path), reopened(tmp_path)
    first, second = survey([MADE], one, {}, {}), survey([MADE], two, {}, {})
    store(one, first)
    store(two, second)
    mine, theirs, disk = (v.get("made") for v in (one, two, reopened(tmp_path)))
    assert mine and theirs and disk
    assert mine.value.reveal() == theirs.value.reveal() == disk.value.reveal()
    assert disk.revision == 1


def test_all_new_values_are_one_write(vault: VaultFile) -> None:
    store(vault, survey([MADE, TYPED, Need("third", generate=("hex", 32))], vault, {}, {"typed": Secret("given-value")}))
    assert vault.names() == ("made", "third", "typed")
    assert vault.generation == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from([None, Source("generate"), Source("prompt"), ENV, BROKEN]),
        st.sampled_from([None, "given-value-1", "given-value-2", "changeme"]),
        st.sampled_from([{}, {"X": "env-value-1"}, {"X": "env-value-2"}, {"X": ""}]),
    ),
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_nothing_held_is_lost_or_made_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Source | None, str | None, dict[str, str]]]
) -> None:
    home = tmp_path_factory.mktemp("survey")
    expected: str | None = None
    for source, given_now, environ in steps:
        vault = reopened(home)
        found = one(MADE, vault, source, given_now, environ)
        store(vault, [found])
        entry = reopened(home).get("made")
        now = entry.value.reveal() if entry else None
        if found.action == "generate":
            assert expected is None, "generated although there was a value"
        if found.action in ("keep", "missing"):
            assert now == expected
        if found.action in ("create", "replace"):
            assert now in (given_now, environ.get("X"))
        assert expected is None or now is not None
        expected = now
