"""Whose lock it is, and when its holder counts as dead."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wizard import process
from wizard.terraform import child
from wizard.terraform.backend import LockInfo, from_diagnostic, from_lease

DETAIL = """the state is already locked by another terraform client
Lock Info:
  ID:        0b1c2d3e-aaaa-bbbb-cccc-123456789abc
  Path:      
  Operation: OperationTypeApply
  Who:       me@desk
  Version:   1.11.4
  Created:   2026-11-23 09:12:13.123456789 +0000 UTC
  Info:      

Terraform acquires a state lock to protect the state."""  # noqa: W291 - as Terraform prints it
LEASE = {
    "metadata": {
        "annotations": {
            "app.terraform.io/lock-info": '{"ID":"0b1c2d3e-aaaa-bbbb-cccc-123456789abc","Operation":"OperationTypeApply","Info":"",'
            '"Who":"me@desk","Version":"1.11.4","Created":"2026-11-23T09:12:13.123456789Z","Path":""}'
        }
    },
    "spec": {"holderIdentity": "0b1c2d3e-aaaa-bbbb-cccc-123456789abc"},
}
NOW = datetime(2026, 11, 23, 9, 12, 13, 123456, tzinfo=UTC)
ME = f"{getpass.getuser()}@{socket.gethostname()}"


def test_the_holder_is_read_from_terraforms_words_and_from_the_lease_alike() -> None:
    told = LockInfo("0b1c2d3e-aaaa-bbbb-cccc-123456789abc", "me@desk", "OperationTypeApply", NOW)
    assert from_diagnostic(DETAIL) == from_lease(LEASE) == told
    assert from_lease({"metadata": LEASE["metadata"], "spec": {}}) is None
    assert from_diagnostic("connection refused") is None


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A run directory whose last child was started a second before NOW and wrote its last line five seconds later."""
    ended = process.start(["true"], cwd=tmp_path, env=process.environment({}), log=tmp_path / "child.log")
    ended.wait(30)
    last = (NOW + timedelta(seconds=5)).timestamp()
    os.utime(tmp_path / "child.log", (last, last))
    child.write(tmp_path, child.Child(NOW - timedelta(seconds=1), tmp_path / "child.log", ended.identity))
    return tmp_path


def test_a_lock_of_our_own_ended_child_is_dead(dead: Path) -> None:
    assert child.holder_is_dead(LockInfo("1", ME, created=NOW), dead)


@pytest.mark.parametrize(
    "info",
    [
        LockInfo("1", f"{getpass.getuser()}@elsewhere", created=NOW),
        LockInfo("1", f"other@{socket.gethostname()}", created=NOW),
        LockInfo("1", ME, created=None),
        LockInfo("1", ME, created=NOW - timedelta(minutes=5)),
        LockInfo("1", ME, created=NOW + timedelta(minutes=5)),
    ],
    ids=["another host", "another user", "no time", "before our child", "long after our child's last word"],
)
def test_any_other_holder_is_not(dead: Path, info: LockInfo) -> None:
    assert not child.holder_is_dead(info, dead)


def test_a_living_child_is_not_dead(dead: Path) -> None:
    os.mkfifo(dead / "gate")
    living = process.start(["cat", str(dead / "gate")], cwd=dead, env=process.environment({}), log=dead / "living.log")
    child.write(dead, child.Child(NOW - timedelta(seconds=1), dead / "child.log", living.identity))
    assert not child.holder_is_dead(LockInfo("1", ME, created=NOW), dead)
    living.kill()
    assert child.holder_is_dead(LockInfo("1", ME, created=NOW), dead)


def test_without_a_record_of_a_child_nothing_is_proved(tmp_path: Path) -> None:
    assert not child.holder_is_dead(LockInfo("1", ME, created=NOW), tmp_path)
    (tmp_path / child.NAME).write_text("{")
    assert not child.holder_is_dead(LockInfo("1", ME, created=NOW), tmp_path)


def test_a_later_command_that_met_the_lock_does_not_hide_who_left_it(dead: Path) -> None:
    child.write(dead, child.Child(NOW + timedelta(minutes=2), dead / "later.log", None, 1))
    assert child.holder_is_dead(LockInfo("1", ME, created=NOW), dead)


def test_a_child_that_ended_well_left_no_lock(dead: Path) -> None:
    (known,) = child.read_all(dead)
    child.write(dead, replace(known, code=0))
    assert not child.holder_is_dead(LockInfo("1", ME, created=NOW), dead)
