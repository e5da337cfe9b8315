"""The preflight on a machine without a cluster: every check says something, none ends the others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wizard.cli.doctor import doctor


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIERUP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path


def run(home: Path, *args: str) -> Result:
    git = ["--git", "http://127.0.0.1:9/nowhere.git"] if "--git" not in args else []
    result = CliRunner().invoke(doctor, ["minimal", "--kubeconfig", str(home / "none"), *git, *args, "--json"], standalone_mode=False)
    assert result.exception is None, result.exception
    return result


def states(result: Result) -> dict[str, str]:
    return {c["name"]: c["state"] for c in json.loads(result.output)}


def test_one_missing_thing_does_not_hide_the_others(home: Path) -> None:
    result = run(home)
    found = states(result)
    assert found["cluster"] == "failed"
    assert found["python"] == found["state folder"] == found["vault"] == "ok"
    assert "order" in found
    assert result.return_value == 1


def test_every_failure_has_a_remedy(home: Path) -> None:
    for checked in json.loads(run(home).output):
        if checked["state"] in ("failed", "operator"):
            assert checked["remedy"], checked


def test_a_vault_without_its_key_is_named(home: Path) -> None:
    folder = home / "home" / "config" / "minimal"
    folder.mkdir(parents=True, mode=0o700)
    (home / "home").chmod(0o700)
    (folder / "vault.age").write_bytes(b"age-encryption.org/v1\nnothing\n")
    (folder / "vault.age").chmod(0o600)
    assert states(run(home))["vault"] == "operator"


def test_variables_that_would_leak_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_LOG", "trace")
    checked = next(c for c in json.loads(run(home).output) if c["name"] == "environment")
    assert checked["state"] == "warn"
    assert "TF_LOG" in checked["found"]


def test_a_missing_terraform_is_for_the_operator(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_git = home / "bin"
    only_git.mkdir()
    git = next(Path(p) / "git" for p in os.environ["PATH"].split(":") if (Path(p) / "git").exists())
    (only_git / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(only_git))
    assert states(run(home))["terraform"] == "operator"


def test_an_unfinished_run_is_pointed_out(home: Path) -> None:
    from wizard.run.journal import Journal
    from wizard.state.places import places
    from wizard.state.request import Request

    where = places("minimal", {"TIERUP_HOME": str(home / "home")})
    folder = where.runs / "20260101T000000.000000Z-aaaa"
    folder.mkdir(parents=True)
    for parent in (home / "home", home / "home" / "state", where.home, where.runs, folder):
        parent.chmod(0o700)
    (folder / "request.json").write_bytes(Request(name="minimal").to_json())
    journal = Journal(folder / "journal.jsonl")
    journal.write("approved", digest="d")
    journal.close()
    assert states(run(home))["earlier run"] == "warn"
