"""A scripted API server on loopback: each path has an answer, each request is kept."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3

from wizard.cluster.api import Api

Object = dict[str, Any]


@dataclass
class Request:
    """One request and the ways to answer it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    handler: BaseHTTPRequestHandler = field(repr=False)

    @property
    def watch(self) -> bool:
        return self.query.get("watch") == "1"

    def json(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.raw(json.dumps(content).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def status(self, code: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.json(
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}, code, headers
        )

    def raw(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def open(self) -> None:
        """Begin a watch's answer; the end of the connection ends it."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "application/json")
        self.handler.send_header("Transfer-Encoding", "chunked")
        self.handler.end_headers()
        self.handler.wfile.flush()

    def line(self, content: Any) -> None:
        self.chunk((content if isinstance(content, bytes) else json.dumps(content).encode()) + b"\n")

    def chunk(self, data: bytes) -> None:
        self.handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.handler.wfile.flush()

    def close(self) -> None:
        self.handler.wfile.write(b"0\r\n\r\n")
        self.handler.wfile.flush()

    def reset(self) -> None:
        """Cut the connection with a RST."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.connection.close()
        self.handler.close_connection = True


Answer = Callable[[Request], None]


class FakeApi:
    """`answers`: path -> function. A path without an answer is a 404. `hold` is set at the end, so answers may wait on it."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.hold = threading.Event()
        self.changed = threading.Condition()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 30

            def log_message(self, format: str, *args: object) -> None:
                return

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

            def _any(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                query = {k: v[0] for k, v in parse_qs(parts.query).items()}
                request = Request(self.command, parts.path, query, {k.title(): v for k, v in self.headers.items()}, body, self)
                with fake.changed:
                    fake.requests.append(request)
                    fake.changed.notify_all()
                answer = fake.answers.get(parts.path) or fake.answers.get("*")
                if answer is None:
                    request.status(404, "NotFound", "the server could not find the requested resource")
                else:
                    answer(request)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                return

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def secure(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.port}"

    def wait(self, enough: Callable[[], bool], timeout: float = 20.0) -> None:
        """Until `enough` holds; looked at after each request."""
        with self.changed:
            assert self.changed.wait_for(enough, timeout), f"not enough after {len(self.requests)} requests"

    def count(self, *, watch: bool) -> int:
        return sum(r.watch is watch for r in list(self.requests))

    def stop(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def fake_api() -> Iterator[tuple[FakeApi, Api]]:
    """A fake server and an `Api` for it without a kubeconfig."""
    server = FakeApi()
    try:
        yield server, api_for(server.url)
    finally:
        server.stop()


def api_for(url: str, **options: Any) -> Api:
    return Api(pool=urllib3.PoolManager(retries=False, maxsize=20), server=url, **options)


def listed(*items: Object, version: str = "10", kind: str = "PodList", token: str = "") -> Object:
    return {"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": version, "continue": token}, "items": list(items)}


def pod(name: str, version: str = "1", namespace: str = "ns", **status: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": version}, "status": status}


def event(kind: str, item: Object) -> Object:
    return {"type": kind, "object": item}
