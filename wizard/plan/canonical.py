"""The canonical form of a plan: what is written to the homelab repository and what its digest is taken of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.state import TIERS

if TYPE_CHECKING:
    from wizard.catalog import Chart
    from wizard.plan.model import ChartChoice, Plan


def canonical(plan: Plan) -> dict[str, Any]:
    """Plain values in the order they are written. Tiers keep theirs, names are sorted, what is empty is left out."""
    charts = {
        tier: {name: _choice(plan.charts[tier][name]) for name in sorted(plan.charts[tier])} for tier in TIERS if plan.charts.get(tier)
    }
    content: dict[str, Any] = {
        "apiVersion": plan.api_version,
        "kind": plan.kind,
        "name": plan.name,
        "cluster": plan.cluster.model_dump(mode="json", exclude_none=True),
        "settings": _sorted(plan.settings),
        "git": plan.git.model_dump(mode="json", exclude_none=True),
        "registry": plan.registry.model_dump(mode="json", exclude_defaults=True),
        "order": plan.order,
        "charts": charts,
        "own": {name: _own(plan.own[name]) for name in sorted(plan.own)},
        "secrets": _sorted(plan.secrets),
    }
    return {key: value for key, value in content.items() if value != {}}


def _choice(choice: ChartChoice) -> dict[str, Any]:
    content: dict[str, Any] = _sorted(choice.model_dump(mode="json", exclude_defaults=True))
    if choice.deadline is not None:
        content["deadline"] = _duration(choice.deadline)
    return content


def _own(chart: Chart) -> dict[str, Any]:
    content = chart.model_dump(mode="json", by_alias=True, exclude_unset=True)
    content["ready"]["after"] = _duration(chart.ready.after)
    return content


def _duration(seconds: float) -> str:
    return f"{int(seconds)}s"


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, (list, tuple)) else value
