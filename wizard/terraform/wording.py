"""One planned change as a sentence: subject and detail, in the words of Kubernetes and Helm rather than Terraform's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wizard.state import Change
from wizard.text import clean

KEYS = "tierup/keys"
"""Annotation with the names of a Secret's keys, set by the root `secrets`."""

_MOST = 6


def in_words(
    kind: str,
    action: str,
    address: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    foreign: frozenset[tuple[str, str]] = frozenset(),
) -> Change:
    """The change for Review. `before` and `after` are the resource's attributes as the plan shows them; `foreign` are the
    (namespace, name) of Helm releases that exist already."""
    known = after or before
    if kind == "kubernetes_secret_v1":
        subject, detail = f"Secret {_name(known)}", _secret(action, before, after)
    elif kind == "kubernetes_config_map_v1":
        subject, detail = f"ConfigMap {_name(known)}", _config_map(action, before, after)
    elif kind == "kubernetes_namespace_v1":
        subject, detail = f"Namespace {_name(known)}", "exists already: recorded, not changed" if action == "adopt" else ""
    elif kind == "helm_release":
        namespace, name = str(known.get("namespace") or "default"), str(known.get("name", ""))
        subject, detail = f"Helm release {namespace}/{name}", _release(action, before, after)
        if action == "create" and (namespace, name) in foreign:
            detail += "; it exists already and Terraform takes it over"
    else:
        subject, detail = address, ""
    return Change("terraform", action, clean(subject, limit=200), clean(detail, limit=400))


def _metadata(values: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = values.get("metadata")
    first = metadata[0] if isinstance(metadata, list) and metadata else metadata
    return first if isinstance(first, Mapping) else {}


def _name(values: Mapping[str, Any]) -> str:
    metadata = _metadata(values)
    return "/".join(str(part) for part in (metadata.get("namespace"), metadata.get("name")) if part)


def _keys(values: Mapping[str, Any]) -> str:
    return str((_metadata(values).get("annotations") or {}).get(KEYS, ""))


def _secret(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    keys = ", ".join(_keys(after or before).split(","))
    if action == "update":
        rewritten = before.get("data_wo_revision") != after.get("data_wo_revision")
        return f"written again (keys {keys})" if rewritten else f"labels or annotations (keys {keys})"
    return f"keys {keys}" if keys else ""


def _config_map(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    old, new = before.get("data") or {}, after.get("data") or {}
    if action == "update":
        return _some(f"{name} {_shift(old.get(name), new.get(name))}" for name in sorted({*old, *new}) if old.get(name) != new.get(name))
    return f"keys {_some(sorted(new or old))}" if new or old else ""


def _release(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    known = after or before
    chart, old, new = str(known.get("chart", "")), before.get("version"), after.get("version")
    if action != "update":
        return f"chart {chart} {new or old or ''}".rstrip()
    parts = [f"chart {chart} {old} -> {new}"] if new is not None and old != new else []
    paths = list(changed_paths(_document(before), _document(after)))
    if paths:
        parts.append(f"values {_some(paths)}")
    named = ("namespace", "repository", "chart", "timeout", "wait", "max_history", "take_ownership")
    parts += [f"{name} {_shift(before.get(name), after.get(name))}" for name in named if name in after and before.get(name) != after[name]]
    return "; ".join(parts) or "settings of the release"


def _document(values: Mapping[str, Any]) -> Any:
    """The values of a release as one document; what cannot be read counts as empty."""
    import yaml

    texts = values.get("values") or []
    merged: dict[str, Any] = {}
    for text in texts if isinstance(texts, list) else [texts]:
        try:
            part = yaml.safe_load(text or "")
        except yaml.YAMLError:
            continue
        merged.update(part if isinstance(part, dict) else {})
    return merged


def changed_paths(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Paths such as `instance.sync.url` at which two documents differ; lists count as one value."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*map(str, old), *map(str, new)}):
            if old.get(key) != new.get(key):
                yield from changed_paths(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield path


def _shift(old: object, new: object) -> str:
    return f"{clean('unset' if old is None else old, limit=60)} -> {clean('unset' if new is None else new, limit=60)}"


def _some(items: Any) -> str:
    shown = list(items)
    more = len(shown) - _MOST
    return ", ".join(str(item) for item in shown[:_MOST]) + (f" and {more} more" if more > 0 else "")
