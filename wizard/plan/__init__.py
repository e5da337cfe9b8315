"""What the operator wants: plans and presets, read strictly and checked against the catalog."""

from __future__ import annotations

from wizard.plan.checking import SecretInPlan, check, secret_needs, selected
from wizard.plan.loading import LoadedPlan, load_plan, load_preset, presets, schema
from wizard.plan.model import ChartChoice, ClusterChoice, Git, Plan, Registry

__all__ = [
    "ChartChoice",
    "ClusterChoice",
    "Git",
    "LoadedPlan",
    "Plan",
    "Registry",
    "SecretInPlan",
    "check",
    "load_plan",
    "load_preset",
    "presets",
    "schema",
    "secret_needs",
    "selected",
]
