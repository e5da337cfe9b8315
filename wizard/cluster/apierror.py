"""Every way an API server can fail to answer, in words an operator can act on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from wizard.errors import NeedsOperator, TierupError
from wizard.text import clean

RETRY_AFTER_LIMIT = 30.0
"""Seconds; a server that asks for more is asked again after these (reliability.md 3.5)."""


class ApiError(TierupError):
    """A request that failed. `status` is the HTTP status, 0 when there was no answer; `reason` is Kubernetes' own reason or one of:
    dns, refused, timeout, reset, tls-ca, tls-name, tls-expired, tls-early, tls, plain-http, proxy, not-kubernetes, garbled, redirect.
    `retry_after` is what the server asked for in seconds, None when it asked for nothing."""

    def __init__(self, what: str, *, status: int = 0, reason: str = "", retry_after: float | None = None, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.what = what
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def gone(self) -> bool:
        """The version asked for is older than what the server keeps: list again."""
        return self.status == 410 or self.reason in ("Expired", "Gone")

    @property
    def missing(self) -> bool:
        """No such object, or no such kind."""
        return self.status == 404

    @property
    def passing(self) -> bool:
        """May well succeed when asked again: no answer, too many requests, or a server in trouble."""
        return self.reason in ("dns", "refused", "timeout", "reset", "garbled") or self.status == 429 or self.status >= 500


class FieldConflict(NeedsOperator):
    """Server-side apply would take fields from another owner. `managers` are their names."""

    def __init__(self, what: str, managers: tuple[str, ...], remedy: str) -> None:
        super().__init__(what, remedy=remedy)
        self.managers = managers


def from_status(status: int, body: bytes, headers: Mapping[str, str], *, server: str, doing: str) -> ApiError:
    """The error for an answer with a status of 300 or more."""
    kind = headers.get("Content-Type", "")
    content = _status_object(body)
    if 300 <= status < 400:
        return ApiError(
            f"{server} sends us elsewhere ({status}) instead of answering {doing}",
            status=status,
            reason="redirect",
            remedy="check `server:` in the kubeconfig; a log-in page or proxy may be in the way",
        )
    if content is None:
        if "html" in kind or body.lstrip()[:1] == b"<":
            return not_kubernetes(server, kind, status=status)
        if b"HTTP request to an HTTPS server" in body:
            return ApiError(
                f"{server} speaks TLS but the kubeconfig says http://",
                status=status,
                reason="plain-http",
                remedy="change `server:` in the kubeconfig to https://",
            )
        content = {"message": body[:400].decode("utf-8", "replace")}
    reason = clean(content.get("reason") or "", limit=80)
    message = clean(content.get("message") or "", limit=1200)
    said = f": {message}" if message else ""
    wait = _retry_after(headers, content)
    what, remedy = _words(status, reason, said, server, doing)
    return ApiError(what, status=status, reason=reason, retry_after=wait, remedy=remedy)


def _words(status: int, reason: str, said: str, server: str, doing: str) -> tuple[str, str]:
    if status == 401:
        return (
            f"{server} does not accept the credentials of this kubeconfig (401{said})",
            "log in again or fetch a new kubeconfig; a clock that is wrong also does this",
        )
    if status == 403:
        return f"not allowed: {doing} (403{said})", "use a kubeconfig with cluster-admin rights, or ask for this right"
    if status == 404:
        return f"not found: {doing} (404{said})", ""
    if status == 409:
        return f"somebody else changed it first: {doing} (409{said})", "run again: the next try starts from the newest state"
    if status == 410:
        return f"the server no longer keeps that version: {doing} (410{said})", ""
    if status == 422:
        return f"the server refuses the object: {doing} (422{said})", ""
    if status == 429:
        return f"{server} has too many requests to answer this one (429{said})", "it is asked again after the time it names"
    if status >= 500:
        if "failed calling webhook" in said:
            return f"an admission webhook does not answer: {doing}{said}", "look at the pods and endpoints of the service that is named"
        return f"{server} is in trouble ({status} {reason}{said}) at {doing}", "look at the control plane's own logs and at etcd"
    return f"{server} refuses {doing} ({status} {reason}{said})", ""


def not_kubernetes(server: str, content_type: str, *, status: int = 200) -> ApiError:
    """An answer that no API server gives: a captive portal, a proxy's page, another web server."""
    kind = clean(content_type, limit=60) or "no content type"
    return ApiError(
        f"{server} is not a Kubernetes API (it answers {kind})",
        status=status if status >= 400 else 0,
        reason="not-kubernetes",
        remedy="check `server:` in the kubeconfig; a captive portal, proxy or load balancer may be answering",
    )


def field_conflict(error: ApiError, subject: str) -> FieldConflict:
    """Who owns the fields that server-side apply wanted: read from the 409's own text."""
    managers = tuple(dict.fromkeys(re.findall(r'conflicts? with "([^"]{1,120})"', error.what)))
    names = ", ".join(managers) or "another field manager"
    return FieldConflict(
        f"{subject} has fields that belong to {names}: {error.what}",
        managers,
        "decide who owns it: remove the field there, or take the object out of the plan",
    )


def _status_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _retry_after(headers: Mapping[str, str], content: Mapping[str, Any]) -> float | None:
    details = content.get("details")
    for raw in (headers.get("Retry-After"), details.get("retryAfterSeconds") if isinstance(details, dict) else None):
        try:
            seconds = float(raw) if raw is not None else 0.0
        except (TypeError, ValueError):
            continue
        if 0 < seconds < float("inf"):
            return min(seconds, RETRY_AFTER_LIMIT)
    return None
