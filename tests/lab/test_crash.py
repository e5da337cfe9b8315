"""Whatever dies, at whatever moment: one `tierup resume`, and all is as if nothing had happened.

Moments are drawn at random; the seed is printed with a failure and TIERUP_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.aftermath import (
    Aftermath,
    aftermath,
    applying,
    items,
    kill_tree,
    reached,
    secret,
    until_soon,
    values,
    vault,
)
from tests.lab.driver import TOKENS, Tierup

pytestmark = pytest.mark.lab

PRESET = Path(__file__).parent / "presets" / "small.yaml"
CHARTS = ("cilium", "cert-manager", "proxmox-csi-plugin", "minecraft", "flux-operator", "flux-instance")
SEED = int(os.environ.get("TIERUP_SEED") or random.SystemRandom().randrange(1 << 32))
MOMENTS = {
    "approved": 0.05,
    "vault": 0.06,
    "git": 0.8,
    "terraform-secrets": 1.3,
    "terraform-cluster": 3.5,
    "terraform-flux": 3.5,
    "tiers": 5.0,
}
"""Where a kill falls: up to so many seconds after the journal says that this step began; as long as the step takes here."""


@dataclass(frozen=True, slots=True)
class Moment:
    step: str
    delay: float

    def __str__(self) -> str:
        return f"{self.step}+{self.delay:.3f}s (TIERUP_SEED={SEED})"


def moments(count: int, dice: random.Random) -> list[Moment]:
    """`count` of them, over the whole run: every kind of step in turn before one comes again."""
    kinds = [("approved", "vault", "git"), ("terraform-secrets", "terraform-cluster"), ("terraform-flux",), ("tiers",)]
    steps = [dice.choice(kinds[n]) for n in range(4)] if count == 4 else [list(MOMENTS)[n % len(MOMENTS)] for n in range(count)]
    return [Moment(step, dice.uniform(0, MOMENTS[step])) for step in steps]


FEW = moments(4, random.Random(SEED))
MANY = moments(20, random.Random(SEED + 1))


@pytest.fixture(scope="module")
def own_lab() -> Iterator[Lab]:
    with Lab.up(f"crash-{os.getpid()}") as lab:
        yield lab


@pytest.fixture(scope="module")
def reference(own_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """A run without a fault."""
    operator = newcomer(own_lab, tmp_path_factory.mktemp("reference"))
    done = operator.apply()
    assert done.returncode == 0, done.stdout
    return aftermath(own_lab)


def newcomer(lab: Lab, folder: Path) -> Tierup:
    """An operator with nothing in hand, in front of an empty cluster and an empty repository."""
    lab.reset()
    for chart in CHARTS:
        lab.knob(chart, ready_after=0.3)
    (folder / "home").mkdir()
    return Tierup(lab, folder / "home", preset=str(PRESET), name="small")


def begun(operator: Tierup, step: str) -> bool:
    """Whether a step is under way, or behind us."""
    return reached(operator, "approved") if step == "approved" else reached(operator, "started", step)


def assert_as_if_nothing(operator: Tierup, reference: Aftermath, before: dict[str, str]) -> None:
    """One resume, and everything is as in the run without a fault; what the vault held is what it holds and what the cluster has."""
    lab = operator.lab
    done = operator.resume()
    assert done.returncode == 0, done.stdout
    found = aftermath(lab)
    assert found.trees == reference.trees
    assert sorted(found.objects - reference.objects) == []
    assert sorted(reference.objects - found.objects) == []

    after = values(operator)
    assert set(after) == {"git-token", "proxmox-token", "minecraft-rcon"}
    assert {name: after[name] for name in before} == before, "a value changed"
    held = vault(operator)
    assert [entry.revision for name in held.names() if (entry := held.get(name))] == [1, 1, 1], "a value was made twice"
    assert after["git-token"] == secret(lab, "flux-system", "flux-system", "password") == lab.git_password
    assert after["proxmox-token"] == TOKENS["TIERUP_PROXMOX_TOKEN"]
    assert after["proxmox-token"] in secret(lab, "csi-proxmox", "proxmox-csi-config", "config.yaml")
    assert after["minecraft-rcon"] == secret(lab, "games", "minecraft-rcon-password", "rcon-password")

    leases = items(lab, "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases")
    held_by = [
        lease["metadata"]["name"] for lease in leases if "tierup" in lease["metadata"]["name"] and lease["spec"].get("holderIdentity")
    ]
    assert held_by == [], "a lock was left behind"


def survive(operator: Tierup, reference: Aftermath, moment: Moment) -> None:
    """SIGKILL the engine at that moment, alone: what it started goes on."""
    command = operator.start("apply", operator.preset, *operator.plan_options(), "--yes")
    try:
        until_soon(lambda: begun(operator, moment.step) or command.poll() is not None, 120, f"{moment.step} begins")
        pause(moment.delay)
        killed = operator.kill_engine()
        said, _ = command.communicate(timeout=60)
    finally:
        command.kill()
    assert killed, f"the run was over before {moment}:\n{said}"
    assert command.returncode == 1, said
    assert "tierup resume" in said
    assert "Traceback" not in said
    assert_as_if_nothing(operator, reference, values(operator))


def pause(seconds: float) -> None:
    """The random part of a moment."""
    threading.Event().wait(seconds)


@pytest.mark.parametrize("number", range(len(FEW)))
def test_a_killed_engine_resumes(own_lab: Lab, reference: Aftermath, tmp_path: Path, number: int) -> None:
    print(f"killed at {FEW[number]}")
    survive(newcomer(own_lab, tmp_path), reference, FEW[number])


@pytest.mark.torture
@pytest.mark.parametrize("number", range(len(MANY)))
def test_a_killed_engine_resumes_at_any_moment(own_lab: Lab, reference: Aftermath, tmp_path: Path, number: int) -> None:
    print(f"killed at {MANY[number]}")
    operator = newcomer(own_lab, tmp_path)
    survive(operator, reference, MANY[number])
    assert operator.plan().returncode == 0, "a plan after the resume finds nothing to do"


@pytest.mark.parametrize(
    "root", ["secrets", pytest.param("cluster", marks=pytest.mark.torture), pytest.param("flux", marks=pytest.mark.torture)]
)
def test_a_killed_terraform_is_said_and_resumed(own_lab: Lab, reference: Aftermath, tmp_path: Path, root: str) -> None:
    """Terraform alone dies in the middle of an apply: no state written, its lock left, objects made that it has no record of."""
    operator = newcomer(own_lab, tmp_path)
    command = operator.start("apply", operator.preset, *operator.plan_options(), "--yes")
    try:
        pid = until_soon(lambda: applying(operator, root), 120, f"Terraform applies {root}")
        os.kill(pid, signal.SIGKILL)
        said, _ = command.communicate(timeout=120)
    finally:
        command.kill()
    assert command.returncode == 1, said
    assert f"Terraform ({root}): apply was killed by signal 9" in said
    assert_as_if_nothing(operator, reference, values(operator))


@pytest.mark.torture
@pytest.mark.parametrize("root", ["secrets", "cluster", "flux"])
def test_a_power_cut_is_resumed(own_lab: Lab, reference: Aftermath, tmp_path: Path, root: str) -> None:
    """The engine, Terraform and its providers die together in the middle of an apply."""
    operator = newcomer(own_lab, tmp_path)
    command = operator.start("apply", operator.preset, *operator.plan_options(), "--yes")
    try:
        until_soon(lambda: applying(operator, root), 120, f"Terraform applies {root}")
        engine = operator.engine()
        assert engine is not None
        assert kill_tree(engine) >= 3, "engine, Terraform, provider"
        said, _ = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 1, said
    assert_as_if_nothing(operator, reference, values(operator))
