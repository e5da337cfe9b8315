"""Credentials of a kubeconfig's `exec` plugin, run with a time limit and without a terminal.

The package kubernetes runs plugins without a limit, hands them our terminal and only logs their failure; here each failure has words.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from wizard import process
from wizard.clock import SYSTEM, Clock, parse_stamp
from wizard.errors import NeedsOperator
from wizard.text import clean

TIMEOUT = 60.0
_EARLY = timedelta(seconds=60)
"""A token is renewed this long before it expires."""


class ExecCredentials:
    """The plugin of one user entry. `token` or `certificate` and `key` after `renew`; values are never shown or logged."""

    def __init__(self, plugin: Mapping[str, Any], cluster: Mapping[str, Any], *, clock: Clock = SYSTEM) -> None:
        self._plugin = plugin
        self._cluster = cluster
        self._clock = clock
        self._lock = threading.Lock()
        self._expires: datetime | None = None
        self.token = ""
        self.certificate = ""
        self.key = ""

    def user(self) -> dict[str, str]:
        """Entries for the kubeconfig's user. Runs the plugin."""
        from base64 import b64encode

        self.renew()
        if self.token:
            return {"token": self.token}
        return {
            "client-certificate-data": b64encode(self.certificate.encode()).decode(),
            "client-key-data": b64encode(self.key.encode()).decode(),
        }

    def authorization(self) -> str:
        """The Authorization header; runs the plugin again when the token is about to expire."""
        if self._expires is not None and self._clock.now() >= self._expires - _EARLY:
            self.renew()
        return f"Bearer {self.token}"

    def renew(self) -> None:
        """Run the plugin. Raises NeedsOperator that names the command and why it gave nothing."""
        with self._lock:
            status = self._run()
            self.token = str(status.get("token") or "")
            self.certificate = str(status.get("clientCertificateData") or "")
            self.key = str(status.get("clientKeyData") or "")
            self._expires = parse_stamp(str(status.get("expirationTimestamp") or ""))
            if self._expires is not None and self._expires.tzinfo is None:
                self._expires = self._expires.replace(tzinfo=UTC)
            if not self.token and not (self.certificate and self.key):
                raise self._refused("it gave neither a token nor a certificate with its key")

    def _run(self) -> Mapping[str, Any]:
        argv = [str(self._plugin.get("command") or ""), *[str(a) for a in self._plugin.get("args") or ()]]
        version = str(self._plugin.get("apiVersion") or "client.authentication.k8s.io/v1")
        spec: dict[str, Any] = {"interactive": False}
        if self._plugin.get("provideClusterInfo"):
            spec["cluster"] = {k: v for k, v in self._cluster.items() if k in ("server", "certificate-authority-data", "tls-server-name")}
        extra = {
            str(e["name"]): str(e["value"]) for e in self._plugin.get("env") or () if isinstance(e, dict) and "name" in e and "value" in e
        }
        extra["KUBERNETES_EXEC_INFO"] = json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})
        keep = [name for name in os.environ if not name.startswith(("TF_", "GIT_", "TIERUP_"))]  # a cloud's plugin reads its own names
        done = process.run(argv, env=process.environment(extra, keep=keep), timeout=TIMEOUT)
        if done.code != 0:
            raise self._refused(f"it ended with {done.code}: {clean(done.err.decode('utf-8', 'replace'), limit=300)}")
        try:
            answer = json.loads(done.out)
        except (ValueError, RecursionError):
            raise self._refused("its answer is not JSON") from None
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict):
            raise self._refused("its answer holds no status")
        return status

    def _refused(self, why: str) -> NeedsOperator:
        command = clean(self._plugin.get("command") or "(none)", limit=200)
        hint = clean(self._plugin.get("installHint") or "", limit=300)
        return NeedsOperator(
            f"the kubeconfig's credential program {command} gives no credentials: {why}", remedy=hint or "run it by hand and log in again"
        )
