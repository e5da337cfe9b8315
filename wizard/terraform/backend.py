"""The state's lock: who holds it, and whether that holder is proved dead.

A Terraform that is killed in mid-apply leaves its lock (the kubernetes backend: annotation `app.terraform.io/lock-info` on the
Lease `kube-system/lock-tfstate-default-<suffix>`). It is released only when the holder cannot be alive: it ran on this machine, as
this user, in this run directory, started by us, and no process works in that directory any more. Everything else is for the operator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from wizard.errors import Locked
from wizard.text import clean

NAMESPACE = "kube-system"
ANNOTATION = "app.terraform.io/lock-info"
SLACK = timedelta(seconds=30)
"""A lock taken up to so long after the last sign of life of our child is still taken to be its own: Terraform writes nothing
between its first line and the first resource, and a slow API server may take that long to give the lock."""


@dataclass(frozen=True, slots=True)
class LockInfo:
    """What Terraform wrote about the holder of a lock. `who` is user@host, `created` is None when it cannot be read."""

    id: str
    who: str = ""
    operation: str = ""
    created: datetime | None = None

    def __str__(self) -> str:
        since = f" since {self.created:%Y-%m-%d %H:%M:%S} UTC" if self.created else ""
        return f"{self.who or 'somebody'} ({self.operation or 'unknown operation'}{since}, lock {self.id})"


class StateLocked(Locked):
    """Another Terraform holds the state, or a killed one left its lock. `info` is None when it could not be read."""

    def __init__(self, root: str, info: LockInfo | None) -> None:
        self.info = info
        how = f"`terraform force-unlock {info.id}` in its run directory" if info else "`terraform force-unlock`"
        super().__init__(
            f"Terraform ({root}): the state is locked by {info or 'somebody'}",
            remedy=f"Wait until it is done. If you are sure that it is dead: {how}, then `tierup resume`.",
        )


IsDead = Callable[[LockInfo], bool]

_FIELD = re.compile(r"^\s*(ID|Who|Operation|Created):[ \t]*(\S.*?)\s*$", re.MULTILINE)


def from_diagnostic(detail: str) -> LockInfo | None:
    """The holder, out of the text of "Error acquiring the state lock"; None when it is not in it."""
    fields = dict(_FIELD.findall(detail))
    if "ID" not in fields:
        return None
    return LockInfo(fields["ID"], fields.get("Who", ""), fields.get("Operation", ""), _moment(fields.get("Created", "")))


def from_lease(lease: Mapping[str, Any]) -> LockInfo | None:
    """The holder, out of the backend's Lease; None when it is free."""
    annotations = (lease.get("metadata") or {}).get("annotations") or {}
    if not (lease.get("spec") or {}).get("holderIdentity") or ANNOTATION not in annotations:
        return None
    try:
        info = json.loads(annotations[ANNOTATION])
    except ValueError:
        return None
    return LockInfo(
        clean(info.get("ID", "")), clean(info.get("Who", "")), clean(info.get("Operation", "")), _moment(str(info.get("Created", "")))
    )


def lease_path(root: str) -> str:
    """API path of the Lease that locks the state of a shipped root."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/lock-tfstate-default-{suffix(root)}"


def state_path(root: str) -> str:
    """API path of the Secret with the state of a shipped root."""
    return f"/api/v1/namespaces/{NAMESPACE}/secrets/tfstate-default-{suffix(root)}"


def suffix(root: str) -> str:
    """`secret_suffix` of a shipped root, as its versions.tf has it."""
    return f"tierup-{root}"


def _moment(text: str) -> datetime | None:
    """RFC 3339 with nanoseconds (Lease), or Go's own form "2026-11-23 09:12:13.123456789 +0000 UTC" (diagnostic)."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", text)
    if not found:
        return None
    micros = (found[3] or "0").ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{found[1]}T{found[2]}.{micros}").replace(tzinfo=UTC)
