"""Read the catalog: every file at once, every problem of every file with its line and column."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from wizard.catalog.chart import TIERS, Chart, Provides
from wizard.documents import load as read
from wizard.documents import validate
from wizard.errors import InputError, Place, Problem


class Catalog:
    """What can be installed: charts by id, in the order of the tiers."""

    def __init__(self, charts: Mapping[str, Chart]) -> None:
        order = {tier: position for position, tier in enumerate(TIERS)}
        self.charts: Mapping[str, Chart] = dict(sorted(charts.items(), key=lambda item: (order.get(item[1].tier, len(TIERS)), item[0])))

    def providers(self, what: str) -> tuple[str, ...]:
        """Ids of the charts that provide something, whatever their options; a chart provides its own id."""
        return tuple(chart for chart, _ in self.offers.get(what, ()))

    @cached_property
    def offers(self) -> Mapping[str, tuple[tuple[str, Provides], ...]]:
        """What is provided -> the charts that do and how; sorted by chart."""
        found: dict[str, list[tuple[str, Provides]]] = {}
        for chart in self.charts.values():
            found.setdefault(chart.id, []).append((chart.id, Provides(what=chart.id)))
            for offer in chart.provides:
                if offer.what != chart.id:
                    found.setdefault(offer.what, []).append((chart.id, offer))
        return {what: tuple(sorted(offers, key=lambda offer: offer[0])) for what, offers in found.items()}

    @cached_property
    def definitions(self) -> Mapping[str, tuple[str, ...]]:
        """Name of a custom resource definition (`plural.group`) -> the charts that bring it."""
        found: dict[str, tuple[str, ...]] = {}
        for chart in self.charts.values():
            for name in chart.crds.names:
                found[name] = (*found.get(name, ()), chart.id)
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything the catalog says, whatever the files look like."""
        content = {chart.id: [chart.tier, chart.model_dump(mode="json", by_alias=True)] for chart in self.charts.values()}
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def joined(self, charts: Mapping[str, Chart]) -> Catalog:
        """This catalog with further charts; one of the same id takes the place of the built-in one."""
        return Catalog({**self.charts, **charts}) if charts else self


def load(directory: Traversable | Path | None = None, extra: Iterable[Path] = ()) -> Catalog:
    """The catalog below `directory` (default: what ships), and further entries (`extra`: files in a folder named like their tier).

    InputError lists every problem of every file.
    """
    root = directory or files("presets") / "charts"
    charts: dict[str, Chart] = {}
    problems: list[Problem] = []
    for tier, entry in _entries(root, problems):
        _read(tier, entry, charts, problems)
    for path in extra:
        tier = path.parent.name
        if tier in TIERS:
            _read(tier, path, charts, problems)
        else:
            problems.append(Problem(f"lies in `{tier}`, which is no tier", Place(str(path)), f"tiers are {', '.join(TIERS)}"))
    if problems:
        raise InputError(problems)
    return Catalog(charts)


def _entries(root: Traversable, problems: list[Problem]) -> Iterable[tuple[str, Traversable]]:
    if not root.is_dir():
        problems.append(Problem("there is no such folder", Place(str(root))))
        return
    for tier in sorted(root.iterdir(), key=lambda item: item.name):
        if tier.name in TIERS and tier.is_dir():
            for entry in sorted(tier.iterdir(), key=lambda item: item.name):
                if entry.name.endswith(".yaml"):
                    yield tier.name, entry
        elif not tier.name.startswith((".", "__")):
            problems.append(Problem(f"`{tier.name}` is no tier", Place(str(tier)), f"tiers are {', '.join(TIERS)}"))


def _read(tier: str, entry: Traversable, charts: dict[str, Chart], problems: list[Problem]) -> None:
    name, chart_id = str(entry), entry.name.removesuffix(".yaml")
    try:
        document = read(entry.read_bytes(), name=name)
        misplaced = [key for key in ("id", "tier") if isinstance(document.value, dict) and key in document.value]
        for key in misplaced:
            problems.append(Problem(f"unknown field `{key}`", document.key_place(key), "id and tier are the names of its file and folder"))
        if not misplaced:
            chart = validate(document, Chart)
            if chart_id in charts:
                problems.append(Problem(f"there is a chart {chart_id} in tier {charts[chart_id].tier} already", Place(name)))
            charts[chart_id] = chart.placed(chart_id, tier)
    except InputError as error:
        problems.extend(error.problems)
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror or error}", Place(name)))
