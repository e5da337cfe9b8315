"""The plain HTTP server: a Helm repository, manifest files, the page behind every port-forward, and the supervisor's own switchboard."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SWITCHBOARD = "/_lab"
Operate = Callable[[dict[str, Any]], Any]


class FileServer:
    """Files of `folder`; a POST to `/_lab` goes to `operate`, whose answer (or error) is sent back as JSON."""

    def __init__(self, folder: Path, port: int, operate: Operate) -> None:
        class Handler(SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                try:
                    status, answer = 200, {"result": operate(request)}
                except Exception as problem:  # the caller gets it as an error of its own
                    status, answer = 500, {"error": f"{type(problem).__name__}: {problem}"}
                payload = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="file server", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
