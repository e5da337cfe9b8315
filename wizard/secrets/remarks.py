"""What is doubtful about a secret value, said without a character of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wizard.secrets.secret import Secret

LARGEST = 1024 * 1024
"""Kubernetes' limit for all values of one Secret, in bytes."""
WEAK = 8

_PLACEHOLDER = re.compile(
    r"<[^<>]*>|\$\{?[A-Za-z_]+\}?|\{\{.*\}\}|x{3,}|\*+|\.{3,}|(?:your|my|the)[-_ ].*(?:here|token|password|secret|key)"
    r"|change[-_ ]?(?:me|it|this)[0-9!]*|replace[-_ ]?(?:me|it|this)"
    r"|to ?do|fix ?me|tbd|example|sample|placeholder|dummy|none|null|undefined"
    r"|(?:insert|put|enter)[-_ ].*",
    re.IGNORECASE,
)
_COMMON = frozenset({"password", "passw0rd", "secret", "admin", "admin123", "test", "token", "letmein", "12345678", "qwertyui", "hunter2"})


@dataclass(frozen=True, slots=True)
class Remark:
    """`refused`: the value cannot be meant or would break its place. Otherwise a warning."""

    what: str
    refused: bool = False


def remarks(secret: Secret, *, lines: bool = False) -> tuple[Remark, ...]:
    """What an operator should know about a value before it is stored. `lines`: a value of several lines is expected."""
    value = secret.reveal()
    found = []
    if not value.strip():
        return (Remark("it is empty" if not value else "it holds only white space", refused=True),)
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > LARGEST:
        found.append(Remark(f"it has {size} bytes, Kubernetes takes at most {LARGEST}", refused=True))
    if "\0" in value:
        found.append(Remark("it holds a NUL character", refused=True))
    if _PLACEHOLDER.fullmatch(value.strip()):
        found.append(Remark("it looks like a placeholder, not like a value", refused=True))
    block = value.lstrip().startswith("-----BEGIN ")
    if not lines and not block and len(value.strip("\r\n").splitlines()) > 1:
        found.append(Remark("it holds line breaks where one line is expected", refused=True))
    if value != value.strip() and not block and not lines:
        found.append(Remark("it begins or ends with white space, kept as it is"))
    if any((ord(char) < 32 and char not in "\r\n\t") or 127 <= ord(char) < 160 for char in value):
        found.append(Remark("it holds control characters"))
    if value.lower() in _COMMON or len(value) < WEAK:
        found.append(Remark(f"it is weak: shorter than {WEAK} characters or widely known"))
    return tuple(found)
