"""Git over HTTP with a password: `git http-backend` behind a threading server that can also be slow, locked, refusing or not there."""

from __future__ import annotations

import base64
import hmac
import os
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

MODES = ("ok", "401", "slow", "down", "refuse")
HOOK = "#!/bin/sh\necho 'lab: this server refuses every push' >&2\nexit 1\n"


def empty_repository(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    quiet = {
        "env": {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
        "check": True,
        "capture_output": True,
    }
    subprocess.run(["git", "init", "--bare", "--initial-branch=main", "--template=", str(path)], **quiet)  # type: ignore[call-overload]
    for key in ("http.receivepack", "http.uploadpack"):
        subprocess.run(["git", "-C", str(path), "config", key, "true"], **quiet)  # type: ignore[call-overload]


class GitServer:
    """Serves every bare repository in `folder` at http://127.0.0.1:PORT/NAME.git."""

    def __init__(self, folder: Path, port: int, username: str, password: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self.port = port
        self.mode = "ok"
        self.delay = 2.0
        self.environment = environment
        self.credentials = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._server: ThreadingHTTPServer | None = None
        self.switch("ok")

    def switch(self, mode: str, delay: float = 2.0) -> None:
        """`slow` waits `delay` seconds before each answer; `refuse` lets clients read and rejects every push."""
        if mode not in MODES:
            raise ValueError(f"no such mode: {mode} (there are {', '.join(MODES)})")
        self.mode, self.delay = mode, delay
        for repository in self.folder.glob("*.git"):
            hook = repository / "hooks" / "pre-receive"
            hook.parent.mkdir(exist_ok=True)
            hook.unlink(missing_ok=True)
            if mode == "refuse":
                hook.write_text(HOOK)
                hook.chmod(0o755)
        if mode == "down":
            self.stop()
        elif self._server is None:
            handler = type("Handler", (GitHandler,), {"git": self})
            self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
            self._server.daemon_threads = True
            threading.Thread(target=self._server.serve_forever, args=(0.05,), name="git server", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class GitHandler(BaseHTTPRequestHandler):
    """One request of the Git protocol, handed to the backend as CGI."""

    git: ClassVar[GitServer]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _serve(self) -> None:
        git = self.git
        body = self._body()
        if git.mode == "slow":
            time.sleep(git.delay)
        given = self.headers.get("Authorization", "")
        if git.mode == "401" or not hmac.compare_digest(given, git.credentials):
            self._answer(401, [("WWW-Authenticate", 'Basic realm="lab"')], b"no\n")
            return
        path, _, query = self.path.partition("?")
        environment = git.environment | {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(git.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "lab",
            "REMOTE_ADDR": "127.0.0.1",
        }
        run = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, payload = run.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200 if head else 500)
        self._answer(status, [(name, value) for name, value in headers if name != "Status"], payload)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, headers: list[tuple[str, str]], payload: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name != "Content-Length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
