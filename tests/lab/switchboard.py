"""What a test may ask of a running lab: each operation by name, with keyword arguments, over the supervisor's HTTP port."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab import control
from tests.lab.api import ApiError
from tests.lab.charts import Shelf
from tests.lab.cluster import Cluster
from tests.lab.gitserver import GitServer, empty_repository
from tests.lab.parts import Part

REGISTRY_MODES = ("ok", "401", "slow", "down")


class Switchboard:
    def __init__(
        self, directory: Path, cluster: Cluster, parts: dict[str, Part], git: GitServer, shelf: Shelf, ports: dict[str, int]
    ) -> None:
        self._directory = directory
        self._cluster = cluster
        self._parts = parts
        self._git = git
        self._shelf = shelf
        self._ports = ports
        self._lock = threading.Lock()
        self._slow = threading.Event()
        self._registry_mode = "ok"
        self._operations: dict[str, Callable[..., Any]] = {
            "knob": self.knob,
            "resources": self.resources,
            "part": self.part,
            "git": self.git,
            "registry": self.registry,
            "reset": self.reset,
        }

    def operate(self, request: dict[str, Any]) -> Any:
        operation = self._operations[request.pop("do")]
        with self._lock:
            return operation(**request)

    def knob(self, chart: str, ready_after: float | None, fault: str | None) -> None:
        self._cluster.knobs.turn(chart, ready_after, fault)
        try:
            self._cluster.publish_knobs()
        except (OSError, http.client.HTTPException, ApiError) as problem:
            raise RuntimeError(f"the knob is turned for pods, templates do not know of it: {problem}") from problem

    def resources(self, after: float | None, kind: str | None, fault: str | None) -> None:
        assert self._cluster.doctor is not None
        self._cluster.doctor.treat(after, kind, fault)

    def part(self, name: str, action: str) -> None:
        part = self._parts.get(name) or next((item for item in self._cluster.flux.parts() if item.name == name), None)
        if part is None:
            raise ValueError(f"no such part: {name} (there are {', '.join(self._parts)})")
        if action == "kill":
            part.stop(signal.SIGKILL)
        elif action == "crash":
            part.signal(signal.SIGKILL)
        elif action in ("pause", "unpause"):
            part.pause(action == "pause")
        elif action == "start":
            part.start()
        else:
            raise ValueError(f"no such action: {action}")

    def git(self, mode: str, delay: float) -> None:
        self._git.switch(mode, delay)

    def registry(self, mode: str) -> None:
        """`slow` lets the registry run a tenth of each second."""
        if mode not in REGISTRY_MODES:
            raise ValueError(f"no such mode: {mode} (there are {', '.join(REGISTRY_MODES)})")
        part = self._parts["registry"]
        if mode == self._registry_mode == "ok" and part.is_running:
            return
        self._slow.set()
        self._registry_mode = mode
        part.stop()
        if mode == "down":
            return
        control.write_registry_config(self._directory, self._ports["registry"], locked=mode == "401")
        part.start()
        self._shelf.wait_for_registry()
        if mode == "slow":
            self._slow = threading.Event()
            threading.Thread(target=_stutter, args=(part, self._slow), name="slow registry", daemon=True).start()

    def reset(self) -> None:
        self._git.switch("ok")
        empty_repository(self._directory / "git" / "homelab.git")
        self.registry("ok")
        self._cluster.reset()

    def watch_runtime(self, crds: Any) -> None:
        """Operators that make their own CRDs once they run: a loop in their place."""
        threading.Thread(target=self._runtime, args=(crds,), name="runtime CRDs", daemon=True).start()

    def _runtime(self, crds: Any) -> None:
        made = ""
        while True:
            time.sleep(0.5)
            try:
                pods = self._cluster.api.call("GET", f"/api/v1/pods?labelSelector=lab/chart={crds.chart}")["items"]
                ready = [pod["metadata"]["uid"] for pod in pods if _is_ready(pod)]
                if pods and len(ready) == len(pods) and made != ready[0]:
                    for crd in crds.manifests:
                        self._cluster.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}", crd)
                    made = ready[0]
            except (OSError, http.client.HTTPException, ApiError):
                continue


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))


def _stutter(part: Part, until: threading.Event) -> None:
    while not until.is_set() and part.is_running:
        part.pause()
        until.wait(0.9)
        part.pause(False)
        until.wait(0.1)
