"""The order of a plan: what waits for what and why. Nodes are charts (`id`) and the resources around them (`id/claims`, `id/config`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Literal

from wizard.errors import InputError, Problem
from wizard.order.words import mermaid, text

Kind = Literal["chart", "config", "claims", "tier", "cluster"]
"""What is waited for: a chart, resources made once it runs, resources it needs before, a whole tier, or a chart of Terraform's tier
(which is there before Flux runs, so nothing in Git says so)."""


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` waits for `target`."""

    source: str
    target: str
    kind: Kind
    because: str


@dataclass(frozen=True)
class Order:
    """A plan's charts in an order in which everything comes after what it needs."""

    charts: tuple[str, ...]
    """Chosen and brought along."""
    edges: tuple[Edge, ...]
    levels: tuple[tuple[str, ...], ...]
    """Nodes that may start together: a level holds what waits for something in the level before."""
    brought: Mapping[str, str]
    """Chart that was not chosen -> why it is here."""
    titles: Mapping[str, str]

    @cached_property
    def _targets(self) -> Mapping[str, tuple[Edge, ...]]:
        found: dict[str, list[Edge]] = {node: [] for level in self.levels for node in level}
        for edge in self.edges:
            found[edge.source].append(edge)
        return {node: tuple(edges) for node, edges in found.items()}

    def waits_for(self, node: str) -> tuple[str, ...]:
        """What a node waits for directly; KeyError for a node that is not in the order."""
        return tuple(edge.target for edge in self._targets[node])

    def reasons(self, node: str) -> tuple[Edge, ...]:
        """The edges from a node to what it waits for."""
        return self._targets[node]

    def explain(self, a: str, b: str) -> str:
        """Why `a` waits for `b`, over as few steps as possible. InputError when one of them is not in the order."""
        unknown = [node for node in (a, b) if node not in self._targets]
        if unknown:
            known = ", ".join(self.charts)
            raise InputError([Problem(f"{node} is not in this order", remedy=f"there are: {known}") for node in unknown])
        path = self._path(a, b)
        if path is None:
            back = self._path(b, a)
            return f"{a} does not wait for {b}" + (f"; {b} waits for {a}" if back else "")
        return "\n".join(f"{edge.source} waits for {edge.target}: {edge.because}" for edge in path) or f"{a} is itself"

    def _path(self, a: str, b: str) -> tuple[Edge, ...] | None:
        came_by: dict[str, Edge] = {}
        ahead = deque([a])
        while ahead and b not in came_by and a != b:
            for edge in self._targets[ahead.popleft()]:
                if edge.target not in came_by:
                    came_by[edge.target] = edge
                    ahead.append(edge.target)
        if a != b and b not in came_by:
            return None
        path: list[Edge] = []
        while b != a:
            path.append(came_by[b])
            b = came_by[b].source
        return tuple(reversed(path))

    def longest(self, durations: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
        """The chain of nodes that takes longest with these durations (seconds by node, 0 for those left out): its sum and its nodes."""
        total: dict[str, float] = {}
        before: dict[str, str] = {}
        for level in self.levels:
            for node in level:
                longest = 0.0
                for target in self.waits_for(node):
                    if total[target] > longest:
                        longest, before[node] = total[target], target
                total[node] = longest + durations.get(node, 0.0)
        if not total:
            return 0.0, ()
        last = max(total, key=lambda node: total[node])
        path = [last]
        while path[-1] in before:
            path.append(before[path[-1]])
        return total[last], tuple(reversed(path))

    def text(self) -> str:
        """The order for a terminal: level by level, each node with what it waits for and why."""
        return text(self)

    def mermaid(self) -> str:
        """The order as a Mermaid flowchart."""
        return mermaid(self)


def layered(nodes: Iterable[str], edges: Iterable[Edge], ranks: Mapping[str, tuple[int, str]]) -> tuple[tuple[str, ...], ...]:
    """The nodes in levels, each sorted by rank. InputError names the cycle when there is one."""
    graph: dict[str, list[str]] = {node: [] for node in nodes}  # lists: of several cycles the same is named every time
    because: dict[tuple[str, str], str] = {}
    for edge in edges:
        graph[edge.source].append(edge.target)
        because[edge.source, edge.target] = edge.because
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        raise InputError(_cycle(error.args[1], because)) from None
    levels = []
    while sorter.is_active():
        ready = sorter.get_ready()
        levels.append(tuple(sorted(ready, key=lambda node: ranks[node])))
        sorter.done(*ready)
    return tuple(levels)


def _cycle(found: list[str], because: Mapping[tuple[str, str], str]) -> Problem:
    """A cycle as it is waited for, begun at its first name; graphlib lists what is waited for first."""
    ring = list(reversed(found[:-1]))
    start = ring.index(min(ring))
    ring = [*ring[start:], *ring[:start]]
    ring.append(ring[0])
    steps = "; ".join(f"{a} waits for {b}: {because[a, b]}" for a, b in pairwise(ring))
    return Problem(f"these wait for each other: {' -> '.join(ring)}", remedy=f"leave one of them out ({steps})")
