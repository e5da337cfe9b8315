"""Terraform's roots are looked at side by side, but their providers are put in place one after the other and before that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wizard.journeys import look as room
from wizard.journeys.look import Look
from wizard.plan import load_preset
from wizard.state.places import Places
from wizard.state.request import Request
from wizard.terraform import backend, inputs, recovery


class Recorded:
    """A root that only remembers what it was told, in one list for all."""

    told: list[str]

    def __init__(self, _: object, directory: Path, *rest: object, **more: object) -> None:
        self.root = directory.name

    def stage(self, files: object) -> None:
        self.told.append(f"stage {self.root}")

    def settle(self) -> None:
        self.told.append(f"settle {self.root}")

    def init(self) -> None:
        self.told.append(f"init {self.root}")

    def plan(self, *, fresh: bool = False, **more: object) -> Any:
        self.told += [f"init {self.root}"] if fresh else [f"plan {self.root}"]  # a fresh one initialises a folder of its own
        return SimpleNamespace(planned=())


@pytest.mark.parametrize("fresh", ["", "flux"])
def test_no_root_is_planned_while_another_one_gets_its_providers(fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` without a lock file takes a provider out of the shared cache and puts it there anew: a plan then finds none."""
    monkeypatch.setattr(Recorded, "told", [], raising=False)
    monkeypatch.setattr(room, "Terraform", Recorded)
    monkeypatch.setattr(room, "files_at", lambda *_: {})
    monkeypatch.setattr(inputs, "machine", lambda *_: {})
    where = Places("home", tmp_path / "config", tmp_path / "state")
    look: Any = Look(load_preset("minimal").plan, Request("home"), where, tmp_path)
    look.repository, look.prepared, look.facts = SimpleNamespace(git=None), SimpleNamespace(commit=""), SimpleNamespace(helm_releases=())
    look.catalog = look.order = None
    look.api = SimpleNamespace(find=lambda path: None if fresh and path == backend.state_path(fresh) else {})
    monkeypatch.setattr(recovery, "strays", lambda *_: recovery.Strays())
    with ThreadPoolExecutor(3) as side:
        look._plan_terraform(side)
    first_plan = min(Recorded.told.index(f"plan {root}") for root in inputs.ROOTS if root != fresh)
    assert {f"init {root}" for root in inputs.ROOTS} <= set(Recorded.told[:first_plan])
    for root in inputs.ROOTS:
        assert Recorded.told.index(f"stage {root}") < Recorded.told.index(f"settle {root}") < Recorded.told.index(f"init {root}")
