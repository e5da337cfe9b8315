"""Custom resources of the catalog: which chart brings their kind, which settings they read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

BUILT_IN: Final = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "coordination.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""API groups every cluster serves."""

# `${name}` and its string operations; a default (`:=`, `:-`, `=`, `-`) makes it optional, `$${` is an escaped one.
_SETTING: Final = re.compile(r"(?<!\$)(?:\$\$)*\$\{([A-Za-z_][A-Za-z0-9_]*)(:?[-=])?")
_IN_TEMPLATE: Final = re.compile(r"\{settings\.([A-Za-z_][A-Za-z0-9_]*)\}")


def definition_names(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """Names its custom resource definition may have (`plural.group`, regular plurals); empty for kinds every cluster serves."""
    api, kind = str(resource.get("apiVersion", "")), str(resource.get("kind", "")).lower()
    group = api.rpartition("/")[0]
    if group in BUILT_IN:
        return ()
    plurals = [f"{kind}s", f"{kind}es", kind]
    if kind.endswith("y"):
        plurals.insert(0, f"{kind[:-1]}ies")
    return tuple(f"{plural}.{group}" for plural in plurals)


def settings_in(value: Any) -> set[str]:
    """Settings that a value of the catalog cannot do without: `${name}` without a default."""
    return {name for text in _texts(value) for name, default in _SETTING.findall(text) if not default}


def settings_in_template(text: str) -> set[str]:
    """Settings that the text of a secret names as `{settings.NAME}`."""
    return set(_IN_TEMPLATE.findall(text))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
