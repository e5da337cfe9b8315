"""A small client of the API server: JSON in, JSON out, and watches. It shares nothing with the product, whose client is tested."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON = "application/json"


class ApiError(RuntimeError):
    """The API server answered with a status of 400 or more."""

    def __init__(self, status: int, message: str, body: Any = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.body = body


class Api:
    """One user of one API server on loopback; connections are kept per thread."""

    def __init__(self, port: int, ca: Path, token: str) -> None:
        self.port = port
        self._token = token
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._local = threading.local()

    def connect(self, timeout: float = 30) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self._tls, timeout=timeout)

    def headers(self, content_type: str = JSON) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Accept": JSON, "Content-Type": content_type}

    def raw(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> tuple[int, bytes]:
        payload = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        for attempt in (1, 2):
            if connection is None:
                connection = self._local.connection = self.connect()
            try:
                connection.request(method, path, payload, self.headers(content_type))
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = self._local.connection = None
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def call(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> Any:
        """Parsed JSON (or text, where the answer is none); `ApiError` from status 400 on."""
        status, data = self.raw(method, path, body, content_type)
        try:
            parsed = json.loads(data) if data else None
        except ValueError:
            parsed = data.decode(errors="replace")
        if status >= 400:
            message = parsed.get("message", "") if isinstance(parsed, dict) else str(parsed)
            raise ApiError(status, f"{method} {path}: {message}", parsed)
        return parsed

    def get(self, path: str) -> Any:
        """The object, or None where there is none."""
        try:
            return self.call("GET", path)
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise

    def watch(self, path: str, version: str, stop: threading.Event) -> Iterator[dict[str, Any]]:
        """Events of a collection from `version` on, until the server ends the stream or is silent for 90 s (bookmarks come each minute)."""
        connection = self.connect(timeout=90)
        mark = "&" if "?" in path else "?"
        try:
            connection.request("GET", f"{path}{mark}watch=1&allowWatchBookmarks=true&resourceVersion={version}", None, self.headers())
            response = connection.getresponse()
            if response.status >= 400:
                raise ApiError(response.status, response.read().decode(errors="replace")[:200])
            while not stop.is_set():
                line = response.readline()
                if not line:
                    return
                yield json.loads(line)
        finally:
            connection.close()
