"""The bytes of a vault file: an age file around canonical JSON, and every way it can be unreadable told apart.

Payload: `{"format": "tierup/vault", "version": 1, "vaultId", "revision", "updatedAt", "hmacKey", "entries": {name: {"value",
"encoding": "utf8", "createdAt", "updatedAt", "origin", "revision"}}}`. It exists in memory only; nothing is ever written unencrypted.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wizard import files
from wizard.errors import InputError, NeedsOperator
from wizard.secrets.secret import Secret
from wizard.text import clean

FORMAT = "tierup/vault"
VERSION = 1
LIMIT = 16 * 1024 * 1024
IDENTITY_LIMIT = 64 * 1024


class VaultError(NeedsOperator):
    """The vault file cannot be used as it is."""


class WrongKey(VaultError):
    """It was encrypted for another identity."""


class DamagedVault(VaultError):
    """Cut short or altered."""


class NewerVault(VaultError):
    """Written by a later version of tierup."""


class RolledBack(VaultError):
    """Older than, or another than, the one this machine has seen last."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in the vault. `revision` counts its values from 1; `created` is RFC 3339."""

    value: Secret
    revision: int
    origin: str
    created: str
    updated: str


@dataclass(frozen=True, slots=True)
class Content:
    """All of a vault. `revision` counts its writes: its generation."""

    vault_id: str
    revision: int
    updated: str
    hmac_key: bytes = field(repr=False)
    entries: dict[str, Entry]


def seal(content: Content, identity: Path) -> bytes:
    """The content encrypted for the first identity of the file."""
    import pyrage

    entries = {
        name: {
            "value": entry.value.reveal(),
            "encoding": "utf8",
            "createdAt": entry.created,
            "updatedAt": entry.updated,
            "origin": entry.origin,
            "revision": entry.revision,
        }
        for name, entry in content.entries.items()
    }
    payload = {
        "format": FORMAT,
        "version": VERSION,
        "vaultId": content.vault_id,
        "revision": content.revision,
        "updatedAt": content.updated,
        "hmacKey": base64.b64encode(content.hmac_key).decode(),
        "entries": entries,
    }
    raw = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    sealed: bytes = pyrage.encrypt(raw, [_identities(identity)[0].to_public()])
    return sealed


def unseal(data: bytes, identity: Path, name: str) -> Content:
    """The content of an encrypted vault; WrongKey, DamagedVault or NewerVault say why not."""
    import pyrage

    try:
        raw = pyrage.decrypt(data, _identities(identity))
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise WrongKey(
                f"{name} was not encrypted for the key in {identity}", remedy="put the identity file it was made with there"
            ) from None
        raise DamagedVault(f"{name} is damaged: it was cut short or altered") from None
    try:
        payload = json.loads(raw)
        return _content(payload, name)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedVault(f"{name} is damaged: what it holds is no vault of tierup") from None


def _content(payload: dict[str, Any], name: str) -> Content:
    if payload["format"] != FORMAT:
        raise DamagedVault(f"{name} is an age file, but no vault of tierup")
    if int(payload["version"]) > VERSION:
        raise NewerVault(
            f"{name} has format version {int(payload['version'])}, this tierup knows {VERSION}",
            remedy="use the tierup it was written with, or a newer one",
        )
    entries = {
        str(key): Entry(
            Secret(str(item["value"])), int(item["revision"]), str(item["origin"]), str(item["createdAt"]), str(item["updatedAt"])
        )
        for key, item in payload["entries"].items()
    }
    key = base64.b64decode(payload["hmacKey"], validate=True)
    return Content(str(payload["vaultId"]), int(payload["revision"]), str(payload["updatedAt"]), key, entries)


def _identities(path: Path) -> list[Any]:
    from pyrage import IdentityError, x25519

    text = files.read_regular(path, limit=IDENTITY_LIMIT, private=True).decode("ascii", "replace")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if key.startswith("AGE-SECRET-KEY-PQ-"):
            raise InputError(
                f"{path}:{number}: post-quantum identities cannot be used yet", remedy="use one made by `age-keygen` without -pq"
            )
        try:
            found.append(x25519.Identity.from_str(key))
        except IdentityError:
            raise InputError(f"{path}:{number}: this is not an age identity", remedy="a line starts with AGE-SECRET-KEY-1") from None
    if not found:
        raise InputError(f"{path} holds no age identity", remedy="restore it from your backup; without it no vault can be opened")
    return found


def new_identity(path: Path) -> None:
    """Make an identity file (0600) unless there is one; two makers at once end with one key."""
    from pyrage import x25519

    identity = x25519.Identity.generate()
    files.private_directory(path.parent)
    files.write_new(path, f"# public key: {identity.to_public()}\n{identity}\n")


def described(data: bytes, identity: Path, name: str) -> str | None:
    """What a previous generation holds, in words; None when it cannot be read either."""
    try:
        content = unseal(data, identity, name)
    except (VaultError, InputError):
        return None
    return f"{name} (generation {content.revision}, {clean(content.updated, limit=40)}, {len(content.entries)} entries)"
