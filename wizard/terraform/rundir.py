"""The run directory of a root: its files out of the repository, this machine's own settings, `terraform init`.

`init` is skipped while nothing that decides its outcome has changed, since a second apply has to be quick.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wizard.errors import InputError
from wizard.files import private_directory, read_regular, write_atomic
from wizard.terraform.program import Program

LOCK_FILE = ".terraform.lock.hcl"
MACHINE = "machine.auto.tfvars.json"
"""What only this machine knows (kubeconfig path and context); never in Git."""

DATA = ".terraform"
_STAMP = "tierup-init.json"
_ROOT_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\.(tf|tf\.json|tfvars\.json|tfvars|hcl)$|^\.terraform\.lock\.hcl$")
OVERRIDE = "backend_override.tf"
_KUBERNETES_BACKEND = re.compile(r'^\s*backend\s+"kubernetes"', re.MULTILINE)
_LIMIT = 16 * 1024 * 1024

cache_lock = threading.Lock()
"""Terraform's plugin cache is not made for two `init` at once."""


def stage(directory: Path, files: Mapping[str, bytes]) -> bool:
    """Make the run directory hold these files of the root (names without a path) and no other Terraform files; what Terraform
    itself keeps there stays. Unchanged files are not touched. True when anything changed."""
    private_directory(directory)
    changed = False
    for name, data in files.items():
        if not _ROOT_FILE.match(name) or name == MACHINE:
            raise InputError(f"{name} is not a file of a Terraform root", remedy="Only .tf, .tfvars and the lock file belong there.")
        if _content(directory / name) != data:
            write_atomic(directory / name, data)
            changed = True
    for old in directory.iterdir():
        if _ROOT_FILE.match(old.name) and old.name not in (*files, MACHINE, LOCK_FILE) and old.is_file():
            old.unlink()
            changed = True
    return changed


def write_machine(directory: Path, values: Mapping[str, Any]) -> None:
    """Write this machine's own variables, if they differ from what is there."""
    data = (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    if _content(directory / MACHINE) != data:
        write_atomic(directory / MACHINE, data)


def backend_config(directory: Path, kubeconfig: Path, context: str | None) -> dict[str, str]:
    """The settings of the shipped backend that differ per machine; none when the operator put another backend in its place."""
    if (directory / OVERRIDE).exists() or not any(
        _KUBERNETES_BACKEND.search(_content(file).decode("utf-8", "replace")) for file in sorted(directory.glob("*.tf"))
    ):
        return {}
    return {"config_path": str(kubeconfig), **({"config_context": context} if context else {})}


def wanted(directory: Path, program: Program, backend: Mapping[str, str], env: Mapping[str, str]) -> str:
    """A digest of everything that decides what `init` does."""
    told = hashlib.sha256()
    for file in [*sorted(directory.glob("*.tf")), *sorted(directory.glob("*.tf.json")), directory / LOCK_FILE]:
        told.update(f"{file.name}\0".encode() + hashlib.sha256(_content(file)).digest())
    cli = Path(env["TF_CLI_CONFIG_FILE"]) if env.get("TF_CLI_CONFIG_FILE") else Path(env.get("HOME", "/nonexistent")) / ".terraformrc"
    parts = [str(program.path), program.product, program.version, dict(backend), env.get("TF_PLUGIN_CACHE_DIR", ""), str(cli)]
    told.update(json.dumps(parts, sort_keys=True).encode() + _content(cli))
    return told.hexdigest()


def is_ready(directory: Path, digest: str) -> bool:
    """Whether the last successful `init` here was for the same."""
    return _content(directory / DATA / _STAMP) == digest.encode()


def mark_ready(directory: Path, digest: str) -> None:
    """Remember a successful `init`, in the folder it filled: who deletes that asks for another."""
    (directory / DATA).mkdir(mode=0o700, exist_ok=True)  # a root without providers and backend gets none
    write_atomic(directory / DATA / _STAMP, digest)


def _content(path: Path) -> bytes:
    try:
        return read_regular(path, limit=_LIMIT)
    except (InputError, OSError):
        return b""
