"""The lock in the cluster: one run at a time, whichever machine it runs on.

A dead holder is recognised by our own clock alone: its lease has not been renewed while we watched for its whole duration. Times of
other machines are never compared, so a wrong clock takes no lock away.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from wizard.clock import SYSTEM, Clock, stamp
from wizard.cluster.api import Api
from wizard.cluster.apierror import ApiError
from wizard.cluster.resources import resource_path
from wizard.errors import Locked
from wizard.text import clean

DURATION = 15
"""Seconds without a renewal after which a holder counts as dead; it renews every third of that."""
_LOOK = 2.0


def holder_name(plan: str) -> str:
    """Who we are: the same for every run of a plan by this user on this machine, so that a run after a kill need not wait. (Two at once on
    one machine are kept apart by the lock on its disk.)"""
    return clean(f"{os.getuid()}@{socket.gethostname()} {plan}", limit=200)


class Lease:
    """coordination.k8s.io Lease `name`. `acquire`; then `lost` is set when it was taken away or not renewed in time; `release`."""

    def __init__(
        self,
        api: Api,
        name: str = "tierup",
        namespace: str = "kube-system",
        holder: str = "",
        *,
        duration: int = DURATION,
        clock: Clock = SYSTEM,
    ) -> None:
        self.holder = holder or holder_name("")
        self.lost = threading.Event()
        self._api = api
        self._path = resource_path("coordination.k8s.io/v1", "Lease", namespace, name)
        self._collection = resource_path("coordination.k8s.io/v1", "Lease", namespace)
        self._meta = {"name": name, "namespace": namespace}
        self._duration = duration
        self._clock = clock
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._held: dict[str, Any] | None = None

    def acquire(self, *, cancel: threading.Event | None = None, on_wait: Callable[[str, float], None] | None = None) -> None:
        """Take the lease and keep renewing it. A holder that renews is left alone at once: Locked, with its name. One that is silent is
        watched for the lease's duration (`on_wait` is told its name and the seconds left), then replaced."""
        cancel = cancel or threading.Event()
        seen, since, patience = "", self._clock.monotonic(), 0.0
        while True:
            found = self._api.find(self._path)
            if found is None or self._free(found):
                if self._take(found):
                    break
                continue
            spec = found.get("spec") or {}
            holder = clean(spec.get("holderIdentity") or "", limit=200)
            mark = f"{holder} {spec.get('renewTime')} {(found.get('metadata') or {}).get('resourceVersion')}"
            if mark != seen:
                if seen:
                    raise Locked(f"another run works on this cluster: {holder}", remedy="attach to it there, or wait until it has ended")
                seen, since, patience = mark, self._clock.monotonic(), float(spec.get("leaseDurationSeconds") or self._duration)
            left = patience - (self._clock.monotonic() - since)
            if left <= 0:
                if self._take(found):
                    break
                seen = seen and "somebody was faster"
                continue
            if on_wait is not None:
                on_wait(holder, left)
            if self._clock.wait(cancel, min(_LOOK, left)):
                raise Locked(f"stopped while waiting whether {holder} is still at work on this cluster")
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Stop renewing and give the lease back; what goes wrong is no fault of the run, the lease then ends by itself."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(10.0)
        held, self._held = self._held, None
        if held is None or self.lost.is_set():
            return
        try:
            self._api.replace(self._path, {**held, "spec": {**held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}})
        except ApiError:
            return

    def _free(self, found: dict[str, Any]) -> bool:
        holder = (found.get("spec") or {}).get("holderIdentity")
        return not holder or holder == self.holder

    def _take(self, found: dict[str, Any] | None) -> bool:
        """True when it is ours; false when somebody was faster."""
        now = stamp(self._clock.now()).replace("Z", "000Z")  # MicroTime: exactly six digits
        old = (found or {}).get("spec") or {}
        same = old.get("holderIdentity") == self.holder
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self._duration,
            "acquireTime": old.get("acquireTime") if same and old.get("acquireTime") else now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if same or found is None else 1),
        }
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict(self._meta), "spec": spec}
        try:
            if found is None:
                self._held = self._api.create(self._collection, lease)
            else:
                lease["metadata"] = {**self._meta, "resourceVersion": found["metadata"]["resourceVersion"]}
                self._held = self._api.replace(self._path, lease)
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    def _renew(self) -> None:
        good = self._clock.monotonic()
        while not self._clock.wait(self._end, self._duration / 3):
            try:
                found = self._api.find(self._path)
                if found is not None and not self._free(found):
                    break
                if self._take(found):
                    good = self._clock.monotonic()
            except ApiError:
                pass  # tried again below until the lease's own time is over
            if self._clock.monotonic() - good > self._duration:
                break
        if not self._end.is_set():
            self.lost.set()
