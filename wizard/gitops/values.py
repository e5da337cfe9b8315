"""The values of a chart and the contents of its custom resources: catalog, options, Secrets' names, the operator's own, in this order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wizard.catalog.paths import target
from wizard.errors import InputError
from wizard.gitops.paths import put
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
    values: dict[str, Any] = written_out(chart.values, unsafe)
    parts = {
        "claims": _resources(chart, chart.resources.claims, given, unsafe),
        "config": _resources(chart, chart.resources.config, given, unsafe),
    }
    for name in sorted(chart.options):
        option = chart.options[name]
        value = escaped(given[name]) if name in given else written_out(option.default, unsafe)
        if value is not None and value != "":
            for path in option.sets:
                _set(values, parts, path, value)
    values_from = []
    for name in sorted(chart.needs(given) if secrets is None else secrets):
        need = chart.secrets[name]
        for path in need.existingSecret:
            _set(values, parts, path, need.secret)
        values_from += [_value_from(chart, name, path) for path in need.valuesFrom]
    if choice and choice.values:
        values = _merged(values, escaped(choice.values))
    return Contents(_sorted(values), values_from, *([_resource(r) for r in parts[part]] for part in ("claims", "config")))


def _resources(
    chart: Chart, resources: Iterable[Mapping[str, Any]], given: Mapping[str, Any], unsafe: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Copies of the resources that apply; `when` beside `kind` names the option that one depends on."""
    applying = (r for r in resources if chart.holds(r.get("when"), given))
    return [written_out({key: item for key, item in r.items() if key != "when"}, unsafe) for r in applying]


def _value_from(chart: Chart, name: str, path: str) -> dict[str, Any]:
    need = chart.secrets[name]
    if need.namespace and need.namespace != chart.namespace:
        raise InputError(f"secret {name} of chart {chart.id} lies in namespace {need.namespace}: valuesFrom reads its own alone")
    # `literal`: without it Helm reads commas, braces and leading types in the stored text as syntax.
    return {"kind": "Secret", "name": need.secret, "valuesKey": need.key, "targetPath": path, "literal": True}


def _set(values: dict[str, Any], parts: Mapping[str, list[dict[str, Any]]], path: str, value: Any) -> None:
    """A path into a resource that does not apply sets nothing; one into no resource at all is the catalog's lint's to find."""
    place = target(path)
    if not place.part:
        put(values, place.steps, value)
        return
    for resource in parts[place.part]:
        if resource.get("kind") == place.kind and resource.get("metadata", {}).get("name") == place.name:
            put(resource, place.steps, value)


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
