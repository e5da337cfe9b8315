"""What a test may turn: per chart how long its pods take and how they fail. In a file and, for templates, in a ConfigMap."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tests.lab.layout import read_json, write_json

Fault = Literal["never", "crash", "image", "render", "hook"]
FAULTS: tuple[str, ...] = get_args(Fault)
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/lab-knobs"


@dataclass(frozen=True, slots=True)
class Knob:
    ready_after: float | None = None
    """Seconds from scheduling to Ready; None takes the chart's own figure."""
    fault: str | None = None


class Knobs:
    """Thread-safe; `version` grows with each change."""

    def __init__(self, path: Path, defaults: dict[str, float]) -> None:
        self._path = path
        self._defaults = defaults
        self._lock = threading.Lock()
        self._charts = {chart: Knob(**knob) for chart, knob in (read_json(path) or {}).items()}
        self.version = 0

    def turn(self, chart: str, ready_after: float | None, fault: str | None) -> None:
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"no such fault: {fault} (there are {', '.join(FAULTS)})")
        with self._lock:
            self._charts[chart] = Knob(ready_after, fault)
            write_json(self._path, {name: asdict(knob) for name, knob in self._charts.items()})
            self.version += 1

    def clear(self) -> None:
        with self._lock:
            self._charts.clear()
            write_json(self._path, {})
            self.version += 1

    def fault(self, chart: str | None) -> str | None:
        return self._charts.get(chart or "", Knob()).fault

    def ready_after(self, chart: str | None) -> float:
        turned = self._charts.get(chart or "", Knob()).ready_after
        return turned if turned is not None else self._defaults.get(chart or "", 0.2)

    def config_map(self) -> dict[str, Any]:
        """Templates look faults up here, so that the chart in the registry is the same bytes with and without one."""
        with self._lock:
            data = {name: knob.fault for name, knob in self._charts.items() if knob.fault in ("render", "hook")}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lab-knobs", "namespace": "kube-system"}, "data": data}
