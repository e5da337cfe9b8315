"""A plan -> the files of its cluster. Pure: the same plan gives the same bytes, and nothing is read from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wizard.catalog import settings_in
from wizard.documents import dump
from wizard.errors import InputError, Problem, TierupError
from wizard.gitops.gates import Gates, gates, timeout
from wizard.gitops.helmreleases import helm_release, release_name
from wizard.gitops.kustomizations import BUILTIN_HEALTH, chart_kustomization, folder, part_kustomization
from wizard.gitops.layout import NAMESPACES, TERRAFORM_TIER, Node, cluster_folder
from wizard.gitops.namespaces import levels, namespace
from wizard.gitops.pages import readme, renovate
from wizard.gitops.sources import source
from wizard.gitops.substitution import unsafe_settings
from wizard.gitops.values import Contents, contents
from wizard.gitops.versions import chosen

if TYPE_CHECKING:
    from wizard.catalog import Catalog, Chart
    from wizard.order import Order
    from wizard.plan import ChartChoice, Plan

Tree = dict[str, bytes]
"""Paths in the repository, `/` between, and what they hold."""


def render(
    plan: Plan,
    catalog: Catalog,
    order: Order,
    *,
    secrets_of: Callable[[str], Collection[str]] | None = None,
    versions: Mapping[str, str] | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> Tree:
    """All files of the plan's cluster, and the two root files that are written only where there are none.

    `secrets_of` names the catalog secrets in force for a chart (default: by their `when`); `versions` are those read back from
    Git, never lowered; `extra` are further files below the cluster's folder (Terraform's roots). InputError when the catalog
    needs a setting the plan does not have.
    """
    root = cluster_folder(plan.name)
    unsafe = unsafe_settings(plan.settings)
    charts = [catalog.charts[name] for name in order.charts]
    filled = {c.id: contents(c, choice_of(plan, c), unsafe, secrets_of(c.id) if secrets_of else None) for c in charts}
    _check(charts, filled, plan.settings)
    nodes = {one for c in charts for one in _nodes(c, filled[c.id])}
    cluster = _Cluster(root, plan, catalog, gates(order, nodes), timeout(order, catalog), versions or {})
    tree: Tree = {f"{root}/tierup.yaml": plan.to_yaml().encode()}
    listed = [NAMESPACES]
    for chart in sorted(charts, key=lambda c: (_TIER_ORDER.index(c.tier), c.id)):
        parts = [one for one in _nodes(chart, filled[chart.id]) if one in nodes]
        if parts:
            listed.append(f"{chart.tier}/{chart.id}.yaml")
            _add(tree, cluster.chart(chart, filled[chart.id], parts))
    _add(tree, cluster.namespaces(c for c in charts if c.tier != TERRAFORM_TIER))
    _add(tree, {f"{root}/kustomization.yaml": _yaml(folder(listed))})
    for path in extra or {}:
        if not path.startswith(f"{root}/"):
            raise TierupError(f"{path} does not lie in {root}")
    _add(tree, extra or {})
    return {"README.md": readme().encode(), "renovate.json": renovate(plan.registry.mirror).encode(), **dict(sorted(tree.items()))}


_TIER_ORDER = ("cluster", "system", "platform", "core", "apps")


def choice_of(plan: Plan, chart: Chart) -> ChartChoice | None:
    """What the plan says of a chart; None for one that only comes along."""
    return plan.charts.get(chart.tier, {}).get(chart.id)


class _Cluster:
    """What all files of a cluster have in common."""

    def __init__(self, root: str, plan: Plan, catalog: Catalog, between: Gates, limit: str, versions: Mapping[str, str]) -> None:
        self.root, self.plan, self.catalog, self.between, self.limit, self.versions = root, plan, catalog, between, limit, versions
        self.health = dict(BUILTIN_HEALTH) | {
            (str(h.apiVersion).partition("/")[0], h.kind): {k: v for k in _HEALTH if (v := getattr(h, k, None))}
            for name in sorted(catalog.charts, reverse=True)
            for h in catalog.charts[name].health
        }

    def chart(self, chart: Chart, filled: Contents, parts: Iterable[Node]) -> Tree:
        """The Kustomizations of a chart and the folders they apply."""
        tree: Tree = {}
        kustomizations = []
        for one in parts:
            path = f"{self.root}/{chart.tier}/{one.name}"
            waits_for = self.between.kustomizations.get(one, ())
            if one.part:
                resources = filled.claims if one.part == "claims" else filled.config
                health = self._health_of(resources)
                kustomizations.append(part_kustomization(one, path, waits_for, resources=resources, health=health, timeout=self.limit))
                tree |= _part_files(path, resources)
            else:
                wait = chart.id in self.between.waiting
                kustomizations.append(chart_kustomization(one, path, waits_for, wait=wait, timeout=self.limit))
                tree |= self._chart_files(path, chart, filled)
        return {f"{self.root}/{chart.tier}/{chart.id}.yaml": _yaml(*kustomizations), **tree}

    def _chart_files(self, path: str, chart: Chart, filled: Contents) -> Tree:
        choice = choice_of(self.plan, chart)
        wanted = (choice.version if choice else None) or chart.source.version
        where = source(chart, release_name(chart), chosen(wanted, self.versions.get(chart.id)), self.plan.registry)
        waits_for = [self.catalog.charts[name] for name in self.between.releases.get(chart.id, ())]
        return {
            f"{path}/helmrelease.yaml": _yaml(helm_release(chart, filled, where.kind, waits_for)),
            f"{path}/kustomization.yaml": _yaml(folder(("source.yaml", "helmrelease.yaml"))),
            f"{path}/source.yaml": where.comment.encode() + _yaml(*where.documents),
        }

    def _health_of(self, resources: Iterable[Mapping[str, Any]]) -> list[Mapping[str, str]]:
        keys = sorted({(str(r.get("apiVersion")).partition("/")[0], str(r.get("kind"))) for r in resources})
        return [self.health[key] for key in keys if key in self.health]

    def namespaces(self, charts: Iterable[Chart]) -> Tree:
        path = f"{self.root}/{NAMESPACES}"
        found = levels(charts)
        tree = {f"{path}/{name}.yaml": _yaml(namespace(name, level)) for name, level in found.items()}
        tree[f"{path}/kustomization.yaml"] = _yaml(folder(f"{name}.yaml" for name in found))
        return tree


_HEALTH = ("apiVersion", "kind", "current", "inProgress", "failed")


def _nodes(chart: Chart, filled: Contents) -> list[Node]:
    parts = [Node(chart.id, part) for part, resources in (("claims", filled.claims), ("config", filled.config)) if resources]
    return parts if chart.tier == TERRAFORM_TIER else [Node(chart.id), *parts]


def _part_files(path: str, resources: Iterable[Mapping[str, Any]]) -> Tree:
    files: Tree = {}
    for resource in resources:
        name = f"{resource.get('kind')}-{resource.get('metadata', {}).get('name')}".lower().replace("/", "-").replace("$", "")
        while f"{path}/{name}.yaml" in files or name == "kustomization":
            name += "-2"
        files[f"{path}/{name}.yaml"] = _yaml(resource)
    return {f"{path}/kustomization.yaml": _yaml(folder(sorted(p.rpartition("/")[2] for p in files))), **files}


def _check(charts: Iterable[Chart], filled: Mapping[str, Contents], settings: Mapping[str, str]) -> None:
    problems = []
    for chart in charts:
        one = filled[chart.id]
        used = settings_in(one.claims) | settings_in(one.config) | (set() if chart.tier == TERRAFORM_TIER else settings_in(one.values))
        for name in sorted(used - settings.keys()):
            problems.append(Problem(f"chart {chart.id} needs the setting {name!r}", remedy=f"add `{name}` below `settings:` in the plan"))
        if any(r.get("kind") == "Secret" for r in (*one.claims, *one.config)):
            problems.append(
                Problem(f"chart {chart.id} would put a Secret into Git", remedy="declare it below `secrets:` of the chart's entry")
            )
    if problems:
        raise InputError(problems)


def _add(tree: Tree, more: Mapping[str, bytes]) -> None:
    for path, data in more.items():
        if path in tree:
            raise TierupError(f"two things would be written to {path}: a chart is called like another one's custom resources")
        tree[path] = data


def _yaml(*documents: Mapping[str, Any]) -> bytes:
    return "---\n".join(dump(document) for document in documents).encode()
