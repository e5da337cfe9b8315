"""The one place that starts programs.

Every child gets an argument list (never a shell line), a small environment, umask 077, a session of its own and no inherited
descriptor but those meant for it. A secret reaches a child only through a pipe: `{fd:NAME}` in the arguments becomes
`/dev/fd/N`, so neither the arguments nor the environment, which any process of this user may read, ever hold it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from wizard.clock import SYSTEM
from wizard.errors import TierupError

observe: Callable[[list[str], dict[str, str]], None] | None = None
"""For tests: called with the arguments and the environment of every child before it starts."""

_KEPT = frozenset(
    "PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR SSL_CERT_FILE SSL_CERT_DIR "  # noqa: SIM905
    "HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy".split()
)
# Logs of Terraform and Git repeat secrets; TF_CLI_ARGS and reattached providers change what was approved; TF_VAR_ is visible
# to every child of this user.
_NEVER = ("TF_LOG", "TF_CLI_ARGS", "TF_VAR_", "TF_REATTACH_PROVIDERS", "GIT_TRACE", "GIT_CURL_VERBOSE")

_SHIELDED = 'trap "" HUP; exec "$@"'
"""An ignored signal stays ignored across exec: a closed terminal kills neither Terraform nor what it has begun. Popen's own hook
for this (preexec_fn) may deadlock in a process with threads, so a shell does it; it holds none of the arguments in its text."""


class Revealing(Protocol):
    """A `Secret`: revealed here, on its way into a pipe, and nowhere before."""

    def reveal(self) -> str: ...


Pipes = Mapping[str, "bytes | Revealing"]


class ProcessError(TierupError):
    """A program is missing, took too long, said too much or failed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program did. `code` is negative for the signal that ended it."""

    code: int
    out: bytes
    err: bytes
    seconds: float


def environment(extra: Mapping[str, str] | None = None, *, keep: Iterable[str] = ()) -> dict[str, str]:
    """The environment for a child: what finds programs, home, language, certificates and proxies, `keep` by name, and `extra`.

    Variables that make Terraform or Git write secrets down or change what was approved are never passed on, not even by `keep`
    or `extra`.
    """
    wanted = _KEPT.union(keep)
    kept = {name: value for name, value in os.environ.items() if name in wanted or name.startswith("LC_")}
    kept.setdefault("PATH", os.defpath)
    kept.update(extra or {})
    return {name: value for name, value in kept.items() if not name.startswith(_NEVER)}


def _program(name: str, env: Mapping[str, str], cwd: Path | str | None, purpose: str) -> str:
    relative = "/" in name and not name.startswith("/")
    found = shutil.which(str(Path(cwd or ".") / name) if relative else name, path=env.get("PATH", os.defpath))
    if found is None:
        what = f"the program `{name}` was not found" + (f"; it is needed to {purpose}" if purpose else "")
        raise ProcessError(what, remedy=f"install it or put its directory on PATH (now {env.get('PATH', os.defpath)})")
    return str(Path(found).absolute())


class _Feed:
    """The pipes of one child: their reading ends go to it, a thread writes each and closes it."""

    def __init__(self, pipes: Pipes) -> None:
        self._texts: list[tuple[int, bytes]] = []
        self.readers: dict[str, int] = {}
        for name, text in pipes.items():
            reader, writer = os.pipe()
            self.readers[name] = reader
            self._texts.append((writer, text if isinstance(text, bytes) else text.reveal().encode()))

    def arguments(self, argv: Sequence[str]) -> list[str]:
        """`argv` with each `{fd:NAME}` replaced by the path of that pipe in the child."""
        out = []
        for argument in argv:
            for name, fd in self.readers.items():
                argument = argument.replace(f"{{fd:{name}}}", f"/dev/fd/{fd}")
            out.append(argument)
        return out

    def begin(self) -> None:
        """The child has its copies: close ours, so that its end ends the writing too."""
        self._close_readers()
        for writer, text in self._texts:
            threading.Thread(target=_write, args=(writer, text), name="secret-pipe", daemon=True).start()
        self._texts = []

    def abandon(self) -> None:
        """No child came to be."""
        self._close_readers()
        for writer, _ in self._texts:
            os.close(writer)
        self._texts = []

    def _close_readers(self) -> None:
        for fd in self.readers.values():
            os.close(fd)
        self.readers = {}


def _write(fd: int, text: bytes) -> None:
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        pass  # the child ended, or did not want it all: its exit code tells
    finally:
        os.close(fd)


def _spawn(
    argv: Sequence[str],
    *,
    cwd: Path | str | None,
    env: Mapping[str, str] | None,
    pipes: Pipes,
    purpose: str,
    shielded: bool,
    **handles: Any,
) -> subprocess.Popen[bytes]:
    surroundings = dict(environment() if env is None else env)
    program = _program(argv[0], surroundings, cwd, purpose)
    feed = _Feed(pipes)
    try:
        arguments = [program, *feed.arguments(argv[1:])]
        if observe is not None:
            observe(list(arguments), dict(surroundings))
        child = subprocess.Popen(
            ["/bin/sh", "-c", _SHIELDED, "sh", *arguments] if shielded else arguments,
            cwd=cwd,
            env=surroundings,
            pass_fds=tuple(feed.readers.values()),
            close_fds=True,
            start_new_session=True,
            umask=0o077,
            **handles,
        )
    except OSError as error:
        feed.abandon()
        raise ProcessError(f"`{argv[0]}` cannot be started: {os.strerror(error.errno or 0)}") from None
    except BaseException:
        feed.abandon()
        raise
    feed.begin()
    return child


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def run(
    argv: Sequence[str],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float,
    pipes: Pipes | None = None,
    check: bool = False,
    limit: int = 64 * 1024 * 1024,
    purpose: str = "",
) -> Finished:
    """Run a program to its end. `env` None means `environment()`; without `stdin` it reads /dev/null.

    ProcessError when it is missing (`purpose` says what it is for: "push the repository"), when it takes longer than `timeout`
    seconds or writes more than `limit` bytes to either stream (it and all it started are killed), and, with `check`, when it fails.
    """
    began = SYSTEM.monotonic()
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    child = _spawn(
        argv,
        cwd=cwd,
        env=env,
        pipes=pipes or {},
        purpose=purpose,
        shielded=False,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        out, err = _converse(child, stdin, began + timeout, timeout, limit, argv[0])
        code = child.wait(timeout=max(began + timeout - SYSTEM.monotonic(), 0.1))
    except BaseException as error:
        _kill_group(child)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise _too_long(argv[0], timeout) from None
        raise
    finally:
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
    finished = Finished(code, out, err, SYSTEM.monotonic() - began)
    if check and code != 0:
        raise ProcessError(f"`{Path(argv[0]).name}` failed ({_ending(code)}): {_last_words(err) or _last_words(out) or 'it said nothing'}")
    return finished


def _too_long(name: str, timeout: float) -> ProcessError:
    return ProcessError(f"`{Path(name).name}` did not finish within {timeout:g} s and was stopped")


def _converse(
    child: subprocess.Popen[bytes], stdin: bytes | None, deadline: float, timeout: float, limit: int, name: str
) -> tuple[bytes, bytes]:
    """Write `stdin` and read both streams until they end, or until the child has ended and is silent (a grandchild may hold them)."""
    heard: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for stream in (child.stdout, child.stderr):
            assert stream is not None
            heard[stream.fileno()] = bytearray()
            selector.register(stream, selectors.EVENT_READ)
        unsaid = memoryview(stdin or b"")
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            selector.register(child.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = deadline - SYSTEM.monotonic()
            if left <= 0:
                raise _too_long(name, timeout)
            ended = child.poll() is not None
            ready = selector.select(min(left, 0.1))
            if not ready and ended:
                break
            for key, _ in ready:
                if child.stdin is not None and key.fileobj is child.stdin:
                    unsaid = _say(child.stdin, unsaid)
                    if not unsaid:
                        selector.unregister(child.stdin)
                        child.stdin.close()
                    continue
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                heard[key.fd] += chunk
                if len(heard[key.fd]) > limit:
                    raise ProcessError(f"`{Path(name).name}` wrote more than {limit} bytes and was stopped")
    out, err = heard.values()
    return bytes(out), bytes(err)


def _say(stream: IO[bytes], text: memoryview) -> memoryview:
    try:
        return text[os.write(stream.fileno(), text[:65536]) :] if text else text
    except BlockingIOError:
        return text
    except BrokenPipeError:
        return text[:0]


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _last_words(stream: bytes) -> str:
    """The last lines a program said, as one harmless line."""
    text = " ".join(stream[-4096:].decode("utf-8", "replace").split())[-500:]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


class Running:
    """A program that goes on by itself, its words in a log file. It outlives whoever started it."""

    def __init__(self, child: subprocess.Popen[bytes], name: str) -> None:
        self._child = child
        self._name = name
        self._interrupted = threading.Lock()
        self.pid = child.pid
        self.identity: dict[str, Any] = {"pid": child.pid, "start": _start_of(child.pid)[0], "boot": _boot()}
        """For the journal: tells this process from a later one with the same number."""

    def poll(self) -> int | None:
        """Its exit code (negative: the signal that ended it), None while it runs."""
        return self._child.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; ProcessError after `timeout` seconds (it goes on)."""
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"`{self._name}` is still running after {timeout:g} s") from None

    def interrupt(self) -> bool:
        """Ask it to stop by one SIGINT, false when that was done before or it has ended.

        Never twice: a second SIGINT makes Terraform give up without saving its state.
        """
        if not self._interrupted.acquire(blocking=False) or self.poll() is not None:
            return False
        self._child.send_signal(signal.SIGINT)
        return True

    def kill(self) -> None:
        """End it and all it started, at once."""
        _kill_group(self._child)
        self._child.wait()


def start(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    pipes: Pipes | None = None,
    purpose: str = "",
) -> Running:
    """Start a program that survives a closed terminal (SIGHUP ignored). Both its streams are appended to `log`, mode 0600.

    A file, not a pipe to us: a program whose reader dies is killed by SIGPIPE, Terraform in the middle of an apply.
    """
    try:
        words = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ProcessError(f"cannot write the log {log}: {os.strerror(error.errno or 0)}") from None
    try:
        os.fchmod(words, 0o600)
        child = _spawn(
            argv,
            cwd=cwd,
            env=env,
            pipes=pipes or {},
            purpose=purpose,
            shielded=True,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
        )
    finally:
        os.close(words)
    return Running(child, Path(argv[0]).name)


def alive(identity: Mapping[str, Any]) -> bool:
    """True while exactly the process of this identity runs: same number, same start, same boot; one that has ended but was not yet
    waited for is dead."""
    start_time, state = _start_of(int(identity["pid"]))
    return bool(start_time) and state not in "ZX" and start_time == identity["start"] and identity["boot"] == _boot()


def own_identity() -> dict[str, Any]:
    """The identity of this process, as `Running.identity` is of a child."""
    return {"pid": os.getpid(), "start": _start_of(os.getpid())[0], "boot": _boot()}


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _start_of(pid: int) -> tuple[str, str]:
    """When a process started (clock ticks since boot) and its state letter; both empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ("", "") if Path("/proc/self/stat").exists() else _start_by_ps(pid)
    fields = stat[stat.rindex(")") + 2 :].split()  # the name before it may hold spaces and brackets
    return fields[19], fields[0]


def _start_by_ps(pid: int) -> tuple[str, str]:
    """Systems without /proc (macOS)."""
    asked = subprocess.run(["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=10)
    state, _, began = asked.stdout.strip().partition(" ")
    return (began.strip(), state[:1]) if asked.returncode == 0 else ("", "")
