"""What git says when a remote refuses, in words and with what to do."""

from __future__ import annotations

import re

from wizard.errors import NeedsOperator, TierupError
from wizard.text import clean

_CHECK = "check the Git credential: is the token right, still valid, and allowed to write to this repository?"

# (pattern in git's or the server's words, what it means, what to do, whether only a person can help); the first that fits counts.
_CASES: tuple[tuple[str, str, str, bool], ...] = (
    (
        r"protected branch|GH006|GH013|not allowed to push code to protected|protected_branch",
        "the branch is protected: nobody may push to it directly",
        "allow this credential to push to it, or choose another branch in the plan (`git.branch`)",
        True,
    ),
    (
        r"\(fetch first\)|\(non-fast-forward\)|\(stale info\)|cannot lock ref|incorrect old value|failed to update ref",
        "the remote moved: somebody pushed meanwhile",
        "run the same command again; it takes in what was pushed",
        True,
    ),
    (
        r"hook declined|\[remote rejected\]",
        "the Git server refused the push",
        "read what it says, change what it asks for and run again",
        True,
    ),
    (r"could not read (Username|Password)|terminal prompts disabled", "the Git server asks for a credential (401)", _CHECK, True),
    (
        r"Authentication failed|error: 401|HTTP 401|Invalid username or password",
        "the Git server does not accept the credential (401)",
        _CHECK,
        True,
    ),
    (
        r"error: 403|HTTP 403|access denied|Permission to .* denied|not authorized",
        "the credential may not do this in the repository (403)",
        _CHECK,
        True,
    ),
    (
        r"Permission denied \(|publickey",
        "the Git server does not accept the SSH key",
        "add its public key to the repository as a deploy key that may write",
        True,
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key .*not known",
        "the SSH host key of the Git server is not known or has changed",
        "compare it with the one the server publishes, then put it into known_hosts",
        True,
    ),
    (
        r"repository .* not found|error: 404|HTTP 404|could not be found|Repository not found|not valid: is this a git repository",
        "there is no such repository, or this credential may not see it (404)",
        "check `git.url`; create the repository, empty, if it is not there",
        True,
    ),
    (
        r"does not appear to be a git repository|not a git repository",
        "what is there is not a Git repository",
        "check `git.url`",
        True,
    ),
    (
        r"Could not resolve host|Name or service not known|Temporary failure in name resolution",
        "the host of the Git URL is not known",
        "check `git.url` and the name server of this machine",
        False,
    ),
    (
        r"SSL certificate|certificate verify failed|server certificate verification|unable to get local issuer",
        "the Git server's certificate is not trusted",
        "give the CA's file, or check the clock of this machine",
        True,
    ),
    (
        r"timed out|Operation too slow|did not finish within|Connection reset|remote end hung up|early EOF|unexpected disconnect",
        "the Git server did not answer in time",
        "check that it is up and run again",
        False,
    ),
    (
        r"Connection refused|Failed to connect|Could not connect|No route to host|Network is unreachable",
        "the Git server cannot be reached",
        "check that it is up and that this machine may reach it",
        False,
    ),
    (r"error: 5\d\d|HTTP 5\d\d", "the Git server has an error of its own (5xx)", "run again later; its log says more", False),
    (r"No space left on device", "the disk is full", "make room and run again", False),
)


def refused(doing: str, url: str, words: bytes) -> TierupError:
    """The error for a git command that failed while `doing` something with `url`; `words` is what it wrote."""
    text = words.decode("utf-8", "replace")
    said = _said(text)
    for pattern, what, remedy, operator in _CASES:
        if re.search(pattern, text, re.IGNORECASE):
            kind = NeedsOperator if operator else TierupError
            return kind(f"{doing} {url}: {what}" + (f"; it said: {said}" if said else ""), remedy=remedy)
    return TierupError(f"{doing} {url} failed: {said or 'git said nothing'}")


def moved(words: bytes) -> bool:
    """True if a push was refused because the branch is not where we saw it."""
    return re.search(_CASES[1][0].encode(), words, re.IGNORECASE) is not None


def _said(text: str) -> str:
    """The lines of the server and of git that carry a reason, as one harmless line."""
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line.startswith(("remote:", "fatal:", "error:", "!", "ssh:", "Host key", "Permission"))]
    return clean(" ".join(kept or lines), limit=400)
