"""The tests have teeth: each of the breakages of tests/mutants.py is noticed by the unit tests named with it."""

from __future__ import annotations

import pytest

from tests.mutants import MUTANTS, ROOT, Mutant, broken, check, failing

SAMPLE = ("the probe of a step", "the digest check", "the observedGeneration check: of the object", "the deadline")
NAMED: tuple[str, ...] = (
    "the probe of a step",
    "an fsync",
    "the observedGeneration check",
    "the leak scan",
    "the lock",
    "the digest check",
)
NAMED += ("the vault write", "the deadline")


def test_the_list_names_everything_that_must_not_go_unnoticed_and_keeps_up_with_the_code() -> None:
    assert {m.promise.partition(":")[0] for m in MUTANTS} >= set(NAMED)
    for mutant in MUTANTS:
        assert broken((ROOT / "wizard" / mutant.file).read_text(), mutant)


@pytest.mark.torture
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.promise)
def test_taking_it_out_fails_a_test(mutant: Mutant) -> None:
    assert check(mutant).caught


@pytest.mark.torture
def test_nothing_fails_where_nothing_is_taken_out() -> None:
    """Else a mutant would be "caught" by a test that fails anyway in a copy of the project."""
    every = tuple(sorted({name for mutant in MUTANTS for name in mutant.tests}))
    assert failing(every) == ()


@pytest.mark.parametrize("promise", SAMPLE)
def test_taking_one_of_a_sample_out_fails_a_test(promise: str) -> None:
    assert check(next(m for m in MUTANTS if m.promise == promise)).caught
