"""One connection pool to one API server: requests and open watches as raw JSON, with time limits, without hidden retries.

Thread-safe. A GET whose reused connection was cut before any answer is asked once more, and a 401 once after the credentials were
renewed; nothing else is repeated here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from wizard.clock import SYSTEM, Clock
from wizard.cluster import apierror
from wizard.cluster.apierror import ApiError
from wizard.cluster.unanswered import from_exception

CONNECT, READ = 5.0, 30.0
"""Seconds to reach the server, and to wait for each piece of an answer."""
LARGEST = 256 * 1024 * 1024


class Transport:
    """One API server. `server` is its URL, `context` the kubeconfig's name for it, `ca_fingerprint` sha256 of the trusted CA,
    `credential_expires` the client certificate's end in words; `skew` the server's clock minus ours in seconds, known after an answer."""

    def __init__(
        self,
        *,
        pool: Any,
        server: str,
        context: str = "",
        authorization: Callable[[], str] | None = None,
        renew: Callable[[], None] | None = None,
        ca_fingerprint: str = "",
        credential_expires: str = "",
        clock: Clock = SYSTEM,
    ) -> None:
        self.server = server.rstrip("/")
        self.context = context
        self.ca_fingerprint = ca_fingerprint
        self.credential_expires = credential_expires
        self.skew: float | None = None
        self._pool = pool
        self._authorization = authorization
        self._renew = renew
        self._clock = clock

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float = READ,
    ) -> dict[str, Any]:
        """One request, its JSON object back. Raises ApiError."""
        doing = f"{method} {path}"
        payload = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        for last in (False, True):
            response = self._send(method, path, params, payload, content_type, accept, timeout, doing)
            try:
                data = response.read(LARGEST + 1) or b""
            except Exception as error:
                raise from_exception(error, server=self.server, doing=doing) from error
            finally:
                response.release_conn()
            if response.status == 401 and self._renew is not None and not last:
                self._renew()
                continue
            break
        self._note_time(response.headers)
        if response.status >= 300:
            raise self._refused(response, data, doing)
        if "json" not in response.headers.get("Content-Type", ""):
            raise apierror.not_kubernetes(self.server, response.headers.get("Content-Type", ""))
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise ApiError(f"{self.server} answers {doing} with broken JSON", reason="garbled", remedy="it is tried again") from None
        if not isinstance(value, dict):
            raise ApiError(f"{self.server} answers {doing} with something that is no object", reason="garbled")
        return value

    def stream(self, path: str, *, params: Mapping[str, object], read: float, accept: str = "application/json") -> Any:
        """An open answer (urllib3) to a watch: the caller reads, then calls `shutdown()` or `release_conn()`. `read` is the longest
        silence in seconds. Raises ApiError when the server refuses or answers something else than JSON."""
        doing = f"WATCH {path}"
        response = self._send("GET", path, params, None, "", accept, read, doing)
        if response.status >= 300 or "json" not in response.headers.get("Content-Type", ""):
            try:
                data = response.read(65536) or b""
            except Exception:
                data = b""
            response.close()
            if response.status >= 300:
                raise self._refused(response, data, doing)
            raise apierror.not_kubernetes(self.server, response.headers.get("Content-Type", ""))
        return response

    def _refused(self, response: Any, data: bytes, doing: str) -> ApiError:
        error = apierror.from_status(response.status, data, response.headers, server=self.server, doing=doing)
        if error.status == 401 and self.credential_expires:
            error = ApiError(
                f"{error.what}; the client certificate ends {self.credential_expires}",
                status=401,
                reason=error.reason,
                remedy=error.problems[0].remedy,
            )
        return error

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None,
        payload: bytes | None,
        content_type: str,
        accept: str,
        read: float,
        doing: str,
    ) -> Any:
        import urllib3

        url = self.server + path + (f"?{urlencode({k: str(v) for k, v in params.items()})}" if params else "")
        headers = {"Accept": accept, "User-Agent": "tierup"} | ({"Content-Type": content_type} if payload is not None else {})
        token = self._authorization() if self._authorization else ""
        if token:
            headers["Authorization"] = token
        limit = urllib3.Timeout(connect=CONNECT, read=read)
        for again in (method == "GET", False):
            try:
                return self._pool.request(method, url, body=payload, headers=headers, timeout=limit, preload_content=False, redirect=False)
            except urllib3.exceptions.ProtocolError as error:
                if not again:
                    raise from_exception(error, server=self.server, doing=doing) from error
            except Exception as error:
                raise from_exception(error, server=self.server, doing=doing) from error
        raise AssertionError("unreachable")

    def _note_time(self, headers: Mapping[str, str]) -> None:
        try:
            self.skew = (parsedate_to_datetime(headers["Date"]) - self._clock.now()).total_seconds()
        except (KeyError, TypeError, ValueError):
            return
