"""Secrets: a type that keeps them in, where they come from, and the age file that holds them."""

from __future__ import annotations

from wizard.secrets.envelope import DamagedVault, Entry, NewerVault, RolledBack, VaultError, WrongKey
from wizard.secrets.generation import generate
from wizard.secrets.remarks import Remark, remarks
from wizard.secrets.resolving import Unresolved, resolve
from wizard.secrets.secret import Secret
from wizard.secrets.sources import Source, load_sources, parse_source
from wizard.secrets.surveying import Finding, Need, store, survey
from wizard.secrets.vault_file import VaultFile

__all__ = [
    "DamagedVault",
    "Entry",
    "Finding",
    "Need",
    "NewerVault",
    "Remark",
    "RolledBack",
    "Secret",
    "Source",
    "Unresolved",
    "VaultError",
    "VaultFile",
    "WrongKey",
    "generate",
    "load_sources",
    "parse_source",
    "remarks",
    "resolve",
    "store",
    "survey",
]
