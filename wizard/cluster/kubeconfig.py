"""Reading kubeconfig files the way kubectl merges them, with each fault named (reliability.md 5, rows 77 and 78)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.errors import InputError, Place
from wizard.text import clean, closest

LIMIT = 4 * 1024 * 1024
_DEPTH = 64
"""Deeper nesting makes PyYAML's C composer overflow the stack (100,000 brackets end the process)."""
_PATHS = {"clusters": ("cluster", ("certificate-authority",)), "users": ("user", ("client-certificate", "client-key", "tokenFile"))}


@dataclass(frozen=True, slots=True)
class Context:
    """A context as the file tells of it; nothing here is secret."""

    name: str
    cluster: str
    user: str
    server: str
    namespace: str = ""
    current: bool = False
    command: str = ""
    """The program that gives credentials (`exec`), empty when there is none."""


def paths(kubeconfig: Path | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that count: the one given, else those of KUBECONFIG, else ~/.kube/config."""
    if kubeconfig is not None:
        return (kubeconfig.expanduser(),)
    named = [Path(p).expanduser() for p in environ.get("KUBECONFIG", "").split(os.pathsep) if p]
    return tuple(named) or (Path("~/.kube/config").expanduser(),)


def load(kubeconfig: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The merged kubeconfig with absolute paths: the first file that names an entry wins, missing files of a list are passed over.
    Raises InputError that names the file and its fault."""
    files = paths(kubeconfig, environ)
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    read = [(path, _read(path)) for path in files if path.exists()]
    if not read:
        names = ", ".join(str(p) for p in files)
        raise InputError(
            f"no kubeconfig: {names} does not exist", remedy="fetch it (Talos: `talosctl kubeconfig`) or name it with --kubeconfig"
        )
    for path, content in read:
        for section in ("clusters", "users", "contexts"):
            taken = {entry["name"] for entry in merged[section]}
            merged[section] += [e for e in _entries(path, content, section) if e["name"] not in taken]
        if content.get("current-context") and not merged.get("current-context"):
            merged["current-context"] = str(content["current-context"])
    if not merged["contexts"]:
        raise InputError("the kubeconfig holds no contexts", place=Place(str(read[0][0])), remedy="fetch it again from the cluster")
    return merged


def contexts(config: Mapping[str, Any]) -> tuple[Context, ...]:
    """The contexts of a loaded kubeconfig; dangling ones have an empty server."""
    servers = {c["name"]: c["cluster"].get("server", "") for c in config["clusters"]}
    users = {u["name"]: u["user"] for u in config["users"]}
    found = []
    for entry in config["contexts"]:
        inner = entry["context"]
        plugin = users.get(inner.get("user"), {}).get("exec")
        found.append(
            Context(
                name=clean(entry["name"], limit=200),
                cluster=clean(inner.get("cluster") or "", limit=200),
                user=clean(inner.get("user") or "", limit=200),
                server=clean(servers.get(inner.get("cluster")) or "", limit=300),
                namespace=clean(inner.get("namespace") or "", limit=70),
                current=entry["name"] == config.get("current-context"),
                command=clean(plugin.get("command") or "", limit=200) if isinstance(plugin, dict) else "",
            )
        )
    return tuple(found)


def choose(config: Mapping[str, Any], context: str | None) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(context name, cluster, user) of the context asked for or the current one. Raises InputError for each name that leads nowhere."""
    known = {e["name"]: e["context"] for e in config["contexts"]}
    name = context or str(config.get("current-context") or "")
    if not name:
        if len(known) != 1:
            raise InputError("the kubeconfig names no current context", remedy="choose one with --context: " + ", ".join(map(str, known)))
        name = next(iter(known))
    if name not in known:
        near = closest(name, [str(n) for n in known])
        remedy = f"did you mean {near}?" if near else "it has: " + ", ".join(map(str, known))
        raise InputError(f"the kubeconfig has no context {name}", remedy=remedy)
    cluster = _follow(config, "clusters", "cluster", known[name].get("cluster"), name)
    user = _follow(config, "users", "user", known[name].get("user"), name)
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise InputError(f"context {name}: its cluster has no usable server address", remedy="`server:` must be https://HOST:PORT")
    for entry in (cluster, user):
        for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
            if key in entry and f"{key}-data" not in entry and not Path(entry[key]).is_file():
                raise InputError(f"context {name}: the file of `{key}` does not exist: {entry[key]}", remedy="fetch the kubeconfig again")
    return name, cluster, user


def _follow(config: Mapping[str, Any], section: str, key: str, wanted: object, context: str) -> dict[str, Any]:
    for entry in config[section]:
        if entry["name"] == wanted:
            found: dict[str, Any] = entry[key]
            return found
    said = clean(wanted or "nothing", limit=200)
    raise InputError(f"context {context} points to {key} {said}, which the kubeconfig does not hold", remedy="fetch the kubeconfig again")


def _read(path: Path) -> dict[str, Any]:
    import yaml

    place = Place(str(path))
    if not path.is_file():
        raise InputError("the kubeconfig is not a regular file", place=place)
    try:
        with path.open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise InputError(f"the kubeconfig cannot be read: {error.strerror}", place=place) from error
    if len(data) > LIMIT:
        raise InputError(f"the kubeconfig is larger than {LIMIT // 1024 // 1024} MiB", place=place)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(data, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEPTH:
                raise InputError("the kubeconfig is nested too deeply", place=place)
        content = yaml.load(data, Loader=loader)  # noqa: S506 the loader is a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = Place(str(path), mark.line + 1, mark.column + 1) if mark else place
        raise InputError("the kubeconfig is not YAML", place=where, remedy="fetch it again from the cluster") from None
    if not isinstance(content, dict):
        raise InputError("the kubeconfig is empty or not a mapping", place=place, remedy="fetch it again from the cluster")
    return content


def _entries(path: Path, content: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    entries = content.get(section) or []
    key = section.removesuffix("s")
    if not isinstance(entries, list):
        raise InputError(f"`{section}` of the kubeconfig is not a list", place=Place(str(path)))
    found = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise InputError(f"entry {number} of `{section}` in the kubeconfig has no name", place=Place(str(path)))
        inner = entry.get(key) or {}
        if not isinstance(inner, dict):
            raise InputError(f"`{key}` of {clean(entry['name'], limit=200)} in the kubeconfig is not a mapping", place=Place(str(path)))
        inner = dict(inner)
        for name in _PATHS.get(section, ("", ()))[1]:
            if isinstance(inner.get(name), str) and inner[name]:
                inner[name] = str(path.parent.absolute() / Path(inner[name]).expanduser())
        found.append({"name": entry["name"], key: inner})
    return found
