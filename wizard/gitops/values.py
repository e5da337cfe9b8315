"""The values of a chart and the contents of its custom resources: catalog, options, Secrets' names, the operator's own, in this order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wizard.errors import InputError
from wizard.gitops.paths import put, resource_path
from wizard.gitops.substitution import escaped, written_out

if TYPE_CHECKING:
    from wizard.catalog import Chart
    from wizard.plan import ChartChoice


@dataclass(slots=True)
class Contents:
    """What is rendered of one chart, keys sorted, ready to be written."""

    values: dict[str, Any]
    values_from: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    config: list[dict[str, Any]] = field(default_factory=list)


def contents(chart: Chart, choice: ChartChoice | None, unsafe: Mapping[str, str], secrets: Collection[str] | None = None) -> Contents:
    """Everything Flux is told of `chart`.

    `unsafe` are settings that are written out; `secrets` names the catalog secrets in force (default: by their `when`). No
    secret value is known here: a chart is given the name of its Secret, or told by `valuesFrom` where to read it.
    """
    given = dict(choice.options) if choice else {}
    on = {name for name, option in chart.options.items() if given.get(name, option.default) is True}
    values: dict[str, Any] = written_out(chart.values, unsafe)
    parts = {part: _resources(getattr(chart.resources, part), on, unsafe) for part in ("claims", "config")}
    for name in sorted(chart.options):
        option = chart.options[name]
        value = escaped(given[name]) if name in given else written_out(option.default, unsafe)
        if value is not None and value != "":
            for path in _listed(option.sets):
                _set(chart, values, parts, path, value)
    values_from = _secrets(chart, values, parts, {n for n in chart.secrets if _in_force(chart, n, on)} if secrets is None else secrets)
    if choice and choice.values:
        values = _merged(values, escaped(choice.values))
    return Contents(_sorted(values), values_from, [_resource(r) for r in parts["claims"]], [_resource(r) for r in parts["config"]])


def _in_force(chart: Chart, name: str, on: Collection[str]) -> bool:
    when = chart.secrets[name].when
    return when is None or when in on


def _resources(resources: Iterable[Mapping[str, Any]], on: Collection[str], unsafe: Mapping[str, str]) -> list[dict[str, Any]]:
    """Copies of the resources that apply; `when` beside `kind` names the switch that one depends on."""
    kept = []
    for resource in resources:
        when = resource.get("when")
        if when is None or when in on:
            kept.append(written_out({key: item for key, item in resource.items() if key != "when"}, unsafe))
    return kept


def _secrets(
    chart: Chart, values: dict[str, Any], parts: Mapping[str, list[dict[str, Any]]], names: Collection[str]
) -> list[dict[str, Any]]:
    found = []
    for name in sorted(names):
        need = chart.secrets[name]
        for path in _listed(need.existingSecret):
            _set(chart, values, parts, path, need.secret)
        for path in _listed(need.valuesFrom):
            if need.namespace and need.namespace != chart.namespace:
                raise InputError(f"secret {name} of chart {chart.id} lies in namespace {need.namespace}: valuesFrom reads its own alone")
            # `literal`: without it Helm reads commas, braces and leading types in the stored text as syntax.
            found.append({"kind": "Secret", "name": need.secret, "valuesKey": need.key, "targetPath": path, "literal": True})
    return found


def _set(chart: Chart, values: dict[str, Any], parts: Mapping[str, list[dict[str, Any]]], path: str, value: Any) -> None:
    place = resource_path(path)
    if place is None:
        put(values, path, value)
        return
    hits = [r for r in parts[place.part] if r.get("kind") == place.kind and r.get("metadata", {}).get("name") == place.name]
    for resource in hits:
        put(resource, place.path, value)
    listed = getattr(chart.resources, place.part)
    if not hits and not any(r.get("kind") == place.kind and r.get("metadata", {}).get("name") == place.name for r in listed):
        raise InputError(f"chart {chart.id} sets {path!r}, and has no such resource")


def _listed(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Maps are merged, all else replaced, as Helm does; a null stays one, so that it takes away the chart's own default."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_sorted(item) for item in value]
    return value


_HEAD = ("apiVersion", "kind", "metadata")


def _resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A custom resource with its keys in the usual order."""
    head = {key: _sorted(resource[key]) for key in _HEAD if key in resource}
    metadata = head.get("metadata")
    if isinstance(metadata, dict):
        head["metadata"] = {key: metadata[key] for key in sorted(metadata, key=lambda k: (k != "name", k != "namespace", k))}
    return head | {key: _sorted(resource[key]) for key in sorted(resource) if key not in _HEAD}
