"""The live state of a run: the latest value of everything, for views that come and go.

Changes only replace values in memory and raise the version; the control socket sends what is newest at its own pace and a
snapshot goes to disk once a second for whoever comes when the engine is gone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wizard.clock import Clock, stamp
from wizard.files import write_atomic
from wizard.state import ChartState, RunState, StepState
from wizard.state.wire import BEAT


class Live:
    """Holds the RunState of an engine. Thread-safe."""

    def __init__(self, state: RunState, snapshot: Path, clock: Clock) -> None:
        self._state = state
        self._snapshot = snapshot
        self._clock = clock
        self._changed = threading.Condition()
        self._end = threading.Event()
        self._beat = threading.Thread(target=self._beats, name="heartbeat", daemon=True)

    @property
    def state(self) -> RunState:
        return self._state

    def start(self) -> None:
        """Begin the heartbeat and the snapshots."""
        self._beat.start()

    def stop(self) -> None:
        """A last snapshot, then silence."""
        self._end.set()
        self._beat.join()
        self._save()

    def change(self, **fields: Any) -> None:
        """Replace fields of the state; views hear of it."""
        with self._changed:
            self._state = replace(self._state, version=self._state.version + 1, **fields)
            self._changed.notify_all()

    def step(self, step: str, **fields: Any) -> None:
        """Replace fields of one step; a step that is not known yet is added."""
        with self._changed:
            steps = list(self._state.steps)
            for index, known in enumerate(steps):
                if known.step == step:
                    begun: dict[str, Any] = {"started": stamp(self._clock.now())} if not known.started else {}
                    steps[index] = replace(known, **begun, **fields)
                    break
            else:
                steps.append(StepState(step=step, title=fields.pop("title", step), **fields))
            self.change(steps=tuple(steps))

    def charts(self, charts: Sequence[ChartState], *, data_at: str, left: float | None) -> None:
        """Replace all charts, the age of the data and the time left; silent when nothing differs but the age."""
        with self._changed:
            if tuple(charts) == self._state.charts and left == self._state.left:
                self._state = replace(self._state, data_at=data_at)
            else:
                self.change(charts=tuple(charts), data_at=data_at, left=left)

    def newer(self, version: int, seconds: float) -> RunState:
        """The state as soon as it is newer than `version`, else what it is after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.version > version or self._end.is_set(), seconds)
            return self._state

    def _beats(self) -> None:
        while not self._end.is_set():
            with self._changed:
                self._state = replace(self._state, heartbeat=stamp(self._clock.now()))
            self._save()
            self._clock.wait(self._end, BEAT)

    def _save(self) -> None:
        try:
            write_atomic(self._snapshot, json.dumps(self._state.to_json(), ensure_ascii=False).encode())
        except OSError:
            return  # a full disk stops the journal, which says so; a missing snapshot only makes late views poorer
