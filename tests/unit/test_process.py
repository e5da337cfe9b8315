"""Programs: secrets only through pipes, nothing inherited that was not meant, ends that are said, identities that cannot be mistaken."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wizard import process
from wizard.process import ProcessError, Running

CANARY = "CANARY-7f3a-value"
LIMIT = 20.0

# Waits for a line on a FIFO and tells what it was, so that a test can look at it while it runs.
LOOKS = """
import json, os, sys
secret = open(sys.argv[2]).read()
me = "/proc/self/"
seen = {
    "secret": len(secret), "argv": open(me + "cmdline").read().split("\\0"), "environ": open(me + "environ").read(),
    "umask": oct(os.umask(0)), "session": os.getsid(0) == os.getpid(), "fds": sorted(os.listdir(me + "fd"), key=int),
}
seen["has"] = secret == sys.argv[3][::-1]
open(sys.argv[1], "w").write(json.dumps(seen))
"""


def python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-c", code, *args]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts programs and ends them after the test."""
    children: list[Running] = []

    def begin(argv: list[str], **options: object) -> Running:
        child = process.start(argv, log=tmp_path / "log", **options)  # type: ignore[arg-type]
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()


def fifo(directory: Path, name: str) -> Path:
    os.mkfifo(directory / name)
    return directory / name


def hear(path: Path) -> str:
    """What a child says when it is ready; blocks until it does."""
    return path.read_text()


class Value:
    """Stands for a Secret: revealed only by the pipe."""

    def reveal(self) -> str:
        return CANARY


@pytest.mark.parametrize("text", [CANARY.encode(), Value()])
@pytest.mark.parametrize("how", ["run", "start"])
def test_a_secret_arrives_and_is_nowhere_to_be_seen(tmp_path: Path, started: Callable[..., Running], how: str, text: bytes | Value) -> None:
    answer = tmp_path / "answer"
    argv = python(LOOKS, str(answer), "{fd:key}", CANARY[::-1])
    observed: list[tuple[list[str], dict[str, str]]] = []
    process.observe = lambda args, env: observed.append((args, env))
    try:
        if how == "run":
            process.run(argv, timeout=LIMIT, pipes={"key": text}, check=True)
        else:
            assert started(argv, pipes={"key": text}).wait(LIMIT) == 0
    finally:
        process.observe = None
    seen = json.loads(answer.read_text())
    assert seen["has"], "the value arrives whole"
    assert CANARY not in json.dumps(seen)
    ((args, env),) = observed
    assert args[4].startswith("/dev/fd/")
    assert seen["argv"][4] == args[4]
    assert CANARY not in json.dumps([args, env])
    assert seen["umask"] == oct(0o077)
    assert seen["session"], "a session of its own"
    number = args[4].removeprefix("/dev/fd/")
    assert set(seen["fds"]) <= {"0", "1", "2", number, str(int(number) + 1), "3", "4"}


def test_only_what_is_meant_is_inherited(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    try:
        code = f"import os\ntry:\n  os.fstat({reader}); print('open')\nexcept OSError: print('closed')"
        assert process.run(python(code), timeout=LIMIT).out == b"closed\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_pipes_leave_no_descriptor_behind() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    process.run(["true"], timeout=LIMIT)
    before = count()
    for _ in range(5):
        process.run(["/bin/sh", "-c", 'cat "$1"', "sh", "{fd:a}"], timeout=LIMIT, pipes={"a": b"x"})
        with pytest.raises(ProcessError):
            process.run(["no-such-program-here"], timeout=LIMIT, pipes={"a": b"x"})
        with pytest.raises(ProcessError):
            process.run(["true"], cwd="/nonexistent", timeout=LIMIT, pipes={"a": b"x"})
    assert count() <= before


def test_a_child_that_does_not_want_the_secret_is_no_error() -> None:
    big = b"x" * 1_000_000  # more than a pipe holds: the writer must meet the closed end
    assert process.run(["true"], timeout=LIMIT, pipes={"a": big}).code == 0
    assert process.run(["true"], timeout=LIMIT, stdin=big).code == 0
    done = process.run(["/bin/sh", "-c", 'head -c 3 "$1"', "sh", "{fd:a}"], timeout=LIMIT, pipes={"a": big})
    assert (done.code, done.out) == (0, b"xxx")


def test_both_streams_stdin_and_code() -> None:
    big = os.urandom(300_000)
    done = process.run(["/bin/sh", "-c", "cat; echo no >&2; exit 3"], stdin=big, timeout=LIMIT)
    assert (done.code, done.out, done.err) == (3, big, b"no\n")
    assert done.seconds > 0
    assert process.run(["cat"], timeout=LIMIT).out == b"", "without stdin it reads /dev/null"
    assert process.run(["/bin/sh", "-c", "kill -TERM $$"], timeout=LIMIT).code == -signal.SIGTERM


def test_check_says_what_failed_in_one_harmless_line() -> None:
    with pytest.raises(ProcessError) as caught:
        process.run(["/bin/sh", "-c", "printf 'one\\ntwo \\033[2J\\342\\200\\256'>&2; exit 4"], timeout=LIMIT, check=True)
    assert caught.value.problems[0].what == "`sh` failed (exit 4): one two \ufffd[2J\ufffd"
    with pytest.raises(ProcessError, match="SIGKILL"):
        process.run(["/bin/sh", "-c", "kill -9 $$"], timeout=LIMIT, check=True)


def test_a_missing_program_is_named_with_what_it_is_for() -> None:
    with pytest.raises(ProcessError) as caught:
        process.run(["no-such-program"], timeout=LIMIT, purpose="push the repository")
    assert caught.value.problems[0].what == "the program `no-such-program` was not found; it is needed to push the repository"
    assert "PATH" in caught.value.problems[0].remedy


def test_a_file_that_is_no_program_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "bad").chmod(0o755)
    with pytest.raises(ProcessError, match="cannot be started"):
        process.run([str(tmp_path / "bad")], timeout=LIMIT)


def gone(pid: int) -> bool:
    """True once a process has ended (a zombie of somebody else counts)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("ending", ["timeout", "limit"])
def test_too_long_or_too_much_ends_the_whole_group(tmp_path: Path, ending: str) -> None:
    children = fifo(tmp_path, "children")
    held = os.open(children, os.O_RDWR)
    script = 'sleep 600 & echo "$$ $!" > "$1"; ' + ("wait" if ending == "timeout" else "exec cat /dev/zero")
    with pytest.raises(ProcessError, match="did not finish" if ending == "timeout" else "wrote more than 100000"):
        process.run(["/bin/sh", "-c", script, "sh", str(children)], timeout=1.0 if ending == "timeout" else LIMIT, limit=100_000)
    pids = [int(word) for word in os.read(held, 100).split()]
    os.close(held)
    assert len(pids) == 2
    for pid in pids:  # SIGKILL was sent before run returned; the kernel needs a moment to tear the grandchild down
        while not gone(pid):
            os.sched_yield()


def test_a_grandchild_that_keeps_the_streams_does_not_hold_us(tmp_path: Path) -> None:
    answer = tmp_path / "pid"
    done = process.run(["/bin/sh", "-c", 'sleep 600 & echo $! > "$1"; echo said', "sh", str(answer)], timeout=LIMIT)
    os.kill(int(answer.read_text()), signal.SIGKILL)
    assert (done.code, done.out) == (0, b"said\n")


# --- programs that go on


def test_a_closed_terminal_kills_nothing(tmp_path: Path, started: Callable[..., Running]) -> None:
    ready, go = fifo(tmp_path, "ready"), fifo(tmp_path, "go")
    child = started(["/bin/sh", "-c", 'echo up > "$1"; cat "$2"; exit 7', "sh", str(ready), str(go)])
    assert hear(ready) == "up\n"
    os.kill(child.pid, signal.SIGHUP)
    go.write_text("survived\n")
    assert child.wait(LIMIT) == 7
    assert (tmp_path / "log").read_text() == "survived\n"


def test_the_log_is_private_and_appended(tmp_path: Path, started: Callable[..., Running]) -> None:
    (tmp_path / "log").write_text("before\n")
    (tmp_path / "log").chmod(0o644)
    old = os.umask(0)
    try:
        started(["/bin/sh", "-c", "echo out; echo err >&2; umask; echo > made"], cwd=tmp_path).wait(LIMIT)
    finally:
        os.umask(old)
    assert (tmp_path / "log").read_text() == "before\nout\nerr\n0077\n"
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o600


def test_a_log_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "other")
    with pytest.raises(ProcessError, match="cannot write the log"):
        process.start(["true"], log=tmp_path / "log")
    assert not (tmp_path / "other").exists()


COUNTS = """
import signal, sys
count = 0
def hit(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, hit)
open(sys.argv[1], "w").write("up")
open(sys.argv[2]).read()
sys.exit(10 + count)
"""


def test_interrupt_is_one_sigint_to_the_program_alone(tmp_path: Path, started: Callable[..., Running]) -> None:
    ready, go = fifo(tmp_path, "ready"), fifo(tmp_path, "go")
    child = started(python(COUNTS, str(ready), str(go)))
    assert hear(ready) == "up"
    assert [child.interrupt() for _ in range(3)] == [True, False, False]
    go.write_text("")
    assert child.wait(LIMIT) == 11, "exactly one"
    assert not child.interrupt()


def test_wait_says_that_it_still_runs(tmp_path: Path, started: Callable[..., Running]) -> None:
    child = started(["sleep", "600"])
    with pytest.raises(ProcessError, match="`sleep` is still running"):
        child.wait(0.01)
    assert child.poll() is None
    child.kill()
    assert child.poll() == -signal.SIGKILL


def test_alive_is_this_process_and_no_other(started: Callable[..., Running]) -> None:
    child = started(["sleep", "600"])
    identity = json.loads(json.dumps(child.identity))
    assert process.alive(identity)
    assert not process.alive({**identity, "start": str(int(identity["start"]) - 1)}), "the number was used again"
    assert not process.alive({**identity, "boot": "another"}), "the machine was started again"
    assert not process.alive({**identity, "pid": 2**22 + 1})
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but nobody has asked yet
    assert not process.alive(identity), "a zombie is not alive"
    assert process.alive(process.own_identity())


def test_a_name_with_brackets_does_not_confuse_the_identity(tmp_path: Path, started: Callable[..., Running]) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sleep")
    child = started([str(odd), "600"])
    assert process.alive(child.identity)
    assert child.identity["start"].isdigit()


# --- environment


def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    given = {
        "PATH": "/bin", "HOME": "/h", "LC_TIME": "C", "HTTPS_PROXY": "p", "SSL_CERT_FILE": "f", "GIT_TOKEN": CANARY, "AWS_SECRET": CANARY,
        "TF_LOG": "trace", "TF_LOG_PATH": "x", "TF_CLI_ARGS_apply": "x", "TF_VAR_secrets": CANARY, "GIT_TRACE_CURL": "1", "LD_PRELOAD": "x",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert process.environment() == {"PATH": "/bin", "HOME": "/h", "LC_TIME": "C", "HTTPS_PROXY": "p", "SSL_CERT_FILE": "f"}
    assert process.environment({"A": "1"}, keep=["GIT_TOKEN"])["GIT_TOKEN"] == CANARY
    never = process.environment({"TF_LOG": "x", "GIT_TRACE": "1"}, keep=["TF_VAR_secrets", "TF_CLI_ARGS_apply", "GIT_TRACE_CURL"])
    assert not [name for name in never if name.startswith(("TF_", "GIT_"))]


def test_a_child_sees_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TOKEN", CANARY)
    assert CANARY.encode() not in process.run(["env"], timeout=LIMIT).out
