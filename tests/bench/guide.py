"""How long the same installation takes in the layout of Flux guides (`guide_layout`), from the start to all Ready."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from tests.bench.guide_layout import TIERS
from tests.lab import Lab
from tests.lab.driver import Tierup, until
from wizard import process
from wizard.client.connection import Connection, wait_for
from wizard.client.launch import NEEDED
from wizard.files import private_directory, write_atomic
from wizard.plan import Plan, load_preset
from wizard.secrets import Secret
from wizard.state import Activity
from wizard.state.places import places
from wizard.state.request import FILE, Request

PATIENCE = 900.0
HELM = "/apis/helm.toolkit.fluxcd.io/v2/helmreleases"
KUSTOMIZE = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"


def guide_seconds(operator: Tierup, releases: int) -> float:
    """Install into the operator's empty lab; `releases` is how many HelmReleases there must be in the end.

    The engine's own board knows nothing of this layout: the lab's API is asked, and the run is cancelled once all is Ready.
    """
    where = places(operator.name, operator.environment)
    plan = _plan(operator)
    begun = time.perf_counter()
    run = private_directory(private_directory(private_directory(where.home) / "runs") / "guide")
    write_atomic(run / "plan.yaml", plan.to_yaml())
    wanted = tuple((name, source.removeprefix("env:")) for name, source in sorted(plan.secrets.items()) if source.startswith("env:"))
    request = Request(operator.name, source=operator.preset, kubeconfig=str(operator.lab.kubeconfig), context=operator.lab.context)
    write_atomic(run / FILE, request.to_json())
    kept = {name: value for name, value in operator.environment.items() if name in (*NEEDED, "PATH", "HOME")}
    argv = [sys.executable, "-P", "-m", "tests.bench.guide_engine", str(run)]
    engine = process.start(argv, cwd=run, env=process.environment(kept), log=run / "engine.log")
    try:
        with wait_for(where.socket, 30, lambda: engine.poll() is None) as view:
            view.begin({name: Secret(operator.environment[variable]) for name, variable in wanted})
            watch = _Watch(view)
            until(lambda: watch.ended or _all_ready(operator.lab, releases), PATIENCE)
            taken = time.perf_counter() - begun
            if not _all_ready(operator.lab, releases):
                raise SystemExit(f"the guides' layout failed: {watch.message}\n{(run / 'engine.log').read_text()[-2000:]}")
            if not watch.ended:
                view.cancel()
            engine.wait(60)
            watch.join()
    finally:
        if engine.poll() is None:
            engine.kill()
    return taken


class _Watch(threading.Thread):
    """Approves the first proposal and reads on, so that the engine is not alone."""

    def __init__(self, view: Connection) -> None:
        super().__init__(daemon=True)
        self._view = view
        self.ended = False
        self.message = ""
        self.start()

    def run(self) -> None:
        approved = False
        try:
            for state in self._view.states():
                self.message = f"{state.message} {' '.join(state.problems)}"
                if state.activity is Activity.PROPOSED and state.proposal is not None and not approved:
                    approved = True
                    self._view.approve(state.proposal.digest)
        finally:
            self.ended = True


def _plan(operator: Tierup) -> Plan:
    lab = operator.lab
    return load_preset(operator.preset).plan.with_overrides(
        name=operator.name,
        git_url=lab.git_url,
        context=lab.context,
        settings={"gitUsername": lab.git_username},
        mirror=lab.registry,
        http=lab.http,
        insecure=True,
        kind="Plan",
    )


def _all_ready(lab: Lab, releases: int) -> bool:
    found = _items(lab, HELM)
    tiers = [k for k in _items(lab, KUSTOMIZE) if k["metadata"]["name"].removesuffix("-config") in TIERS]
    last = any(k["metadata"]["name"].removesuffix("-config") == TIERS[-1] for k in tiers)
    return last and len(found) >= releases and all(map(is_ready, (*found, *tiers)))


def _items(lab: Lab, path: str) -> list[dict[str, Any]]:
    from tests.lab.api import ApiError

    try:
        items: list[dict[str, Any]] = lab.api("GET", path)["items"]
    except ApiError:  # the kind comes with Flux
        return []
    return items


def is_ready(found: dict[str, Any]) -> bool:
    """Ready at the generation that is there now."""
    status = found.get("status", {})
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
    return ready and status.get("observedGeneration") == found["metadata"]["generation"]
