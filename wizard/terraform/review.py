"""A plan of Terraform in the operator's words, and the marks by which an approved plan is recognised.

Read from `terraform show -json` of a saved plan (format 1.2). Write-only attributes are null in it, so what is read here holds
no value of a Secret; ConfigMap data and Helm values do stand in it and are no secrets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wizard.errors import TierupError
from wizard.state import Change
from wizard.terraform.wording import in_words

SECRET = "kubernetes_secret_v1"  # noqa: S105 - a resource type
NAMESPACE = "kubernetes_namespace_v1"
RELEASE = "helm_release"

# Attributes the cluster sets: they differ from one minute to the next without anything being decided.
_COMPUTED = frozenset({"generation", "resource_version", "uid", "id", "status", "manifest", "resources"})


@dataclass(frozen=True, slots=True)
class Planned:
    """One resource of a plan. `action`: create, update, delete, replace, or adopt (recorded as it is). `mark` stands for what
    will be done: the same in review and before apply, and the same for adopting a namespace as for creating it, since a
    killed run may have created it."""

    address: str
    type: str
    key: str
    action: str
    change: Change
    mark: str


@dataclass(frozen=True, slots=True)
class TerraformPlan:
    """What one root would change. `digest` covers all of it."""

    root: str
    planned: tuple[Planned, ...] = ()
    released: tuple[str, ...] = ()
    """Namespaces that Terraform will forget; they stay in the cluster."""

    @property
    def empty(self) -> bool:
        """Nothing to apply."""
        return not self.planned and not self.released

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes in words, for Review."""
        forgotten = (Change("terraform", "release", f"Namespace {name}", "Terraform forgets it, it stays") for name in self.released)
        return (*(p.change for p in self.planned), *forgotten)

    @property
    def destructive(self) -> tuple[Change, ...]:
        """Deletes and replacements: each needs its name typed."""
        return tuple(p.change for p in self.planned if p.action in ("delete", "replace"))

    @property
    def marks(self) -> frozenset[str]:
        """One mark per change; a resumed run may do any part of what was approved, and nothing else."""
        return frozenset(p.mark for p in self.planned) | {_mark("release", name) for name in self.released}

    @property
    def digest(self) -> str:
        """Stands for the plan as a whole: SHA-256 over the sorted marks, 64 hex digits."""
        return hashlib.sha256("\n".join([self.root, *sorted(self.marks)]).encode()).hexdigest()

    def beyond(self, approved: Iterable[str]) -> tuple[Change, ...]:
        """Changes that none of the `approved` marks covers."""
        known = frozenset(approved)
        return tuple(p.change for p in self.planned if p.mark not in known)


def read(shown: Mapping[str, Any], *, root: str, released: Iterable[str] = (), foreign: Iterable[tuple[str, str]] = ()) -> TerraformPlan:
    """The plan in `terraform show -json`'s answer. `foreign`: (namespace, name) of Helm releases that exist already; creating
    one of these means to take it over, and the words say so."""
    if "resource_changes" not in shown and "format_version" not in shown:
        raise TierupError(f"Terraform ({root}) shows a plan that cannot be read")
    taken = frozenset(foreign)
    planned = [_planned(item, taken) for item in shown.get("resource_changes", ()) if item.get("mode", "managed") == "managed"]
    return TerraformPlan(root, tuple(sorted((p for p in planned if p), key=lambda p: p.address)), tuple(sorted(released)))


def unsupplied(plan: TerraformPlan, supplied: Iterable[str]) -> tuple[str, ...]:
    """Keys of Secrets that this plan writes though no values are given for them: each would end up empty (bootstrap.md 2.6)."""
    given = frozenset(supplied)
    writing = ("create", "update", "replace")
    return tuple(p.key for p in plan.planned if p.type == SECRET and p.action in writing and p.key not in given)


def _planned(item: Mapping[str, Any], foreign: frozenset[tuple[str, str]]) -> Planned | None:
    change = item.get("change") or {}
    action = _action(change)
    if action is None:
        return None
    address, kind = str(item.get("address", "")), str(item.get("type", ""))
    before, after = change.get("before") or {}, change.get("after") or {}
    decided = _decided(before, after, change.get("after_sensitive"))
    mark = _mark(address, "create" if action == "adopt" else action, None if action == "adopt" or kind == NAMESPACE else decided)
    words = in_words(kind, action, address, before, after, foreign)
    return Planned(address, kind, str(item.get("index", "")), action, words, mark)


def _action(change: Mapping[str, Any]) -> str | None:
    actions = tuple(change.get("actions") or ())
    if change.get("importing") and actions in (("no-op",), ("update",)):
        return "adopt"
    if actions in (("no-op",), ("read",), ()):
        return None
    if "delete" in actions and "create" in actions:
        return "replace"
    return "release" if actions[0] == "forget" else str(actions[0])


def _decided(before: Mapping[str, Any], after: Mapping[str, Any], sensitive: object) -> dict[str, Any]:
    """What the plan sets, without what the cluster sets and without anything marked sensitive."""
    hidden = {name for name, mark in sensitive.items() if mark is True} if isinstance(sensitive, Mapping) else set()
    changed = {name: value for name, value in after.items() if value != before.get(name) and name not in _COMPUTED | hidden}
    return {name: _without_computed(value) for name, value in changed.items() if value is not None}


def _without_computed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_computed(v) for k, v in value.items() if k not in _COMPUTED and v is not None}
    if isinstance(value, list):
        return [_without_computed(v) for v in value]
    return value


def _mark(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:24]
