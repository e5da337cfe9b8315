"""Checks of single words of a plan, each with a message that never repeats what was written: it may be a secret in the wrong place."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_SOURCE: Final = re.compile(r"prompt|generate|env:[A-Za-z_][A-Za-z0-9_]*|vault:[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_SCP_LIKE: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s:][^\s]*")
_USER: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
# Prefixes that GitHub and GitLab give their tokens.
_TOKEN: Final = re.compile(r"gh[a-z]_|github_pat_|gl[a-z]+-")
_MIRROR: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?(/[a-z0-9]([-a-z0-9._]*[a-z0-9])?)*")


def secret_source(text: str) -> str:
    """Where a secret comes from; a plan is shared, so it names no file and no command of one machine."""
    if text.startswith(("file:", "cmd:")):
        raise ValueError("a plan is shared and names no file or command of this machine: these belong in sources.yaml")
    if not _SOURCE.fullmatch(text):
        raise ValueError("must say where the value comes from (prompt, env:NAME, vault:NAME or generate), never be the value")
    return text


def git_url(text: str) -> str:
    """Address of a Git repository, without a password in it."""
    if _SCP_LIKE.fullmatch(text) and "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("must be the address of a Git repository") from None
    if parts.password or not _USER.fullmatch(parts.username or "git") or _TOKEN.match(parts.username or ""):
        raise ValueError("must not hold a password or token: name a secret with `git.credential`")
    if parts.scheme not in ("https", "http", "ssh") or not parts.hostname or not parts.path.strip("/") or re.search(r"\s", text):
        raise ValueError("must be the address of a Git repository (https://HOST/PATH or ssh://git@HOST/PATH)")
    return text


def registry_mirror(text: str) -> str:
    """An OCI registry as HOST[:PORT][/PATH]."""
    if not _MIRROR.fullmatch(text):
        raise ValueError("must be HOST[:PORT][/PATH], without a scheme")
    return text


def registry_http(text: str) -> str:
    """Root of a plain HTTP server."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or re.search(r"\s", text):
        raise ValueError("must be an address such as https://mirror.example.net, without user or password")
    return text
