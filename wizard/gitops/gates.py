"""Edges of the order -> what Flux makes wait for what.

Two kinds (measured: a waiting Kustomization holds one of few workers, so it is the exception): a chart that waits for a chart does so
by `HelmRelease.dependsOn`; whatever waits for, or is, a set of custom resources does so by Kustomization `dependsOn`, and only a
chart that such a Kustomization waits for has to say Ready by its own Kustomization.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.gitops.layout import Node, node

if TYPE_CHECKING:
    from wizard.catalog import Catalog
    from wizard.order import Order

SHORTEST_TIMEOUT = 15 * 60
PART_SECONDS = 10.0
"""What a set of custom resources takes until it is Ready; measured about 8 s a step."""
SLACK = 3.0
"""Charts take this many times longer where every image has to be pulled first."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What waits for what, for the nodes that Flux has; all in sorted order."""

    releases: Mapping[str, tuple[str, ...]]
    """Chart -> charts its HelmRelease waits for."""
    kustomizations: Mapping[Node, tuple[Node, ...]]
    """Node -> nodes its Kustomization waits for."""
    waiting: frozenset[str]
    """Charts whose Kustomization is Ready only when the chart is."""


def gates(order: Order, nodes: Collection[Node]) -> Gates:
    """The gates between `nodes`; edges to or from anything else (Terraform's tier) are left out, they hold before Flux runs."""
    releases: dict[str, set[str]] = {}
    kustomizations: dict[Node, set[Node]] = {}
    for edge in order.edges:
        source, target = node(edge.source), node(edge.target)
        if source not in nodes or target not in nodes or source == target:
            continue
        if source.part or target.part:
            kustomizations.setdefault(source, set()).add(target)
        else:
            releases.setdefault(source.chart, set()).add(target.chart)
    for one in nodes:
        if one.part == "claims" and Node(one.chart) in nodes:
            kustomizations.setdefault(Node(one.chart), set()).add(one)
    return Gates(
        releases={name: tuple(sorted(targets)) for name, targets in releases.items()},
        kustomizations={one: tuple(sorted(targets, key=str)) for one, targets in kustomizations.items()},
        waiting=frozenset(t.chart for targets in kustomizations.values() for t in targets if not t.part),
    )


def timeout(order: Order, catalog: Catalog) -> str:
    """How long a Kustomization may take: longer than the longest chain of charts, in steps of 15 minutes.

    Steps, so that adding one chart does not touch the files of all others.
    """
    durations = {name: catalog.charts[name].ready.after for name in order.charts}
    for name in order.charts:
        for part in ("claims", "config"):
            if getattr(catalog.charts[name].resources, part):
                durations[f"{name}/{part}"] = PART_SECONDS
    seconds, _ = order.longest(durations)
    return f"{15 * max(1, math.ceil(SLACK * seconds / SHORTEST_TIMEOUT))}m"


def release_timeout(after: float) -> str:
    """How long one Helm action may take: 10 minutes, or four times the usual for slow charts."""
    return f"{5 * max(2, math.ceil(4 * after / 300))}m"
