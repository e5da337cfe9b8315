"""Plain records that cross rooms, threads and processes."""

from wizard.state.cluster import ClusterFacts, FluxFacts, Node, StorageClass
from wizard.state.run import (
    TIERS,
    Activity,
    Change,
    ChartState,
    Phase,
    Proposal,
    RunState,
    StepState,
    run_state,
    tier_phase,
)

__all__ = [
    "TIERS",
    "Activity",
    "Change",
    "ChartState",
    "ClusterFacts",
    "FluxFacts",
    "Node",
    "Phase",
    "Proposal",
    "RunState",
    "StepState",
    "StorageClass",
    "run_state",
    "tier_phase",
]
