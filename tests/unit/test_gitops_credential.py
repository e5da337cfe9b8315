"""Git over HTTP with a password: where the token goes, where it does not, and what refusals are called."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.githttp import GitServer, bare, git
from tests.unit.test_gitops_repository import apply, heads, tree
from wizard import process
from wizard.errors import InputError, NeedsOperator, TierupError
from wizard.gitops.credential import ANSWERS, SshKey, Token, checked_url
from wizard.gitops.failures import refused
from wizard.gitops.leaks import scan, scan_directory, scan_repository
from wizard.gitops.repository import Repository
from wizard.secrets import Secret

VALUE = "canary-\"'$`\\ %41-7f3a9c"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    bare(tmp_path / "srv" / "home.git")
    one = GitServer(tmp_path / "srv", "ada", VALUE)
    yield one
    one.close()


def at(server: GitServer, tmp_path: Path, token: str | None = VALUE, name: str = "home.git") -> Repository:
    return Repository(tmp_path / "state", f"{server.url}/{name}", "main", Token(Secret(token), "ada") if token else None)


def words(error: pytest.ExceptionInfo[TierupError]) -> str:
    return " ".join(str(error.value).split())


def test_the_token_reaches_the_server_and_nothing_else(server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children: dict[str, bytes] = {}

    def note(argv: list[str], env: dict[str, str]) -> None:
        children[f"child {len(children)}"] = "\0".join([*argv, *(f"{k}={v}" for k, v in env.items())]).encode()

    monkeypatch.setattr(process, "observe", note)
    monkeypatch.setenv("GIT_TRACE_CURL", str(tmp_path / "state" / "trace"))
    repository = at(server, tmp_path)
    repository.fetch()
    repository.can_push()
    prepared = apply(repository, tree("a"))
    assert heads(tmp_path / "srv" / "home.git")["main"] == prepared.commit
    assert any(seen.startswith("Basic ") for seen in server.seen)
    canary = {"token": Secret(VALUE)}
    assert len(children) > 10 and scan(children, canary) == ()
    assert scan_directory(repository.directory, canary) == ()
    assert scan_repository(repository.directory, canary) == ()


def test_grandchildren_do_not_show_the_token_either(server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git's own children (the HTTP transport, the shell of the helper) write down how they were started."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    core = git("--exec-path", cwd=tmp_path)
    log = tmp_path / "started"
    for name in ("git-remote-http", "sh"):
        real = f"{core}/{name}" if name != "sh" else "/bin/sh"
        (bin_dir / name).write_text(
            f"#!/bin/dash\ntr '\\0' '\\n' < /proc/$$/cmdline >> {log}\ntr '\\0' '\\n' < /proc/$$/environ >> {log}\nexec {real} \"$@\"\n"
        )
        (bin_dir / name).chmod(0o700)
    repository = at(server, tmp_path)
    original = repository.git._environment

    def watched(extra: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
        return {**original(extra, keep), "GIT_EXEC_PATH": str(bin_dir), "PATH": f"{bin_dir}:{core}:/usr/bin:/bin"}

    monkeypatch.setattr(repository.git, "_environment", watched)
    for one in Path(core).iterdir():
        if not (bin_dir / one.name).exists():
            (bin_dir / one.name).symlink_to(one)
    repository.fetch()
    text = log.read_bytes()
    assert b"credential.helper" in text and b"remote-http" in text
    assert scan({"started": text}, {"token": Secret(VALUE)}) == ()


def test_one_command_may_ask_more_than_once(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "state", "/x", "main", Token(Secret(VALUE), "ada"))
    repository._clone.ready()
    told = "for i in 1 2 3 4 5 6 7 8; do printf 'protocol=http\\nhost=h\\nusername=u\\npassword=p\\n\\n' | git credential approve; done"
    loop = f"!{told}; for i in 1 2 3; do printf 'protocol=http\\nhost=h\\n\\n' | git credential fill; done"
    asked = repository.git.remote("-c", f"alias.ask={loop}", "ask")
    assert asked.out.decode().count(f"password={VALUE}\n") == 3, asked.err


def test_no_helper_but_ours_is_told_the_token(server: GitServer, tmp_path: Path) -> None:
    repository = at(server, tmp_path)
    repository.fetch()
    git("config", "--file", repository.directory / "config", "credential.helper", f"store --file={tmp_path / 'kept'}", cwd=tmp_path)
    apply(repository, tree("a"))
    assert not (tmp_path / "kept").exists()


def test_a_wrong_token_is_called_so_and_the_helper_is_not_asked_for_ever(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(NeedsOperator, match="401") as error:
        at(server, tmp_path, "wrong-canary").fetch()
    assert "wrong-canary" not in words(error)
    assert len(server.seen) <= ANSWERS


def test_no_token_is_called_so(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(NeedsOperator, match="asks for a credential"):
        at(server, tmp_path, None).fetch()


def test_a_repository_that_is_not_there(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(NeedsOperator, match="no such repository"):
        at(server, tmp_path, name="other.git").fetch()


@pytest.mark.parametrize(("status", "said"), [(403, "403"), (404, "404"), (503, "5xx")])
def test_answers_of_the_server_have_words(server: GitServer, tmp_path: Path, status: int, said: str) -> None:
    server.status = status
    with pytest.raises(TierupError, match=said):
        at(server, tmp_path).fetch()


def test_nobody_listens(server: GitServer, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "state", "http://127.0.0.1:1/home.git", "main", None)
    with pytest.raises(TierupError, match="cannot be reached"):
        repository.fetch()


def test_a_hook_that_declines_is_quoted(server: GitServer, tmp_path: Path) -> None:
    hook = tmp_path / "srv" / "home.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'only on weekdays' >&2\nexit 1\n")
    hook.chmod(0o700)
    repository = at(server, tmp_path)
    repository.can_push()
    repository.fetch()
    prepared = repository.prepare(tree("a"), cluster="home", message="m")
    with pytest.raises(NeedsOperator, match="only on weekdays"):
        repository.push(prepared)
    assert heads(tmp_path / "srv" / "home.git") == {}


def test_a_push_that_is_not_allowed_shows_before_anything_is_done(server: GitServer, tmp_path: Path) -> None:
    git("config", "http.receivepack", "false", cwd=tmp_path / "srv" / "home.git")
    repository = at(server, tmp_path)
    assert repository.fetch() is None
    with pytest.raises(NeedsOperator, match="403"):
        repository.can_push()


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("fatal: unable to access 'https://h/': Could not resolve host: h", "not known"),
        ("error: RPC failed; curl 28 Operation too slow.", "did not answer in time"),
        (" ! [remote rejected] main -> main (protected branch hook declined)", "protected"),
        ("remote: error: GH006: Protected branch update failed for refs/heads/main.", "protected"),
        ("git@h: Permission denied (publickey).", "SSH key"),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", "host key"),
        ("fatal: '/x' does not appear to be a git repository", "not a Git repository"),
        ("SSL certificate problem: self-signed certificate in certificate chain", "certificate"),
        ("remote: \x1b]52;c;aGk=\x07evil\nfatal: odd", "failed: remote:"),
    ],
)
def test_what_git_says_in_words(said: str, means: str) -> None:
    error = refused("reading", "https://h/r.git", said.encode())
    assert means in str(error) and "\x1b" not in str(error)


@pytest.mark.parametrize(
    "url", ["https://git.example.net/r.git", "ssh://git@h:2222/r", "git@h:me/r.git", "/srv/r.git", "file:///srv/r.git"]
)
def test_addresses_that_can_be_used(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:canary@h/r",
        "https://canary@h/r",
        "ssh://a:canary@h/r",
        "ext::sh -c id",
        "--upload-pack=id",
        "",
        "a b",
        "ext::x",
        "https:///r",
        "ftp://h/r",
        "x\ny",
    ],
)
def test_addresses_that_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(InputError) as error:
        checked_url(url)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("token", ["", "two\nlines", "nul\0"])
def test_a_token_is_one_line(token: str) -> None:
    with pytest.raises(InputError):
        Token(Secret(token)).answers()


def test_an_ssh_key_is_the_only_one_offered_and_hosts_must_be_known() -> None:
    command = shlex.split(SshKey(Path("/k e/y"), Path("/h o/sts")).command())
    assert command[command.index("-i") + 1] == "/k e/y"
    options = {command[i + 1].split("=")[0]: command[i + 1].split("=", 1)[1] for i, word in enumerate(command) if word == "-o"}
    assert options["StrictHostKeyChecking"] == "yes" and options["BatchMode"] == "yes" and options["IdentitiesOnly"] == "yes"
    assert options["UserKnownHostsFile"] == "'/h o/sts'"
