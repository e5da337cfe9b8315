"""A log file per pod in the form kwok's log server reads (that of a container runtime), and the object that tells kwok where it is."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lab.api import Api, ApiError

Object = dict[str, Any]
KWOK = "/apis/kwok.x-k8s.io/v1alpha1"


class PodLogs:
    def __init__(self, api: Api, folder: Path, ports: dict[str, int]) -> None:
        self._api = api
        self._folder = folder
        self._ports = ports
        self._lock = threading.Lock()

    def serve(self, pod: Object) -> None:
        """Makes the log readable through the API server."""
        meta = pod["metadata"]
        self.line(pod, f"lab: {meta['namespace']}/{meta['name']} starts with image {pod['spec']['containers'][0]['image']}")
        file = str(self._file(meta["uid"]))
        spec = {
            "selector": {"matchNamespaces": [meta["namespace"]], "matchNames": [meta["name"]]},
            "logs": [{"logsFile": file, "previousLogsFile": file}],
        }
        body = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs", "metadata": {"name": meta["uid"]}, "spec": spec}
        with contextlib.suppress(ApiError):
            self._api.call("POST", f"{KWOK}/clusterlogs", body)

    def line(self, pod: Object, text: str) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        with self._lock, self._file(pod["metadata"]["uid"]).open("a") as log:
            log.write(f"{stamp} stdout F {text}\n")

    def forget(self, uid: str) -> None:
        with contextlib.suppress(ApiError):
            self._api.call("DELETE", f"{KWOK}/clusterlogs/{uid}")
        self._file(uid).unlink(missing_ok=True)

    def _file(self, uid: str) -> Path:
        return self._folder / f"{uid}.log"
