"""The look before anything is done: cluster, repository, secrets, Terraform; nothing is changed outside the state folder.

What can be looked at side by side is: a second `apply` that finds nothing to do is a few seconds, most of them Terraform's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wizard.catalog import Catalog, ManifestSource
from wizard.catalog import load as load_catalog
from wizard.cluster import Api, connect, probe
from wizard.errors import NeedsOperator, TierupError
from wizard.gitops.credential import Credential, SshKey, Token
from wizard.gitops.reading import files_at
from wizard.gitops.render import render
from wizard.gitops.repository import Prepared, Repository
from wizard.journeys import manifests
from wizard.order import Order, resolve
from wizard.order.needs import KubernetesSecret, git_username, is_ssh, kubernetes_secrets, secret_needs
from wizard.plan import Plan, check
from wizard.secrets import Finding, Need, Secret, Source, VaultFile, load_sources, parse_source, survey
from wizard.state import Change, ClusterFacts
from wizard.state.places import Places
from wizard.state.request import Request
from wizard.terraform import backend, inputs, program, recovery
from wizard.terraform.review import TerraformPlan
from wizard.terraform.terraform import Terraform


@dataclass
class Look:
    """Everything a proposal is made of, and what the steps work with."""

    plan: Plan
    request: Request
    where: Places
    run: Path
    catalog: Catalog = field(init=False)
    api: Api = field(init=False)
    facts: ClusterFacts = field(init=False)
    order: Order = field(init=False)
    vault: VaultFile = field(init=False)
    findings: tuple[Finding, ...] = ()
    kubernetes_secrets: tuple[KubernetesSecret, ...] = ()
    repository: Repository = field(init=False)
    prepared: Prepared = field(init=False)
    manifests: tuple[manifests.Manifest, ...] = ()
    absent: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    terraform: dict[str, Terraform] = field(default_factory=dict)
    planned: dict[str, TerraformPlan] = field(default_factory=dict)
    fresh: tuple[str, ...] = ()
    """Roots that have no state in the cluster yet."""
    strays: recovery.Strays = field(default_factory=recovery.Strays)

    def take(self, given: Mapping[str, Secret]) -> None:
        """Look at everything. Raises TierupError with what stands in the way."""
        self.catalog = self.plan.catalog(load_catalog())
        self.vault = VaultFile(self.where.vault, self.where.identity, seen=self.where.vault_seen)
        self.vault.open()
        self.repository = Repository(self.where.repository, self.plan.git.url, self.plan.git.branch, self.credential(given))
        with ThreadPoolExecutor(4, "look") as side:
            head = side.submit(self._fetch)
            self.api = connect(Path(self.request.kubeconfig), self.request.context or None)
            facts = side.submit(probe, self.api)
            program.find(None)
            self.facts = facts.result()
            self.order = resolve(self.plan, self.catalog, self.facts)
            check(self.plan, self.catalog, charts=self.order.charts)
            needs = secret_needs(self.plan, self.catalog, self.order)
            self.findings = survey(needs, self.vault, self._sources(), given)
            self.kubernetes_secrets = kubernetes_secrets(self.plan, self.catalog, self.order)
            base = head.result()
            self._render(base)
            self._plan_terraform(side)

    @property
    def values(self) -> dict[str, Secret]:
        """Every value that is known: from the vault, or about to be stored there."""
        held = {name: entry.value for name in self.vault.names() if (entry := self.vault.get(name)) is not None}
        return held | {f.name: f.value for f in self.findings if f.value is not None}

    @property
    def revisions(self) -> dict[str, int]:
        """The revision each value will have once the findings are stored."""
        found = {}
        for finding in self.findings:
            held = self.vault.get(finding.name)
            found[finding.name] = (held.revision if held else 0) + (finding.value is not None) or 1
        return found

    @property
    def digest(self) -> str:
        """Stands for all that is proposed: plan, cluster, base and result in Git, Terraform's changes, secrets, manifests."""
        parts = [
            self.plan.digest,
            self.request.source_digest,
            self.facts.identity,
            self.prepared.base or "",
            self.prepared.tree_hash,
            *(f"{root}={self.planned[root].digest}" for root in inputs.ROOTS),
            *(f"{f.name}={f.action}" for f in self.findings),
            *(m.digest for m in self.manifests if self.absent.get(m.chart)),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]

    def changes(self) -> tuple[Change, ...]:
        """Everything that would be done, in the order in which it comes up."""
        found: list[Change] = []
        for finding in self.findings:
            if finding.value is not None:
                action = "update" if finding.action == "replace" else "create"
                # What a view read for us came from where the plan says: its environment, or the operator's hands.
                origin = self.plan.secrets.get(finding.name, "given") if finding.origin == "given" else finding.origin
                found.append(Change("secret", action, finding.name, f"{origin}, {finding.purpose}"))
        for manifest in self.manifests:
            found += manifests.changes(manifest, self.absent[manifest.chart])
        for root in self.fresh:
            found.append(
                Change("object", "create", f"Secret {backend.NAMESPACE}/tfstate-default-{backend.suffix(root)}", "Terraform's state")
            )
        for root in inputs.ROOTS:
            found += self.planned[root].changes
        return (*found, *self.prepared.changes)

    def _fetch(self) -> str | None:
        head = self.repository.fetch()
        if self.request.mode != "plan" and head is None:
            self.repository.can_push()
        return head

    def _sources(self) -> dict[str, Source]:
        stated = {name: parse_source(text, None) for name, text in self.plan.secrets.items()}
        local = load_sources(self.where.sources) if self.where.sources.exists() else {}
        return {**stated, **local}

    def credential(self, given: Mapping[str, Secret]) -> Credential | None:
        """What the repository is read and pushed with; None when it is public or nothing was given yet."""
        name = self.plan.git.credential
        if not name:
            return None
        sources = self._sources()
        if is_ssh(self.plan.git.url):
            source = sources.get(name)
            if source is None or source.kind != "file":
                raise NeedsOperator(
                    f"the SSH key {name} must be a file on this machine",
                    remedy=f"name it in {self.where.sources}: `{name}: {{file: /path/to/key}}`, or use an https:// address with a token",
                )
            return SshKey(Path(source.argument))
        (found,) = survey([Need(name, "password or token that may push to the repository")], self.vault, sources, given)
        held = self.vault.get(name)
        value = found.value or (held.value if held else None)
        return Token(value, git_username(self.plan)) if value is not None else None

    def _render(self, base: str | None) -> None:
        kept = files_at(self.repository.git, base, f"clusters/{self.plan.name}/cluster/")
        charts = [self.catalog.charts[name] for name in self.order.charts]
        self.manifests = tuple(manifests.obtain(c, self.plan, kept.get) for c in charts if isinstance(c.source, ManifestSource))
        self.absent = {m.chart: manifests.absent(m, self.api) for m in self.manifests}
        extra = inputs.tree(self.plan, self.catalog, self.order, self.revisions)
        for manifest in self.manifests:
            version = self.catalog.charts[manifest.chart].source.version
            extra[manifests.repository_path(self.plan.name, manifest.chart, version)] = manifest.data
        versions = self.repository.versions_in(self.plan.name)
        tree = render(self.plan, self.catalog, self.order, versions=versions, extra=extra)
        message = f"Install {self.plan.name} with tierup" if base is None else f"Update {self.plan.name} with tierup"
        self.prepared = self.repository.prepare(tree, cluster=self.plan.name, message=message, secrets=self.values)

    def _plan_terraform(self, side: ThreadPoolExecutor) -> None:
        folder = f"clusters/{self.plan.name}/terraform/"
        files = files_at(self.repository.git, self.prepared.commit, folder)
        for root in inputs.ROOTS:
            terraform = self.terraform[root] = Terraform(
                None,
                self.where.terraform / root,
                Path(self.request.kubeconfig),
                self.request.context or None,
                self.run / "terraform",
                machine=inputs.machine(root, self.plan, self.catalog, self.order, self.facts),
            )
            terraform.stage(inputs.root_files(files, self.plan.name, root))
            terraform.settle()
        # The backend writes an empty state where there is none, to initialise and even to plan: a look must not.
        self.fresh = tuple(root for root in inputs.ROOTS if self.api.find(backend.state_path(root)) is None)
        known = [root for root in inputs.ROOTS if root not in self.fresh]
        for root in known:
            self.terraform[root].init()
        problems: list[TierupError] = []
        # One after another, and no plan before the last `init`: each init puts the providers anew into the cache that all link to.
        for root in self.fresh:
            self.planned[root] = self.terraform[root].plan(fresh=True, foreign=self.facts.helm_releases)
        running = {root: side.submit(self.terraform[root].plan, foreign=self.facts.helm_releases) for root in known}
        for root, future in running.items():
            try:
                self.planned[root] = future.result()
            except TierupError as error:
                problems.append(error)
        if problems:
            raise problems[0]
        creates = [p.address for p in self.planned["secrets"].planned if p.action == "create"]
        self.strays = recovery.strays(self.api, creates, self.plan.name)
        if self.strays.foreign:
            raise NeedsOperator(
                f"already in the cluster and not made by tierup: {', '.join(self.strays.foreign)}",
                remedy="delete them, or move them out of the way; tierup takes nothing over silently",
            )
