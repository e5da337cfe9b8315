"""A Git server for tests: `git http-backend` behind basic authentication on 127.0.0.1, and a person who edits the repository."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GitServer:
    """Serves the bare repositories below `root`. `status` forces every answer; `seen` are the Authorization headers it got."""

    def __init__(self, root: Path, user: str, password: str) -> None:
        self.seen: list[str] = []
        self.status: int | None = None
        wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                given = self.headers.get("Authorization") or ""
                outer.seen.append(given)
                if outer.status or given != wanted:
                    self.send_response(outer.status or 401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                path, _, query = self.path.partition("?")
                env = {
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "REMOTE_USER": user,
                    "REQUEST_METHOD": self.command,
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
                }
                done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
                status = next((int(value.split()[0]) for name, value in lines if name == "Status"), 200)
                self.send_response(status)
                for name, value in lines:
                    if name != "Status":
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def git(*arguments: str | Path, cwd: Path, stdin: bytes | None = None) -> str:
    """A person's git, with a configuration of its own."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.net",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.net",
    }
    done = subprocess.run(["git", *map(str, arguments)], cwd=cwd, env=env, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def bare(path: Path) -> Path:
    """An empty bare repository that may be pushed to over HTTP."""
    path.mkdir(parents=True)
    git("init", "--quiet", "--bare", "--initial-branch=main", path, cwd=path)
    git("config", "http.receivepack", "true", cwd=path)
    return path


class Person:
    """Somebody with a clone of their own."""

    def __init__(self, remote: Path, clone: Path) -> None:
        clone.mkdir()
        git("clone", "--quiet", remote, clone, cwd=clone)
        self.clone = clone

    def commits(self, changes: dict[str, str | None]) -> str:
        """Pull, write (None: delete) and push; the new head."""
        git("pull", "--quiet", "--rebase", "origin", "main", cwd=self.clone) if git("ls-remote", "origin", "main", cwd=self.clone) else None
        for name, text in changes.items():
            path = self.clone / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        git("add", "--all", cwd=self.clone)
        git("commit", "--quiet", "--message", "By hand", cwd=self.clone)
        git("push", "--quiet", "origin", "HEAD:main", cwd=self.clone)
        return git("rev-parse", "HEAD", cwd=self.clone)

    def reads(self, name: str) -> str:
        """A file as the remote has it on main."""
        git("fetch", "--quiet", "origin", cwd=self.clone)
        return git("show", f"origin/main:{name}", cwd=self.clone)

    def lists(self) -> set[str]:
        git("fetch", "--quiet", "origin", cwd=self.clone)
        return set(git("ls-tree", "-r", "--name-only", "origin/main", cwd=self.clone).splitlines())
