"""The same charts in the layout of Flux guides: one Kustomization per tier, each after the one before.

As in `flux2-kustomize-helm-example`: a tier's Kustomization (`wait: true`) holds all its charts and what they claim, `<tier>-config`
comes after it with the custom resources that need them, the next tier after that. Between the charts of one tier the HelmReleases'
own `dependsOn` stays. The Terraform tier's resources are gated by nothing, as they are not in the way of anything.
"""

from __future__ import annotations

import posixpath
from typing import Any

import yaml

from wizard.documents import dump

TIERS = ("cluster", "system", "platform", "core", "apps")
HURRY = b'"--requeue-dependency=1s",'
"""The flag that the flux root sets; without it a controller looks at dependencies again after the 10 s of `size: small`."""
Documents = list[dict[str, Any]]


def as_guide(tree: dict[str, bytes], cluster: str) -> dict[str, bytes]:
    """A rendered tree in the guides' layout; the charts' own files stay where and, but for gates between tiers, what they are."""
    root = f"clusters/{cluster}"
    nodes = {tier: _nodes(tree, f"{root}/{tier}/") for tier in TIERS}
    made = {path: data for path, data in tree.items() if not _is_node_file(path, root)}
    main = f"{root}/terraform/flux/main.tf"
    if HURRY not in made[main]:
        raise ValueError(f"{main} does not set {HURRY.decode()}")
    made[main] = made[main].replace(HURRY, b"")
    for tier in TIERS:
        _cut_gates(made, [n["spec"]["path"].removeprefix("./") for n in nodes[tier]])
    kustomizations: Documents = []
    before = ""
    for tier in TIERS:
        parts = {
            tier: [n for n in nodes[tier] if not n["metadata"]["name"].endswith("-config")],
            f"{tier}-config": [n for n in nodes[tier] if n["metadata"]["name"].endswith("-config")],
        }
        for name, held in parts.items():
            if held:
                path = f"{root}/guide/{name}"
                folders = [posixpath.relpath(n["spec"]["path"].removeprefix("./"), path) for n in held]
                made[f"{path}/kustomization.yaml"] = _yaml(_folder(folders))
                kustomizations.append(_tier(name, path, held, before))
                before = name if tier != "cluster" else before
    made[f"{root}/tiers.yaml"] = _yaml(*kustomizations)
    made[f"{root}/kustomization.yaml"] = _yaml(_folder(["namespaces", "tiers.yaml"]))
    return made


def _nodes(tree: dict[str, bytes], folder: str) -> Documents:
    """The Kustomizations of a tier's charts."""
    return [d for path, data in sorted(tree.items()) if path.startswith(folder) and "/" not in path[len(folder) :] for d in _read(data)]


def _is_node_file(path: str, root: str) -> bool:
    return posixpath.dirname(path) in {f"{root}/{tier}" for tier in TIERS}


def _cut_gates(tree: dict[str, bytes], folders: list[str]) -> None:
    """Take the gates between tiers out of a tier's HelmReleases: there the tiers wait for each other."""
    files = [f"{folder}/helmrelease.yaml" for folder in folders if f"{folder}/helmrelease.yaml" in tree]
    releases = {file: _read(tree[file])[0] for file in files}
    names = {(r["metadata"]["namespace"], r["metadata"]["name"]) for r in releases.values()}
    for file, release in releases.items():
        gates = release["spec"].pop("dependsOn", [])
        if kept := [g for g in gates if (g.get("namespace", release["metadata"]["namespace"]), g["name"]) in names]:
            release["spec"]["dependsOn"] = kept
        tree[file] = _yaml(release)


def _tier(name: str, path: str, held: Documents, before: str) -> dict[str, Any]:
    like = held[0]["spec"]
    spec = {key: like[key] for key in ("interval", "retryInterval", "timeout", "sourceRef", "postBuild")}
    spec |= {"path": f"./{path}", "prune": True, "wait": True}
    if before:
        spec["dependsOn"] = [{"name": before}]
    checks = {(c["apiVersion"], c["kind"]): c for n in held for c in n["spec"].get("healthCheckExprs", [])}
    if checks:
        spec["healthCheckExprs"] = list(checks.values())
    return {**held[0], "metadata": {**held[0]["metadata"], "name": name}, "spec": spec}


def _folder(resources: list[str]) -> dict[str, Any]:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}


def _read(data: bytes) -> Documents:
    return [document for document in yaml.safe_load_all(data) if document]


def _yaml(*documents: dict[str, Any]) -> bytes:
    return "---\n".join(dump(document) for document in documents).encode()
