"""A plan in words, and the marks that tell an approved change from another."""

from __future__ import annotations

from typing import Any

import pytest

from wizard.errors import TierupError
from wizard.terraform.review import TerraformPlan, read, unsupplied


def _item(kind: str, key: str, actions: list[str], before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    change = {"actions": actions, "before": before, "after": after, "after_sensitive": {}, **more}
    address = f'{kind}.this["{key}"]'
    return {"address": address, "mode": "managed", "type": kind, "index": key, "change": change}


def _plan(*items: dict[str, Any], **more: Any) -> TerraformPlan:
    return read({"format_version": "1.2", "resource_changes": list(items)}, root="sample", **more)


def _secret(revision: int, keys: str = "password,username", uid: str = "") -> dict[str, Any]:
    metadata = {"namespace": "authentik", "name": "db", "annotations": {"tierup/keys": keys}, "resource_version": uid}
    return {"metadata": [metadata], "type": "Opaque", "data_wo": None, "data_wo_revision": revision}


def _release(version: str, values: str = "a: {b: 1, c: [1]}\n", **more: Any) -> dict[str, Any]:
    return {"name": "cilium", "namespace": "kube-system", "chart": "cilium", "version": version, "values": [values], **more}


def _words(plan: TerraformPlan) -> list[str]:
    return [f"{c.action} {c.subject}: {c.detail}" for c in plan.changes]


def test_changes_are_told_in_the_words_of_kubernetes_and_helm() -> None:
    config_map = {"metadata": [{"namespace": "flux-system", "name": "cluster-settings"}], "data": {"domain": "a.example", "tz": "UTC"}}
    plan = _plan(
        _item("kubernetes_secret_v1", "authentik/db", ["create"], None, _secret(1)),
        _item("kubernetes_secret_v1", "authentik/again", ["update"], _secret(1), _secret(2)),
        _item("kubernetes_namespace_v1", "authentik", ["no-op"], {}, {"metadata": [{"name": "authentik"}]}, importing={"id": "authentik"}),
        _item("kubernetes_config_map_v1", "s", ["update"], config_map, {**config_map, "data": {"domain": "b.example", "tz": "UTC"}}),
        _item("helm_release", "cilium", ["update"], _release("1.19.0"), _release("1.20.0", "a: {b: 2, c: [2]}\nd: 1\n")),
        _item("terraform_data", "x", ["no-op"], {}, {}),
        released=["old"],
    )
    assert _words(plan) == [
        "update Helm release kube-system/cilium: chart cilium 1.19.0 -> 1.20.0; values a.b, a.c, d",
        "update ConfigMap flux-system/cluster-settings: domain a.example -> b.example",
        "adopt Namespace authentik: exists already: recorded, not changed",
        "update Secret authentik/db: written again (keys password, username)",
        "create Secret authentik/db: keys password, username",
        "release Namespace old: Terraform forgets it, it stays",
    ]
    assert plan.destructive == ()


def test_taking_over_a_release_of_somebody_else_is_said() -> None:
    item = _item("helm_release", "cilium", ["create"], None, _release("1.20.0"))
    assert "takes it over" in _words(_plan(item, foreign=[("kube-system", "cilium")]))[0]
    assert "takes it over" not in _words(_plan(item, foreign=[("default", "cilium")]))[0]


def test_deletes_and_replacements_are_marked() -> None:
    plan = _plan(
        _item("kubernetes_secret_v1", "a", ["delete"], _secret(1)),
        _item("kubernetes_secret_v1", "b", ["delete", "create"], _secret(1), _secret(1)),
        _item("kubernetes_secret_v1", "c", ["create"], None, _secret(1)),
    )
    assert [c.action for c in plan.destructive] == ["delete", "replace"]


def test_the_digest_follows_what_is_decided_and_not_what_the_cluster_counts() -> None:
    base = _plan(_item("kubernetes_secret_v1", "s", ["update"], _secret(1, uid="7"), _secret(2, uid="7")))
    counted = _plan(_item("kubernetes_secret_v1", "s", ["update"], _secret(1, uid="9"), _secret(2, uid="9")))
    decided = _plan(_item("kubernetes_secret_v1", "s", ["update"], _secret(1), _secret(3)))
    assert base.digest == counted.digest != decided.digest
    values = [_plan(_item("helm_release", "r", ["update"], _release("1"), _release("1", v))).digest for v in ("a: 1\n", "a: 2\n")]
    assert values[0] != values[1]


def test_a_namespace_that_a_killed_run_made_counts_as_the_approved_create() -> None:
    after = {"metadata": [{"name": "authentik"}]}
    created = _plan(_item("kubernetes_namespace_v1", "authentik", ["create"], None, after))
    adopted = _plan(_item("kubernetes_namespace_v1", "authentik", ["update"], {}, after, importing={"id": "authentik"}))
    other = _plan(_item("kubernetes_namespace_v1", "authentik", ["delete"], after, None))
    assert adopted.beyond(created.marks) == ()
    assert [c.action for c in other.beyond(created.marks)] == ["delete"]


def test_sensitive_attributes_are_in_no_mark() -> None:
    plans = [
        _plan(
            _item(
                "helm_release", "r", ["create"], None, _release("1", repository_password=p), after_sensitive={"repository_password": True}
            )
        )
        for p in ("one", "two")
    ]
    assert plans[0].digest == plans[1].digest


def test_a_secret_without_its_values_is_found_before_it_is_written_empty() -> None:
    plan = _plan(
        _item("kubernetes_secret_v1", "a/new", ["create"], None, _secret(1)),
        _item("kubernetes_secret_v1", "a/old", ["update"], _secret(1), _secret(2)),
        _item("kubernetes_secret_v1", "a/gone", ["delete"], _secret(1)),
    )
    assert unsupplied(plan, {"a/old"}) == ("a/new",)
    assert unsupplied(plan, {"a/old", "a/new"}) == ()


def test_foreign_text_cannot_steer_the_terminal() -> None:
    after = {"metadata": [{"namespace": "x", "name": "\x1b[2J\u202eevil"}]}
    (words,) = _words(_plan(_item("kubernetes_config_map_v1", "s", ["create"], None, after)))
    assert words.isprintable()


def test_what_is_no_plan_is_an_error_in_words() -> None:
    with pytest.raises(TierupError, match="cannot be read"):
        read({}, root="sample")
