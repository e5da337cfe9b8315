"""The vault comes first: what was typed or made is on the disk before anything else is touched, and what is held is not made again."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from wizard import files
from wizard.journeys.steps import VaultStep
from wizard.run.steps import Verdict
from wizard.secrets import Need, Secret, VaultFile, parse_source, survey

NEEDS = (Need("typed", "a token"), Need("made", "a password", generate=("password", 32)))
GIVEN = {"typed": Secret("typed-by-the-operator")}


def step(tmp_path: Path) -> tuple[VaultStep, VaultFile]:
    vault = VaultFile(tmp_path / "home" / "vault.age", tmp_path / "identity.txt")
    vault.open()
    sources = {"made": parse_source("generate", None)}
    return VaultStep(cast(Any, SimpleNamespace(vault=vault, findings=survey(NEEDS, vault, sources, GIVEN)))), vault


def reread(tmp_path: Path) -> dict[str, str]:
    vault = VaultFile(tmp_path / "home" / "vault.age", tmp_path / "identity.txt")
    vault.open()
    return {name: entry.value.reveal() for name in vault.names() if (entry := vault.get(name))}


def test_when_the_step_has_ended_another_process_reads_the_values(tmp_path: Path) -> None:
    first, _ = step(tmp_path)
    assert first.probe().verdict is Verdict.ABSENT
    first.apply(print, threading.Event())
    assert first.verify().verdict is Verdict.DONE
    stored = reread(tmp_path)
    assert stored["typed"] == "typed-by-the-operator"
    assert len(stored["made"]) == 32


def test_a_step_that_comes_again_makes_nothing_twice(tmp_path: Path) -> None:
    step(tmp_path)[0].apply(print, threading.Event())
    stored = reread(tmp_path)
    again, vault = step(tmp_path)
    assert again.probe().verdict is Verdict.DONE
    again.apply(print, threading.Event())
    assert reread(tmp_path) == stored
    assert vault.generation == 1


def test_the_vault_is_synced_before_the_step_ends(tmp_path: Path, monkeypatch: Any) -> None:
    reachedpoints: list[str] = []
    monkeypatch.setattr(files, "failpoint", reachedpoints.append)
    step(tmp_path)[0].apply(print, threading.Event())
    assert {"synced", "renamed", "durable"} <= set(reachedpoints)
