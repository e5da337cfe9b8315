"""The journey `install`: from whatever is there to what the plan says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wizard.cluster import Lease, connect, holder_name
from wizard.errors import NeedsOperator
from wizard.flux import Board
from wizard.journeys.look import Look
from wizard.journeys.steps import ManifestStep, PushStep, StateStep, TerraformStep, TiersStep, VaultStep, lease_guard
from wizard.journeys.tiers import Tiers, survey_board
from wizard.plan import load_plan
from wizard.run.live import Live
from wizard.run.steps import Step
from wizard.secrets import Secret
from wizard.state import Phase, Proposal
from wizard.state.places import Places
from wizard.state.request import Request
from wizard.terraform.program import refused_variables


class Install:
    """Looks, proposes, and lists the steps; the engine does the rest."""

    name = "install"

    def __init__(self, run: Path, request: Request, where: Places, live: Live) -> None:
        self._run, self._request, self._where, self._live = run, request, where, live
        self._plan = load_plan(run / "plan.yaml").plan
        self._look: Look | None = None
        self._board: Board | None = None
        self._tiers: Tiers | None = None
        self._lease: Lease | None = None
        self._marks: dict[str, list[str]] = {}

    def prepare(self, given: Mapping[str, Secret]) -> Proposal:
        """Look at everything and say what would be done."""
        look = self._look = Look(self._plan, self._request, self._where, self._run)
        look.take(given)
        self._board = Board(look.order, look.catalog, revision=look.prepared.commit)
        for manifest in look.manifests:
            phase = Phase.WAITING if look.absent[manifest.chart] else Phase.READY
            self._board.set_phase(manifest.chart, phase)
        charts = survey_board(look.api, look.order, self._board)
        self._live.charts(charts, data_at="", left=None)
        return Proposal(
            digest=look.digest,
            changes=look.changes(),
            diff=look.prepared.diff,
            levels=look.order.levels,
            missing=tuple(f.name for f in look.findings if f.action == "missing"),
            warnings=self._warnings(look),
            pending=tuple(c.chart for c in charts if c.phase is not Phase.READY),
        )

    def evidence(self) -> dict[str, Any]:
        """What a later resume must find again: the cluster, the branch, the marks of Terraform's changes."""
        look = self._looked()
        marks = {root: sorted(set(self._marks.get(root, ())) | planned.marks) for root, planned in look.planned.items()}
        return {"cluster": look.facts.identity, "server": look.facts.server, "base": look.prepared.base, "marks": marks}

    def resume(self, evidence: Mapping[str, Any]) -> None:
        """Go on under an earlier approval; raises NeedsOperator when the cluster is another one."""
        if evidence.get("cluster") != self._looked().facts.identity:
            raise NeedsOperator(
                "the kubeconfig leads to another cluster than the one that was approved",
                remedy="check the context; to install onto this one run `tierup apply` and approve it",
            )
        self._marks = {root: list(marks) for root, marks in dict(evidence.get("marks", {})).items()}

    def confirm(self, proposal: Proposal) -> None:
        """What was looked at must still be so: the file the operator named, the cluster behind the address, the remote's head."""
        look = self._looked()
        source = Path(self._request.source)
        if self._request.source_digest and (
            not source.is_file() or hashlib.sha256(source.read_bytes()).hexdigest() != self._request.source_digest
        ):
            raise NeedsOperator(f"{source} was changed after it was approved", remedy="run the command again and approve what it says now")
        fresh = connect(Path(self._request.kubeconfig), self._request.context or None)
        identity = fresh.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
        if identity != look.facts.identity:
            raise NeedsOperator(
                "the kubeconfig leads to another cluster than the one that was shown", remedy="check the context, run again"
            )
        if look.repository.fetch() != look.prepared.base:
            raise NeedsOperator("the remote moved after it was looked at", remedy="run the command again; it takes in what was pushed")

    def steps(self) -> Sequence[Step]:
        look, board = self._looked(), self._board
        assert board is not None
        deadlines = {name: self._plan.deadline(look.catalog.charts[name]) for name in look.order.charts}
        self._lease = Lease(look.api, holder=holder_name(self._plan.name))
        self._tiers = Tiers(look.api, look.order, board, deadlines, self._live)
        guard = lease_guard(self._lease.lost)

        def terraform(root: str, title: str, *after: str) -> TerraformStep:
            return TerraformStep(look, root, title, after, guard, self._marks.get(root, ()), board)

        steps: list[Step] = [
            VaultStep(look),
            ManifestStep(look, board, guard),
            StateStep(look, guard),
            terraform("cluster", "Network (Terraform)", "terraform", "manifests"),
            terraform("secrets", "Secrets and ConfigMaps (Terraform)", "terraform"),
            PushStep(look, guard),
            terraform("flux", "Flux (Terraform)", "terraform-cluster", "terraform-secrets", "git"),
            TiersStep(self._tiers, look),
        ]
        for step in steps:
            self._live.step(step.id, title=step.title)
        return steps

    @contextmanager
    def hold(self, run: str) -> Iterator[None]:
        """The lease in the cluster, and live copies of what happens in it."""
        assert self._lease is not None
        assert self._tiers is not None
        self._lease.acquire(
            on_wait=lambda holder, left: self._live.change(message=f"{holder} was here: waiting {left:.0f} s whether it is alive")
        )
        try:
            self._tiers.start()
            yield
        finally:
            self._tiers.stop()
            self._lease.release()

    def close(self) -> None:
        """Nothing stays open: reflectors and lease end with `hold`."""

    def _looked(self) -> Look:
        assert self._look is not None, "prepare comes first"
        return self._look

    def _warnings(self, look: Look) -> tuple[str, ...]:
        found = [*look.facts.warnings, *look.prepared.notes]
        found += [f"{f.name}: {f.note}" for f in look.findings if f.note]
        found += [f"{chart} comes along: {why}" for chart, why in look.order.brought.items()]
        found += [f"{name} is set and not passed on to Terraform" for name in refused_variables()]
        return tuple(found)
