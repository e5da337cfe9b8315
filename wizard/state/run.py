"""The state of a run as every view sees it: plain records, turned to JSON and back.

A view shows these and nothing else. `Phase` is one word for charts, tiers and steps alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

TIERS = ("cluster", "system", "platform", "core", "apps")


class Phase(StrEnum):
    """waiting: not its turn. applying: work goes on. ready: seen ready at our revision. failed: past its deadline or refused."""

    WAITING = "waiting"
    APPLYING = "applying"
    READY = "ready"
    FAILED = "failed"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Activity(StrEnum):
    """What the engine process is doing."""

    PREPARING = "preparing"
    PROPOSED = "proposed"
    EXECUTING = "executing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ChartState:
    """A chart in its tier. `message` says what it waits for or what is wrong, cleaned for display; `since` is RFC 3339."""

    chart: str
    tier: str
    phase: Phase = Phase.WAITING
    message: str = ""
    since: str = ""
    waits_for: tuple[str, ...] = ()
    ready: int = 0
    wanted: int = 0
    """Pods (or resources) ready of wanted."""
    remedy: str = ""
    usual: float = 0.0
    """Seconds it usually takes, from the catalog."""


@dataclass(frozen=True, slots=True)
class StepState:
    """A step of the journey."""

    step: str
    title: str
    phase: Phase = Phase.WAITING
    message: str = ""
    started: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """One change in words. `kind`: file, terraform, git, secret, object. `action`: create, update, delete, replace."""

    kind: str
    action: str
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a run would do. `digest` covers everything that was shown; approval names it."""

    digest: str
    changes: tuple[Change, ...] = ()
    diff: str = ""
    levels: tuple[tuple[str, ...], ...] = ()
    missing: tuple[str, ...] = ()
    """Names of secrets that have no value and cannot be generated."""
    warnings: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    """Charts that are not Ready though nothing is to be changed."""

    @property
    def empty(self) -> bool:
        """Nothing to change and nothing to wait for."""
        return not self.changes and not self.pending


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything a view shows. `version` rises with every change; `heartbeat` (engine alive) and `data_at` (last word of the
    API server) are RFC 3339."""

    run: str = ""
    plan: str = ""
    journey: str = "install"
    activity: Activity = Activity.PREPARING
    message: str = ""
    version: int = 0
    heartbeat: str = ""
    data_at: str = ""
    started: str = ""
    finished: str = ""
    steps: tuple[StepState, ...] = ()
    charts: tuple[ChartState, ...] = ()
    proposal: Proposal | None = None
    problems: tuple[str, ...] = ()
    exit_code: int | None = None
    log: str = ""
    """Path of the run's log file."""
    left: float | None = None
    """Seconds left by the dependency graph, None when unknown."""

    def tier(self, name: str) -> tuple[ChartState, ...]:
        """The charts of a tier in the order of the plan."""
        return tuple(c for c in self.charts if c.tier == name)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; enums are their words."""
        return asdict(self)


def tier_phase(charts: tuple[ChartState, ...]) -> Phase:
    """One word for a tier: failed if any failed, ready if all are, waiting if none has begun, else applying."""
    phases = {c.phase for c in charts}
    if not phases or phases == {Phase.READY}:
        return Phase.READY
    for worst in (Phase.FAILED, Phase.UNKNOWN):
        if worst in phases:
            return worst
    return Phase.WAITING if phases == {Phase.WAITING} else Phase.APPLYING


def run_state(data: dict[str, Any]) -> RunState:
    """The record of a JSON object made by `RunState.to_json`. Raises KeyError, TypeError or ValueError on anything else."""
    proposal = data.get("proposal")
    known = RunState(**{k: v for k, v in data.items() if k not in _NESTED})
    return replace(
        known,
        activity=Activity(data["activity"]),
        steps=tuple(StepState(**{**s, "phase": Phase(s["phase"])}) for s in data.get("steps", ())),
        charts=tuple(
            ChartState(**{**c, "phase": Phase(c["phase"]), "waits_for": tuple(c.get("waits_for", ()))}) for c in data.get("charts", ())
        ),
        problems=tuple(data.get("problems", ())),
        proposal=_proposal(proposal) if proposal else None,
    )


_NESTED = frozenset({"activity", "steps", "charts", "proposal", "problems"})


def _proposal(data: dict[str, Any]) -> Proposal:
    return Proposal(
        digest=data["digest"],
        changes=tuple(Change(**c) for c in data.get("changes", ())),
        diff=data.get("diff", ""),
        levels=tuple(tuple(level) for level in data.get("levels", ())),
        missing=tuple(data.get("missing", ())),
        warnings=tuple(data.get("warnings", ())),
        pending=tuple(data.get("pending", ())),
    )
