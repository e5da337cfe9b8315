"""One lab's cluster from nothing to usable, and back to empty: the order of the parts and what is put into the API server."""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.lab.api import APPLY, Api, ApiError
from tests.lab.build import Programs
from tests.lab.doctor import Doctor
from tests.lab.knobs import CONFIG_MAP, Knobs
from tests.lab.kubelet import Kubelet
from tests.lab.layout import Settings
from tests.lab.parts import Part
from tests.lab.programs import Programs as FluxPrograms
from tests.lab.provisioner import Provisioner

WAIT = 90.0
"""Seconds until a control plane that does not come up is called broken; it takes 4 to 8 on two cores."""


class Cluster:
    def __init__(
        self,
        directory: Path,
        settings: Settings,
        programs: Programs,
        ports: dict[str, int],
        parts: dict[str, Part],
        knobs: Knobs,
        make_flux: Callable[[Api], FluxPrograms],
        token: str,
        report: Callable[[str], None],
    ) -> None:
        self.api = Api(ports["api"], directory / "pki" / "ca.crt", token)
        self.flux = make_flux(self.api)
        self._directory = directory
        self._settings = settings
        self._programs = programs
        self._ports = ports
        self._parts = parts
        self.knobs = knobs
        self._report = report
        self.doctor: Doctor | None = None
        self._loops: list[Kubelet | Provisioner | Doctor] = []

    def start(self) -> None:
        """From stopped parts to Ready nodes."""
        for name in ("etcd", "kube-apiserver"):
            self._parts[name].start()
        self._until("the API server is ready", self._is_serving, "kube-apiserver", "etcd")
        self._prepare()
        for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
            self._parts[name].start()
        self._start_loops()
        self._until("all nodes are Ready", self._nodes_ready, "kwok", "kube-controller-manager")
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._until("service accounts are made", lambda: self.api.get(account) is not None, "kube-controller-manager")

    def stop(self) -> None:
        """Loops first: they would take a vanishing cluster for news."""
        for loop in self._loops:
            loop.stop()
        self._loops = []
        for name in ("kwok", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
            self._parts[name].stop()

    def reset(self) -> None:
        """An empty cluster at the same addresses with the same credentials."""
        self.stop()
        shutil.rmtree(self._directory / "etcd", ignore_errors=True)
        for folder in ("pods", "programs"):
            shutil.rmtree(self._directory / folder, ignore_errors=True)
            (self._directory / folder).mkdir()
        (self._directory / "audit.log").unlink(missing_ok=True)
        self.knobs.clear()
        self.start()

    def publish_knobs(self) -> None:
        self.apply(CONFIG_MAP, self.knobs.config_map())

    def apply(self, path: str, body: dict[str, Any]) -> None:
        self.api.call("PATCH", f"{path}?fieldManager=lab&force=true", body, APPLY)

    def _start_loops(self) -> None:
        self.doctor = Doctor(self.api, self._directory / "audit.log", self._settings.resources_after)
        kubelet = Kubelet(self.api, self.knobs, self.flux, self._directory, self._ports)
        self._loops = [kubelet, Provisioner(self.api), self.doctor]
        for loop in self._loops:
            loop.start()
        threading.Thread(target=self.serve_forwards, name="port forwards", daemon=True).start()

    def _prepare(self) -> None:
        for path in sorted((self._programs.control / "crds" / "kwok").glob("*cluster*.yaml")):
            crd = yaml.safe_load(path.read_text())
            if crd["metadata"]["name"].split(".")[0] in ("clusterlogs", "clusterportforwards"):
                self.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}", crd)
        for number in range(1, self._settings.nodes + 1):
            self.api.call("POST", "/api/v1/nodes", node(f"lab-{number}"))
        self.publish_knobs()

    def serve_forwards(self) -> None:
        """Every port of every pod leads to the lab's HTTP server. The kind is served some seconds after its CRD; no one waits."""
        forward = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterPortForward",
            "metadata": {"name": "lab"},
            "spec": {"forwards": [{"target": {"address": "127.0.0.1", "port": self._ports["http"]}}]},
        }
        while not self._try_post("/apis/kwok.x-k8s.io/v1alpha1/clusterportforwards", forward) and self._loops:
            time.sleep(0.2)

    def _try_post(self, path: str, body: dict[str, Any]) -> bool:
        try:
            self.api.call("POST", path, body)
        except ApiError as problem:
            return problem.status == 409
        except (OSError, http.client.HTTPException):
            return False
        return True

    def _is_serving(self) -> bool:
        try:
            return self.api.raw("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _nodes_ready(self) -> bool:
        nodes = self.api.call("GET", "/api/v1/nodes")["items"]
        return all(not item["spec"].get("taints") and _is_ready(item) for item in nodes) and len(nodes) == self._settings.nodes

    def _until(self, what: str, test: Callable[[], bool], *parts: str) -> None:
        began = time.monotonic()
        while not test():
            for name in parts:
                if self._parts[name].died:
                    raise RuntimeError(f"{name} died while the lab waited until {what}:\n" + "\n".join(self._parts[name].last_lines()))
            if time.monotonic() - began > WAIT:
                tail = "\n".join(f"{name}: {line}" for name in parts for line in self._parts[name].last_lines(8))
                raise RuntimeError(f"not within {WAIT:.0f} s: {what}\n{tail}")
            time.sleep(0.05)
        self._report(f"{what} ({time.monotonic() - began:.1f} s)")


def _is_ready(item: dict[str, Any]) -> bool:
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in item["status"].get("conditions", []))


def node(name: str) -> dict[str, Any]:
    """Looks like a Talos machine that also takes workloads."""
    capacity = {"cpu": "4", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node-role.kubernetes.io/control-plane": "",
            },
        },
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "Talos (v1.13.4)",
                "kernelVersion": "6.18.9-talos",
                "kubeletVersion": "v1.36.3",
                "kubeProxyVersion": "",
                "containerRuntimeVersion": "containerd://2.2.4",
                "bootID": "",
                "machineID": "",
                "systemUUID": "",
            },
        },
    }
