"""Gates from tier to tier: for plans that ask for them, and for own charts that do not say what they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from wizard.order.graph import Edge, Kind
from wizard.order.selection import Selection
from wizard.state import TIERS


def tier_gates(nodes: Mapping[str, str], edges: Iterable[Edge], selection: Selection, only: Collection[str] | None) -> Iterator[Edge]:
    """Edges that make each tier wait for the one before it; with `only` just those of these charts.

    Few suffice: what begins a tier (waits for nothing in it) waits for what ends the tier before (nothing in it waits for that).
    """
    tier_of = {node: selection.catalog.charts[chart].tier for node, chart in nodes.items()}
    begun: set[str] = set()
    awaited: set[str] = set()
    for edge in edges:
        if tier_of[edge.source] == tier_of[edge.target]:
            begun.add(edge.source)
            awaited.add(edge.target)
    before = ""
    for tier in TIERS:
        here = sorted(node for node, its in tier_of.items() if its == tier)
        if not here:
            continue
        ends = sorted(node for node, its in tier_of.items() if its == before and node not in awaited)
        for node in here:
            starts = node not in begun if only is None else nodes[node] in only and not node.endswith("/config")
            for end in ends if starts else ():
                kind: Kind = "cluster" if before == "cluster" and "/" not in end else "tier"
                yield Edge(node, end, kind, f"tier {tier} waits for tier {before}")
        before = tier
