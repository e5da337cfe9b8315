"""The steps of an installation. Each looks before it acts and looks again afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wizard.clock import SYSTEM, Clock, stamp
from wizard.cluster import Api
from wizard.errors import Locked, TierupError
from wizard.flux import Board
from wizard.journeys.look import Look
from wizard.journeys.tiers import Tiers
from wizard.run.steps import Probe, Verdict
from wizard.secrets import store
from wizard.state import Phase
from wizard.terraform import backend, recovery
from wizard.terraform.events import Event
from wizard.terraform.inputs import SecretValues

Tell = Callable[[str], None]
DONE = Probe(Verdict.DONE)
GIT_REPOSITORY = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system"


@dataclass
class VaultStep:
    """Every value that was typed, read or generated goes into the vault file before anything else is changed."""

    look: Look
    id: str = "vault"
    title: str = "Secrets into the vault file"
    after: tuple[str, ...] = ()

    def probe(self) -> Probe:
        new = [f.name for f in self.look.findings if f.value is not None]
        return Probe(Verdict.ABSENT, f"{len(new)} to store") if new else DONE

    def apply(self, tell: Tell, cancel: threading.Event) -> Mapping[str, Any]:
        store(self.look.vault, self.look.findings)
        return {"generation": self.look.vault.generation}

    def verify(self) -> Probe:
        lost = [f.name for f in self.look.findings if self.look.vault.get(f.name) is None]
        return Probe(Verdict.ABSENT, f"not in the vault: {', '.join(lost)}") if lost else DONE


@dataclass
class ManifestStep:
    """CRDs that must be there before Cilium."""

    look: Look
    board: Board
    guard: Callable[[], None]
    id: str = "manifests"
    title: str = "Types the network needs"
    after: tuple[str, ...] = ("vault",)

    def probe(self) -> Probe:
        return DONE if self._ready() else Probe(Verdict.ABSENT)

    def apply(self, tell: Tell, cancel: threading.Event) -> Mapping[str, Any]:
        self.guard()
        for manifest in self.look.manifests:
            self.board.set_phase(manifest.chart, Phase.APPLYING, "applying its types")
            for obj in self.look.absent[manifest.chart]:
                self.look.api.apply(obj, force=True)
        return {m.chart: m.digest for m in self.look.manifests}

    def verify(self) -> Probe:
        from wizard.journeys import manifests

        self.look.absent = {m.chart: manifests.absent(m, self.look.api) for m in self.look.manifests}
        return DONE if self._ready() else Probe(Verdict.PARTIAL, "some types are not there")

    def _ready(self) -> bool:
        for manifest in self.look.manifests:
            if not self.look.absent[manifest.chart]:
                self.board.set_phase(manifest.chart, Phase.READY)
        return not any(self.look.absent.values())


@dataclass
class StateStep:
    """Terraform's states, empty, in the cluster, and the providers on this machine: root by root, since all share one cache."""

    look: Look
    guard: Callable[[], None]
    id: str = "terraform"
    title: str = "Terraform's state and providers"
    after: tuple[str, ...] = ("vault",)

    def probe(self) -> Probe:
        return Probe(Verdict.ABSENT) if self.look.fresh else DONE

    def apply(self, tell: Tell, cancel: threading.Event) -> Mapping[str, Any]:
        self.guard()
        for root in self.look.fresh:
            tell(root)
            # Forced: this machine may have initialised the root for an earlier cluster, and then would find nothing to do.
            self.look.terraform[root].init(force=True)
        return {"roots": list(self.look.fresh)}

    def verify(self) -> Probe:
        lost = [root for root in self.look.fresh if self.look.api.find(backend.state_path(root)) is None]
        return Probe(Verdict.PARTIAL, f"no state of {', '.join(lost)}") if lost else DONE


@dataclass
class TerraformStep:
    """One root: planned again with the values, applied only as far as it is what was approved."""

    look: Look
    root: str
    title: str
    after: tuple[str, ...]
    guard: Callable[[], None]
    approved: Iterable[str]
    board: Board | None = None

    @property
    def id(self) -> str:
        return f"terraform-{self.root}"

    def probe(self) -> Probe:
        planned = self.look.planned[self.root]
        return DONE if planned.empty else Probe(Verdict.ABSENT, f"{len(planned.changes)} changes")

    def apply(self, tell: Tell, cancel: threading.Event) -> Mapping[str, Any]:
        self.guard()
        self._recover()
        self._show(Phase.APPLYING, "Terraform installs it")

        def on_event(event: Event) -> None:
            tell(f"{event.address}: {event.action} {event.phase}")

        values = SecretValues(self.look.kubernetes_secrets, self.look.values) if self.root == "secrets" else None
        try:
            done = self.look.terraform[self.root].apply(
                values, self.look.planned[self.root].digest, on_event, cancel, approved=self.approved
            )
        except TierupError as error:
            self._show(Phase.FAILED, error.problems[0].what)
            raise
        return {"changes": len(done.changes)}

    def verify(self) -> Probe:
        """In the cluster itself: the Secrets with their keys, the Helm releases deployed."""
        missing = self._missing_secrets() if self.root == "secrets" else self._missing_releases()
        if missing:
            return Probe(Verdict.PARTIAL, f"not in the cluster: {', '.join(missing)}")
        for chart in self._charts():
            if self.board is not None:
                self.board.clear_phase(chart)
        return DONE

    def _recover(self) -> None:
        """Clear what a killed Terraform left half-made: its own objects without a record, releases that are pending for ever."""
        api = self.look.api
        if self.root == "secrets":
            recovery.remove(api, self.look.strays.ours)
        else:
            recovery.remove(api, recovery.pending_releases(api, self._releases()))

    def _missing_secrets(self) -> list[str]:
        wanted = {s.id: ",".join(s.keys) for s in self.look.kubernetes_secrets}
        found = {}
        for meta in (
            item["metadata"] for item in self.look.api.metadata("/api/v1/secrets", labelSelector=f"{recovery.LABEL}={self.look.plan.name}")
        ):
            found[f"{meta['namespace']}/{meta['name']}"] = (meta.get("annotations") or {}).get("tierup/keys", "")
        return sorted(name for name, keys in wanted.items() if found.get(name) != keys)

    def _missing_releases(self) -> list[str]:
        missing = []
        for namespace, name in self._releases():
            selector = f"owner=helm,name={name},status=deployed"
            if not self.look.api.metadata(f"/api/v1/namespaces/{namespace}/secrets", labelSelector=selector):
                missing.append(f"Helm release {namespace}/{name}")
        return missing

    def _releases(self) -> list[tuple[str, str]]:
        if self.root == "flux":
            return [("flux-system", "flux-operator"), ("flux-system", "flux")]
        charts = [self.look.catalog.charts[name] for name in self._charts()]
        return [(c.namespace, c.release or c.id) for c in charts]

    def _charts(self) -> list[str]:
        """The charts that this root installs."""
        if self.root != "cluster":
            return []
        manifests = {m.chart for m in self.look.manifests}
        return [c for c in self.look.order.charts if self.look.catalog.charts[c].tier == "cluster" and c not in manifests]

    def _show(self, phase: Phase, message: str) -> None:
        for chart in self._charts():
            if self.board is not None:
                self.board.set_phase(chart, phase, message)


@dataclass
class PushStep:
    """The commit goes to the remote, fast-forward only."""

    look: Look
    guard: Callable[[], None]
    id: str = "git"
    title: str = "Files into the repository"
    after: tuple[str, ...] = ("vault",)

    def probe(self) -> Probe:
        return DONE if self.look.prepared.empty else Probe(Verdict.ABSENT)

    def apply(self, tell: Tell, cancel: threading.Event) -> Mapping[str, Any]:
        self.guard()
        self.look.repository.push(self.look.prepared)
        return {"commit": self.look.prepared.commit, "tree": self.look.prepared.tree_hash}

    def verify(self) -> Probe:
        head = self.look.repository.fetch()
        return DONE if head == self.look.prepared.commit else Probe(Verdict.PARTIAL, f"the remote is at {head}")


@dataclass
class TiersStep:
    """Until every chart is Ready; Flux does the work."""

    tiers: Tiers
    look: Look | None = None
    clock: Clock = SYSTEM
    id: str = "tiers"
    title: str = "Tiers come up"
    after: tuple[str, ...] = ("manifests", "terraform-cluster", "terraform-secrets", "git", "terraform-flux")

    def probe(self) -> Probe:
        return Probe(Verdict.PARTIAL)

    def apply(self, tell: Tell, cancel: threading.Event) -> Mapping[str, Any]:
        if self.look is not None:
            ask_flux(self.look.api, self.look.prepared.commit, self.clock)
        self.tiers.wait(cancel)
        return {"charts": len(self.tiers.board.charts())}

    def verify(self) -> Probe:
        late = [c.chart for c in self.tiers.board.charts() if c.phase is not Phase.READY]
        return Probe(Verdict.PARTIAL, f"not Ready: {', '.join(late)}") if late else DONE


def ask_flux(api: Api, commit: str, clock: Clock = SYSTEM) -> bool:
    """Have Flux read the repository now, as `flux reconcile source git` does; by itself it looks once a minute. True if it was asked:
    not when there is no GitRepository yet (a new one is read at once), nor when it holds our commit already."""
    source = api.find(GIT_REPOSITORY)
    if source is None or commit in str(((source.get("status") or {}).get("artifact") or {}).get("revision", "")):
        return False
    api.patch(GIT_REPOSITORY, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": stamp(clock.now())}}})
    return True


def lease_guard(lost: threading.Event) -> Callable[[], None]:
    """Raises Locked once the cluster's lease is lost: somebody else may be at work."""

    def guard() -> None:
        if lost.is_set():
            raise Locked("the lease on the cluster was lost: another run may be at work", remedy="look there first, then `tierup resume`")

    return guard
