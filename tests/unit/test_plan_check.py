"""A plan against the catalog: every mistake with its place and what was meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.entries import catalog, chart, plan_of
from wizard.catalog import load
from wizard.documents import load as read
from wizard.documents import validate
from wizard.errors import InputError, Problem
from wizard.plan import Plan, check, load_preset

CATALOG = load()
LINES = """\
apiVersion: tierup/v1
kind: Plan
name: home
settings: {domain: home.example.net, loadBalancerPool: 192.0.2.40-192.0.2.60}
git: {url: https://git.example.net/me/homelab.git}
charts:
  cluster:
    cilium:
      options:
        kubeProxyReplacment: true
        k8sServicePort: "7445"
        gatewayAPI: true
        kubeProxyReplacement: false
  system:
    traefik: {}
    cert-manger: {}
  apps:
    minecraft: {}
secrets:
  minecraft-rkon: generate
"""


def problems(text: str) -> dict[str, Problem]:
    document = read(text.encode(), name="clusters/home/tierup.yaml")
    with pytest.raises(InputError) as caught:
        check(validate(document, Plan), CATALOG, document)
    return {str(p.place).removeprefix("clusters/home/tierup.yaml:"): p for p in caught.value.problems}


def test_all_mistakes_at_once_each_at_its_place() -> None:
    found = problems(LINES)
    assert found["10:9"].what == 'unknown option "kubeProxyReplacment" of chart cilium'
    assert found["10:9"].remedy == 'did you mean "kubeProxyReplacement"?'
    assert "whole number" in found["11:25"].what
    assert 'needs "kubeProxyReplacement"' in found["12:21"].what
    assert "in tier core, not in system" in found["15:5"].what
    assert found["16:5"].remedy == 'did you mean "cert-manager"?'
    assert "EULA" in found["18:5"].what
    assert found["20:3"].remedy == 'did you mean "minecraft-rcon"?'
    assert len(found) == 7


def test_problems_come_in_the_order_of_the_file() -> None:
    lines = [int(place.partition(":")[0]) for place in problems(LINES)]
    assert lines == sorted(lines)


def said(plan: Plan, **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        check(plan, fields.pop("known", CATALOG), **fields)
    return str(caught.value)


def without(name: str, *, setting: str = "", secret: str = "") -> Plan:
    plan = load_preset(name).plan
    settings = {key: value for key, value in plan.settings.items() if key != setting}
    secrets = {key: value for key, value in plan.secrets.items() if key != secret}
    return plan.model_copy(update={"settings": settings, "secrets": secrets})


def test_a_secret_that_nobody_gives() -> None:
    assert 'secret "proxmox-token" is needed by proxmox-csi-plugin and has no source' in said(without("minimal", secret="proxmox-token"))


def test_a_secret_that_can_be_made_needs_no_source() -> None:
    check(without("minimal", secret="vaultwarden-admin"), CATALOG)


def test_a_secret_that_cannot_be_made() -> None:
    assert "cannot be generated" in said(load_preset("minimal").plan.with_overrides(secrets={"proxmox-token": "generate"}))


def test_the_repository_needs_its_credential() -> None:
    assert 'secret "git-token" is needed to push' in said(without("minimal", secret="git-token"))


def test_the_credentials_own_companions_are_known() -> None:
    check(load_preset("minimal").plan.with_overrides(secrets={"git-token-read": "prompt", "git-token-known-hosts": "prompt"}), CATALOG)


@pytest.mark.parametrize("name", ["proxmoxUrl", "domain", "loadBalancerPool"])
def test_a_setting_that_is_read_and_not_given(name: str) -> None:
    assert f'setting "{name}"' in said(without("minimal", setting=name))


def test_a_setting_under_a_wrong_name_is_recognised() -> None:
    plan = without("minimal", setting="domain")
    assert 'mean it by "domian"' in said(plan.model_copy(update={"settings": {**plan.settings, "domian": "x.example.net"}}))


@pytest.mark.parametrize(
    ("name", "value"), [("proxmoxUrl", "proxmox"), ("domain", "Home!"), ("loadBalancerPool", "192.0.2.0/24"), ("timezone", "here now")]
)
def test_a_setting_of_the_wrong_kind(name: str, value: str) -> None:
    assert f'setting "{name}"' in said(load_preset("minimal").plan.with_overrides(settings={name: value}))


def test_an_option_that_was_given_needs_no_setting_of_the_default() -> None:
    known = catalog(chart("app", options={"host": {"type": "host", "label": "Host", "default": "app.${domain}", "sets": "host"}}))
    assert 'setting "domain"' in said(plan_of(known, "app"), known=known)
    check(plan_of(known, "app", options={"app": {"host": "app.example.net"}}), known)


def test_secrets_count_only_where_their_switch_is_on() -> None:
    mail = {"for": "mail", "secret": "mail", "key": "password", "when": "mail"}
    known = catalog(chart("app", options={"mail": {"type": "switch", "label": "Mail", "default": False}}, secrets={"mail-password": mail}))
    check(plan_of(known, "app"), known)
    assert "mail-password" in said(plan_of(known, "app", options={"app": {"mail": True}}), known=known)


def test_what_is_brought_along_is_covered_when_it_is_named() -> None:
    token = {"for": "x", "secret": "s", "key": "k"}
    known = catalog(chart("app"), chart("store", secrets={"store-token": token}))
    check(plan_of(known, "app"), known)
    assert "store-token" in said(plan_of(known, "app"), known=known, charts=("app", "store"))
