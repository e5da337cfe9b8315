"""Starting engines: one at a time, and a refused one leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.client.launch import launch
from wizard.errors import Locked
from wizard.run.lock import MachineLock
from wizard.state.places import Places
from wizard.state.request import Request

PLAN = "apiVersion: tierup/v1\nkind: Plan\nname: home\ngit:\n  url: https://git.example.net/me/homelab.git\n"


def test_a_second_engine_is_refused_at_once_and_leaves_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERUP_HOME", str(tmp_path))
    where = Places("home", tmp_path / "config", tmp_path / "state")
    with launch(where, Request(name="home", kubeconfig=str(tmp_path / "none")), PLAN) as first:
        going_on = where.latest_run()
        with pytest.raises(Locked, match="another tierup works on this cluster"):
            launch(where, Request(name="home"), PLAN)
        assert where.latest_run() == going_on
        first.begin({})
        last = list(first.states())[-1]
    assert last.exit_code == 64
    assert "kubeconfig" in last.problems[0]


def test_a_lock_without_an_engine_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERUP_HOME", str(tmp_path))
    where = Places("home", tmp_path / "config", tmp_path / "state")
    where.home.mkdir(parents=True, mode=0o700)
    lock = MachineLock(where.lock)
    lock.take("r1")
    with pytest.raises(Locked, match="run r1"):
        launch(where, Request(name="home"), PLAN)
    lock.free()
    assert where.latest_run() is None
