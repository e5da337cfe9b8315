"""Every way an API server can fail to answer, in words an operator can act on."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any

from wizard.errors import NeedsOperator, TierupError
from wizard.text import clean

RETRY_AFTER_LIMIT = 30.0
"""Seconds; a server that asks for more is asked again after these (reliability.md 3.5)."""

_UNKNOWN_CA = frozenset({18, 19, 20, 21})
_NOT_YET, _EXPIRED, _WRONG_NAME = 9, 10, frozenset({62, 64})
"""OpenSSL verify codes (x509_vfy.h)."""


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


def from_exception(error: BaseException, *, server: str, doing: str) -> ApiError:
    """The error for a request that had no (whole) answer; `error` is what urllib3 or ssl raised."""
    import urllib3.exceptions as u

    chain = _chain(error)
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return _certificate(link, server)
    text = " ".join(str(link) for link in chain)
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text:
        return ApiError(
            f"{server} does not speak TLS on this port", reason="plain-http", remedy="check scheme and port of `server:` in the kubeconfig"
        )
    if any(isinstance(link, ssl.SSLError | u.SSLError) for link in chain):
        return ApiError(f"TLS to {server} failed: {clean(text, limit=300)}", reason="tls", remedy="check certificates in the kubeconfig")
    if any(isinstance(link, u.ProxyError) for link in chain):
        return ApiError(
            f"the proxy on the way to {server} fails: {clean(text, limit=300)}",
            reason="proxy",
            remedy="check HTTPS_PROXY, NO_PROXY and proxy-url",
        )
    if any(isinstance(link, u.NameResolutionError) for link in chain) or "Name or service not known" in text:
        return ApiError(
            f"the name of {server} cannot be resolved", reason="dns", remedy="check `server:` in the kubeconfig and this machine's DNS"
        )
    if any(isinstance(link, ConnectionRefusedError) for link in chain) or "refused" in text:
        return ApiError(
            f"{server} refuses the connection",
            reason="refused",
            remedy="check that the API server runs and that address and port are right",
        )
    if any(isinstance(link, u.TimeoutError | TimeoutError) and not isinstance(link, u.NewConnectionError) for link in chain):
        return ApiError(
            f"{server} does not answer in time: {doing}",
            reason="timeout",
            remedy="check that the API server runs and is reachable from here",
        )
    if any(isinstance(link, u.NewConnectionError | OSError) for link in chain):
        return ApiError(f"{server} cannot be reached: {clean(text, limit=300)}", reason="refused", remedy="check network, VPN and firewall")
    return ApiError(f"the connection to {server} broke: {clean(text, limit=300)}", reason="reset", remedy="it is tried again")


def _certificate(error: ssl.SSLCertVerificationError, server: str) -> ApiError:
    code = error.verify_code
    said = clean(error.verify_message, limit=200)
    if code in _UNKNOWN_CA:
        return ApiError(
            f"{server} shows a certificate of a CA that the kubeconfig does not know ({said})",
            reason="tls-ca",
            remedy="a rebuilt cluster has a new CA: fetch its kubeconfig again; otherwise somebody else answers at this address",
        )
    if code in _WRONG_NAME:
        return ApiError(
            f"the certificate of {server} is for other names ({said})",
            reason="tls-name",
            remedy="use a name or address the certificate holds, or set `tls-server-name` in the kubeconfig",
        )
    if code == _EXPIRED:
        return ApiError(
            f"the certificate of {server} has expired", reason="tls-expired", remedy="renew it on the cluster; check this machine's clock"
        )
    if code == _NOT_YET:
        return ApiError(
            f"the certificate of {server} is not valid yet", reason="tls-early", remedy="check the clocks of this machine and the cluster"
        )
    return ApiError(
        f"the certificate of {server} is refused ({said})", reason="tls", remedy="check certificate-authority in the kubeconfig"
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


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error with everything it wraps: causes, contexts and arguments, at most 12 deep."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo and len(found) < 12:
        link = todo.pop(0)
        if link is None or link in found:
            continue
        found.append(link)
        todo += [
            link.__cause__,
            link.__context__,
            getattr(link, "reason", None) if isinstance(getattr(link, "reason", None), BaseException) else None,
        ]
        todo += [a for a in link.args if isinstance(a, BaseException)]
    return found
