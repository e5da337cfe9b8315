"""The order: who waits for whom, what comes along, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.entries import catalog, chart, cluster, entry, needs, plan_of, resource
from wizard.catalog import load
from wizard.errors import InputError
from wizard.order import Order, resolve
from wizard.plan import load_preset
from wizard.state import TIERS, StorageClass

CATALOG = load()
HOMELAB = resolve(load_preset("homelab").plan, CATALOG, None)


def pairs(order: Order) -> set[tuple[str, str, str]]:
    return {(edge.source, edge.target, edge.kind) for edge in order.edges}


def refusal(*args: Any) -> str:
    with pytest.raises(InputError) as caught:
        resolve(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    "edge",
    [
        ("cilium", "gateway-api-crds", "cluster"),
        ("cilium/config", "cilium", "cluster"),
        ("cert-manager-csi-driver", "cert-manager", "chart"),
        ("trust-manager", "cert-manager", "chart"),
        ("trust-manager/config", "cert-manager/config", "config"),
        ("cert-manager/config", "cert-manager", "chart"),
        ("openbao", "proxmox-csi-plugin", "chart"),
        ("authentik", "authentik/claims", "claims"),
        ("authentik/claims", "cloudnative-pg", "chart"),
        ("authentik/claims", "proxmox-csi-plugin", "chart"),
        ("authentik", "traefik", "chart"),
        ("immich", "valkey", "chart"),
        ("immich/claims", "cloudnative-pg", "chart"),
        ("traefik", "cilium", "cluster"),
        ("traefik/config", "cert-manager/config", "config"),
        ("external-dns", "traefik", "chart"),
        ("vaultwarden", "traefik", "chart"),
    ],
)
def test_who_waits_in_the_homelab(edge: tuple[str, str, str]) -> None:
    assert edge in pairs(HOMELAB)


def test_who_does_not_wait_in_the_homelab() -> None:
    assert HOMELAB.brought == {}
    assert HOMELAB.waits_for("cloudnative-pg") == ()
    assert "democratic-csi" not in HOMELAB.waits_for("openbao"), "only the default class is waited for"
    assert all("csi-s3" not in HOMELAB.waits_for(node) for level in HOMELAB.levels for node in level)
    assert "openbao" not in {edge.target for edge in HOMELAB.edges}


def test_levels_hold_what_may_start_together() -> None:
    seen: dict[str, int] = {node: number for number, level in enumerate(HOMELAB.levels) for node in level}
    for node, number in seen.items():
        assert number == 1 + max((seen[target] for target in HOMELAB.waits_for(node)), default=-1)


def test_within_a_level_tiers_come_first_and_names_next() -> None:
    ranks = [[(TIERS.index(CATALOG.charts[node.partition("/")[0]].tier), node) for node in level] for level in HOMELAB.levels]
    assert all(level == sorted(level) for level in ranks)


def test_a_default_class_of_another_driver_moves_the_edges() -> None:
    plan = plan_of(CATALOG, "openbao", "democratic-csi", "proxmox-csi-plugin", options={"proxmox-csi-plugin": {"defaultClass": "false"}})
    assert "nothing provides it" in refusal(plan, CATALOG, None)
    assert "democratic-csi with option defaultClass" in refusal(plan, CATALOG, None)
    options: dict[str, dict[str, Any]] = {"proxmox-csi-plugin": {"defaultClass": "false"}, "democratic-csi": {"defaultClass": True}}
    plan = plan_of(CATALOG, "openbao", "democratic-csi", "proxmox-csi-plugin", options=options)
    assert resolve(plan, CATALOG, None).waits_for("openbao") == ("democratic-csi",)


def test_two_default_classes_are_refused() -> None:
    plan = plan_of(CATALOG, "democratic-csi", "proxmox-csi-plugin", options={"democratic-csi": {"defaultClass": True}})
    assert "only one chart may be the storage-class" in refusal(plan, CATALOG, None)


def test_what_is_needed_comes_along_and_says_why() -> None:
    known = catalog(
        chart("app", "apps", requires=needs("database")), chart("db", provides=["database"], requires=needs("disk")), chart("disk")
    )
    order = resolve(plan_of(known, "app"), known, None)
    assert order.charts == ("disk", "db", "app")
    assert order.brought == {"db": "app needs database: it uses database", "disk": "db needs disk: it uses disk"}
    assert "brought along" in order.text()


def test_several_that_could_are_named_and_one_chosen_is_enough() -> None:
    known = catalog(chart("app", requires=needs("database")), chart("one", provides=["database"]), chart("two", provides=["database"]))
    assert "choose one of: one, two" in refusal(plan_of(known, "app"), known, None)
    assert resolve(plan_of(known, "app", "two"), known, None).waits_for("app") == ("two",)


def test_a_chart_that_comes_along_anyway_settles_the_choice() -> None:
    known = catalog(
        chart("app", requires=[*needs("database"), *needs("two")]), chart("one", provides=["database"]), chart("two", provides=["database"])
    )
    assert resolve(plan_of(known, "app"), known, None).brought.keys() == {"two"}


def test_what_nothing_provides_is_said_with_what_was_meant() -> None:
    known = catalog(chart("app", requires=needs("databse")), chart("one", provides=["database"]))
    assert "did you mean database?" in refusal(plan_of(known, "app"), known, None)


def test_all_refusals_at_once() -> None:
    known = catalog(chart("a", requires=needs("x")), chart("b", requires=needs("y")), chart("c", conflicts=["a"]))
    said = refusal(plan_of(known, "a", "b", "c", "ghost"), known, None)
    assert all(part in said for part in ("needs x", "needs y", "cannot live together", 'unknown chart "ghost"'))


def test_an_option_decides_whether_something_is_needed() -> None:
    gate = {"gate": {"type": "switch", "label": "x", "default": False}}
    known = catalog(chart("app", options=gate, requires=needs("crds", when="gate")), chart("crds"))
    assert resolve(plan_of(known, "app"), known, None).charts == ("app",)
    assert resolve(plan_of(known, "app", options={"app": {"gate": True}}), known, None).charts == ("crds", "app")


def test_what_is_optional_is_only_an_edge() -> None:
    known = catalog(chart("app", requires=needs("metrics", optional=True)), chart("metrics"))
    assert resolve(plan_of(known, "app"), known, None).charts == ("app",)
    assert resolve(plan_of(known, "app", "metrics"), known, None).waits_for("app") == ("metrics",)


DISK = chart("disk", provides=["storage-class"], classes={"storage": ["fast"]})
APP = chart("app", requires=needs("storage-class"))


def test_the_cluster_meets_what_it_has() -> None:
    known = catalog(APP, DISK)
    facts = cluster(storage_classes=(StorageClass("hostpath", "example.net/hostpath", True),))
    assert resolve(plan_of(known, "app"), known, facts).charts == ("app",)


def test_what_a_run_brought_along_is_brought_along_again() -> None:
    known = catalog(APP, DISK)
    facts = cluster(storage_classes=(StorageClass("fast", "example.net/disk", True),), helm_releases=frozenset({("disk", "disk")}))
    assert resolve(plan_of(known, "app"), known, facts).charts == ("disk", "app")


def test_an_ingress_controller_of_an_earlier_run_does_not_count() -> None:
    proxy = chart("proxy", provides=["ingress"], classes={"ingress": ["proxy"]})
    known = catalog(proxy, chart("app", requires=needs("ingress")))
    assert resolve(plan_of(known, "app"), known, cluster(ingress_classes=("nginx",))).charts == ("app",)
    facts = cluster(ingress_classes=("proxy",), helm_releases=frozenset({("proxy", "proxy")}))
    assert resolve(plan_of(known, "app"), known, facts).charts == ("proxy", "app")


def test_an_own_network_does_not_count_as_the_clusters() -> None:
    known = catalog(chart("cilium", "cluster", provides=["cni"]), chart("app", requires=needs("cni")))
    assert resolve(plan_of(known, "app"), known, cluster(cni=("Cilium",))).charts == ("app",)
    facts = cluster(cni=("Cilium",), helm_releases=frozenset({("cilium", "cilium")}))
    assert resolve(plan_of(known, "app"), known, facts).charts == ("cilium", "app")


def test_resources_wait_for_who_brings_their_kind() -> None:
    owner = chart("owner", crds={"names": ["things.k.example.net"]})
    known = catalog(owner, chart("app", resources={"claims": [resource("Thing", "t")], "config": [resource("Thing", "u")]}))
    order = resolve(plan_of(known, "app"), known, None)
    assert order.brought["owner"] == "app needs things.k.example.net: it makes a Thing"
    assert {("app/claims", "owner", "chart"), ("app/config", "owner", "chart")} <= pairs(order)
    in_cluster = cluster(crds=frozenset({"things.k.example.net"}))
    assert resolve(plan_of(known, "app"), known, in_cluster).charts == ("app",)


def test_config_waits_for_its_own_chart_only_if_that_brings_its_kind() -> None:
    known = catalog(
        chart("brings", crds={"names": ["things.k.example.net"]}, resources={"config": [resource("Thing", "t")]}),
        chart("web", resources={"config": [{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}}]}),
    )
    found = pairs(resolve(plan_of(known, "brings", "web"), known, None))
    assert ("brings/config", "brings", "chart") in found
    assert not any(source == "web/config" for source, _, _ in found)


def test_a_resource_of_a_switch_that_is_off_asks_for_nothing() -> None:
    gate = {"gate": {"type": "switch", "label": "x", "default": False}}
    known = catalog(chart("app", options=gate, resources={"config": [resource("Thing", "t", when="gate")]}))
    assert resolve(plan_of(known, "app"), known, None).levels == (("app",),)
    assert "things.k.example.net" in refusal(plan_of(known, "app", options={"app": {"gate": True}}), known, None)


def test_a_cycle_is_named_step_by_step() -> None:
    known = catalog(chart("c", requires=needs("a")), chart("a", requires=needs("b")), chart("b", requires=needs("c")), chart("d"))
    said = refusal(plan_of(known, "a", "d"), known, None)
    assert "a -> b -> c -> a" in said
    assert "a waits for b: it uses b" in said


def test_explain_gives_the_shortest_way_with_every_reason() -> None:
    assert HOMELAB.explain("immich", "valkey") == "immich waits for valkey: its job queues are kept in Redis"
    lines = HOMELAB.explain("immich", "cloudnative-pg").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["immich waits for immich/claims", "immich/claims waits for cloudnative-pg"]
    assert HOMELAB.explain("valkey", "immich") == "valkey does not wait for immich; immich waits for valkey"
    assert HOMELAB.explain("valkey", "reloader") == "valkey does not wait for reloader"
    with pytest.raises(InputError, match="ghost is not in this order"):
        HOMELAB.explain("ghost", "valkey")


def test_the_longest_chain() -> None:
    seconds, chain = HOMELAB.longest({"proxmox-csi-plugin": 40, "immich/claims": 10, "immich": 60, "reloader": 99})
    assert (seconds, chain) == (110, ("proxmox-csi-plugin", "immich/claims", "immich"))
    assert HOMELAB.longest({})[0] == 0.0
    assert resolve(plan_of(CATALOG), CATALOG, None).longest({"a": 1.0}) == (0.0, ())


def test_text_and_picture_have_every_node_and_edge() -> None:
    nodes = [node for level in HOMELAB.levels for node in level]
    text, picture = HOMELAB.text(), HOMELAB.mermaid()
    assert all(f"  {node}" in text for node in nodes)
    assert all(f"waits for {edge.target}: {edge.because}" in text for edge in HOMELAB.edges)
    lines = picture.splitlines()
    assert lines[0] == "flowchart LR"
    assert len(lines) == 1 + len(nodes) + len(HOMELAB.edges)


def test_a_title_is_no_mermaid_syntax() -> None:
    known = catalog(chart("app", title='a"] --> b["#<x>'))
    label = resolve(plan_of(known, "app"), known, None).mermaid().splitlines()[1]
    assert label == '  n0["a#quot;] --#gt; b[#quot;#35;#lt;x#gt;"]'


def test_tiers_wait_for_the_whole_tier_before() -> None:
    plan = load_preset("homelab").plan.model_copy(update={"order": "tiers"})
    order = resolve(plan, CATALOG, None)
    assert set(order.charts) == set(HOMELAB.charts)
    tier = {node: CATALOG.charts[node.partition("/")[0]].tier for level in order.levels for node in level}
    for node in tier:
        rank = TIERS.index(tier[node])
        before = [other for other in tier if TIERS.index(tier[other]) == rank - 1]
        assert all("does not wait" not in order.explain(node, other) for other in before)


def test_what_terraform_installs_is_no_gate_for_flux() -> None:
    known = catalog(chart("net", "cluster"), chart("one"), chart("two", "core"))
    order = resolve(plan_of(known, "net", "one", "two", order="tiers"), known, None)
    assert pairs(order) == {("one", "net", "cluster"), ("two", "one", "tier")}


def test_an_own_chart_without_needs_waits_for_the_tier_before() -> None:
    known = catalog(chart("one", "platform"), chart("two", "core"), chart("three", "core", requires=needs("two")), chart("app", "apps"))
    own = {"mine": entry("mine"), "stated": entry("stated", requires=needs("one"))}
    order = resolve(plan_of(known, "one", "three", "app", "mine", "stated", own=own), known, None)
    assert [(e.target, e.kind) for e in order.reasons("mine")] == [("three", "tier")]
    assert order.waits_for("stated") == ("one",)
    assert order.waits_for("app") == ()
