"""The Helm releases of the tier `cluster`, which Terraform installs before there is Flux."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.terraform.values import release_values

if TYPE_CHECKING:
    from wizard.catalog import Catalog, Chart
    from wizard.order import Order
    from wizard.plan import ChartChoice, Plan
    from wizard.state import ClusterFacts

TIER = "cluster"


def releases(plan: Plan, catalog: Catalog, order: Order) -> dict[str, Any]:
    """The variables of the root `cluster`. Entries that are plain manifests are not Terraform's."""
    chosen = {chart.release or chart.id: chart for chart in _charts(plan, catalog, order)}
    return {
        "releases": {name: _release(plan, chosen[name]) for name in sorted(chosen)},
        "values": {name: release_values(chosen[name], _choice(plan, chosen[name]), plan.settings) for name in sorted(chosen)},
    }


def unmanaged(plan: Plan, catalog: Catalog, order: Order, facts: ClusterFacts) -> tuple[str, ...]:
    """Releases whose software runs already though no Helm release of it exists: Helm has to take its objects over."""
    found = []
    for chart in _charts(plan, catalog, order):
        release = chart.release or chart.id
        if chart.id in facts.cni and (chart.namespace, release) not in facts.helm_releases:
            found.append(release)
    return tuple(sorted(found))


def _charts(plan: Plan, catalog: Catalog, order: Order) -> list[Chart]:
    known = plan.catalog(catalog).charts
    charts = [known[chart_id] for chart_id in order.charts]
    return [chart for chart in charts if chart.tier == TIER and not hasattr(chart.source, "manifest")]


def _choice(plan: Plan, chart: Chart) -> ChartChoice | None:
    return plan.charts.get(TIER, {}).get(chart.id)


def _release(plan: Plan, chart: Chart) -> dict[str, Any]:
    choice = _choice(plan, chart)
    repository, name = _source(plan, chart)
    return {
        "namespace": chart.namespace,
        "repository": repository,
        "chart": name,
        "version": (choice.version if choice else None) or chart.source.version,
        "wait": chart.wait,
    }


def _source(plan: Plan, chart: Chart) -> tuple[str, str]:
    """Repository and chart as the Helm provider wants them. With `registry.http` all of Terraform's charts come from that one plain
    repository (the provider reads OCI by HTTPS alone); with `registry.mirror` from the same path below the mirror."""
    source: Any = chart.source
    path = source.oci if hasattr(source, "oci") else f"{source.repo.partition('://')[2].rstrip('/')}/{source.chart}"
    above, _, name = path.rpartition("/")
    if plan.registry.http:
        return f"{plan.registry.http.rstrip('/')}/charts", name
    if plan.registry.mirror:
        return f"oci://{plan.registry.mirror.rstrip('/')}/{above}", name
    return (f"oci://{above}", name) if hasattr(source, "oci") else (source.repo, source.chart)
