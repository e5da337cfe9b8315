"""After a killed run: what exists in the cluster though Terraform has no record of it.

A kill between "created in the cluster" and "written to the state" leaves an object at which the next apply fails with "already
exists". Namespaces are taken onto the record by the root itself (its import block). A Secret is never imported, because that
would put its values into the state: one that is ours is deleted and made again. A Helm release is left pending: its newest
record is removed, so that the next install takes up what is there. Call these before an apply, when no Terraform of ours runs
(Runner.settle) and nobody else holds the lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

LABEL = "tierup/cluster"
"""On everything the root `secrets` makes; its value is the plan's name."""

_PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
_KINDS = {"kubernetes_secret_v1": "secrets", "kubernetes_config_map_v1": "configmaps"}


class Metadata(Protocol):
    """What is needed of the API client: objects without their contents, and deleting. No value of a Secret is read here."""

    def metadata(self, path: str, **params: object) -> Any:
        """The objects of a list, each at least with its `metadata`."""
        ...

    def delete(self, path: str, **params: object) -> Any: ...


@dataclass(frozen=True, slots=True)
class Strays:
    """Objects that stand in the way of a create: `ours` are API paths, `foreign` are words for objects of somebody else."""

    ours: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def strays(api: Metadata, planned: Iterable[str], cluster: str) -> Strays:
    """Which of the Secrets and ConfigMaps that a plan creates exist already. `planned`: addresses (Planned.address of creates)."""
    ours: list[str] = []
    foreign: list[str] = []
    for address in sorted(planned):
        kind, _, key = address.removesuffix('"]').partition('.this["')
        namespace, slash, name = key.partition("/")
        if kind not in _KINDS or not slash:
            continue
        path = f"/api/v1/namespaces/{namespace}/{_KINDS[kind]}"
        found = [item for item in _items(api.metadata(path, fieldSelector=f"metadata.name={name}")) if _name(item) == name]
        for item in found:
            labels = (item.get("metadata") or {}).get("labels") or {}
            if labels.get(LABEL) == cluster:
                ours.append(f"{path}/{name}")
            else:
                foreign.append(f"{'Secret' if kind == 'kubernetes_secret_v1' else 'ConfigMap'} {key}")
    return Strays(tuple(ours), tuple(foreign))


def remove(api: Metadata, paths: Iterable[str]) -> None:
    """Delete what `strays` found to be ours."""
    for path in paths:
        api.delete(path)


def pending_releases(api: Metadata, releases: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """API paths of the newest records of these Helm releases (namespace, name) that a killed Terraform left pending. Only the
    newest counts: an older pending one was overcome."""
    found = []
    for namespace, name in sorted(set(releases)):
        path = f"/api/v1/namespaces/{namespace}/secrets"
        records = [item for item in _items(api.metadata(path, labelSelector=f"owner=helm,name={name}")) if _version(item)]
        newest = max(records, key=_version, default=None)
        if newest is not None and newest["metadata"]["labels"].get("status") in _PENDING:
            found.append(f"{path}/{_name(newest)}")
    return tuple(found)


def _items(answer: Any) -> list[dict[str, Any]]:
    return [item for item in answer if isinstance(item, dict)]


def _name(item: dict[str, Any]) -> str:
    return str((item.get("metadata") or {}).get("name", ""))


def _version(item: dict[str, Any]) -> int:
    text = str(((item.get("metadata") or {}).get("labels") or {}).get("version", ""))
    return int(text) if text.isdecimal() else 0
