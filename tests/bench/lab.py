"""How fast a bootstrap is against what its dependency graph allows, measured in one run in the lab.

`apply` is timed from the command to all tiers Ready. The floor is what cannot overlap (the look, Cilium by Terraform, the Flux
bootstrap up to the first commit applied) plus the longest path of the charts' solo times. A chart's solo time is measured
afterwards on the same, now idle lab: its HelmRelease is deleted, Flux puts it back, and the time until it is Ready again counts;
a set of custom resources (`-claims`, `-config`) likewise by its Kustomization. Solo means: all it waits for is Ready.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.guide import guide_seconds, is_ready
from tests.bench.table import Figure
from tests.lab import Lab
from tests.lab.driver import Tierup, until
from wizard.catalog import load as load_catalog
from wizard.order import Order, resolve
from wizard.plan import load_preset

HELM = "/apis/helm.toolkit.fluxcd.io/v2"
KUSTOMIZE = "/apis/kustomize.toolkit.fluxcd.io/v1"


def lab_figures() -> list[Figure]:
    """Bring a lab up, install the homelab preset, measure, take it down."""
    home = Path(tempfile.mkdtemp(prefix="tierup-bench-"))
    with Lab.up(f"bench-{os.getpid()}") as lab:
        operator = Tierup(lab, _new(home / "home"))
        begun = time.perf_counter()
        done = operator.apply()
        taken = time.perf_counter() - begun
        load = os.getloadavg()[0]
        if done.returncode != 0:
            raise SystemExit(f"the installation failed:\n{done.stdout[-3000:]}")
        begun = time.perf_counter()
        again = operator.apply()
        second = time.perf_counter() - begun
        plan = load_preset(operator.preset).plan
        order = resolve(plan, load_catalog(), None)
        before = _before_tiers(operator)
        path, names = _longest(lab, order)
        releases = len(lab.api("GET", f"{HELM}/helmreleases")["items"])
        lab.reset()
        guide = guide_seconds(Tierup(lab, _new(home / "guide")), releases)
        load_then = os.getloadavg()[0]
    shutil.rmtree(home, ignore_errors=True)
    return [
        Figure("homelab: apply to all Ready", taken, "s"),
        Figure("  load of the machine (1 min) at its end", load, ""),
        Figure("  until Flux applied the first commit", before, "s"),
        Figure(f"  longest path of solo times ({' > '.join(names)})", path, "s"),
        Figure("homelab: apply / floor", taken / (before + path), "times", 1.2),
        Figure("homelab: second apply, nothing to do", second if again.returncode == 0 else float("inf"), "s", 10),
        Figure("homelab: one Kustomization per tier", guide, "s"),
        Figure("  load of the machine (1 min) at its end", load_then, ""),
        Figure("homelab: one Kustomization per tier / apply", guide / taken, "times"),
    ]


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _before_tiers(operator: Tierup) -> float:
    """Seconds from the start of the run until the charts' Kustomizations were there."""
    run = sorted((operator.state / "runs").iterdir())[0]
    started = datetime.fromisoformat(json.loads((run / "snapshot.json").read_text())["started"])
    made = [k["metadata"]["creationTimestamp"] for k in operator.lab.api("GET", f"{KUSTOMIZE}/kustomizations")["items"]]
    first = min(datetime.fromisoformat(m) for m in sorted(made)[1:])  # the first of all is Flux's own
    return (first - started).total_seconds()


def _longest(lab: Lab, order: Order) -> tuple[float, tuple[str, ...]]:
    releases = {r["metadata"]["name"]: r for r in lab.api("GET", f"{HELM}/helmreleases")["items"]}
    solo: dict[str, float] = {}
    for name in order.charts:
        release = releases.get(name)
        if release is not None:
            path = f"{HELM}/namespaces/{release['metadata']['namespace']}/helmreleases/{name}"
            solo[name] = _again(lab, path, name)
    kustomizations = {k["metadata"]["name"] for k in lab.api("GET", f"{KUSTOMIZE}/kustomizations")["items"]}
    for chart in order.charts:
        for part in ("claims", "config"):
            if f"{chart}-{part}" in kustomizations:
                path = f"{KUSTOMIZE}/namespaces/flux-system/kustomizations/{chart}-{part}"
                solo[f"{chart}/{part}"] = _again(lab, path, "flux-system")
    return order.longest(solo)


def _again(lab: Lab, path: str, owner: str) -> float:
    """Delete an object, have the Kustomization it comes from put it back, and wait until it is Ready: seconds."""
    found = lab.api("GET", path)
    uid = found["metadata"]["uid"]
    lab.api("DELETE", path)
    until(lambda: _gone(lab, path), 60)
    for entry in (found.get("status", {}).get("inventory") or {}).get("entries", []) if found["kind"] == "Kustomization" else []:
        _remove(lab, entry)  # claims are orphaned by design: left in place they would be Ready at once
    begun = time.perf_counter()
    note = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": str(time.time_ns())}}}
    lab.api("PATCH", f"{KUSTOMIZE}/namespaces/flux-system/kustomizations/{owner}", note, content_type="application/merge-patch+json")
    until(lambda: _ready(lab, path, uid), 120)
    return time.perf_counter() - begun


def _remove(lab: Lab, entry: dict[str, str]) -> None:
    namespace, name, group, kind = entry["id"].split("_")
    base = f"/apis/{group}/{entry['v']}" if group else f"/api/{entry['v']}"
    plural = next(r["name"] for r in lab.api("GET", base)["resources"] if r["kind"] == kind and "/" not in r["name"])
    path = f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"
    if any(item["metadata"]["name"] == name for item in lab.api("GET", path)["items"]):
        lab.api("DELETE", f"{path}/{name}")
        until(lambda: _gone(lab, f"{path}/{name}"), 60)


def _gone(lab: Lab, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return all(item["metadata"]["name"] != name for item in lab.api("GET", folder)["items"])


def _ready(lab: Lab, path: str, uid: str) -> bool:
    folder, _, name = path.rpartition("/")
    found: list[dict[str, Any]] = [
        i for i in lab.api("GET", folder)["items"] if i["metadata"]["name"] == name and i["metadata"]["uid"] != uid
    ]
    return bool(found) and is_ready(found[0])
