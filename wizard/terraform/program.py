"""Which Terraform runs, and what it may see of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard import process
from wizard.errors import NeedsOperator
from wizard.text import clean

NEEDED = (1, 11, 0)
"""Write-only attributes (data_wo) came with Terraform 1.11: before, a Secret's values would be in the state."""

_REFUSED = re.compile(r"TF_(LOG.*|CLI_ARGS.*|VAR_.*|REATTACH_PROVIDERS|WORKSPACE|DATA_DIR|ENCRYPTION|INPUT|IGNORE)$")
# The first line of `terraform version`; OpenTofu names itself there and nowhere else.
_TOLD = re.compile(r"^(Terraform|OpenTofu) v(\d+\.\d+\.\d+[-+\w.]*)", re.MULTILINE)
_KEPT = ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR")


@dataclass(frozen=True, slots=True)
class Program:
    """A Terraform that was asked for its version. `product`: Terraform or OpenTofu."""

    path: Path
    product: str
    version: str


def find(path: Path | None, *, environ: Mapping[str, str] | None = None, seconds: float = 30) -> Program:
    """The program at `path`, else `terraform` on the PATH. Raises NeedsOperator when there is none, when it is older than
    1.11.0 or tells no version; `seconds` bounds how long it may take to tell its version."""
    wanted = path or _on_path(os.environ if environ is None else environ)
    if wanted is None or not wanted.is_file():
        where = f"{wanted} is not a file" if wanted else "there is no `terraform` on the PATH"
        raise NeedsOperator(
            f"Terraform is missing: {where}",
            remedy="Install Terraform 1.11 or newer (https://developer.hashicorp.com/terraform/install) and try again.",
        )
    done = process.run([str(wanted), "version"], env=environment({}), timeout=seconds)
    told = _TOLD.search(done.out.decode("utf-8", "replace"))
    if told is None:
        said = clean((done.err or done.out).decode("utf-8", "replace"), limit=300)
        raise NeedsOperator(
            f"{wanted} does not tell a Terraform version (exit code {done.code}: {said or 'no output'})",
            remedy="Is it Terraform? Put the right one first on the PATH.",
        )
    product, version = told[1], told[2]
    if _numbers(version) < NEEDED:
        raise NeedsOperator(
            f"{product} {version} at {wanted} is too old",
            remedy=f"{'.'.join(map(str, NEEDED))} or newer is needed: older ones would keep the values of Secrets in their state.",
        )
    return Program(wanted, product, version)


def _on_path(environ: Mapping[str, str]) -> Path | None:
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = Path(folder or ".") / "terraform"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in version.split("-")[0].split("."))


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """What Terraform and its providers see: the minimal environment, the operator's CLI configuration, and quiet automation.
    TF_LOG is left out because the provider writes the values of Secrets into its log from level INFO on (bootstrap.md 2.1)."""
    fixed = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    return process.environment({**fixed, **extra}, keep=_KEPT)


def refused_variables(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Names of set variables that Terraform would obey and tierup does not pass on: to be named in a warning."""
    source = os.environ if environ is None else environ
    return tuple(sorted(name for name in source if _REFUSED.match(name)))
