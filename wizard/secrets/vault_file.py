"""The vault file: every value that was typed or generated, before anything else is changed.

Values are never lost and never made twice: each `put` is one durable write, the three writes before it stay as `vault.age.1` to
`.3`. age says nothing about who wrote a file, so the last generation seen is noted beside it and an older file is not taken silently.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from wizard import files
from wizard.clock import SYSTEM, Clock, stamp
from wizard.errors import InputError
from wizard.secrets.envelope import (
    LIMIT,
    Content,
    DamagedVault,
    Entry,
    RolledBack,
    VaultError,
    WrongKey,
    described,
    new_identity,
    seal,
    unseal,
)
from wizard.secrets.secret import Secret

GENERATIONS = 3


class VaultFile:
    """The values of one cluster in `path`, encrypted for the age identity in `identity`.

    `seen` is where the last generation is noted (default beside the vault; better on another disk or in the state directory).
    """

    def __init__(self, path: Path, identity: Path, *, seen: Path | None = None, clock: Clock = SYSTEM) -> None:
        self.path = path
        self.identity = identity
        self._seen = seen or path.with_name(f".{path.name}.seen")
        self._clock = clock
        self._content: Content | None = None

    def open(self) -> None:
        """Read the vault; one that is not there yet is empty. WrongKey, DamagedVault, NewerVault and RolledBack are VaultErrors."""
        self._content = self._read()
        if self._content is not None:
            self._note(self._content)

    @property
    def vault_id(self) -> str:
        """Empty as long as nothing was ever put."""
        return self._content.vault_id if self._content else ""

    @property
    def generation(self) -> int:
        """How often it was written."""
        return self._content.revision if self._content else 0

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._content.entries)) if self._content else ()

    def get(self, name: str) -> Entry | None:
        return self._content.entries.get(name) if self._content else None

    def digest(self, name: str) -> str:
        """16 hex digits that change when the value does. Keyed with the vault's own key, so that nobody can try out guesses on them."""
        if self._content is None or name not in self._content.entries:
            raise KeyError(name)
        text = f"{name}\0{self._content.entries[name].value.reveal()}".encode()
        return hmac.new(self._content.hmac_key, text, hashlib.sha256).hexdigest()[:16]

    def put(self, values: Mapping[str, tuple[Secret, str]], *, unless_held: Collection[str] = ()) -> None:
        """Store `{name: (value, origin)}` in one atomic write that is on the disk when this returns; no write when nothing changes.

        A revision rises only if its value really changed. Names in `unless_held` give way to a value that is already there, also to
        one that another process has put since `open`.
        """
        files.private_directory(self.path.parent)
        with self._locked():
            found = self._read()
            if found is None and not os.path.lexists(self.identity):
                new_identity(self.identity)
            content = found or Content(str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), 0, "", secrets.token_bytes(32), {})
            now = stamp(self._clock.now())
            entries = dict(content.entries)
            changed = False
            for name, (value, origin) in values.items():
                held = entries.get(name)
                if held is not None and (name in unless_held or held.value.reveal() == value.reveal()):
                    continue
                entries[name] = Entry(value, held.revision + 1 if held else 1, origin, held.created if held else now, now)
                changed = True
            if changed:
                content = Content(content.vault_id, content.revision + 1, now, content.hmac_key, entries)
                self._write(content)
            self._content = content

    def _write(self, content: Content) -> None:
        sealed = seal(content, self.identity)
        if self.path.exists():
            for number in range(GENERATIONS, 1, -1):
                with contextlib.suppress(FileNotFoundError):
                    self._generation(number - 1).replace(self._generation(number))
            files.write_atomic(self._generation(1), files.read_regular(self.path, limit=LIMIT))
        files.write_atomic(self.path, sealed)
        self._note(content)

    def _read(self) -> Content | None:
        if not os.path.lexists(self.path):
            if (last := self._last_seen()) is not None:
                raise RolledBack(
                    f"{self.path} is gone: it was there with generation {last['revision']} of {last['updated']}",
                    remedy=f"restore it from your backup{self._offer()}; to begin a new vault remove {self._seen}",
                )
            return None
        data = files.read_regular(self.path, limit=LIMIT, private=True)
        if not os.path.lexists(self.identity):
            raise WrongKey(
                f"{self.path} is there, but its key {self.identity} is not", remedy="copy the identity file from where the vault was made"
            )
        try:
            content = unseal(data, self.identity, str(self.path))
        except DamagedVault as error:
            raise DamagedVault(error.problems[0].what, remedy=f"restore it from your backup{self._offer()}") from None
        self._refuse_older(content)
        return content

    def _refuse_older(self, content: Content) -> None:
        last = self._last_seen()
        if last is None:
            return
        on_purpose = f"if you restored it on purpose, remove {self._seen}"
        if last["vaultId"] != content.vault_id:
            raise RolledBack(
                f"{self.path} is another vault (of {content.updated}) than the one seen last (of {last['updated']})", remedy=on_purpose
            )
        if content.revision < int(last["revision"]):
            older = f"generation {content.revision} of {content.updated}"
            newer = f"generation {last['revision']} of {last['updated']}"
            raise RolledBack(f"{self.path} is {older}, seen last was {newer}", remedy=on_purpose)

    def _last_seen(self) -> dict[str, str] | None:
        try:
            record = json.loads(files.read_regular(self._seen, limit=4096))
            return {"vaultId": str(record["vaultId"]), "revision": str(int(record["revision"])), "updated": str(record["updated"])}
        except (InputError, ValueError, KeyError, TypeError):
            return None  # a note, not a lock: without it the vault is taken as it is

    def _note(self, content: Content) -> None:
        record = {"vaultId": content.vault_id, "revision": str(content.revision), "updated": content.updated}
        if self._last_seen() != record:
            files.private_directory(self._seen.parent)
            files.write_atomic(self._seen, json.dumps(record, sort_keys=True) + "\n")

    def _offer(self) -> str:
        for number in range(1, GENERATIONS + 1):
            path = self._generation(number)
            with contextlib.suppress(InputError, VaultError):
                if found := described(files.read_regular(path, limit=LIMIT), self.identity, str(path)):
                    return f", or from the generation before it: {found}"
        return ""

    def _generation(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Two writers take turns; the lock ends with its process."""
        fd = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
