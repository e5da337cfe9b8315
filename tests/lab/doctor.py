"""Gives custom resources the conditions their (absent) operators would give them, a moment after they were written."""

from __future__ import annotations

import heapq
import http.client
import json
import threading
import time
from pathlib import Path
from typing import Any

from tests.lab.api import MERGE, Api, ApiError
from tests.lab.podstatus import now

Object = dict[str, Any]
REAL = ("fluxcd.io", "fluxcd.controlplane.io", "kwok.x-k8s.io", "k8s.io")
"""Groups (by their end) whose controllers really run here; the last are Kubernetes' own."""
NOT_OWN = ("gateway.networking.k8s.io", "snapshot.storage.k8s.io", "inference.networking.k8s.io")
"""Groups that end in k8s.io and are custom resources all the same."""
EXTRA = {"Gateway": ("Accepted", "Programmed"), "GatewayClass": ("Accepted",), "ServiceMonitor": (), "HTTPRoute": (), "Bundle": ("Synced",)}


class Doctor:
    """Learns of new objects from the audit log, which is written before the writer has its answer: no watch per kind."""

    def __init__(self, api: Api, audit_log: Path, after: float) -> None:
        self._api = api
        self._log = audit_log
        self._after = after
        self._kinds: dict[str, tuple[str | None, float]] = {}
        self._due: list[tuple[float, str, str]] = []
        self._crds: dict[str, Object] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doctor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def treat(self, after: float | None, kind: str | None = None, fault: str | None = None) -> None:
        """`fault` `never` keeps `kind` (all, if None) without status until it is lifted."""
        if after is not None and kind is None:
            self._after = after
        self._kinds[kind or ""] = (fault, self._after if after is None else after)
        if fault is None:
            for crd in list(self._crds.values()):
                self._all_of(crd)

    def _all_of(self, crd: Object) -> None:
        spec = crd["spec"]
        path = f"/apis/{spec['group']}/{_version(crd)}/{spec['names']['plural']}"
        for item in (self._api.get(path) or {}).get("items", []):
            meta = item["metadata"]
            middle = f"namespaces/{meta['namespace']}/" if "namespace" in meta else ""
            target = f"/apis/{spec['group']}/{_version(crd)}/{middle}{spec['names']['plural']}/{meta['name']}"
            self._enqueue(f"{spec['names']['plural']}.{spec['group']}", target)

    def _enqueue(self, crd: str, path: str) -> None:
        kind = self._crds.get(crd, {}).get("spec", {}).get("names", {}).get("kind", "")
        _, after = self._kinds.get(kind) or self._kinds.get("") or (None, self._after)
        heapq.heappush(self._due, (time.monotonic() + after, crd, path))

    def _run(self) -> None:
        while not self._log.exists():
            if self._stop.wait(0.1):
                return
        with self._log.open("rb") as log:
            rest = b""
            while not self._stop.wait(0.1):
                data = rest + log.read()
                lines = data.split(b"\n")
                rest = lines.pop()
                for line in lines:
                    self._read(line)
                while self._due and self._due[0][0] <= time.monotonic():
                    _, crd, path = heapq.heappop(self._due)
                    self._visit(crd, path)

    def _read(self, line: bytes) -> None:
        if b'"apiGroup":"' not in line or b'"user":{"username":"lab-supervisor"' in line:
            return
        event = json.loads(line)
        target = event.get("objectRef", {})
        group = target.get("apiGroup", "")
        if event.get("verb") not in ("create", "update", "patch") or event.get("responseStatus", {}).get("code", 500) >= 300:
            return
        if "." not in group or target.get("subresource") or "name" not in target or (group.endswith(REAL) and group not in NOT_OWN):
            return
        middle = f"namespaces/{target['namespace']}/" if target.get("namespace") else ""
        path = f"/apis/{group}/{target['apiVersion']}/{middle}{target['resource']}/{target['name']}"
        self._enqueue(f"{target['resource']}.{group}", path)

    def _visit(self, name: str, path: str) -> None:
        try:
            crd = self._crds.get(name) or self._api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
            if crd is None:
                return
            self._crds[name] = crd
            kind = crd["spec"]["names"]["kind"]
            if (self._kinds.get(kind) or self._kinds.get("") or (None, 0.0))[0] == "never":
                return
            item = self._api.get(path)
            if item is not None and not item["metadata"].get("deletionTimestamp"):
                self._heal(crd, kind, path, item)
        except ApiError:
            return  # a schema without conditions (routes have them per parent): nobody waits for these
        except (OSError, http.client.HTTPException):
            heapq.heappush(self._due, (time.monotonic() + 1, name, path))

    def _heal(self, crd: Object, kind: str, path: str, item: Object) -> None:
        generation = item["metadata"].get("generation", 1)
        old = {entry["type"]: entry for entry in (item.get("status") or {}).get("conditions", [])}
        conditions = [
            {
                "type": name,
                "status": "True",
                "reason": "Lab",
                "message": "the lab's doctor says so",
                "observedGeneration": generation,
                "lastTransitionTime": old.get(name, {}).get("lastTransitionTime") or now(),
            }
            for name in (*EXTRA.get(kind, ()), "Ready")
        ]
        status: Object = {"conditions": conditions, "observedGeneration": generation}
        if kind == "Cluster" and crd["spec"]["group"] == "postgresql.cnpg.io":
            status |= {"phase": "Cluster in healthy state", "instances": 1, "readyInstances": 1}
            self._database_secret(item)
        version = next(entry for entry in crd["spec"]["versions"] if entry["name"] == path.split("/")[3])
        has_status = "status" in (version.get("subresources") or {})
        self._api.call("PATCH", path + ("/status" if has_status else ""), {"status": status}, MERGE)

    def _database_secret(self, item: Object) -> None:
        """CloudNativePG makes `<cluster>-app` with the access data of the application's user."""
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        database = (item["spec"].get("bootstrap") or {}).get("initdb") or {}
        data = {
            "username": database.get("owner", "app"),
            "password": "lab",
            "dbname": database.get("database", "app"),
            "host": f"{name}-rw",
            "port": "5432",
        }
        data["uri"] = f"postgresql://{data['username']}:lab@{name}-rw.{namespace}:5432/{data['dbname']}"
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-app", "namespace": namespace}, "stringData": data}
        try:
            self._api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
        except ApiError as problem:
            if problem.status != 409:
                raise


def _version(crd: Object) -> str:
    return next(str(entry["name"]) for entry in crd["spec"]["versions"] if entry.get("storage"))
