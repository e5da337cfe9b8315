"""Terraform itself, run on resources of its own: events, cancel, hang-up, files, environment."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.terraform_roots import GATE, Root, Seen, commands, open_gate, watch, when
from wizard import process
from wizard.clock import SystemClock
from wizard.errors import Cancelled, NeedsOperator, TierupError
from wizard.terraform import child
from wizard.terraform.terraform import Terraform


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Seen:
    found: Seen = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(process, "observe", watch(found))
    return found


@pytest.fixture
def gated(tmp_path: Path, seen: Seen) -> Root:
    os.mkfifo(tmp_path / "gate")
    return Root(tmp_path, GATE)


def test_events_come_while_it_runs_and_the_work_is_done(gated: Root) -> None:
    def observe(event: object) -> None:
        gated.events.append(event)  # type: ignore[arg-type]
        when("start", "terraform_data.gate", lambda: open_gate(gated.gate))(event)  # type: ignore[arg-type]

    gated.terraform.apply(None, gated.terraform.plan().digest, observe)
    names = ["first", "gate", "last"]
    assert gated.phases() == [(name, phase) for name in names for phase in ("start", "done")]
    assert gated.terraform.plan().empty


def test_a_review_writes_no_state_and_leaves_no_plan(gated: Root) -> None:
    plan = gated.terraform.plan()
    assert [c.action for c in plan.changes] == ["create"] * 3
    assert not gated.state.exists()
    assert not list(gated.directory.glob("*.tfplan"))


def test_cancel_is_one_sigint_and_what_was_begun_is_on_record(gated: Root) -> None:
    cancel = threading.Event()
    digest = gated.terraform.plan().digest
    with pytest.raises(Cancelled, match="on record"):
        gated.terraform.apply(None, digest, when("start", "terraform_data.gate", cancel.set), cancel)
    recorded = {r["name"] for r in json.loads(gated.state.read_text())["resources"]}
    assert "first" in recorded
    assert "last" not in recorded
    assert "Two interrupts" not in gated.log_text()
    assert not child.living(gated.directory)
    assert not list(gated.directory.glob("*.tfplan"))


def test_a_closed_terminal_does_not_end_it(gated: Root) -> None:
    def hang_up() -> None:
        os.kill(int(gated.children[-1]["pid"]), signal.SIGHUP)
        open_gate(gated.gate)

    gated.terraform.apply(None, gated.terraform.plan().digest, when("start", "terraform_data.gate", hang_up))
    assert gated.terraform.plan().empty


def test_a_failure_names_the_resource_and_what_is_done_stays_done(tmp_path: Path, seen: Seen) -> None:
    root = Root(tmp_path, GATE.replace("exec cat GATE > /dev/null", "echo no space >&2; exit 3"))
    with pytest.raises(TierupError) as failed:
        root.apply()
    (problem,) = failed.value.problems
    assert problem.what.startswith("Terraform (sample): terraform_data.gate: local-exec provisioner error")
    assert "exit status 3" in problem.what
    assert str(problem.place).startswith("terraform/sample/main.tf:")
    assert ("first", "done") in root.phases()
    assert ("gate", "failed") in root.phases()
    assert not list(root.directory.glob("*.tfplan"))


def test_state_plan_and_logs_are_for_this_user_alone(gated: Root) -> None:
    out = gated.directory / "kept.tfplan"
    gated.terraform.plan(out=out)
    gated.terraform.apply(None, gated.terraform.plan().digest, when("start", "terraform_data.gate", lambda: open_gate(gated.gate)))
    files = [out, gated.state, gated.directory / child.NAME, *gated.logs.iterdir()]
    assert {oct(f.stat().st_mode & 0o777) for f in files} == {"0o600"}
    assert {oct(d.stat().st_mode & 0o777) for d in (gated.directory, gated.logs)} == {"0o700"}


def test_logging_and_extra_arguments_of_the_operators_shell_are_left_out(gated: Root, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TF_LOG": "TRACE", "TF_LOG_PROVIDER": "TRACE", "TF_CLI_ARGS_plan": "-destroy", "TF_VAR_x": "1"}.items():
        monkeypatch.setenv(name, value)
    assert len(gated.terraform.plan().changes) == 3
    assert "[TRACE]" not in gated.log_text()
    for _, env in seen:
        assert not [name for name in env if name.startswith(("TF_LOG", "TF_CLI_ARGS", "TF_VAR_"))]
        assert env["TF_IN_AUTOMATION"] == env["CHECKPOINT_DISABLE"] == "1"


def test_init_runs_again_only_when_what_decides_it_has_changed(gated: Root, seen: Seen) -> None:
    gated.terraform.plan()
    gated.terraform.plan()
    assert commands(seen).count("init") == 1
    gated.change('"one"', '"two"')
    gated.terraform.plan()
    assert commands(seen).count("init") == 2
    (gated.directory / ".terraform" / "tierup-init.json").unlink()
    gated.terraform.plan()
    assert commands(seen).count("init") == 3


def test_a_plan_that_changed_since_it_was_approved_is_not_applied(gated: Root) -> None:
    approved = gated.terraform.plan()
    gated.change('"one"', '"two"')
    with pytest.raises(NeedsOperator, match=r"not approved: create terraform_data\.first"):
        gated.terraform.apply(None, approved.digest)
    assert not gated.state.exists() or not json.loads(gated.state.read_text())["resources"]
    assert gated.terraform.plan().digest != approved.digest


def test_a_resumed_run_may_do_the_rest_of_what_was_approved(gated: Root) -> None:
    approved = gated.terraform.plan()
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        gated.terraform.apply(None, approved.digest, when("start", "terraform_data.gate", cancel.set), cancel)
    gated.change('provisioner "local-exec" {\n    command = "exec', 'provisioner "local-exec" {\n    command = "true || exec')
    rest = gated.terraform.plan()
    tainted = {m for p in rest.planned if p.action == "replace" for m in [p.mark]}
    gated.terraform.apply(None, None, approved=approved.marks | tainted)
    assert gated.terraform.plan().empty


def test_a_state_that_could_not_be_written_is_written_before_anything_else(gated: Root) -> None:
    gated.change("exec cat", "true || cat")
    gated.apply()
    whole = json.loads(gated.state.read_text())
    gated.state.write_text(json.dumps({**whole, "resources": whole["resources"][:1]}))  # as before the last two were made
    (gated.directory / "errored.tfstate").write_text(json.dumps({**whole, "serial": whole["serial"] + 1}))
    gated.events.clear()
    gated.terraform.apply(None, None, gated.events.append)
    assert gated.events == []
    assert not (gated.directory / "errored.tfstate").exists()
    assert gated.terraform.plan().empty


def test_what_an_earlier_engine_left_at_work_is_waited_for(gated: Root, tmp_path: Path) -> None:
    program = tmp_path / "terraform"
    program.write_text(f"#!/bin/sh\nread line < {gated.gate}\n")
    program.chmod(0o700)
    left = process.start([str(program)], cwd=gated.directory, env=process.environment({}), log=tmp_path / "left.log")
    _until(lambda: left.pid in child.at_work(gated.directory))
    waits: list[int | None] = []

    class Opening(SystemClock):
        """Lets the program end once it is waited for."""

        def wait(self, event: threading.Event, seconds: float) -> bool:
            waits.append(left.poll())
            if len(waits) == 1:
                open_gate(gated.gate)
            left.wait(30)
            return event.is_set()

    later = Terraform(None, gated.directory, tmp_path / "kubeconfig", None, gated.logs, clock=Opening())
    assert later.settle() is True
    assert waits[0] is None
    assert later.settle() is False


def test_a_shell_that_stands_in_the_run_directory_is_not_waited_for(gated: Root, tmp_path: Path) -> None:
    shell = process.start(["cat", str(gated.gate)], cwd=gated.directory, env=process.environment({}), log=tmp_path / "shell.log")
    assert gated.terraform.settle() is False
    open_gate(gated.gate)
    assert shell.wait(30) == 0


def _until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not true():
        pause.wait(0.01)
