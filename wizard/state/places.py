"""Where tierup keeps things on this machine.

`TIERUP_HOME` puts all of it below one folder (tests, portable installations); else the platform's own folders are used.
Configuration is what must be kept (`identity.txt`, `<cluster>/vault.age`); state can be lost: the repository, the kubeconfig and
the vault file make it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one cluster, by the name of its plan."""

    name: str
    config: Path
    state: Path

    @property
    def identity(self) -> Path:
        """The age identity that opens every vault file of this operator."""
        return self.config / "identity.txt"

    @property
    def sources(self) -> Path:
        """Where secrets come from on this machine (`file:`, `cmd:`)."""
        return self.config / "sources.yaml"

    @property
    def vault(self) -> Path:
        return self.config / self.name / "vault.age"

    @property
    def home(self) -> Path:
        """State of this cluster: clone, Terraform folders, runs, lock, socket."""
        return self.state / self.name

    @property
    def repository(self) -> Path:
        return self.home / "repo"

    @property
    def terraform(self) -> Path:
        return self.home / "terraform"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def socket(self) -> Path:
        return self.home / "ctl.sock"

    @property
    def vault_seen(self) -> Path:
        """Which generation of the vault file was seen last: an older one is noticed."""
        return self.home / "vault-seen.json"

    def latest_run(self) -> Path | None:
        """The newest run's folder; run names sort by time."""
        runs = sorted(path for path in self.runs.glob("*") if (path / "request.json").is_file()) if self.runs.is_dir() else []
        return runs[-1] if runs else None


def places(name: str, environ: Mapping[str, str] | None = None) -> Places:
    """The places of the plan called `name`."""
    config, state = _roots(os.environ if environ is None else environ)
    return Places(name, config, state)


def known_plans(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Names of the plans that have state on this machine."""
    _, state = _roots(os.environ if environ is None else environ)
    return tuple(sorted(p.name for p in state.iterdir() if (p / "runs").is_dir())) if state.is_dir() else ()


def _roots(environ: Mapping[str, str]) -> tuple[Path, Path]:
    if home := environ.get("TIERUP_HOME"):
        root = Path(home).expanduser().absolute()
        return root / "config", root / "state"
    import platformdirs  # 4 ms, not needed with TIERUP_HOME

    return Path(platformdirs.user_config_dir("tierup", appauthor=False)), Path(platformdirs.user_state_dir("tierup", appauthor=False))
