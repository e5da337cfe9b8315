"""A synthetic homelab of any size, and how long its order takes: `python -m tests.bench.graph [N]`."""

from __future__ import annotations

import sys
import time
from typing import Any

from wizard.catalog import Catalog, Chart
from wizard.order import resolve
from wizard.plan import Plan
from wizard.state import TIERS

RUNS = 7


def make_plan_of(n: int) -> tuple[Plan, Catalog]:
    """A plan of `n` charts over the five tiers and its catalog. Each chart needs up to three earlier ones, every fifth has resources
    made once it runs and every seventh claims a kind that an earlier chart brings; the same `n` gives the same plan."""
    charts: dict[str, Chart] = {}
    for i in range(n):
        name = f"chart-{i:04}"
        charts[name] = Chart.model_validate(_entry(i)).placed(name, TIERS[i * len(TIERS) // n])
    content: dict[str, Any] = {
        "apiVersion": "tierup/v1",
        "kind": "Plan",
        "name": "large",
        "git": {"url": "https://git.example.net/me/homelab.git"},
    }
    content["charts"] = {tier: {c.id: {} for c in charts.values() if c.tier == tier} for tier in TIERS}
    return Plan.model_validate(content), Catalog(charts)


def _entry(i: int) -> dict[str, Any]:
    name = f"chart-{i:04}"
    earlier = sorted({(i * 7) // 10, (i * 3) // 5, i - 1} - {i, -1}) if i else []
    requires: list[dict[str, Any]] = [{"what": f"chart-{e:04}", "because": "it reads from it"} for e in earlier[:3] if e < i]
    entry: dict[str, Any] = {
        "title": f"Chart {i}",
        "about": "A synthetic chart.",
        "links": {"home": "https://example.net"},
        "source": {"oci": f"registry.example.net/charts/{name}", "version": "1.0.0"},
        "namespace": f"ns-{i % 97}",
        "podSecurity": {"level": "restricted", "because": "nothing special"},
        "provides": [f"word-{i % 50}"] if i < 50 else [],
        "requires": requires,
        "options": {"replicas": {"type": "number", "label": "Replicas", "default": 1, "sets": "replicaCount"}},
        "crds": {"class": "keep", "names": [f"things.k{i}.example.net"]},
        "workloads": [{"kind": "Deployment", "name": name}],
        "ready": {"after": "20s", "means": "Deployment available"},
        "resources": {},
    }
    if i % 5 == 0:
        entry["resources"]["config"] = [_thing(i, name)]
    if i % 7 == 0 and i:
        entry["resources"]["claims"] = [_thing(i // 2, name)]
    if i >= 50:
        entry["requires"] = [*requires, {"what": f"word-{i % 50}", "because": "any of that kind will do"}]
    return entry


def _thing(owner: int, name: str) -> dict[str, Any]:
    return {"apiVersion": f"k{owner}.example.net/v1", "kind": "Thing", "metadata": {"name": name, "namespace": "default"}, "spec": {}}


def seconds(n: int, runs: int = RUNS) -> float:
    """The shortest of several runs of `resolve` for `n` charts; the plan and the catalog are made anew for each, nothing is kept."""
    best = float("inf")
    for _ in range(runs):
        plan, catalog = make_plan_of(n)
        begin = time.perf_counter()
        resolve(plan, catalog, None)
        best = min(best, time.perf_counter() - begin)
    return best


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"order of {n} charts: {seconds(n) * 1000:.1f} ms (at most 100 ms for 1000)")


if __name__ == "__main__":
    main()
