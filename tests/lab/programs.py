"""The programs that really run here: Flux. A pod with one of their images is a local process with the pod's own flags."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.api import Api
from tests.lab.control import write_kubeconfig
from tests.lab.parts import MainThread, Part

Object = dict[str, Any]
NAMES = ("flux-operator", "source-controller", "kustomize-controller", "helm-controller")
REPLACED = (
    "events-addr",
    "storage-path",
    "storage-addr",
    "storage-adv-addr",
    "metrics-addr",
    "health-addr",
    "enable-leader-election",
    "web-server-port",
)
"""Flags whose values name addresses and folders of a real pod."""


def program_of(pod: Object) -> str | None:
    image = str(pod["spec"]["containers"][0]["image"]).split("@")[0].rpartition("/")[2].partition(":")[0]
    return image if image in NAMES else None


@dataclass(slots=True)
class Running:
    part: Part
    uid: str
    restarts: int = 0
    retry_at: float = 0.0
    last_exit: int | None = None


class Programs:
    """One process per program, for the newest of its pods. Used from the kubelet's thread alone."""

    def __init__(
        self, directory: Path, folder: Path, ports: dict[str, int], api: Api, main: MainThread, environment: dict[str, str]
    ) -> None:
        self._directory = directory
        self._folder = folder
        self._ports = ports
        self._api = api
        self._main = main
        self._environment = environment
        self._lock = threading.RLock()
        self._running: dict[str, Running] = {}

    def parts(self) -> list[Part]:
        """Without the lock: the main thread asks, and whoever holds the lock may be waiting for the main thread to start a process."""
        return [entry.part for entry in tuple(self._running.values())]

    def keep(self, pods: dict[str, Object]) -> None:
        """`pods`: program -> newest pod that should run. Stops what has no pod any more."""
        with self._lock:
            for name, entry in list(self._running.items()):
                if name not in pods or pods[name]["metadata"]["uid"] != entry.uid:
                    entry.part.stop(signal.SIGTERM)
                    del self._running[name]

    def ensure(self, name: str, pod: Object, log: Callable[[str], None]) -> tuple[str, int, int | None]:
        """(starting | ready | crashed, restarts, last exit code) of the pod's process; a dead one starts again after a pause."""
        with self._lock:
            entry = self._running.get(name)
            if entry is None:
                entry = Running(self._part(name, pod, log), pod["metadata"]["uid"])
                self._running[name] = entry
                entry.part.start()
            elif not entry.part.is_running:
                return self._restart(entry)
            state = "ready" if self._is_ready(name) else "starting"
            return state, entry.restarts, entry.last_exit

    def _restart(self, entry: Running) -> tuple[str, int, int | None]:
        moment = time.monotonic()
        if not entry.retry_at:
            entry.last_exit = entry.part._process.poll() if entry.part._process else None
            entry.retry_at = moment + min(1.0 * 2**entry.restarts, 10)
        elif moment >= entry.retry_at:
            entry.retry_at = 0.0
            entry.restarts += 1
            entry.part.start()
        return "crashed", entry.restarts, entry.last_exit

    def stop_all(self) -> None:
        with self._lock:
            for entry in self._running.values():
                entry.part.stop()
            self._running.clear()

    def _is_ready(self, name: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[f"{name}-health"], timeout=0.5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _part(self, name: str, pod: Object, log: Callable[[str], None]) -> Part:
        namespace = pod["metadata"]["namespace"]
        container = pod["spec"]["containers"][0]
        home = self._directory / "programs" / name
        shutil.rmtree(home, ignore_errors=True)
        (home / "tmp").mkdir(parents=True)
        (home / "data").mkdir()
        environment = {item["name"]: item["value"] for item in container.get("env", []) if "value" in item}
        environment |= self._environment | {"RUNTIME_NAMESPACE": namespace, "HOME": str(home), "TMPDIR": str(home / "tmp")}
        environment |= {"PATH": os.environ["PATH"], "KUBECONFIG": str(self._kubeconfig(name, pod))}
        flags = [flag.replace("$(RUNTIME_NAMESPACE)", namespace) for flag in container.get("args", [])]
        kept = [flag for flag in flags if flag.lstrip("-").partition("=")[0] not in REPLACED]
        if name == "flux-operator":
            environment["GODEBUG"] = "fips140=on"
        argv = [str(self._folder / "bin" / name), *kept, *self._own_flags(name, home)]
        return Part(name, argv, self._directory / "logs" / f"{name}.log", self._main, environment, log)

    def _own_flags(self, name: str, home: Path) -> list[str]:
        flags = [f"--health-addr=127.0.0.1:{self._ports[f'{name}-health']}", "--metrics-addr=0", "--enable-leader-election=false"]
        if name == "flux-operator":
            return [*flags, f"--storage-path={self._folder / 'flux-data'}", "--web-server-port=0"]
        if name == "source-controller":
            address = f"127.0.0.1:{self._ports['artifacts']}"
            return [
                *flags,
                f"--storage-path={home / 'data'}",
                f"--storage-addr={address}",
                f"--storage-adv-addr={address}",
                "--events-addr=",
            ]
        return [*flags, "--events-addr="]

    def _kubeconfig(self, name: str, pod: Object) -> Path:
        """With a token of the pod's own ServiceAccount: RBAC counts, and audit events name the controller."""
        namespace, account = pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "default")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
        answer = self._api.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", request)
        return write_kubeconfig(self._directory, name, self._ports["api"], answer["status"]["token"])
