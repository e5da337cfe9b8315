"""The catalog: what ships is sound, what is not well formed is refused with every place at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.entries import catalog, chart, entry, needs, resource
from wizard.catalog import Catalog, ManifestSource, definition_names, lint, load, settings_in, settings_in_template
from wizard.documents import dump
from wizard.errors import InputError

SHIPPED = load()


def write(folder: Path, tier: str, name: str, content: dict[str, Any] | str) -> Path:
    path = folder / tier / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else dump(content), encoding="utf-8")
    return path


def test_what_ships_is_sound() -> None:
    assert lint(SHIPPED) == []


def test_the_seed_list_is_there_in_its_tiers() -> None:
    system = ("cert-manager", "cert-manager-csi-driver", "trust-manager", "reloader", "democratic-csi", "proxmox-csi-plugin", "csi-s3")
    assert {SHIPPED.charts[name].tier for name in system} == {"system"}
    assert SHIPPED.charts["cilium"].tier == "cluster"
    assert isinstance(SHIPPED.charts["gateway-api-crds"].source, ManifestSource)
    assert sum(one.tier == "apps" for one in SHIPPED.charts.values()) == 5


def test_charts_come_in_the_order_of_the_tiers() -> None:
    tiers = [one.tier for one in SHIPPED.charts.values()]
    assert tiers == sorted(tiers, key=("cluster", "system", "platform", "core", "apps").index)


def test_a_vault_does_not_hold_up_its_own_release() -> None:
    assert not SHIPPED.charts["openbao"].wait
    assert all(one.wait for one in SHIPPED.charts.values() if one.id != "openbao")


def test_every_secret_that_has_no_generator_survives_a_rebuild() -> None:
    for one in SHIPPED.charts.values():
        for name, need in one.secrets.items():
            assert need.generate or need.survivesRebuild, name


def test_only_privileged_charts_ask_for_privileged_namespaces_of_their_own() -> None:
    levels: dict[str, set[str]] = {}
    for one in SHIPPED.charts.values():
        if one.tier != "cluster":
            levels.setdefault(one.namespace, set()).add(one.pod_security.level)
    assert all(len(found) == 1 for found in levels.values()), "a namespace would be opened for a chart that does not need it"


def test_every_problem_of_every_file_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, "system", "one", {**entry("one"), "titel": "x"})
    write(tmp_path, "apps", "two", dump(entry("two")).replace("namespace: two", "namespace: Two_").replace("after: 20s", "after: soon"))
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    found = [(p.place.file.rpartition("/")[2], p.place.line, p.remedy) for p in caught.value.problems if p.place]
    assert len(found) == len(caught.value.problems) == 3
    assert {file for file, _, _ in found} == {"one.yaml", "two.yaml"}
    assert all(line for _, line, _ in found)
    assert any("title" in remedy for _, _, remedy in found)


def test_id_and_tier_are_the_names_of_file_and_folder(tmp_path: Path) -> None:
    write(tmp_path, "core", "thing", {**entry("thing"), "id": "other"})
    with pytest.raises(InputError, match="file and folder"):
        load(tmp_path)
    write(tmp_path, "core", "thing", entry("thing"))
    found = load(tmp_path).charts["thing"]
    assert (found.id, found.tier, found.release) == ("thing", "core", "thing")


def test_a_folder_that_is_no_tier_and_one_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, "aps", "thing", entry("thing"))
    with pytest.raises(InputError, match="no tier"):
        load(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "nowhere")


def test_extra_files_join_and_may_not_hide_a_chart(tmp_path: Path) -> None:
    path = write(tmp_path / "mine", "apps", "thing", entry("thing"))
    joined = load(extra=[path])
    assert len(joined.charts) == len(SHIPPED.charts) + 1
    again = write(tmp_path / "mine", "system", "reloader", entry("reloader"))
    with pytest.raises(InputError, match="already"):
        load(extra=[again])


@pytest.mark.parametrize(
    "source",
    [
        {"oci": "oci://registry.example.net/x", "version": "1.0.0"},
        {"repo": "https://user@example.net", "chart": "x", "version": "1.0.0"},
        {"oci": "registry.example.net/x", "version": "latest"},
        {"manifest": "http://example.net/x.yaml", "version": "v1.0.0"},
        {"manifest": "https://example.net/x.yaml", "version": "v1.0.0", "sha256": "beef"},
        {"git": "https://example.net"},
    ],
)
def test_sources_that_are_refused(source: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, "apps", "thing", entry("thing", source=source))
    with pytest.raises(InputError):
        load(tmp_path)


def test_the_digest_is_of_what_is_said_not_how(tmp_path: Path) -> None:
    write(tmp_path / "a", "apps", "thing", entry("thing"))
    write(tmp_path / "b", "apps", "thing", "# a comment\n" + dump(dict(reversed(entry("thing").items()))))
    write(tmp_path / "c", "apps", "thing", entry("thing", namespace="other"))
    a, b, c = (load(tmp_path / name).digest for name in "abc")
    assert a == b != c


def test_conditions_use_what_was_given_before_the_default() -> None:
    one = chart("a", options={"gate": {"type": "switch", "label": "x", "default": True}, "kind": {"type": "text", "label": "x"}})
    assert one.holds(None, {})
    assert one.holds("gate", {})
    assert not one.holds("gate", {"gate": False})
    assert one.holds("kind=big", {"kind": "big"})
    assert not one.holds("kind=big", {})


@pytest.mark.parametrize(
    ("api", "kind", "name"),
    [
        ("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", "ciliuml2announcementpolicies.cilium.io"),
        ("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses.gateway.networking.k8s.io"),
        ("postgresql.cnpg.io/v1", "Cluster", "clusters.postgresql.cnpg.io"),
    ],
)
def test_names_of_definitions(api: str, kind: str, name: str) -> None:
    assert name in definition_names({"apiVersion": api, "kind": kind})


def test_kinds_every_cluster_serves_need_no_chart() -> None:
    for api in ("v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"):
        assert definition_names({"apiVersion": api, "kind": "Thing"}) == ()


def test_settings_of_values_and_templates() -> None:
    assert settings_in({"a": ["${one} and ${two%-*}", "${three:=x}", "$${four}"], "${five}": 1}) == {"one", "two", "five"}
    assert settings_in_template('url: "{settings.proxmoxUrl}" {value}') == {"proxmoxUrl"}


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"proof": None}, "no proof"),
    ({"links": {}}, "home"),
    ({"workloads": []}, "workload"),
    ({"requires": needs("nothing-like-it")}, "no chart provides"),
    ({"requires": needs("a")}, "requires itself"),
    ({"requires": needs("late")}, "later tiers"),
    ({"requires": needs("b", at="claims")}, "has none"),
    ({"conflicts": ["ghost"]}, "no chart"),
    ({"options": {"o": {"type": "text", "label": "x", "sets": "config/Thing/t#spec.x"}}}, "no such resource"),
    ({"resources": {"config": [resource("Ghost", "g")]}}, "kind no chart brings"),
    ({"resources": {"config": [{"kind": "Thing"}]}}, "without apiVersion"),
    ({"crds": {"names": ["things.k.example.net"]}, "resources": {"claims": [resource("Thing", "t")]}}, "brings that kind itself"),
    ({"secrets": {"s": {"for": "x", "secret": "s", "key": "k", "template": "none"}}}, "once"),
    ({"secrets": {"s": {"for": "x", "secret": "s", "key": "k", "fixed": {"k": "v"}}}}, "holds its key"),
    ({"secrets": {"s": {"for": "x", "secret": "s", "key": "k", "namespace": "n", "valuesFrom": "a"}}}, "own namespace"),
    ({"secrets": {"shared": {"for": "x", "secret": "s", "key": "k"}}}, "already"),
    ({"values": {"x": "${domian}"}}, "did you mean domain"),
    ({"settings": {"unused": {"type": "text", "label": "x"}}}, "reads it nowhere"),
]


@pytest.mark.parametrize(("fields", "said"), FAULTS)
def test_lint_finds(fields: dict[str, Any], said: str) -> None:
    secrets = {"shared": {"for": "x", "secret": "shared", "key": "k"}}
    others = (chart("b", secrets=secrets), chart("late", "apps"))
    assert lint(catalog(chart("c"), *others)) == []
    problems = lint(Catalog({one.id: one for one in (chart("a", **fields), *others)}))
    assert any(said in problem.what for problem in problems), problems
