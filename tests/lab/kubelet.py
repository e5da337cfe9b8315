"""The pods' life: a loop that writes their statuses as far as the knobs let them. Nodes, deletion and log serving are kwok's."""

from __future__ import annotations

import http.client
import threading
import time
from pathlib import Path
from typing import Any

from tests.lab import podstatus
from tests.lab.api import MERGE, Api, ApiError
from tests.lab.knobs import Knobs
from tests.lab.podlogs import PodLogs
from tests.lab.programs import Programs, program_of
from tests.lab.reflector import Reflector

Object = dict[str, Any]
TICK = 0.1


class Life:
    """What the kubelet remembers of one pod."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.written: object = None
        self.restarts = 0
        self.next_event = 0.0
        self.missing_checked = 0.0
        self.missing = ""


class Kubelet:
    def __init__(self, api: Api, knobs: Knobs, programs: Programs, directory: Path, ports: dict[str, int]) -> None:
        self._api = api
        self._knobs = knobs
        self._programs = programs
        self._lives: dict[str, Life] = {}
        self._logs = PodLogs(api, directory / "pods", ports)
        self._pods = Reflector(api, "/api/v1/pods")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)

    def start(self) -> None:
        self._pods.start()
        self._thread.start()

    def stop(self) -> None:
        """Ends the loop and every process of a pod."""
        self._stop.set()
        self._pods.stop()
        self._thread.join(timeout=10)
        self._programs.stop_all()

    def _run(self) -> None:
        while not self._stop.wait(TICK):
            pods = [pod for pod in self._pods.all() if pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp")]
            try:
                self._programs.keep(self._newest(pods))
                self._forget({pod["metadata"]["uid"] for pod in pods})
            except (OSError, http.client.HTTPException, ApiError):
                continue
            for pod in pods:
                if pod["status"].get("phase") in ("Succeeded", "Failed") or self._stop.is_set():
                    continue
                try:
                    self._advance(pod, self._lives.setdefault(pod["metadata"]["uid"], Life()))
                except (OSError, http.client.HTTPException, ApiError):
                    self._stop.wait(0.05)  # gone meanwhile, or no API server: the next round sees

    @staticmethod
    def _newest(pods: list[Object]) -> dict[str, Object]:
        newest: dict[str, Object] = {}
        for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
            name = program_of(pod)
            if name:
                newest[name] = pod
        return newest

    def _forget(self, present: set[str]) -> None:
        for uid in set(self._lives) - present:
            del self._lives[uid]
            self._logs.forget(uid)

    def _advance(self, pod: Object, life: Life) -> None:
        labels = pod["metadata"].get("labels", {})
        chart = labels.get("lab/chart")
        fault = self._knobs.fault(chart)
        age = time.monotonic() - life.since
        name = program_of(pod)
        if any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", [])):
            self._job(pod, life, labels, age)
        elif fault == "image":
            self._image(pod, life, age)
        elif fault == "crash":
            self._crash(pod, life)
        elif self._is_missing(pod, life):
            self._put(pod, life, ("missing", life.missing), podstatus.waiting(pod, "CreateContainerConfigError", life.missing))
        elif name:
            self._program(name, pod, life)
        elif fault == "never":
            self._put(pod, life, "never", podstatus.running(pod, ready=False, restarts=life.restarts))
            self._tell(pod, life, 10, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
        elif age >= self._knobs.ready_after(chart):
            self._become_ready(pod, life)
        else:
            self._put(pod, life, "running", podstatus.running(pod, ready=False, restarts=life.restarts))

    def _become_ready(self, pod: Object, life: Life) -> None:
        if self._put(pod, life, "ready", podstatus.running(pod, ready=True, restarts=life.restarts)):
            self._logs.line(pod, f"lab: {pod['metadata']['name']} is ready")

    def _job(self, pod: Object, life: Life, labels: dict[str, str], age: float) -> None:
        if age < 0.3 or (labels.get("lab/waits-for") == "flux-instance" and not self._flux_is_ready(pod, life)):
            self._put(pod, life, "running", podstatus.running(pod, ready=True))
        elif labels.get("lab/outcome") == "fail":
            self._logs.line(pod, "lab: this hook fails because a knob says so")
            self._put(pod, life, "failed", podstatus.status(pod, podstatus.terminated(1, "Error"), ready=False, phase="Failed"))
        else:
            self._put(
                pod,
                life,
                "done",
                podstatus.status(pod, podstatus.terminated(0, "Completed"), ready=False, phase="Succeeded", reason="PodCompleted"),
            )

    def _flux_is_ready(self, pod: Object, life: Life) -> bool:
        """What the hook of the flux-instance chart waits for; asked twice a second."""
        if time.monotonic() < life.missing_checked:
            return False
        life.missing_checked = time.monotonic() + 0.5
        found = self._api.get(f"/apis/fluxcd.controlplane.io/v1/namespaces/{pod['metadata']['namespace']}/fluxinstances/flux") or {}
        conditions = (found.get("status") or {}).get("conditions", [])
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def _image(self, pod: Object, life: Life, age: float) -> None:
        image = pod["spec"]["containers"][0]["image"]
        problem = f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": {image}: not found'
        if age < 0.5:
            self._put(pod, life, "ErrImagePull", podstatus.waiting(pod, "ErrImagePull", problem))
        else:
            self._put(
                pod,
                life,
                "ImagePullBackOff",
                podstatus.waiting(pod, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {problem}'),
            )
        if self._tell(pod, life, 10, "Failed", f'Failed to pull image "{image}": {problem}'):
            self._send(podstatus.event(pod, "Failed", "Error: ErrImagePull", warning=True))
            self._send(podstatus.event(pod, "BackOff", f'Back-off pulling image "{image}"'))
            self._send(podstatus.event(pod, "Failed", "Error: ImagePullBackOff", warning=True))

    def _crash(self, pod: Object, life: Life) -> None:
        container = pod["spec"]["containers"][0]["name"]
        message = podstatus.BACK_OFF.format(
            name=container, pod=f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
        )
        if time.monotonic() >= life.next_event:
            life.restarts += 1
            for line in ("lab: starting", "panic: lab: this program crashes because a knob says so", "exit status 2"):
                self._logs.line(pod, line)
            last = podstatus.terminated(2, "Error")
            waiting = podstatus.waiting(pod, "CrashLoopBackOff", message, phase="Running", restarts=life.restarts, last=last)
            self._put(pod, life, ("crash", life.restarts), waiting)
        self._tell(pod, life, 10, "BackOff", f"Back-off restarting failed container {container} in pod {pod['metadata']['name']}")

    def _program(self, name: str, pod: Object, life: Life) -> None:
        state, restarts, code = self._programs.ensure(name, pod, lambda line: self._logs.line(pod, line))
        last = podstatus.terminated(code, "Error") if code is not None and restarts else None
        if state == "crashed":
            waiting = podstatus.waiting(
                pod, "CrashLoopBackOff", f"{name} ended with code {code}", phase="Running", restarts=restarts, last=last
            )
            self._put(pod, life, (state, restarts), waiting)
        else:
            self._put(pod, life, (state, restarts), podstatus.running(pod, ready=state == "ready", restarts=restarts, last=last))

    def _is_missing(self, pod: Object, life: Life) -> bool:
        """A Secret or ConfigMap that a container's environment names and that is not there; asked for once a second until it is."""
        if (life.written is not None and not life.missing) or time.monotonic() < life.missing_checked:
            return bool(life.missing)
        life.missing_checked = time.monotonic() + 1
        life.missing = self._first_missing(pod)
        if life.missing:
            self._tell(pod, life, 10, "Failed", f"Error: {life.missing}")
        return bool(life.missing)

    def _first_missing(self, pod: Object) -> str:
        base = f"/api/v1/namespaces/{pod['metadata']['namespace']}"
        for container in pod["spec"]["containers"]:
            sources = [(item, "") for item in container.get("envFrom", [])]
            sources += [(item["valueFrom"], "Key") for item in container.get("env", []) if "valueFrom" in item]
            for source, suffix in sources:
                for field, kind in ((f"secret{suffix or ''}Ref", "secret"), (f"configMap{suffix}Ref", "configmap")):
                    reference = source.get(field)
                    if not reference or reference.get("optional"):
                        continue
                    found = self._api.get(f"{base}/{kind}s/{reference['name']}")
                    if found is None:
                        return f'{kind} "{reference["name"]}" not found'
                    if suffix and reference["key"] not in (found.get("data") or {}):
                        return f"couldn't find key {reference['key']} in {kind.title()} {pod['metadata']['namespace']}/{reference['name']}"
        return ""

    def _put(self, pod: Object, life: Life, key: object, status: Object) -> bool:
        """Writes the status unless it is the one written last; True when it wrote."""
        if life.written == key:
            return False
        meta = pod["metadata"]
        if life.written is None:
            self._logs.serve(pod)
        self._api.call("PATCH", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status", {"status": status}, MERGE)
        if life.written is None and "running" in status["containerStatuses"][0]["state"]:
            self._send(podstatus.event(pod, "Started", f"Started container {pod['spec']['containers'][0]['name']}"))
        life.written = key
        return True

    def _tell(self, pod: Object, life: Life, every: float, reason: str, message: str) -> bool:
        if time.monotonic() < life.next_event:
            return False
        life.next_event = time.monotonic() + every
        self._send(podstatus.event(pod, reason, message, warning=True))
        return True

    def _send(self, event: Object) -> None:
        self._api.call("POST", f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
