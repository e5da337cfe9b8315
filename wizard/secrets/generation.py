"""Values nobody has to think up."""

from __future__ import annotations

import base64
import secrets
import string
import uuid

from wizard.secrets.secret import Secret

KINDS = ("password", "hex", "base64", "uuid")
DEFAULT_LENGTH = 40
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def generate(kind: str, length: int = DEFAULT_LENGTH) -> Secret:
    """A new random value from the system's generator.

    `password`: `length` ASCII letters and digits, the first a letter, with both cases and a digit, so that no shell, YAML or
    `--set` parser reads it as anything else. `hex`: `length` hexadecimal digits. `base64`: of `length` random bytes. `uuid`:
    version 4, `length` is not used. ValueError for other kinds and for lengths outside 8..1024.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of generated secret: {kind}")
    if kind == "uuid":
        return Secret(str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)))
    if not 8 <= length <= 1024:
        raise ValueError(f"a generated secret has 8 to 1024 characters, not {length}")
    if kind == "hex":
        return Secret(secrets.token_hex((length + 1) // 2)[:length])
    if kind == "base64":
        return Secret(base64.b64encode(secrets.token_bytes(length)))
    while True:
        value = "".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(length))
        if value[0].isalpha() and value.lower() != value != value.upper() and any(char.isdigit() for char in value):
            return Secret(value)
