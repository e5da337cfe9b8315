"""A plan against the catalog: every chart, option, setting and secret of it, all problems at once with their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from wizard.catalog import BASE_SETTINGS, Catalog, Chart, SecretNeed, Setting, settings_in, settings_in_template
from wizard.documents import Document
from wizard.errors import InputError, Place, Problem
from wizard.plan.model import ChartChoice, Plan
from wizard.state import TIERS
from wizard.text import closest

BASE: Final = {
    "domain": Setting(type="host", label="Domain"),
    "timezone": Setting(type="timezone", label="Time zone"),
    "email": Setting(type="email", label="Administrator's address"),
    "loadBalancerPool": Setting(type="range", label="Addresses for LoadBalancer Services"),
}
"""Settings of every plan; a chart declares the others it reads."""

if set(BASE) != BASE_SETTINGS:
    raise AssertionError("the settings every plan may have are named twice and differ")


@dataclass(frozen=True, slots=True)
class SecretInPlan:
    """A secret that is needed: by which chart, what for, and where it comes from (empty: nobody said)."""

    name: str
    chart: Chart
    need: SecretNeed
    source: str


def selected(plan: Plan) -> tuple[str, ...]:
    """The charts that were chosen, in the order of the tiers and by name."""
    return tuple(plan.choices)


def secret_needs(plan: Plan, catalog: Catalog, charts: Iterable[str] | None = None) -> tuple[SecretInPlan, ...]:
    """Every secret these charts need (default: the chosen ones); its source is what the plan says, else `generate` if that is possible."""
    catalog = plan.catalog(catalog)
    found = []
    for chart in (catalog.charts[c] for c in (selected(plan) if charts is None else charts) if c in catalog.charts):
        for name, need in chart.needs(_options(plan, chart.id)).items():
            found.append(SecretInPlan(name, chart, need, plan.secrets.get(name) or ("generate" if need.generate else "")))
    return tuple(found)


def _options(plan: Plan, chart: str) -> dict[str, object]:
    choice = plan.choices.get(chart)
    return choice.options if choice else {}


def check(plan: Plan, catalog: Catalog, document: Document | None = None, *, charts: Iterable[str] | None = None) -> None:
    """Raises InputError with everything in the plan that the catalog does not know or accept.

    `charts` are those whose secrets and settings must be there (default: the chosen ones; pass the charts of the order to cover what
    is brought along). `document` gives the places.
    """
    checker = _Checker(plan, plan.catalog(catalog), document)
    problems = list(checker.problems(selected(plan) if charts is None else tuple(charts)))
    if problems:
        raise InputError(sorted(problems, key=lambda p: (p.place.line or 0, p.place.column or 0) if p.place else (1 << 30, 0)))


@dataclass(frozen=True, slots=True)
class _Checker:
    plan: Plan
    catalog: Catalog
    document: Document | None

    def problems(self, charts: tuple[str, ...]) -> Iterator[Problem]:
        for tier in TIERS:
            for chart, choice in self.plan.charts.get(tier, {}).items():
                yield from self._chart(tier, chart, choice)
        for name in self.plan.own:
            if name not in self.plan.choices:
                yield Problem(f"own chart {name} is in no tier", self._key("own", name), "choose it below `charts:` in its tier")
        yield from self._settings(charts)
        yield from self._secrets(charts)

    def _place(self, *path: str | int) -> Place | None:
        return self.document.place(*path) if self.document else None

    def _key(self, *path: str | int) -> Place | None:
        return self.document.key_place(*path) if self.document else None

    def _chart(self, tier: str, name: str, choice: ChartChoice) -> Iterator[Problem]:
        here = ("charts", tier, name)
        chart = self.catalog.charts.get(name)
        if chart is None:
            meant = closest(name, self.catalog.charts)
            yield Problem(f'unknown chart "{name}"', self._key(*here), f'did you mean "{meant}"?' if meant else "")
            return
        if chart.tier != tier:
            yield Problem(f"chart {name} is in tier {chart.tier}, not in {tier}", self._key(*here), f"move it below `charts.{chart.tier}`")
        if sum(name in choices for choices in self.plan.charts.values()) > 1 and chart.tier != tier:
            yield Problem(f"chart {name} is chosen twice", self._key(*here))
        for option, value in choice.options.items():
            known = chart.options.get(option)
            if known is None:
                meant = closest(option, chart.options)
                said = f'did you mean "{meant}"?' if meant else f"it has {', '.join(sorted(chart.options)) or 'no options'}"
                yield Problem(f'unknown option "{option}" of chart {name}', self._key(*here, "options", option), said)
            elif problem := known.problem(value):
                yield Problem(f'option "{option}" of chart {name} {problem}', self._place(*here, "options", option), known.help)
        for option, known in chart.options.items():
            given = choice.options.get(option)
            if known.required and given is None and known.default is None:
                yield Problem(f'chart {name} needs option "{option}" ({known.label})', self._key(*here), known.help)
            if known.needs and chart.holds(option, choice.options) and not chart.holds(known.needs, choice.options):
                place = self._place(*here, "options", option)
                yield Problem(f'option "{option}" of chart {name} needs "{known.needs}"', place, f"set {known.needs}: true")

    def _settings(self, charts: tuple[str, ...]) -> Iterator[Problem]:
        declared = dict(BASE)
        wanted: dict[str, str] = {}
        for chart in (self.catalog.charts[c] for c in charts if c in self.catalog.charts):
            declared |= chart.settings
            for name in self._read_by(chart):
                wanted.setdefault(name, chart.id)
        for name, chart_id in wanted.items():
            if name not in self.plan.settings:
                meant = closest(name, self.plan.settings)
                known = declared.get(name)
                said = f'did you mean it by "{meant}"?' if meant and meant not in declared else f"add `{name}:` below `settings:`"
                label = f" ({known.label})" if known else ""
                yield Problem(f'setting "{name}"{label} is read by chart {chart_id} and not given', self._place("settings"), said)
        for name, value in self.plan.settings.items():
            known = declared.get(name)
            if known and (problem := known.problem(value)):
                yield Problem(f'setting "{name}" {problem}', self._place("settings", name), known.help)

    def _read_by(self, chart: Chart) -> list[str]:
        given = _options(self.plan, chart.id)
        used = [o.default for name, o in chart.options.items() if name not in given]
        names = settings_in([chart.values, chart.resources.claims, chart.resources.config, used])
        for need in chart.needs(given).values():
            names |= settings_in_template(need.template or "")
        return sorted(names)

    def _secrets(self, charts: tuple[str, ...]) -> Iterator[Problem]:
        needs = secret_needs(self.plan, self.catalog, charts)
        for one in needs:
            if not one.source:
                said = "add it below `secrets:` (prompt, env:NAME or vault:NAME), or run `tierup` and go to Secrets"
                yield Problem(f'secret "{one.name}" is needed by {one.chart.id} and has no source', self._place("secrets"), said)
            elif one.source == "generate" and not one.need.generate:
                said = f"{one.need.purpose}: write prompt, env:NAME or vault:NAME"
                yield Problem(f'secret "{one.name}" cannot be generated', self._place("secrets", one.name), said)
        credential = self.plan.git.credential
        if credential and credential not in self.plan.secrets:
            yield Problem(
                f'secret "{credential}" is needed to push and has no source', self._place("git", "credential"), "add it below `secrets:`"
            )
        known = {name for chart in self.catalog.charts.values() for name in chart.secrets} | (
            {credential, f"{credential}-read", f"{credential}-known-hosts"} if credential else set()
        )
        for name in self.plan.secrets:
            if name not in known:
                meant = closest(name, known)
                yield Problem(
                    f'unknown secret "{name}"', self._key("secrets", name), f'did you mean "{meant}"?' if meant else "no chart needs it"
                )
