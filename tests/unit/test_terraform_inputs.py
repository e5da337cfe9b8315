"""What the roots are given, from the catalog and the preset that ship."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wizard.catalog import Catalog, load
from wizard.errors import InputError
from wizard.order import Order, resolve
from wizard.order.needs import KubernetesSecret, kubernetes_secrets, secret_needs
from wizard.plan import Plan, load_preset
from wizard.state import ClusterFacts
from wizard.terraform import inputs
from wizard.terraform.values import release_values


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_preset("homelab").plan


@pytest.fixture(scope="module")
def order(plan: Plan, catalog: Catalog) -> Order:
    return resolve(plan, catalog, None)


def _changed(plan: Plan, **parts: Any) -> Plan:
    return Plan.model_validate({**plan.model_dump(by_alias=True, exclude_unset=True), **parts})


def _facts(**parts: Any) -> ClusterFacts:
    return ClusterFacts(server="https://127.0.0.1", identity="u", ca_fingerprint="", version="1.36", **parts)


def _secret(made: tuple[KubernetesSecret, ...], wanted: str) -> KubernetesSecret:
    return next(s for s in made if s.id == wanted)


def test_the_tree_is_the_same_bytes_each_time_and_holds_nothing_of_this_machine(plan: Plan, catalog: Catalog, order: Order) -> None:
    tree = inputs.tree(plan, catalog, order, {})
    assert tree == inputs.tree(plan, catalog, order, {})
    assert {p.split("/")[3] for p in tree if p.count("/") == 4} == set(inputs.ROOTS)
    assert not [p for p in tree if p.endswith((".tfstate", ".terraform.lock.hcl", "machine.auto.tfvars.json"))]
    for path, data in tree.items():
        if path.endswith(".tfvars.json"):
            assert not {"kubeconfig_path", "kubeconfig_context", "existing_namespaces", "take_ownership"} & set(json.loads(data))
    ignored = tree["clusters/homelab/terraform/.gitignore"].decode().split()
    assert {".terraform/", "*.tfstate*", "*.tfplan", "*.auto.tfvars.json"} <= set(ignored)


def test_a_root_is_taken_out_of_the_tree_by_its_bare_names(plan: Plan, catalog: Catalog, order: Order) -> None:
    files = inputs.root_files(inputs.tree(plan, catalog, order, {}), "homelab", "secrets")
    assert sorted(files) == ["main.tf", "terraform.tfvars.json", "variables.tf", "versions.tf"]


def test_cilium_is_terraforms_and_manifests_are_not(plan: Plan, catalog: Catalog, order: Order) -> None:
    given = inputs.tfvars("cluster", plan, catalog, order, {})
    assert set(given["releases"]) == set(given["values"]) == {"cilium"}
    assert given["releases"]["cilium"]["repository"] == "oci://quay.io/cilium/charts"
    assert given["releases"]["cilium"]["chart"] == "cilium"
    assert given["values"]["cilium"]["l2announcements"] == {"enabled": True}


def test_a_plan_without_cilium_gives_a_root_without_releases(plan: Plan, catalog: Catalog) -> None:
    bare = _changed(plan, charts={"system": {"cert-manager": {}}}, secrets={"git-token": "prompt"})
    assert inputs.tfvars("cluster", bare, catalog, resolve(bare, catalog, None), {}) == {"releases": {}, "values": {}}


@pytest.mark.parametrize(
    ("registry", "cluster", "flux"),
    [
        ({}, "oci://quay.io/cilium/charts", None),
        ({"mirror": "10.0.0.1:5000/lab"}, "oci://10.0.0.1:5000/lab/quay.io/cilium/charts", None),
        ({"http": "http://10.0.0.1:8080"}, "http://10.0.0.1:8080/charts", "http://10.0.0.1:8080/charts"),
    ],
)
def test_charts_come_from_where_the_plan_says(plan: Plan, catalog: Catalog, registry: Any, cluster: str, flux: str | None) -> None:
    mirrored = _changed(plan, registry=registry)
    order = resolve(mirrored, catalog, None)
    assert inputs.tfvars("cluster", mirrored, catalog, order, {})["releases"]["cilium"]["repository"] == cluster
    assert inputs.tfvars("flux", mirrored, catalog, order, {}).get("repository") == flux


def test_bare_namespaces_leave_out_those_every_cluster_has() -> None:
    made = [KubernetesSecret("kube-system", "a"), KubernetesSecret("default", "b"), KubernetesSecret("apps", "c")]
    assert inputs.namespaces(made) == ("apps", "flux-system")


def test_what_was_found_in_the_cluster_is_for_this_machine_alone(plan: Plan, catalog: Catalog, order: Order) -> None:
    found = _facts(namespaces=frozenset({"authentik", "kube-system", "other"}), cni=("cilium",))
    assert inputs.machine("secrets", plan, catalog, order, found) == {"existing_namespaces": ["authentik"]}
    assert inputs.machine("cluster", plan, catalog, order, found) == {"take_ownership": ["cilium"]}
    ours = _facts(cni=("cilium",), helm_releases=frozenset({("kube-system", "cilium")}))
    assert inputs.machine("cluster", plan, catalog, order, ours) == {"take_ownership": []}
    assert inputs.machine("flux", plan, catalog, order, found) == {}


def test_every_need_ends_in_a_secret_and_every_entry_has_a_need(plan: Plan, catalog: Catalog, order: Order) -> None:
    needs = {need.name: need for need in secret_needs(plan, catalog, order)}
    made = kubernetes_secrets(plan, catalog, order)
    assert {entry.need for secret in made for entry in secret.entries} == set(needs) == set(plan.secrets)
    assert needs["authentik-secret-key"].generate == ("password", 60)
    assert _secret(made, "authentik/authentik-database-user").keys == ("password", "username")
    assert "tank/k8s/v" in (_secret(made, "democratic-csi/democratic-csi-config").entries[0].template or "")
    flux = _secret(made, "flux-system/flux-system")
    assert (flux.keys, flux.fixed) == (("password", "username"), {"username": "git"})


def test_flux_reads_with_a_credential_of_its_own_if_there_is_one(plan: Plan, catalog: Catalog) -> None:
    two = _changed(plan, secrets={**plan.secrets, "git-token-read": "prompt"}, settings={**plan.settings, "gitUsername": "me"})
    order = resolve(two, catalog, None)
    flux = _secret(kubernetes_secrets(two, catalog, order), "flux-system/flux-system")
    assert (flux.entries[0].need, flux.fixed) == ("git-token-read", {"username": "me"})
    assert {"git-token", "git-token-read"} <= {need.name for need in secret_needs(two, catalog, order)}


def test_over_ssh_flux_gets_identity_and_known_hosts(plan: Plan, catalog: Catalog) -> None:
    ssh = _changed(plan, git={"url": "ssh://git@git.example.net/me/homelab.git", "credential": "git-token"})
    order = resolve(ssh, catalog, None)
    assert _secret(kubernetes_secrets(ssh, catalog, order), "flux-system/flux-system").keys == ("identity", "known_hosts")


def test_a_public_repository_needs_no_secret(plan: Plan, catalog: Catalog) -> None:
    public = _changed(plan, git={"url": "https://git.example.net/me/homelab.git"})
    order = resolve(public, catalog, None)
    assert "flux-system/flux-system" not in {s.id for s in kubernetes_secrets(public, catalog, order)}
    assert inputs.tfvars("flux", public, catalog, order, {})["git_secret"] == ""


def test_a_new_value_and_a_new_shape_both_change_the_revision(plan: Plan, catalog: Catalog, order: Order) -> None:
    config = _secret(kubernetes_secrets(plan, catalog, order), "csi-proxmox/proxmox-csi-config")
    moved = _changed(plan, settings={**plan.settings, "proxmoxRegion": "elsewhere"})
    reshaped = _secret(kubernetes_secrets(moved, catalog, order), "csi-proxmox/proxmox-csi-config")
    assert config.revision({}) == config.revision({"proxmox-token": 1}) < 2_000_000 <= config.revision({"proxmox-token": 2})
    assert config.revision({}) != reshaped.revision({})


def test_two_secrets_may_share_a_kubernetes_secret_but_no_key(plan: Plan, catalog: Catalog) -> None:
    def own(key: str) -> Plan:
        need = {"for": "it", "secret": "shared", "generate": {"kind": "hex", "length": 32}}
        entry = {
            "title": "Own",
            "about": "Own",
            "source": {"oci": "registry.example/own", "version": "1.0.0"},
            "namespace": "own",
            "podSecurity": {"level": "restricted", "because": "it"},
            "ready": {"after": "5s", "means": "it"},
            "secrets": {"own-one": {**need, "key": "one"}, "own-two": {**need, "key": key}},
        }
        return _changed(plan, own={"own": entry}, charts={"apps": {"own": {}}}, secrets={"git-token": "prompt"})

    shared = own("two")
    full = shared.catalog(catalog)
    order = resolve(shared, full, None)
    assert _secret(kubernetes_secrets(shared, full, order), "own/shared").keys == ("one", "two")
    with pytest.raises(InputError, match=r"own/shared: the key one is claimed by own-one and own-two"):
        kubernetes_secrets(own("one"), own("one").catalog(catalog), order)


def test_settings_are_filled_in_and_the_operators_values_are_left_alone(catalog: Catalog, plan: Plan) -> None:
    chart = catalog.charts["cilium"].model_copy(update={"values": {"a": "${domain}", "b": "$${domain}", "c": "${none:=x}"}})
    choice = plan.choices["cilium"].model_copy(update={"values": {"own": "${domain}", "a": {"b": 1}}})
    values = release_values(chart, choice, {"domain": "home.example"})
    assert (values["b"], values["c"], values["own"], values["a"]) == ("${domain}", "x", "${domain}", {"b": 1})
    assert release_values(chart, None, {"domain": "home.example"})["a"] == "home.example"
    with pytest.raises(InputError, match="'domain'"):
        release_values(chart, None, {})
