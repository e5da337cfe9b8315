"""Small catalog entries and plans for tests."""

from __future__ import annotations

from typing import Any

from wizard.catalog import Catalog, Chart
from wizard.plan import Plan
from wizard.state import TIERS, ClusterFacts


def entry(name: str, **fields: Any) -> dict[str, Any]:
    """A complete entry; `fields` are added or replace."""
    return {
        "title": name.title(),
        "about": f"What {name} does.",
        "links": {"home": "https://example.net"},
        "source": {"oci": f"registry.example.net/charts/{name}", "version": "1.2.3"},
        "namespace": name,
        "podSecurity": {"level": "restricted", "because": "nothing special"},
        "workloads": [{"kind": "Deployment", "name": name}],
        "ready": {"after": "20s", "means": "Deployment available"},
        "proof": {"version": "example/charts@v1.2.3:Chart.yaml", "values": "values.yaml", "checked": "2026-11-23"},
        **fields,
    }


def chart(name: str, tier: str = "system", **fields: Any) -> Chart:
    return Chart.model_validate(entry(name, **fields)).placed(name, tier)


def catalog(*charts: Chart) -> Catalog:
    return Catalog({one.id: one for one in charts})


def needs(*what: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"what": one, "because": f"it uses {one}", **fields} for one in what]


def resource(kind: str, name: str, group: str = "k.example.net", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, **fields}


def plan_of(known: Catalog, *chosen: str, options: dict[str, dict[str, Any]] | None = None, **fields: Any) -> Plan:
    """A plan that chooses these charts, each in its tier."""
    charts: dict[str, dict[str, Any]] = {}
    for name in chosen:
        tier = known.charts[name].tier if name in known.charts else "apps"
        charts.setdefault(tier, {})[name] = {"options": (options or {}).get(name, {})}
    git = {"url": "https://git.example.net/me/homelab.git"}
    content = {"apiVersion": "tierup/v1", "kind": "Plan", "name": "home", "git": git, "charts": charts, **fields}
    return Plan.model_validate(content)


def cluster(**fields: Any) -> ClusterFacts:
    return ClusterFacts(server="https://192.0.2.1:6443", identity="uid", ca_fingerprint="", version="v1.36.0", **fields)


__all__ = ["TIERS", "catalog", "chart", "cluster", "entry", "needs", "plan_of", "resource"]
