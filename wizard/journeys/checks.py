"""Preflight: named checks of this machine, the cluster and the repository, each with what was found and what to do.

A check changes nothing. One that cannot be made says why; none ends in a traceback.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard import process
from wizard.cluster import Api, connect, probe
from wizard.errors import NeedsOperator, TierupError
from wizard.files import private_directory
from wizard.order import resolve
from wizard.plan import Plan
from wizard.secrets import VaultFile
from wizard.state import ClusterFacts
from wizard.state.places import Places
from wizard.state.request import Request
from wizard.terraform import program
from wizard.text import clean, seconds_in_words

ROOM = 1 << 30
"""Bytes that should be free: Terraform's providers take about 300 MB, logs and clone little."""
SKEW = 60.0
"""Seconds of difference between two clocks that TLS, tokens and ACME forgive (reliability.md 5, row 107)."""
RIGHTS = (
    ("create", "", "namespaces"),
    ("create", "", "secrets"),
    ("patch", "", "configmaps"),
    ("create", "apps", "deployments"),
    ("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("create", "coordination.k8s.io", "leases"),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """`state`: ok, warn (goes on), operator (a person must act) or failed."""

    name: str
    state: str
    found: str
    remedy: str = ""


@dataclass
class Checks:
    """The checks for one plan, or for the machine alone when there is none."""

    request: Request
    where: Places
    plan: Plan | None
    api: Api | None = None
    facts: ClusterFacts | None = None

    def __iter__(self) -> Iterator[Checked]:
        for name, check in self._all():
            try:
                yield from check(name)
            except TierupError as error:
                problem = error.problems[0]
                state = "operator" if isinstance(error, NeedsOperator) else "failed"
                yield Checked(name, state, clean(problem.what, limit=400), clean(problem.remedy, limit=400))
            except Exception as error:  # a check that breaks is a finding, not the end of all others
                yield Checked(name, "failed", f"the check itself broke ({type(error).__name__})", "report it")

    def _all(self) -> list[tuple[str, Callable[[str], Iterator[Checked]]]]:
        checks: list[tuple[str, Callable[[str], Iterator[Checked]]]] = [
            ("python", self._python),
            ("terraform", self._terraform),
            ("git", self._git),
            ("environment", self._environment),
            ("state folder", self._folder),
            ("vault", self._vault),
            ("earlier run", self._unfinished),
            ("cluster", self._cluster),
        ]
        found = [("nodes", self._nodes), ("rights", self._rights), ("storage", self._storage), ("flux", self._flux), ("clock", self._clock)]
        checks += found
        return checks + ([("order", self._order), ("repository", self._repository)] if self.plan is not None else [])

    def _python(self, name: str) -> Iterator[Checked]:
        yield Checked(name, "ok", ".".join(map(str, sys.version_info[:3])))

    def _terraform(self, name: str) -> Iterator[Checked]:
        found = program.find(None)
        yield Checked(name, "ok", f"{found.product} {found.version} at {found.path}")

    def _git(self, name: str) -> Iterator[Checked]:
        said = process.run(["git", "--version"], timeout=10, purpose="keep the repository").out.decode("utf-8", "replace").split()
        version = said[2] if len(said) > 2 else "unknown"
        numbers = tuple(int(n) for n in version.split(".")[:2] if n.isdigit())
        if numbers < (2, 38):
            raise NeedsOperator(
                f"git {version} is too old", remedy="install git 2.38 or newer: older ones cannot merge without a work tree"
            )
        yield Checked(name, "ok", version)

    def _environment(self, name: str) -> Iterator[Checked]:
        refused = program.refused_variables()
        if refused:
            yield Checked(
                name, "warn", f"set and not passed on: {', '.join(refused)}", "unset them; they make Terraform log or change things"
            )
        else:
            yield Checked(name, "ok", "nothing in it disturbs Terraform")

    def _folder(self, name: str) -> Iterator[Checked]:
        folder = private_directory(self.where.home)
        free = shutil.disk_usage(folder).free
        if free < ROOM:
            yield Checked(name, "warn", f"{free >> 20} MiB free in {folder}", f"free some space: {ROOM >> 20} MiB are a safe amount")
        else:
            yield Checked(name, "ok", f"{folder}, {free >> 30} GiB free")

    def _vault(self, name: str) -> Iterator[Checked]:
        vault = VaultFile(self.where.vault, self.where.identity, seen=self.where.vault_seen)
        vault.open()
        yield Checked(
            name, "ok", f"{len(vault.names())} values in {self.where.vault}" if vault.vault_id else "none yet; made by the first apply"
        )

    def _unfinished(self, name: str) -> Iterator[Checked]:
        from wizard.run.journal import read

        run = self.where.latest_run()
        records = read(run / "journal.jsonl") if run else []
        events = {str(r["event"]) for r in records}
        if "approved" in events and (records[-1]["event"] != "ended" or records[-1].get("code") != 0):
            yield Checked(name, "warn", f"{run.name if run else ''} did not come to its end", "`tierup resume` goes on with it")
        else:
            yield Checked(name, "ok", "nothing was left unfinished")

    def _cluster(self, name: str) -> Iterator[Checked]:
        self.api = connect(Path(self.request.kubeconfig), self.request.context or None)
        self.facts = probe(self.api)
        facts = self.facts
        yield Checked(name, "ok", f"{facts.server}, {facts.version}, identity {facts.identity}, CA {facts.ca_fingerprint[:16]}")
        for warning in facts.warnings:
            yield Checked(name, "warn", warning)

    def _nodes(self, name: str) -> Iterator[Checked]:
        if self.facts is None:
            return
        lazy = [n.name for n in self.facts.nodes if not n.ready]
        room = f"{self.facts.cpu / 1000:g} CPU, {self.facts.memory / (1 << 30):.1f} GiB"
        if lazy and self.facts.cni:
            yield Checked(name, "operator", f"not Ready: {', '.join(lazy)}", "look at them with `kubectl describe node`")
        else:
            yield Checked(name, "ok", f"{len(self.facts.nodes)} nodes, {room}, network: {', '.join(self.facts.cni) or 'none yet'}")

    def _rights(self, name: str) -> Iterator[Checked]:
        if self.api is None:
            return
        refused = [f"{verb} {resource}" for verb, group, resource in RIGHTS if not self._may(verb, group, resource)]
        if refused:
            yield Checked(name, "operator", f"not allowed: {', '.join(refused)}", "use a credential with cluster-admin")
        else:
            yield Checked(name, "ok", "all that an installation needs")

    def _may(self, verb: str, group: str, resource: str) -> bool:
        assert self.api is not None
        attributes = {"verb": verb, "group": group, "resource": resource}
        body: dict[str, Any] = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body["spec"] = {"resourceAttributes": attributes}
        answer = self.api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
        return bool((answer.get("status") or {}).get("allowed"))

    def _storage(self, name: str) -> Iterator[Checked]:
        if self.facts is None:
            return
        default = [c.name for c in self.facts.storage_classes if c.default]
        if len(default) > 1:
            yield Checked(name, "warn", f"several default storage classes: {', '.join(default)}", "leave the annotation on one of them")
        else:
            yield Checked(name, "ok", f"{len(self.facts.storage_classes)} storage classes, default: {', '.join(default) or 'none'}")

    def _flux(self, name: str) -> Iterator[Checked]:
        if self.facts is None:
            return
        flux = self.facts.flux
        if flux is not None and flux.owner != "tierup":
            yield Checked(
                name, "operator", f"Flux is there, made by {flux.owner}, follows {flux.url or 'nothing'}", "hand it over first; see README"
            )
        else:
            yield Checked(name, "ok", f"ours, version {flux.version}" if flux else "none yet")

    def _clock(self, name: str) -> Iterator[Checked]:
        if self.api is None or self.api.skew is None:
            return
        if abs(self.api.skew) > SKEW:
            words = seconds_in_words(abs(self.api.skew))
            yield Checked(name, "warn", f"the cluster's clock is {words} off", "set the clocks: TLS, tokens and ACME depend on them")
        else:
            yield Checked(name, "ok", "agrees with the cluster's")

    def _order(self, name: str) -> Iterator[Checked]:
        from wizard.catalog import load

        assert self.plan is not None
        order = resolve(self.plan, self.plan.catalog(load()), self.facts)
        brought = f", brought along: {', '.join(order.brought)}" if order.brought else ""
        yield Checked(name, "ok", f"{len(order.charts)} charts in {len(order.levels)} levels{brought}")
        unset = [f"{secret} ({variable})" for secret, variable in self.request.from_environment if not os.environ.get(variable)]
        if unset:
            yield Checked(
                "secrets",
                "operator",
                f"not in the environment: {', '.join(unset)}",
                "set them, or be asked for them by `apply` in a terminal",
            )

    def _repository(self, name: str) -> Iterator[Checked]:
        from wizard.gitops.repository import Repository
        from wizard.journeys.look import Look
        from wizard.secrets import Secret

        assert self.plan is not None
        look = Look(self.plan, self.request, self.where, self.where.home)
        look.vault = VaultFile(self.where.vault, self.where.identity, seen=self.where.vault_seen)
        look.vault.open()
        given = {n: Secret(os.environ[v]) for n, v in self.request.from_environment if os.environ.get(v)}
        repository = Repository(self.where.repository, self.plan.git.url, self.plan.git.branch, look.credential(given))
        head = repository.fetch()
        repository.can_push()
        yield Checked(
            name, "ok", f"{self.plan.git.url}, branch {self.plan.git.branch} at {head[:12] if head else 'nothing yet'}; a push is accepted"
        )
