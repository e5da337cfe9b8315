"""The git program (2.38 or newer) on a clone of our own, cut off from the operator's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wizard import process
from wizard.errors import NeedsOperator, TierupError
from wizard.gitops.credential import BATCH, HELPER, PIPE, Credential, SshKey, Token
from wizard.gitops.failures import refused
from wizard.secrets import Secret

LOCAL_SECONDS: Final = 120.0
REMOTE_SECONDS: Final = 300.0
OLDEST: Final = (2, 38)
EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
IDENTITY: Final = ("tierup", "tierup@localhost")

_CONFIG: Final = {
    "core.hooksPath": "/dev/null",
    "core.autocrlf": "false",
    "core.attributesFile": "/dev/null",
    "core.quotePath": "false",
    "core.askPass": "",
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "push.followTags": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "diff.renames": "false",
    "fastimport.unpackLimit": "1",
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "30",
    "credential.helper": "",
}


class Git:
    """Runs git in the bare repository `directory`, and towards `url` with the credential."""

    def __init__(self, directory: Path, url: str, credential: Credential | None, *, ca_file: Path | None = None) -> None:
        self.directory, self.url = directory, url
        self._credential, self._ca_file = credential, ca_file
        self._checked = False

    def run(
        self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None, ok: tuple[int, ...] = (0,)
    ) -> process.Finished:
        """A local command. TierupError when its exit code is not in `ok`."""
        self._check_version()
        finished = process.run(
            ["git", f"--git-dir={self.directory}", *_options(_CONFIG), *arguments],
            cwd=self.directory,
            env=self._environment(env or {}),
            stdin=stdin,
            timeout=LOCAL_SECONDS,
            purpose="keep the homelab repository",
        )
        if finished.code not in ok:
            raise refused(f"git {arguments[0]} in", str(self.directory), finished.err or finished.out)
        return finished

    def text(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        """What a local command prints, without the last line end; empty when it failed with a code in `ok` other than 0."""
        finished = self.run(*arguments, ok=ok)
        return finished.out.decode("utf-8", "surrogateescape").removesuffix("\n") if finished.code == 0 else ""

    def remote(self, *arguments: str) -> process.Finished:
        """A command that talks to the remote, called `origin` in it. The caller looks at its exit code."""
        self._check_version()
        config = dict(_CONFIG) | {"remote.origin.url": self.url, "remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*"}
        pipes: dict[str, Secret] = {}
        env: dict[str, str] = {"GIT_SSH_COMMAND": " ".join(("ssh", *BATCH))}
        options = _options(config)
        if self._ca_file is not None:
            options += ["-c", f"http.sslCAInfo={self._ca_file}"]
        if isinstance(self._credential, Token):
            # The empty helper before it clears the list, so that no other helper is ever asked or told.
            options += ["-c", f"credential.helper={HELPER}"]
            pipes[PIPE] = self._credential.answers()
        elif isinstance(self._credential, SshKey):
            env["GIT_SSH_COMMAND"] = self._credential.command()
        return process.run(
            ["git", f"--git-dir={self.directory}", *options, *arguments],
            cwd=self.directory,
            env=self._environment(env, keep=("SSH_AUTH_SOCK",)),
            timeout=REMOTE_SECONDS,
            pipes=pipes,
            purpose="reach the homelab repository",
        )

    def _environment(self, extra: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
        fixed = {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            # What git says is read by us.
            "LC_ALL": "C",
            "LANGUAGE": "",
        }
        for role in ("AUTHOR", "COMMITTER"):
            fixed[f"GIT_{role}_NAME"], fixed[f"GIT_{role}_EMAIL"] = IDENTITY
        return process.environment({**fixed, **extra}, keep=keep)

    def _check_version(self) -> None:
        if self._checked:
            return
        said = process.run(["git", "version"], env=self._environment({}), timeout=LOCAL_SECONDS, purpose="keep the homelab repository").out
        found = re.search(rb"(\d+)\.(\d+)", said)
        if found is None:
            raise TierupError("the program `git` does not say its version")
        if (int(found[1]), int(found[2])) < OLDEST:
            raise NeedsOperator(f"git {found[0].decode()} is too old", remedy="install git 2.38 or newer")
        self._checked = True


def _options(config: Mapping[str, str]) -> list[str]:
    return [word for name, value in config.items() for word in ("-c", f"{name}={value}")]
