"""Helm values of the charts Terraform installs: catalog, then options, then the operator's own, with settings filled in.

Flux substitutes settings in what it installs; here nobody does it later, so it is done now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.catalog.paths import Steps, target
from wizard.errors import InputError

if TYPE_CHECKING:
    from wizard.catalog import Chart
    from wizard.plan import ChartChoice

# `$${name}` is an escaped `${name}`, as Flux has it; `${name:=text}` has a default.
_VARIABLE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::=([^}]*))?\}")


def release_values(chart: Chart, choice: ChartChoice | None, settings: Mapping[str, str]) -> dict[str, Any]:
    """The values document of a release, keys sorted. InputError when it needs a setting the plan does not have."""
    given = choice.options if choice else {}
    values: dict[str, Any] = _filled(chart.values, settings, chart.id)
    for name in sorted(chart.options):
        option = chart.options[name]
        value = given[name] if name in given else _filled(option.default, settings, chart.id)
        if value is None or value == "":
            continue
        for path in option.sets:
            place = target(path)
            if not place.part:
                put(values, place.steps, list(value) if isinstance(value, tuple) else value)
    own = choice.values if choice else {}
    merged: dict[str, Any] = _ordered(_merged(values, own))
    return merged


def put(tree: dict[str, Any], steps: Steps, value: Any) -> None:
    """Set a value at a path, making maps and lists on the way; what is in the way and neither is replaced."""
    here: Any = tree
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        if isinstance(step, int):
            here.extend({} for _ in range(step + 1 - len(here)))
        if following is None:
            here[step] = value
            return
        wanted: type = list if isinstance(following, int) else dict
        below = here[step] if isinstance(step, int) else here.get(step)
        if not isinstance(below, wanted):
            here[step] = wanted()
        here = here[step]


def _filled(value: Any, settings: Mapping[str, str], chart: str) -> Any:
    """A copy with every `${setting}` replaced."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: found[1] or _setting(found, settings, chart), value)
    if isinstance(value, Mapping):
        return {key: _filled(item, settings, chart) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(item, settings, chart) for item in value]
    return value


def _setting(found: re.Match[str], settings: Mapping[str, str], chart: str) -> str:
    if found[2] in settings:
        return str(settings[found[2]])
    if found[3] is not None:
        return found[3]
    raise InputError(f"chart {chart} needs the setting {found[2]!r}", remedy=f"add `{found[2]}` below `settings:` in the plan")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Maps are merged, all else replaced, as Helm does."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, (list, tuple)) else value
