"""A plan, the catalog and what the cluster has -> the order, or everything that speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wizard.catalog import Catalog, Chart, definition_names
from wizard.errors import InputError
from wizard.order.graph import Edge, Kind, Order, layered
from wizard.order.met import met_by_cluster
from wizard.order.selection import Selection, select
from wizard.order.tiers import tier_gates
from wizard.plan import Plan
from wizard.state import TIERS, ClusterFacts

PARTS = ("claims", "config")


def resolve(plan: Plan, catalog: Catalog, facts: ClusterFacts | None) -> Order:
    """The order of a plan.

    InputError names every unmet requirement with what could meet it, every conflict, and a cycle as `a -> b -> a`.
    """
    catalog = plan.catalog(catalog)
    selection, problems = select(plan, catalog, met_by_cluster(facts, catalog))
    if problems:
        raise InputError(problems)
    nodes = dict(_nodes(selection))
    edges = _merged(edge for chart in selection.charts() for edge in _edges(chart, selection, nodes))
    unstated = frozenset(name for name, chart in plan.own.items() if not chart.requires)
    if plan.order == "tiers" or unstated:
        edges = _merged([*edges, *tier_gates(nodes, edges, selection, None if plan.order == "tiers" else unstated)])
    ranks = {node: (TIERS.index(catalog.charts[chart].tier), node) for node, chart in nodes.items()}
    levels = layered(nodes, edges, ranks)
    charts = tuple(node for level in levels for node in level if node in selection.given)
    titles = {chart: catalog.charts[chart].title for chart in charts}
    return Order(charts, edges, levels, dict(sorted(selection.brought.items())), titles)


def _nodes(selection: Selection) -> Iterator[tuple[str, str]]:
    for chart in selection.charts():
        yield chart.id, chart.id
        for part in PARTS:
            if selection.resources(chart, part):
                yield f"{chart.id}/{part}", chart.id


def _edges(chart: Chart, selection: Selection, nodes: Mapping[str, str]) -> Iterator[Edge]:
    for need in selection.needs(chart):
        source = f"{chart.id}/{need.at}" if need.at != "chart" else chart.id
        source = source if source in nodes else chart.id
        for provider, offer in selection.providers(need.what):
            if provider == chart.id:
                continue
            target = f"{provider}/config" if offer.by == "config" and f"{provider}/config" in nodes else provider
            yield Edge(source, target, _kind(target, selection), need.because)
    if f"{chart.id}/claims" in nodes:
        yield Edge(chart.id, f"{chart.id}/claims", "claims", "it starts once these are Ready")
    if f"{chart.id}/config" in nodes and (kind := _own_kind(chart, selection)):
        yield Edge(f"{chart.id}/config", chart.id, _kind(chart.id, selection), f"{kind} is its own kind, made once it runs")
    for part in PARTS:
        for resource, names in selection.foreign(chart, part):
            for owner in selection.owners(names):
                yield Edge(f"{chart.id}/{part}", owner, _kind(owner, selection), f"{resource['kind']} is a kind of {owner}")


def _own_kind(chart: Chart, selection: Selection) -> str:
    """A kind in a chart's config that the chart itself brings. Without one (an Ingress, say) nothing has to wait: the API server
    takes such objects at once, and what they point at may come later."""
    own = set(chart.crds.names) if chart.crds else set()
    return next((str(r["kind"]) for r in selection.resources(chart, "config") if own.intersection(definition_names(r))), "")


def _kind(target: str, selection: Selection) -> Kind:
    chart, _, part = target.partition("/")
    if part:
        return "config"
    return "cluster" if selection.catalog.charts[chart].tier == "cluster" else "chart"


def _merged(edges: Iterator[Edge] | list[Edge]) -> tuple[Edge, ...]:
    """Each pair once, all reasons joined, sorted. A tier gate adds nothing to a pair that has a reason of its own."""
    kinds: dict[tuple[str, str], Kind] = {}
    reasons: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        pair = edge.source, edge.target
        if pair in kinds and edge.kind == "tier":
            continue
        kinds.setdefault(pair, edge.kind)
        listed = reasons.setdefault(pair, [])
        if edge.because not in listed:
            listed.append(edge.because)
    return tuple(Edge(*pair, kinds[pair], "; ".join(reasons[pair])) for pair in sorted(kinds))
