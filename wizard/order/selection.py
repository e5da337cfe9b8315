"""Which charts a plan means: those chosen, and those that must come along, until every requirement is met or cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wizard.catalog import Catalog, Chart, Provides, Requires, definition_names
from wizard.errors import Problem
from wizard.plan import Plan
from wizard.text import closest

NONE: Mapping[str, Any] = {}


@dataclass(slots=True)
class Selection:
    """The charts of an order while it is made. `given` holds each chart's options; of those brought along none are."""

    catalog: Catalog
    cluster: frozenset[str]
    given: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    brought: dict[str, str] = field(default_factory=dict)

    def charts(self) -> list[Chart]:
        """The charts so far, sorted by id."""
        return [self.catalog.charts[chart] for chart in sorted(self.given)]

    def providers(self, what: str) -> list[tuple[str, Provides]]:
        """Charts of the selection that provide something with their options."""
        offers = self.catalog.offers.get(what, ())
        return [(c, offer) for c, offer in offers if c in self.given and self.catalog.charts[c].holds(offer.when, self.given[c])]

    def needs(self, chart: Chart) -> Iterator[Requires]:
        """What a chart of the selection requires with its options."""
        for need in chart.requires:
            if chart.holds(need.when, self.given[chart.id]):
                yield need

    def resources(self, chart: Chart, part: str) -> list[dict[str, Any]]:
        """The chart's resources of a part that apply with its options."""
        listed: list[dict[str, Any]] = getattr(chart.resources, part)
        return [one for one in listed if chart.holds(one.get("when"), self.given[chart.id])]

    def foreign(self, chart: Chart, part: str) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        """Resources of a part whose kind is another chart's, each with the names its definition may have."""
        for resource in self.resources(chart, part):
            names = definition_names(resource)
            if names and not any(name in chart.crds.names for name in names):
                yield resource, names

    def owners(self, names: tuple[str, ...]) -> list[str]:
        """Charts of the selection that bring one of these definitions."""
        return sorted({chart for name in names for chart in self.catalog.definitions.get(name, ()) if chart in self.given})

    def complete(self) -> list[Problem]:
        """Bring along what must come along; returns what cannot be met."""
        waiting = sorted(self.given)
        unmet: list[Problem] = []
        while waiting:
            unmet = []
            added: list[str] = []
            for chart in self.charts():
                for what, because, candidates, optional in self._open(chart):
                    if optional or self._is_met(what):
                        continue
                    if len(candidates) == 1:
                        added.append(candidates[0])
                        self.given[candidates[0]] = NONE
                        self.brought[candidates[0]] = f"{chart.id} needs {what[0]}: {because}"
                    else:
                        unmet.append(self._refusal(chart, what[0], because, candidates))
            waiting = added
        return list(dict.fromkeys(unmet))

    def _is_met(self, what: tuple[str, ...]) -> bool:
        """Whether one of these names is provided, brought as a definition or there in the cluster; an id is met by that chart alone."""
        if any(self.providers(name) for name in what) or self.owners(what):
            return True
        return what[0] not in self.catalog.charts and any(name in self.cluster for name in what)

    def _open(self, chart: Chart) -> Iterator[tuple[tuple[str, ...], str, list[str], bool]]:
        """Everything the chart needs: names, reason, the charts that could meet it as they are, whether it may be left out."""
        for need in self.needs(chart):
            if need.what in self.catalog.charts:
                candidates = [need.what]
            else:
                offers = self.catalog.offers.get(need.what, ())
                candidates = [c for c, offer in offers if c not in self.given and self.catalog.charts[c].holds(offer.when, NONE)]
            yield (need.what,), need.because, candidates, need.optional
        for part in ("claims", "config"):
            for resource, names in self.foreign(chart, part):
                owners = sorted({owner for name in names for owner in self.catalog.definitions.get(name, ())})
                yield names, f"it makes a {resource['kind']}", owners, False

    def _refusal(self, chart: Chart, what: str, because: str, candidates: list[str]) -> Problem:
        said = f"chart {chart.id} needs {what} ({because}), and nothing provides it"
        if candidates:
            return Problem(said, remedy=f"choose one of: {', '.join(sorted(candidates))}")
        offers = self.catalog.offers.get(what, ())
        if offers:
            ways = [c + (f" with option {offer.when.partition('=')[0]}" if offer.when else "") for c, offer in offers]
            return Problem(said, remedy=f"it is provided by: {', '.join(ways)}")
        meant = closest(what, self.catalog.offers)
        return Problem(said, remedy=f"did you mean {meant}?" if meant else "no chart of the catalog provides it")


def select(plan: Plan, catalog: Catalog, cluster: frozenset[str]) -> tuple[Selection, list[Problem]]:
    """The selection of a plan and everything that speaks against it."""
    problems = []
    selection = Selection(catalog, cluster)
    for chart, choice in plan.choices.items():
        if chart in catalog.charts:
            selection.given[chart] = choice.options
        else:
            meant = closest(chart, catalog.charts)
            problems.append(Problem(f'unknown chart "{chart}"', remedy=f'did you mean "{meant}"?' if meant else ""))
    problems += selection.complete()
    return selection, problems + list(_clashes(selection))


def _clashes(selection: Selection) -> Iterator[Problem]:
    for chart in selection.charts():
        for other in chart.conflicts:
            if other in selection.given:
                yield Problem(f"charts {chart.id} and {other} cannot live together", remedy="choose one of them")
    exclusive: dict[str, list[str]] = {}
    for chart in selection.charts():
        for offer in chart.provides:
            if offer.exclusive and chart.holds(offer.when, selection.given[chart.id]):
                exclusive.setdefault(offer.what, []).append(chart.id + (f" (option {offer.when.partition('=')[0]})" if offer.when else ""))
    for what, charts in sorted(exclusive.items()):
        if len(charts) > 1:
            yield Problem(f"only one chart may be the {what}: {', '.join(charts)}", remedy="turn it off for all but one")
