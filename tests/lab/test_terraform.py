"""The three shipped roots against a real API server: what they make, what they keep quiet about, and how they get over a kill."""

from __future__ import annotations

import base64
import gzip
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab
from tests.lab.steps import until
from wizard import process
from wizard.catalog import Catalog, load
from wizard.cluster import Api, connect, probe
from wizard.errors import NeedsOperator
from wizard.order import Order, resolve
from wizard.order.needs import kubernetes_secrets
from wizard.plan import Plan, load_preset
from wizard.secrets import Secret
from wizard.terraform import inputs, recovery
from wizard.terraform.backend import LockInfo, StateLocked, from_lease, lease_path
from wizard.terraform.events import Event
from wizard.terraform.inputs import SecretValues
from wizard.terraform.review import NAMESPACE, SECRET, TerraformPlan
from wizard.terraform.terraform import Terraform

pytestmark = pytest.mark.lab
CANARY = "canary-51c0ffee"


@dataclass
class Desk:
    """A machine that works on the lab with the preset `minimal`."""

    lab: Lab
    home: Path
    plan: Plan
    catalog: Catalog
    api: Api
    children: list[Mapping[str, Any]] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)

    @property
    def order(self) -> Order:
        return resolve(self.plan, self.catalog, None)

    def root(self, name: str) -> Terraform:
        """The root as it would be staged now, with what is found in the cluster now."""
        tree = inputs.tree(self.plan, self.catalog, self.order, self.revisions)
        machine = inputs.machine(name, self.plan, self.catalog, self.order, probe(self.api))
        folder, logs = self.home / "run" / name, self.home / "logs"
        terraform = Terraform(None, folder, self.lab.kubeconfig, self.lab.context, logs, machine=machine, on_child=self.children.append)
        terraform.stage(inputs.root_files(tree, self.plan.name, name))
        return terraform

    @property
    def values(self) -> SecretValues:
        names = ("git-token", "proxmox-token", "vaultwarden-admin")
        return SecretValues(kubernetes_secrets(self.plan, self.catalog, self.order), {n: Secret(f"{CANARY}-{n}-${{x}}") for n in names})

    def apply(self, name: str) -> TerraformPlan:
        terraform = self.root(name)
        values = self.values if name == "secrets" else None
        return terraform.apply(values, terraform.plan().digest)

    def stored(self, namespace: str, name: str) -> dict[str, str]:
        data = self.lab.api("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"] or {}
        return {key: base64.b64decode(text).decode() for key, text in data.items()}

    def state(self, root: str) -> bytes:
        data = self.lab.api("GET", f"/api/v1/namespaces/kube-system/secrets/tfstate-default-tierup-{root}")["data"]["tfstate"]
        return gzip.decompress(base64.b64decode(data))


@pytest.fixture
def desk(empty_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    lab = empty_lab
    for name, value in lab.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    plan = load_preset("minimal").plan.with_overrides(git_url=lab.git_url, http=lab.http, settings={"gitUsername": "lab"})
    yield Desk(lab, tmp_path, plan, load(), connect(lab.kubeconfig, lab.context))


def test_secrets_reach_the_cluster_and_nothing_else(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(process, "observe", lambda argv, env: seen.append("\0".join([*argv, *env.values()])))
    review = desk.root("secrets").plan(fresh=True)
    assert desk.api.metadata("/api/v1/namespaces/kube-system/secrets", labelSelector="tfstate=true") == []
    assert desk.api.find(lease_path("secrets")) is None
    assert {f"{c.action} {c.subject} {c.detail}".strip() for c in review.changes} >= {
        "create Namespace flux-system",
        "create Secret flux-system/flux-system keys password, username",
        "create ConfigMap flux-system/cluster-settings keys " + ", ".join(sorted(desk.plan.settings)[:6]) + " and 2 more",
    }
    desk.root("secrets").apply(desk.values, review.digest)
    assert desk.stored("flux-system", "flux-system") == {"username": "lab", "password": f"{CANARY}-git-token-${{x}}"}
    assert f'token_secret: "{CANARY}-proxmox-token-${{x}}"' in desk.stored("csi-proxmox", "proxmox-csi-config")["config.yaml"]
    made = desk.lab.api("GET", "/api/v1/namespaces/flux-system/secrets/flux-system")["metadata"]
    assert made["labels"] == {
        "app.kubernetes.io/managed-by": "tierup",
        "reconcile.fluxcd.io/watch": "Enabled",
        "tierup/cluster": "minimal",
    }
    assert made["annotations"] == {"tierup/keys": "password,username"}
    assert CANARY.encode() not in desk.state("secrets")
    assert len(seen) > 5
    assert not [text for text in seen if CANARY in text]
    files = [f for f in desk.home.rglob("*") if f.is_file()]
    assert len(files) > 10
    assert not [f for f in files if CANARY.encode() in f.read_bytes()]


def test_a_second_run_changes_nothing_and_a_new_value_is_one_update(desk: Desk) -> None:
    desk.apply("secrets")
    before = desk.state("secrets")
    assert desk.root("secrets").plan().empty
    assert desk.state("secrets") == before
    desk.revisions["vaultwarden-admin"] = 2
    (change,) = desk.root("secrets").plan().changes
    assert (change.action, change.subject, change.detail) == (
        "update",
        "Secret vaultwarden/vaultwarden-admin",
        "written again (keys token)",
    )
    desk.lab.api("DELETE", "/api/v1/namespaces/flux-system/secrets/flux-system")
    changes = {(c.action, c.subject) for c in desk.root("secrets").plan().changes}
    assert changes == {("update", "Secret vaultwarden/vaultwarden-admin"), ("create", "Secret flux-system/flux-system")}


def test_a_secret_is_never_written_without_its_values(desk: Desk) -> None:
    terraform = desk.root("secrets")
    digest = terraform.plan().digest
    with pytest.raises(NeedsOperator, match="Secret flux-system/flux-system would be written without its values"):
        terraform.apply(None, digest)
    assert "flux-system" not in probe(desk.api).namespaces


def test_a_namespace_that_exists_is_recorded_and_one_that_leaves_the_plan_stays(desk: Desk) -> None:
    desk.lab.api("POST", "/api/v1/namespaces", {"metadata": {"name": "vaultwarden", "labels": {"theirs": "yes"}}})
    review = desk.root("secrets").plan()
    assert ("adopt", "Namespace vaultwarden") in {(c.action, c.subject) for c in review.changes}
    desk.apply("secrets")
    assert desk.lab.api("GET", "/api/v1/namespaces/vaultwarden")["metadata"]["labels"]["theirs"] == "yes"
    assert desk.root("secrets").plan().empty
    charts = {tier: dict(chosen) for tier, chosen in desk.plan.charts.items() if tier != "apps"}
    desk.plan = desk.plan.model_copy(update={"charts": charts})
    desk.plan.__dict__.pop("choices", None)
    review = desk.root("secrets").plan()
    assert {(c.action, c.subject) for c in review.changes} == {
        ("delete", "Secret vaultwarden/vaultwarden-admin"),
        ("release", "Namespace vaultwarden"),
    }
    assert [c.subject for c in review.destructive] == ["Secret vaultwarden/vaultwarden-admin"]
    desk.apply("secrets")
    assert "vaultwarden" in probe(desk.api).namespaces
    assert f'{NAMESPACE}.this["vaultwarden"]' not in desk.root("secrets").addresses()
    assert desk.root("secrets").plan().empty


def test_objects_made_by_a_killed_run_are_taken_up_again(desk: Desk) -> None:
    terraform = desk.root("secrets")
    approved = terraform.plan()
    terraform.apply(desk.values, approved.digest)
    for address in (f'{SECRET}.this["flux-system/flux-system"]', f'{NAMESPACE}.this["flux-system"]'):
        terraform._do.forget(address)  # as if the kill came between the create and its record
    terraform = desk.root("secrets")
    rest = terraform.plan()
    assert {(p.action, p.key) for p in rest.planned} == {("create", "flux-system/flux-system"), ("adopt", "flux-system")}
    found = recovery.strays(desk.api, [p.address for p in rest.planned if p.action == "create"], desk.plan.name)
    assert found == recovery.Strays(ours=("/api/v1/namespaces/flux-system/secrets/flux-system",))
    recovery.remove(desk.api, found.ours)
    terraform.apply(desk.values, None, approved=approved.marks)
    assert desk.stored("flux-system", "flux-system")["password"].startswith(CANARY)
    assert desk.root("secrets").plan().empty


def test_flux_follows_with_our_flags_and_a_second_plan_is_empty(desk: Desk) -> None:
    desk.apply("secrets")
    desk.apply("flux")
    assert desk.root("flux").plan().empty
    deployment = "/apis/apps/v1/namespaces/flux-system/deployments/{}"
    for name, workers in (("kustomize-controller", 50), ("helm-controller", 20)):
        container = until(name, lambda: desk.lab.api("GET", deployment.format(name)))["spec"]["template"]["spec"]["containers"][0]  # noqa: B023
        last = ["--requeue-dependency=1s", f"--concurrent={workers}", "--feature-gates=CancelHealthCheckOnNewRevision=true"]
        assert container["args"][-3:] == last
        assert container["resources"]["limits"]["memory"] == "1Gi"
    instance = desk.lab.api("GET", "/apis/fluxcd.controlplane.io/v1/namespaces/flux-system/fluxinstances/flux")
    assert instance["spec"]["sync"]["path"] == "clusters/minimal"


def test_cilium_is_installed_once_and_stays_as_it_is(desk: Desk) -> None:
    assert [c.subject for c in desk.apply("cluster").changes] == ["Helm release kube-system/cilium"]
    assert desk.root("cluster").plan().empty


def test_after_a_sigkill_the_dead_lock_is_freed_and_the_pending_release_taken_up(desk: Desk) -> None:
    desk.apply("secrets")
    terraform = desk.root("flux")
    approved = terraform.plan()

    def kill(event: Event) -> None:
        if event.phase == "start" and event.address == "helm_release.flux_operator":
            until("the release is pending", lambda: recovery.pending_releases(desk.api, [("flux-system", "flux-operator")]))
            os.killpg(int(desk.children[-1]["pid"]), signal.SIGKILL)  # the provider too, as a power cut does

    with pytest.raises(Exception, match="killed by signal 9"):
        terraform.apply(None, approved.digest, kill)
    holder = from_lease(desk.lab.api("GET", lease_path("flux")))
    assert isinstance(holder, LockInfo)
    doubting = Terraform(
        None, desk.home / "run" / "flux", desk.lab.kubeconfig, desk.lab.context, desk.home / "logs", is_dead=lambda info: False
    )
    with pytest.raises(StateLocked, match=holder.id):
        doubting._unlocking(lambda wait: _locked_plan(doubting))
    recovery.remove(desk.api, recovery.pending_releases(desk.api, [("flux-system", "flux-operator"), ("flux-system", "flux")]))
    later = desk.root("flux")
    later.apply(None, None, approved=approved.marks)
    assert from_lease(desk.lab.api("GET", lease_path("flux"))) is None
    assert desk.root("flux").plan().empty


def _locked_plan(terraform: Terraform) -> None:
    outcome = terraform._do.run(
        terraform._do._argv("plan", json=_flag(), input=False, lock_timeout="0s"), terraform._do._environment(), name="plan"
    )
    raise outcome.failure("plan")


def _flag() -> Any:
    from wizard.terraform.argv import FLAG

    return FLAG
