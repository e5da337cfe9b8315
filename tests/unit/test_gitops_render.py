"""A plan's files: what is in them, what is not, and what changes when something changes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.unit.entries import catalog, chart, cluster, needs, plan_of, resource
from wizard.catalog import Catalog, load
from wizard.errors import InputError, TierupError
from wizard.gitops.render import Tree, render
from wizard.order import resolve
from wizard.plan import Plan, load_preset

ROOT = "clusters/home"
SETTINGS = {
    "domain": "home.example.net",
    "email": "me@example.net",
    "timezone": "Europe/Paris",
    "loadBalancerPool": "192.0.2.40-192.0.2.60",
}


def rendered(plan: Plan, known: Catalog, **more: Any) -> Tree:
    return render(plan, known, resolve(plan, known, None), **more)


def documents(tree: Tree, path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(tree[f"{ROOT}/{path}"]))


def one(tree: Tree, path: str) -> dict[str, Any]:
    (found,) = documents(tree, path)
    return found


def kustomizations(tree: Tree) -> dict[str, dict[str, Any]]:
    """Name -> spec of every Flux Kustomization that the index reaches."""
    found = [d for path in one(tree, "kustomization.yaml")["resources"][1:] for d in documents(tree, path)]
    assert all(d["apiVersion"] == "kustomize.toolkit.fluxcd.io/v1" and d["metadata"]["namespace"] == "flux-system" for d in found)
    specs = {d["metadata"]["name"]: d["spec"] for d in found}
    assert len(specs) == len(found)
    return specs


def waits(spec: Mapping[str, Any]) -> list[str]:
    return [d["name"] for d in spec.get("dependsOn", [])]


SMALL = catalog(
    chart(
        "operator",
        "platform",
        health=[{"apiVersion": "k.example.net/v1", "kind": "Pool", "current": "status.ok"}],
        crds={"names": ["pools.k.example.net"]},
    ),
    chart("issuer", "system", resources={"config": [resource("Pool", "main")]}, requires=needs("operator", at="config")),
    chart("app", "apps", requires=needs("issuer"), resources={"claims": [resource("Pool", "db")]}, release="application"),
    chart("user", "apps", requires=needs("app"), options={"n": {"type": "number", "label": "N", "default": 1, "sets": "n"}}),
    chart("cni", "cluster", requires=[], resources={"config": [resource("Pool", "addresses")]}),
)


@pytest.fixture(scope="module")
def homelab() -> tuple[Plan, Catalog, Tree]:
    known = load()
    plan = load_preset("homelab").plan.with_overrides(
        name="home", settings=SETTINGS | {"s3Endpoint": "https://s3.example.net", "s3Region": "eu"}
    )
    return plan, known, rendered(plan, known)


def test_every_file_of_the_homelab_is_reached_from_its_index(homelab: tuple[Plan, Catalog, Tree]) -> None:
    tree = homelab[2]
    reached = {"kustomization.yaml", "tierup.yaml", *one(tree, "kustomization.yaml")["resources"][1:]}
    for folder in ["namespaces", *(spec["path"].removeprefix(f"./{ROOT}/") for spec in kustomizations(tree).values())]:
        reached |= {
            f"{folder}/kustomization.yaml",
            *(f"{folder}/{name}" for name in one(tree, f"{folder}/kustomization.yaml")["resources"]),
        }
    assert {f"{ROOT}/{path}" for path in reached} == set(tree) - {"README.md", "renovate.json"}


def test_every_dependency_of_the_homelab_exists_and_gates_by_ready(homelab: tuple[Plan, Catalog, Tree]) -> None:
    """A Kustomization that others wait for must be Ready only when what it holds is."""
    plan, known, tree = homelab
    specs = kustomizations(tree)
    releases = {}
    for chart_id in resolve(plan, known, None).charts:
        if known.charts[chart_id].tier != "cluster":
            found = one(tree, f"{known.charts[chart_id].tier}/{chart_id}/helmrelease.yaml")
            releases[found["metadata"]["namespace"], found["metadata"]["name"]] = found
    for name, spec in specs.items():
        for other in waits(spec):
            assert specs[other]["wait"] is True, (name, other)
    for found in releases.values():
        for other in found["spec"].get("dependsOn", []):
            assert (other["namespace"], other["name"]) in releases
    waited = {other for spec in specs.values() for other in waits(spec)}
    assert {name for name, spec in specs.items() if spec["wait"] and not name.endswith(("-config", "-claims"))} <= waited


def test_the_homelab_asks_flux_for_what_the_design_says(homelab: tuple[Plan, Catalog, Tree]) -> None:
    for name, spec in kustomizations(homelab[2]).items():
        assert spec["interval"] == "1h" and spec["retryInterval"] == "30s"
        assert int(spec["timeout"].removesuffix("m")) >= 15
        assert spec["sourceRef"] == {"kind": "GitRepository", "name": "flux-system"}
        assert spec["postBuild"]["substituteFrom"] == [{"kind": "ConfigMap", "name": "cluster-settings"}], name
        # With an empty ConfigMap Flux would else leave every escape as it is.
        assert spec["postBuild"]["substituteStrategy"] == "Always"


def test_the_two_kinds_of_edges() -> None:
    tree = rendered(plan_of(SMALL, "operator", "issuer", "app", "user", "cni"), SMALL)
    specs = kustomizations(tree)
    assert waits(specs["app"]) == ["app-claims"]
    assert waits(specs["app-claims"]) == ["operator"]
    assert waits(specs["issuer-config"]) == ["operator"]
    assert waits(specs["cni-config"]) == ["operator"]
    assert {name for name, spec in specs.items() if spec["wait"]} == {"operator", "issuer-config", "app-claims", "cni-config"}
    assert one(tree, "apps/app/helmrelease.yaml")["spec"]["dependsOn"] == [{"name": "issuer", "namespace": "issuer"}]
    assert one(tree, "apps/user/helmrelease.yaml")["spec"]["dependsOn"] == [{"name": "application", "namespace": "app"}]
    assert "dependsOn" not in one(tree, "platform/operator/helmrelease.yaml")["spec"]


def test_terraforms_tier_is_not_fluxs() -> None:
    tree = rendered(plan_of(SMALL, "operator", "cni"), SMALL)
    assert not any(path.startswith(f"{ROOT}/cluster/cni/") for path in tree)
    assert f"{ROOT}/namespaces/cni.yaml" not in tree
    assert one(tree, "cluster/cni-config/pool-addresses.yaml")["kind"] == "Pool"


def test_health_of_custom_resources_comes_from_the_catalog() -> None:
    specs = kustomizations(rendered(plan_of(SMALL, "issuer"), SMALL))
    assert specs["issuer-config"]["healthCheckExprs"] == [{"apiVersion": "k.example.net/v1", "kind": "Pool", "current": "status.ok"}]


def test_config_that_holds_data_outlives_the_plan() -> None:
    known = catalog(
        chart("a", resources={"config": [resource("Pool", "x")]}, crds={"names": ["pools.k.example.net"]}),
        chart(
            "db", resources={"config": [resource("Cluster", "x", "postgresql.cnpg.io")]}, crds={"names": ["clusters.postgresql.cnpg.io"]}
        ),
    )
    specs = kustomizations(rendered(plan_of(known, "a", "db"), known))
    assert (specs["db-config"]["prune"], specs["db-config"]["deletionPolicy"]) == (False, "Orphan")
    assert specs["a-config"]["prune"] is True


def test_claims_are_neither_pruned_nor_deleted_and_config_is() -> None:
    specs = kustomizations(rendered(plan_of(SMALL, "issuer", "app"), SMALL))
    assert (specs["app-claims"]["prune"], specs["app-claims"]["deletionPolicy"]) == (False, "Orphan")
    assert specs["issuer-config"]["prune"] is True and "deletionPolicy" not in specs["issuer-config"]
    assert specs["app"]["prune"] is True


def test_namespaces_come_first_and_are_never_pruned(homelab: tuple[Plan, Catalog, Tree]) -> None:
    """The Kustomization Flux starts from applies Namespaces before all else in it and waits for them (kustomize-controller's stages)."""
    _, _, tree = homelab
    assert one(tree, "kustomization.yaml")["resources"][0] == "namespaces"
    found = [path for path in tree if "/namespaces/" in path and not path.endswith("kustomization.yaml")]
    assert found
    for path in found:
        assert (
            one(tree, path.partition("/")[2].partition("/")[2])["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"]
            == "disabled"
        )


def test_a_release_is_tried_for_ever_and_keeps_its_definitions_new() -> None:
    known = catalog(chart("a"), chart("vault", wait=False))
    tree = rendered(plan_of(known, "a", "vault"), known)
    action = {"crds": "CreateReplace", "strategy": {"name": "RetryOnFailure", "retryInterval": "30s"}}
    spec = one(tree, "system/a/helmrelease.yaml")["spec"]
    assert spec["install"] == spec["upgrade"] == action
    assert (spec["interval"], spec["timeout"]) == ("1h", "10m")
    sealed = one(tree, "system/vault/helmrelease.yaml")["spec"]
    assert sealed["install"] == sealed["upgrade"] == action | {"disableWait": True}


def test_a_namespace_has_the_highest_level_needed_in_it_and_is_never_pruned() -> None:
    known = catalog(
        chart("a", namespace="shared"),
        chart("b", namespace="shared", podSecurity={"level": "privileged", "because": "x"}),
        chart("c", namespace="shared", podSecurity={"level": "baseline", "because": "x"}),
        chart("d", namespace="kube-system"),
    )
    tree = rendered(plan_of(known, "a", "b", "c", "d"), known)
    assert one(tree, "namespaces/kustomization.yaml")["resources"] == ["shared.yaml"]
    shared = one(tree, "namespaces/shared.yaml")
    assert shared["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert shared["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/prune": "disabled"}


SOURCES = catalog(chart("oci"), chart("repo", source={"repo": "https://charts.example.net/stable", "chart": "packed", "version": "v1.2.3"}))


def test_where_charts_come_from() -> None:
    tree = rendered(plan_of(SOURCES, "oci", "repo"), SOURCES)
    source = one(tree, "system/oci/source.yaml")
    assert source["apiVersion"] == "source.toolkit.fluxcd.io/v1" and source["kind"] == "OCIRepository"
    assert source["spec"]["url"] == "oci://registry.example.net/charts/oci" and source["spec"]["ref"] == {"tag": "1.2.3"}
    assert source["spec"]["layerSelector"] == {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}
    assert "insecure" not in source["spec"]
    repository, packed = documents(tree, "system/repo/source.yaml")
    assert (repository["kind"], repository["spec"]["url"]) == ("HelmRepository", "https://charts.example.net/stable")
    assert packed["kind"] == "HelmChart" and packed["spec"]["chart"] == "packed" and packed["spec"]["version"] == "v1.2.3"
    assert packed["spec"]["sourceRef"] == {"kind": "HelmRepository", "name": repository["metadata"]["name"]}
    assert one(tree, "system/repo/helmrelease.yaml")["spec"]["chartRef"] == {"kind": "HelmChart", "name": "repo"}


def test_a_mirror_holds_everything_under_its_own_name() -> None:
    registry = {"mirror": "127.0.0.1:5000/m", "insecure": True}
    tree = rendered(plan_of(SOURCES, "oci", "repo", registry=registry), SOURCES)
    for name, url in (("oci", "registry.example.net/charts/oci"), ("repo", "charts.example.net/stable/packed")):
        spec = one(tree, f"system/{name}/source.yaml")["spec"]
        assert (spec["url"], spec["insecure"]) == (f"oci://127.0.0.1:5000/m/{url}", True)
        assert one(tree, f"system/{name}/helmrelease.yaml")["spec"]["chartRef"]["kind"] == "OCIRepository"


@pytest.mark.parametrize(
    ("name", "found"),
    [("oci", ("docker", "registry.example.net/charts/oci", None)), ("repo", ("helm", "packed", "https://charts.example.net/stable"))],
)
def test_renovate_finds_the_version_of_a_mirrored_chart_upstream(name: str, found: tuple[str | None, ...]) -> None:
    tree = rendered(plan_of(SOURCES, name, registry={"mirror": "m.example.net"}), SOURCES)
    pattern = json.loads(tree["renovate.json"])["customManagers"][0]["matchStrings"][0].replace("(?<", "(?P<")
    match = re.search(pattern, tree[f"{ROOT}/system/{name}/source.yaml"].decode())
    assert match and match.group("datasource", "depName", "registryUrl") == found
    assert match["currentValue"].strip("v") == "1.2.3"


CHOICES = catalog(
    chart(
        "a",
        options={
            "host": {
                "type": "text",
                "label": "H",
                "default": "a.${domain}",
                "sets": ["ingress.hosts[0].host", "config/Pool/main#spec.host"],
            },
            "class": {"type": "text", "label": "C", "sets": r"annotations.example\.org/class"},
            "extra": {"type": "switch", "label": "E", "default": False, "sets": "extra.enabled"},
        },
        secrets={
            "token": {
                "for": "t",
                "secret": "a-token",
                "key": "token",
                "existingSecret": ["auth.existingSecret", "config/Pool/main#spec.secretRef.name"],
            },
            "only": {"for": "t", "secret": "a-only", "key": "k", "valuesFrom": r"auth.pass\.word", "when": "extra"},
        },
        values={"auth": {"user": "me"}, "url": "https://${domain}/"},
        resources={"config": [resource("Pool", "main", spec={"size": 1}), resource("Pool", "more", when="extra")]},
        crds={"names": ["pools.k.example.net"]},
    )
)


def chosen(
    options: dict[str, Any] | None = None, values: dict[str, Any] | None = None, settings: Mapping[str, str] = SETTINGS, **more: Any
) -> Tree:
    choice = {"options": options or {}, "values": values or {}, **more}
    return rendered(
        plan_of(CHOICES, "a", settings=dict(settings)).model_copy(
            update={"charts": plan_of(CHOICES, "a", charts={"system": {"a": choice}}).charts}
        ),
        CHOICES,
    )


def test_catalog_options_and_secrets_names_make_the_values() -> None:
    tree = chosen()
    assert one(tree, "system/a/helmrelease.yaml")["spec"]["values"] == {
        "auth": {"existingSecret": "a-token", "user": "me"},
        "extra": {"enabled": False},
        "ingress": {"hosts": [{"host": "a.${domain}"}]},
        "url": "https://${domain}/",
    }
    assert one(tree, "system/a-config/pool-main.yaml")["spec"] == {"host": "a.${domain}", "secretRef": {"name": "a-token"}, "size": 1}
    assert f"{ROOT}/system/a-config/pool-more.yaml" not in tree
    assert "valuesFrom" not in one(tree, "system/a/helmrelease.yaml")["spec"]


def test_a_switch_brings_its_secret_and_its_resource() -> None:
    tree = chosen({"extra": True})
    expected = [{"kind": "Secret", "name": "a-only", "valuesKey": "k", "targetPath": r"auth.pass\.word", "literal": True}]
    assert one(tree, "system/a/helmrelease.yaml")["spec"]["valuesFrom"] == expected
    resources = one(tree, "system/a-config/kustomization.yaml")["resources"]
    assert resources == ["pool-main.yaml", "pool-more.yaml"]
    assert "when" not in one(tree, "system/a-config/pool-more.yaml")


def test_what_the_operator_writes_is_merged_last_and_escaped() -> None:
    tree = chosen({"host": "${domain}", "class": "$$x"}, {"url": "$(A) ${B}", "auth": {"user": None, "${k}": "on"}})
    values = one(tree, "system/a/helmrelease.yaml")["spec"]["values"]
    assert values["ingress"]["hosts"] == [{"host": "$${domain}"}]
    assert values["annotations"] == {"example.org/class": "$$$$x"}
    assert values["url"] == "$(A) $${B}"
    assert values["auth"] == {"$${k}": "on", "existingSecret": "a-token", "user": None}


def test_a_setting_that_is_missing_is_named_with_its_chart() -> None:
    with pytest.raises(InputError, match=r"chart a needs the setting 'domain'"):
        chosen(settings={})


def test_a_setting_that_yaml_would_misread_is_written_out() -> None:
    assert one(chosen(settings={"domain": "1e3"}), "system/a-config/pool-main.yaml")["spec"]["host"] == "a.1e3"


def test_a_secret_object_never_gets_into_git() -> None:
    known = catalog(chart("a", resources={"config": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}]}))
    with pytest.raises(InputError, match="would put a Secret into Git"):
        rendered(plan_of(known, "a"), known)


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_the_same_plan_gives_the_same_bytes_whatever_the_order_of_its_keys(homelab: tuple[Plan, Catalog, Tree]) -> None:
    plan, known, tree = homelab
    turned = Plan.model_validate(shuffled(plan.model_dump(by_alias=True, mode="json")))
    other = Catalog({name: c.model_copy(update={"values": shuffled(c.values)}) for name, c in reversed(list(known.charts.items()))})
    again = rendered(turned, other)
    assert again == tree and list(again) == list(tree)


def test_one_value_changes_one_chart(homelab: tuple[Plan, Catalog, Tree]) -> None:
    plan, known, tree = homelab
    content = plan.model_dump(by_alias=True, mode="json")
    content["charts"]["core"]["traefik"] = {"values": {"deployment": {"replicas": 3}}}
    changed = rendered(Plan.model_validate(content), known)
    assert {path for path in tree.keys() | changed.keys() if tree.get(path) != changed.get(path)} == {
        f"{ROOT}/core/traefik/helmrelease.yaml",
        f"{ROOT}/tierup.yaml",
    }


def test_one_chart_more_touches_no_other_chart() -> None:
    few, more = (rendered(plan_of(SMALL, *names), SMALL) for names in (("operator", "issuer"), ("operator", "issuer", "user", "app")))
    touched = {path for path in few if few[path] != more[path]}
    assert touched == {f"{ROOT}/kustomization.yaml", f"{ROOT}/namespaces/kustomization.yaml", f"{ROOT}/tierup.yaml"}


def test_the_timeout_outlasts_the_longest_chain() -> None:
    chain = [chart(f"c{n}", requires=needs(f"c{n - 1}") if n else [], ready={"after": "120s", "means": "x"}) for n in range(10)]
    known = catalog(*chain)
    spec = kustomizations(rendered(plan_of(known, *known.charts), known))["c0"]
    assert spec["timeout"] == "60m"


@pytest.mark.parametrize(
    ("in_git", "wanted", "result"),
    [
        ("1.3.0", "1.2.3", "1.3.0"),
        ("1.2.0", "1.2.3", "1.2.3"),
        ("1.10.0", "1.9.0", "1.10.0"),
        ("v1.3.0", "1.2.3", "v1.3.0"),
        ("1.2.3-rc.1", "1.2.3", "1.2.3"),
        ("1.2.3-rc.10", "1.2.3-rc.9", "1.2.3-rc.10"),
        ("latest", "1.2.3", "latest"),
        ("1.2.3+b2", "1.2.3+b1", "1.2.3+b1"),
    ],
)
def test_versions_are_never_lowered(in_git: str, wanted: str, result: str) -> None:
    known = catalog(chart("a", source={"oci": "h.example.net/a", "version": wanted}))
    tree = rendered(plan_of(known, "a"), known, versions={"a": in_git})
    assert one(tree, "system/a/source.yaml")["spec"]["ref"]["tag"] == result.replace("+", "_")


def test_a_version_in_the_plan_goes_before_the_catalogs() -> None:
    assert one(chosen(version="2.0.0"), "system/a/source.yaml")["spec"]["ref"]["tag"] == "2.0.0"


def test_further_files_are_part_of_the_tree_and_lie_in_the_clusters_folder() -> None:
    extra = {f"{ROOT}/terraform/flux/main.tf": b"#\n"}
    assert rendered(plan_of(SMALL, "operator"), SMALL, extra=extra).items() >= extra.items()
    for path in ("terraform/main.tf", f"{ROOT}/kustomization.yaml"):
        with pytest.raises(TierupError):
            rendered(plan_of(SMALL, "operator"), SMALL, extra={path: b""})


def test_a_chart_called_like_anothers_resources_is_refused() -> None:
    known = catalog(chart("a", resources={"config": [resource("Pool", "x")]}, crds={"names": ["pools.k.example.net"]}), chart("a-config"))
    with pytest.raises(TierupError, match="a-config"):
        rendered(plan_of(known, "a", "a-config"), known)


def test_a_thousand_charts_give_a_tree_of_theirs() -> None:
    """The time is measured by the bench; here only that nothing is quadratic in memory or lost."""
    known = catalog(
        *(chart(f"c{n}", ("system", "platform", "core", "apps")[n % 4], requires=needs(f"c{n - 4}") if n > 3 else []) for n in range(1000))
    )
    plan = plan_of(known, *known.charts)
    tree = render(plan, known, resolve(plan, known, cluster()))
    assert len(kustomizations(tree)) == 1000


def test_golden_bytes_of_one_chart() -> None:
    known = catalog(chart("a", "apps", values={"image": {"tag": "1.10"}, "on": "yes"}))
    tree = rendered(plan_of(known, "a"), known)
    assert (
        tree[f"{ROOT}/apps/a/helmrelease.yaml"].decode()
        == """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: a
  namespace: a
spec:
  interval: 1h
  timeout: 10m
  chartRef:
    kind: OCIRepository
    name: a
  install:
    crds: CreateReplace
    strategy:
      name: RetryOnFailure
      retryInterval: 30s
  upgrade:
    crds: CreateReplace
    strategy:
      name: RetryOnFailure
      retryInterval: 30s
  values:
    image:
      tag: "1.10"
    "on": "yes"
"""
    )
