"""How a remote is told who we are: a token over HTTPS, or a key over SSH. Neither is ever in arguments, environment or on disk."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wizard.errors import InputError
from wizard.secrets import Secret

PIPE = "credential"
ANSWERS = 8
"""How often one git command may ask: it does so again after a redirect or a refusal."""

# Git runs this in a shell with `get`, `store` or `erase` behind it. The shell's own `read` takes one line and no byte more, so
# each request gets the next pair of lines from the pipe; `read` and `printf` are built in and show in no process list.
HELPER = (
    '!f() { test "$1" = get || exit 0; { IFS= read -r u && IFS= read -r p; } < {fd:credential} || exit 0; '
    'printf \'username=%s\\npassword=%s\\n\' "$u" "$p"; }; f'
)


@dataclass(frozen=True, slots=True)
class Token:
    """A password or access token over HTTP. Forges take any user name with a token; some self-hosted ones want yours."""

    token: Secret
    username: str = "git"

    def answers(self) -> Secret:
        """What the credential helper reads from its pipe. InputError for a token that is not one line."""
        value = self.token.reveal()
        if not value or re.search(r"[\r\n\0]", value + self.username):
            raise InputError("the Git token is empty or has a line end in it", remedy="give the token alone, on one line")
        return Secret(f"{self.username}\n{value}\n" * ANSWERS)


@dataclass(frozen=True, slots=True)
class SshKey:
    """A private key file and the host keys that are trusted; without `known_hosts` the operator's own file counts."""

    key_file: Path
    known_hosts: Path | None = None

    def command(self) -> str:
        """The `ssh` command for GIT_SSH_COMMAND: this key alone, no question asked, unknown hosts refused."""
        options = ["-F", "/dev/null", "-i", str(self.key_file), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"]
        if self.known_hosts is not None:
            options += ["-o", f"UserKnownHostsFile={shlex.quote(str(self.known_hosts))}", "-o", "GlobalKnownHostsFile=/dev/null"]
        return shlex.join(["ssh", *BATCH, *options])


Credential = Token | SshKey
BATCH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=20")

_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+:(?!//)[^\s]+")


def checked_url(url: str) -> str:
    """`url` if Git may be told to use it; InputError otherwise.

    A user and password in it would be seen in process lists, configuration and error messages; transports that run commands
    (`ext::`) and options in disguise are refused.
    """
    if any(ord(c) < 0x21 or ord(c) == 0x7F for c in url) or not url or url.startswith("-") or "::" in url.split("/", 1)[0]:
        raise InputError("the Git URL is not one", remedy="write https://…, ssh://…, git@host:path or the path of a repository")
    try:
        parts = urlsplit(url)
        host, password, user = parts.hostname, parts.password, parts.username
    except ValueError:
        raise InputError("the Git URL is not one", remedy="write https://…, ssh://…, git@host:path or the path of a repository") from None
    if parts.scheme in ("http", "https", "ssh") and "://" in url:
        if not host:
            raise InputError(f"the Git URL {url!r} names no host")
        if password is not None or (user is not None and parts.scheme != "ssh"):
            raise InputError(
                "the Git URL holds a user name or password", remedy="take out what stands before `@` and give it as the Git credential"
            )
        return url
    if (parts.scheme == "file" and "://" in url) or url.startswith("/") or _SCP.fullmatch(url):
        return url
    raise InputError(
        f"the Git URL {url!r} is not one that can be used", remedy="write https://…, ssh://…, git@host:path or the path of a repository"
    )
