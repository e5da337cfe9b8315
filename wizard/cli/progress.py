"""A run as lines: each change of a step or a chart once, with the time since the start."""

from __future__ import annotations

import click

from wizard.clock import parse_stamp
from wizard.state import Activity, Phase, RunState
from wizard.text import clean, seconds_in_words

GLYPH = {
    Phase.WAITING: "○",
    Phase.APPLYING: "◐",
    Phase.READY: "✓",
    Phase.FAILED: "✗",
    Phase.SUSPENDED: "⏸",
    Phase.CANCELLED: "✗",
    Phase.UNKNOWN: "?",
}

EVERY = 15.0
"""Seconds without a change after which a line says what is being waited for."""


class Progress:
    """Prints what changed between the states it is shown."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._seen: dict[str, tuple[Phase, str]] = {}
        self._begun: set[str] = set()
        self._message = ""
        self._spoke = 0.0

    def show(self, state: RunState) -> None:
        """Print the lines by which this state differs from the last one."""
        if self._quiet:
            return
        begun, beat = parse_stamp(state.started), parse_stamp(state.heartbeat)
        now = (beat - begun).total_seconds() if begun and beat else 0.0
        if state.activity in (Activity.PREPARING, Activity.EXECUTING) and state.message and state.message != self._message:
            self._say(now, f"… {clean(state.message)}")
        self._message = state.message
        for step in state.steps:
            self._line(now, f"step/{step.step}", step.phase, step.message, f"{step.title:<34}")
        for chart in state.charts:
            words = chart.message if chart.phase is not Phase.READY else ""
            self._line(now, f"chart/{chart.chart}", chart.phase, words, f"{chart.tier:<9}{chart.chart:<25}")
        if state.activity is Activity.EXECUTING and now - self._spoke >= EVERY:
            busy = [c.chart for c in state.charts if c.phase is Phase.APPLYING]
            left = f", about {seconds_in_words(state.left)} left" if state.left else ""
            ready = sum(c.phase is Phase.READY for c in state.charts)
            self._say(now, f"… {ready} of {len(state.charts)} charts Ready{left}; waiting for {', '.join(busy[:6]) or 'Flux'}")

    def _line(self, now: float, key: str, phase: Phase, message: str, title: str) -> None:
        before = self._seen.get(key)
        self._seen[key] = (phase, message)
        if before is not None and before[0] is phase and (phase is not Phase.FAILED or before[1] == message):
            return
        if phase is Phase.WAITING:
            return  # what waits is told by the line that says what is being waited for
        if phase is Phase.APPLYING and key in self._begun:
            return
        self._begun.add(key)
        self._say(now, f"{GLYPH[phase]} {title} {phase.value}" + (f"  {clean(message, limit=160)}" if message else ""))

    def _say(self, now: float, line: str) -> None:
        self._spoke = now
        click.echo(f"{int(now) // 60:02d}:{int(now) % 60:02d} {line}")
