"""Plans and presets: read strictly, written canonically, never holding a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.entries import catalog, chart, entry, plan_of
from wizard.catalog import load
from wizard.documents import dump, validate
from wizard.documents import load as read
from wizard.errors import InputError
from wizard.plan import Plan, check, load_plan, load_preset, presets, schema, secret_needs, selected
from wizard.plan.words import git_url

CATALOG = load()
CANARY = "hunter2-canary-value"


def parsed(text: str) -> Plan:
    return validate(read(text.encode(), name="plan.yaml"), Plan)


@pytest.mark.parametrize("name", ["homelab", "minimal"])
def test_presets_are_accepted(name: str) -> None:
    loaded = load_preset(name)
    check(loaded.plan, CATALOG, loaded.document)
    assert loaded.plan.kind == "Preset"
    assert name in presets()


def test_the_homelab_has_every_chart_and_every_secret_a_source() -> None:
    plan = load_preset("homelab").plan
    assert set(selected(plan)) == set(CATALOG.charts)
    needs = secret_needs(plan, CATALOG)
    assert all(one.source for one in needs)
    assert {one.name for one in needs} | {plan.git.credential} == set(plan.secrets)
    for one in needs:
        assert one.source.startswith("env:TIERUP_") != (one.source == "generate")


@pytest.mark.parametrize("name", ["homelab", "minimal"])
def test_canonical_text_reads_back_as_the_same_plan(name: str) -> None:
    plan = load_preset(name).plan
    again = parsed(plan.to_yaml())
    assert again == plan
    assert again.to_yaml() == plan.to_yaml()


def test_the_order_of_keys_changes_nothing_and_a_value_does() -> None:
    plan = load_preset("homelab").plan
    content = read(plan.to_yaml().encode(), name="x").value
    turned = {key: dict(reversed(value.items())) if isinstance(value, dict) else value for key, value in reversed(content.items())}
    assert parsed(dump(turned)).digest == plan.digest
    assert plan.with_overrides(settings={"domain": "other.example.net"}).digest != plan.digest


def test_text_that_looks_like_something_else_stays_text() -> None:
    plan = load_preset("minimal").plan.with_overrides(settings={"a": "12:30:45", "b": "no", "c": "1e3", "d": "$${x}", "e": ' "q" '})
    assert parsed(plan.to_yaml()).settings == plan.settings


def test_an_own_chart_survives_and_is_in_its_tier() -> None:
    plan = plan_of(CATALOG, "reloader", own={"mine": entry("mine")})
    plan = plan.model_copy(update={"charts": {**plan.charts, "core": parsed(plan.to_yaml()).charts.get("core", {})}})
    text = plan.to_yaml().replace("own:", "  apps:\n    mine: {}\nown:")
    again = parsed(text)
    assert again.catalog(CATALOG).charts["mine"].tier == "apps"
    assert again.own["mine"].ready.after == 20.0
    check(again, CATALOG)


def test_an_own_chart_that_is_not_chosen_is_said() -> None:
    with pytest.raises(InputError, match="in no tier"):
        check(plan_of(CATALOG, "reloader", own={"mine": entry("mine")}), CATALOG)


def test_what_was_said_on_the_command_line_comes_last() -> None:
    plan = load_preset("minimal").plan
    changed = plan.with_overrides(
        name="lab",
        git_url="http://127.0.0.1:3000/lab.git",
        branch="work",
        context="lab",
        settings={"domain": "lab.example.net"},
        mirror="127.0.0.1:5000/charts",
        http="http://127.0.0.1:5001",
        insecure=True,
        secrets={"proxmox-token": "prompt"},
    )
    assert (changed.name, changed.git.url, changed.git.branch, changed.cluster.context) == (
        "lab",
        "http://127.0.0.1:3000/lab.git",
        "work",
        "lab",
    )
    assert changed.registry.model_dump() == {"mirror": "127.0.0.1:5000/charts", "http": "http://127.0.0.1:5001", "insecure": True}
    assert changed.settings == {**plan.settings, "domain": "lab.example.net"}
    assert changed.secrets == {**plan.secrets, "proxmox-token": "prompt"}
    assert changed.charts == plan.charts
    assert changed.git.credential == plan.git.credential
    assert plan.with_overrides() == plan


def test_bad_overrides_are_all_named() -> None:
    with pytest.raises(InputError) as caught:
        load_preset("minimal").plan.with_overrides(name="Lab_", git_url="nowhere", mirror="http://x", secrets={"git-token": CANARY})
    assert [p.what.partition(":")[0] for p in caught.value.problems] == ["name", "git.url", "registry.mirror", "secrets.git-token"]
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("source", [CANARY, "env:", "env:A B", "vault:", "file:/etc/x", "cmd:cat x", "Generate", ""])
def test_secrets_in_a_plan_are_sources_and_never_values(source: str) -> None:
    text = load_preset("minimal").plan.to_yaml().replace("env:TIERUP_PROXMOX_TOKEN", json.dumps(source))
    with pytest.raises(InputError) as caught:
        parsed(text)
    (problem,) = caught.value.problems
    assert problem.place and problem.place.line
    assert CANARY not in str(caught.value)


def test_files_and_commands_of_this_machine_have_their_own_place() -> None:
    with pytest.raises(InputError, match=r"sources\.yaml"):
        load_preset("minimal").plan.with_overrides(secrets={"git-token": "cmd:pass show git"})


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.net/me/lab.git",
        "ssh://git@git.example.net/me/lab.git",
        "git@git.example.net:me/lab.git",
        "https://me@h.example/x",
    ],
)
def test_addresses_of_repositories(url: str) -> None:
    assert git_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{CANARY}@git.example.net/x.git",
        f"ssh://me:{CANARY}@git.example.net/x.git",
        "https://ghp_abcdefghijklmnop@git.example.net/x.git",
        "https://glpat-abcdefgh@git.example.net/x.git",
        "https://" + "a" * 40 + "@git.example.net/x.git",
        "https://git.example.net",
        "/srv/git/x.git",
        "https://git.example.net/x y",
        "https://[::1/x",
    ],
)
def test_addresses_with_a_token_and_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        git_url(url)
    assert CANARY not in str(caught.value)


def test_a_deadline_is_ten_minutes_or_five_times_the_usual_or_as_given() -> None:
    quick, slow = chart("quick", ready={"after": "20s", "means": "x"}), chart("slow", ready={"after": "5m", "means": "x"})
    plan = plan_of(catalog(quick, slow), "quick", "slow")
    assert (plan.deadline(quick), plan.deadline(slow)) == (600.0, 1500.0)
    given = parsed(plan.to_yaml().replace("slow: {}", "slow: {deadline: 90s}"))
    assert given.deadline(slow) == 90.0
    assert "deadline: 90s" in given.to_yaml()


def test_a_preset_that_is_not_there() -> None:
    with pytest.raises(InputError) as caught:
        load_preset("homelap")
    assert "homelab" in caught.value.problems[0].remedy


def test_a_plan_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(load_preset("minimal").plan.to_yaml(), encoding="utf-8")
    assert load_plan(path).plan == load_preset(str(path)).plan == load_preset("minimal").plan
    with pytest.raises(InputError):
        load_plan(tmp_path / "none.yaml")


def test_the_schema_knows_every_field() -> None:
    found = schema()
    json.dumps(found)
    assert {"apiVersion", "kind", "name", "charts", "secrets", "git"} <= set(found["properties"])
    assert found["additionalProperties"] is False
