"""What a catalog must hold to beyond the form of its files: every need can be met, every path leads somewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wizard.catalog.chart import TIERS, Chart
from wizard.catalog.loading import Catalog
from wizard.catalog.paths import find, target
from wizard.catalog.resources import definition_names, settings_in, settings_in_template
from wizard.catalog.source import ManifestSource
from wizard.errors import Problem
from wizard.text import closest

BASE_SETTINGS = frozenset({"domain", "timezone", "email", "loadBalancerPool"})
"""Settings every plan may have; others are declared by the chart that reads them."""


def lint(catalog: Catalog) -> list[Problem]:
    """Everything that is wrong with a catalog whose files are well formed, in the order of its charts."""
    problems = [
        Problem(f"chart {chart.id}: {text}") for chart in catalog.charts.values() for rule in _RULES for text in rule(chart, catalog)
    ]
    return problems + _secrets_used_twice(catalog)


def _complete(chart: Chart, _: Catalog) -> Iterator[str]:
    if chart.proof is None:
        yield "has no proof of its version"
    if not chart.links.get("home"):
        yield "has no link to its home"
    if isinstance(chart.source, ManifestSource):
        if chart.tier != "cluster":
            yield "is a plain manifest, which only tier cluster can hold"
    elif not chart.workloads:
        yield "names no workload: nobody could tell when it is Ready"
    if chart.ready.after <= 0:
        yield "`ready.after` must be more than 0 s"


def _needs(chart: Chart, catalog: Catalog) -> Iterator[str]:
    for need in chart.requires:
        providers = catalog.providers(need.what)
        if not providers and not need.optional:
            meant = closest(need.what, catalog.offers)
            yield f"requires {need.what}, which no chart provides" + (f"; did you mean {meant}?" if meant else "")
        if chart.id in providers and need.what == chart.id:
            yield "requires itself"
        ranks = [TIERS.index(catalog.charts[p].tier) for p in providers]
        if ranks and min(ranks) > TIERS.index(chart.tier):
            yield f"requires {need.what}, which only later tiers provide"
        if need.at != "chart" and not getattr(chart.resources, need.at):
            yield f"requires {need.what} at {need.at}, and has none"
    for other in chart.conflicts:
        if other not in catalog.charts:
            yield f"conflicts with {other}, which is no chart"


def _paths(chart: Chart, _: Catalog) -> Iterator[str]:
    secrets = [p for need in chart.secrets.values() for p in (*need.existingSecret, *need.valuesFrom)]
    for path in [p for option in chart.options.values() for p in option.sets] + secrets:
        part, kind, name, steps = target(path)
        if not part:
            continue
        owned = [r for r in getattr(chart.resources, part) if r.get("kind") == kind and r.get("metadata", {}).get("name") == name]
        if not owned:
            yield f"sets `{path}`, and has no such resource"
        elif len(steps) > 1 and find(owned[0], steps[:-1]) is None:
            yield f"sets `{path}`, and that resource has nothing there"


def _resources(chart: Chart, catalog: Catalog) -> Iterator[str]:
    for part in ("claims", "config"):
        for resource in getattr(chart.resources, part):
            kind, name = resource.get("kind"), resource.get("metadata", {}).get("name")
            if not (resource.get("apiVersion") and kind and name):
                yield f"has a resource in {part} without apiVersion, kind or name"
                continue
            names = definition_names(resource)
            if names and not any(n in catalog.definitions for n in names):
                yield f"makes a {kind} ({resource['apiVersion']}), a kind no chart brings"
            if names and part == "claims" and any(chart.id in catalog.definitions.get(n, ()) for n in names):
                yield f"claims a {kind} before it starts, and brings that kind itself"


def _secrets(chart: Chart, _: Catalog) -> Iterator[str]:
    for name, need in chart.secrets.items():
        if need.template is not None and need.template.count("{value}") != 1:
            yield f"secret {name}: the template must hold {{value}} once"
        if need.key in need.fixed:
            yield f"secret {name}: `fixed` holds its key again"
        if need.valuesFrom and need.namespace not in (None, chart.namespace):
            yield f"secret {name}: valuesFrom reads Secrets of the chart's own namespace alone"


def _settings(chart: Chart, _: Catalog) -> Iterator[str]:
    known = BASE_SETTINGS | set(chart.settings)
    for name in sorted(settings_of(chart) - known):
        meant = closest(name, known)
        yield f"reads the setting {name}, which it does not declare" + (f"; did you mean {meant}?" if meant else "")
    for name in sorted(set(chart.settings) - settings_of(chart)):
        yield f"declares the setting {name} and reads it nowhere"


def settings_of(chart: Chart) -> set[str]:
    """Every setting the chart reads: in values, resources, defaults of options and texts of secrets."""
    found = settings_in([chart.values, chart.resources.claims, chart.resources.config, [o.default for o in chart.options.values()]])
    return found | {name for need in chart.secrets.values() for name in settings_in_template(need.template or "")}


def _secrets_used_twice(catalog: Catalog) -> list[Problem]:
    owner: dict[str, str] = {}
    problems = []
    for chart in catalog.charts.values():
        for name in chart.secrets:
            if name in owner:
                problems.append(Problem(f"chart {chart.id}: secret {name} is one of chart {owner[name]} already"))
            owner.setdefault(name, chart.id)
    return problems


_RULES: tuple[Callable[[Chart, Catalog], Iterator[str]], ...] = (_complete, _needs, _paths, _resources, _secrets, _settings)
