"""What an installation leaves behind, in a form in which two of them can be compared, and the ways to cut one short."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import Lab
from tests.lab.api import ApiError
from tests.lab.driver import Tierup, until
from wizard.secrets import VaultFile
from wizard.terraform import child

SPECIFIED = {
    "HelmRelease": "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
    "OCIRepository": "/apis/source.toolkit.fluxcd.io/v1/ocirepositories",
    "GitRepository": "/apis/source.toolkit.fluxcd.io/v1/gitrepositories",
}
"""Compared with their whole spec."""
NAMED = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/serviceaccounts",
    "Deployment": "/apis/apps/v1/deployments",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "ClusterIssuer": "/apis/cert-manager.io/v1/clusterissuers",
    "Certificate": "/apis/cert-manager.io/v1/certificates",
}
WITH_KEYS = {"Secret": "/api/v1/secrets", "ConfigMap": "/api/v1/configmaps"}
FINE = 400
"""Looks a second at journal and files while the moment for a kill is waited for."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The repository's trees by branch, and every object in words."""

    trees: dict[str, str]
    objects: frozenset[str]


def aftermath(lab: Lab) -> Aftermath:
    """How repository and cluster are now."""
    refs = _git(lab.git_dir, "for-each-ref", "--format=%(refname) %(tree)", "refs/heads").splitlines()
    found: set[str] = set()
    for kind, path in SPECIFIED.items():
        found |= {f"{kind} {_name(item)} {json.dumps(item['spec'], sort_keys=True)}" for item in items(lab, path)}
    for kind, path in NAMED.items():
        found |= {f"{kind} {_name(item)}" for item in items(lab, path)}
    for kind, path in WITH_KEYS.items():
        found |= {f"{kind} {_record(_name(item))}: {', '.join(sorted(item.get('data') or {}))}" for item in items(lab, path)}
    return Aftermath(dict(line.split(" ") for line in refs), frozenset(found))


def items(lab: Lab, path: str) -> list[dict[str, Any]]:
    """The objects of a list; none of a kind that is not there. A kind that was made just now answers 429 for a moment."""

    def listed() -> list[list[dict[str, Any]]] | None:
        try:
            return [lab.api("GET", path)["items"]]
        except ApiError as problem:
            if problem.status == 404:
                return [[]]
            if problem.status == 429:
                return None
            raise

    found: list[dict[str, Any]] = until(listed, 30)[0]
    return found


def secret(lab: Lab, namespace: str, name: str, key: str) -> str:
    """One value of a Kubernetes Secret."""
    data = lab.api("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
    return base64.b64decode(data[key]).decode()


def vault(operator: Tierup) -> VaultFile:
    """The operator's vault file as it is now, opened without leaving a trace in the operator's folders."""
    config, seen = operator.home / "config", operator.home.parent / "vault-seen.json"
    found = VaultFile(config / operator.name / "vault.age", config / "identity.txt", seen=seen)
    found.open()
    return found


def values(operator: Tierup) -> dict[str, str]:
    """Every value in the vault file; none when it is not there yet."""
    held = vault(operator)
    return {name: entry.value.reveal() for name in held.names() if (entry := held.get(name)) is not None}


def until_soon(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """As `driver.until`, with a look every 2.5 ms: steps that write one file take 20 ms."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := condition():
            return found
        time.sleep(1 / FINE)
    raise AssertionError(f"not so within {seconds:.0f} s: {what}")


def journal(operator: Tierup) -> list[dict[str, Any]]:
    """The records of the newest run, read as bytes so that a torn tail is no matter."""
    found: list[dict[str, Any]] = []
    for path in sorted((operator.state / "runs").glob("*/journal.jsonl"))[-1:]:
        for line in path.read_bytes().split(b"\n")[:-1]:
            found.append(json.loads(line.partition(b" ")[2]))
    return found


def reached(operator: Tierup, event: str, step: str | None = None) -> bool:
    """Whether the journal has come to that record."""
    return any(r["event"] == event and (step is None or r.get("step") == step) for r in journal(operator))


def applying(operator: Tierup, root: str) -> int | None:
    """Process id of the Terraform that is applying a root now, once its first resource is under way."""
    running = child.read(operator.state / "terraform" / root)
    if running is None or running.identity is None or "-apply" not in running.log.name:
        return None
    try:
        begun = b'"type":"apply_start"' in running.log.read_bytes()
    except OSError:
        return None
    return int(running.identity["pid"]) if begun else None


def kill_tree(pid: int) -> int:
    """SIGKILL to a process and all below it, as a power cut would: stopped first so that none gets away. How many there were."""
    found = [pid]
    for parent in found:
        os.kill(parent, signal.SIGSTOP)
        found += [one for one in _children(parent) if one not in found]
    for one in found:
        os.kill(one, signal.SIGKILL)
    return len(found)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def _name(item: dict[str, Any]) -> str:
    meta = item["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else str(meta["name"])


def _record(name: str) -> str:
    """Helm's records without their number: on a machine under load an install is tried twice, with a fault or without."""
    return re.sub(r"(/sh\.helm\.release\.v1\..*)\.v\d+$", r"\1", name)


def _git(git_dir: Path, *arguments: str) -> str:
    command = ["git", f"--git-dir={git_dir}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
