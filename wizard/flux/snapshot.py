"""The newest objects by kind, with the look-ups that judging a chart needs. Made anew for each look: it never changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from wizard.flux.fields import mapping, name_of, sequence, text
from wizard.flux.watched import FLUX_NAMESPACE, WORKLOADS, Watched

Object = dict[str, Any]
Key = tuple[str, str]

_RELEASE_NAME, _RELEASE_NAMESPACE = "helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace"
_INSTANCE = "app.kubernetes.io/instance"


class Snapshot:
    """`objects`: kind -> (namespace, name) -> object. Pods have no label of their HelmRelease, so they are followed upwards: pod ->
    ReplicaSet (by its name less the hash) -> workload -> its label, its Helm release or the inventory that holds it."""

    def __init__(self, objects: Mapping[str, Mapping[Key, Object]], charts: Iterable[Watched]) -> None:
        self._objects = objects
        self._by_release = {(c.namespace, c.release): c.chart for c in charts}
        self._by_release |= {(c.namespace, c.chart): c.chart for c in charts if (c.namespace, c.chart) not in self._by_release}
        self._by_inventory = self._inventories(charts)
        self.workloads: dict[str, list[Object]] = defaultdict(list)
        self.pods: dict[str, list[Object]] = defaultdict(list)
        self.claims: dict[str, list[Object]] = defaultdict(list)
        self._owner: dict[tuple[str, str, str], str] = {}
        for kind in WORKLOADS:
            for (namespace, name), item in self.kind(kind).items():
                chart = self._chart_of(kind, namespace, name, item)
                if chart:
                    self.workloads[chart].append(item)
        for (namespace, name), item in self.kind("Pod").items():
            chart = self._chart_of("Pod", namespace, name, item)
            if chart:
                self.pods[chart].append(item)
        self._sort_claims()
        self._events: dict[tuple[str, str, str], list[Object]] | None = None

    def kind(self, kind: str) -> Mapping[Key, Object]:
        """The objects of a kind; none when it is not watched."""
        return self._objects.get(kind) or {}

    def kustomization(self, name: str) -> Object | None:
        return self.kind("Kustomization").get((FLUX_NAMESPACE, name))

    def release(self, chart: Watched) -> Object | None:
        """The HelmRelease of a chart, by its release name or its id."""
        found = self.kind("HelmRelease")
        return found.get((chart.namespace, chart.release)) or found.get((chart.namespace, chart.chart))

    def source(self, release: Object | None) -> Object | None:
        """Where a HelmRelease's chart comes from: its OCIRepository, or its HelmChart, or (before that) its HelmRepository."""
        if release is None:
            return None
        namespace, name = name_of(release)
        ref = mapping(release, "spec", "chartRef")
        if ref:
            return self.kind(text(ref.get("kind"))).get((text(ref.get("namespace")) or namespace, text(ref.get("name"))))
        inner = mapping(release, "spec", "chart", "spec", "sourceRef")
        place = text(inner.get("namespace")) or namespace
        made = text(mapping(release, "status").get("helmChart")).partition("/")
        chart = self.kind("HelmChart").get((made[0], made[2])) or self.kind("HelmChart").get((place, f"{namespace}-{name}"))
        return chart or self.kind(text(inner.get("kind"))).get((place, text(inner.get("name"))))

    def chart_of_release(self, namespace: str, name: str) -> str | None:
        return self._by_release.get((namespace, name))

    def events(self, objects: Iterable[Object]) -> list[Object]:
        """Events about any of the objects, newest first. A Deployment's ReplicaSets count as the Deployment."""
        if self._events is None:
            self._events = defaultdict(list)
            for kind in ("Event", "ClaimEvent"):
                for item in self.kind(kind).values():
                    about = mapping(item, "involvedObject")
                    name = text(about.get("name"))
                    if about.get("kind") == "ReplicaSet":
                        self._events["Deployment", text(about.get("namespace")), name.rpartition("-")[0]].append(item)
                    self._events[text(about.get("kind")), text(about.get("namespace")), name].append(item)
        found: list[Object] = []
        for item in objects:
            found += self._events.get((text(item.get("kind")), *name_of(item)), [])
        return sorted(found, key=event_time, reverse=True)

    def _chart_of(self, kind: str, namespace: str, name: str, item: Object, depth: int = 0) -> str:
        known = self._owner.get((kind, namespace, name))
        if known is not None:
            return known
        chart = self._labelled(namespace, item) or self._by_inventory.get((kind, namespace, name), "")
        if not chart and depth < 6:
            chart = self._above(namespace, item, depth)
        if not chart:
            instance = text(mapping(item, "metadata", "labels").get(_INSTANCE))
            chart = self._by_release.get((namespace, instance), "") if instance else ""
        self._owner[kind, namespace, name] = chart
        return chart

    def _labelled(self, namespace: str, item: Object) -> str:
        labels, notes = mapping(item, "metadata", "labels"), mapping(item, "metadata", "annotations")
        by_flux = (text(labels.get(_RELEASE_NAMESPACE)), text(labels.get(_RELEASE_NAME)))
        by_helm = (text(notes.get("meta.helm.sh/release-namespace")), text(notes.get("meta.helm.sh/release-name")))
        return self._by_release.get(by_flux) or self._by_release.get(by_helm) or ""

    def _above(self, namespace: str, item: Object, depth: int) -> str:
        for owner in sequence(item, "metadata", "ownerReferences"):
            kind, name = text(mapping(owner).get("kind")), text(mapping(owner).get("name"))
            if kind == "ReplicaSet":
                kind, name = "Deployment", name.rpartition("-")[0]
            above = self.kind(kind).get((namespace, name))
            chart = (
                self._chart_of(kind, namespace, name, above, depth + 1) if above else self._by_inventory.get((kind, namespace, name), "")
            )
            if chart:
                return chart
        return ""

    def _inventories(self, charts: Iterable[Watched]) -> dict[tuple[str, str, str], str]:
        """(kind, namespace, name) of what HelmReleases and Kustomizations say they made -> chart."""
        found: dict[tuple[str, str, str], str] = {}
        for chart in charts:
            for holder in (self.release(chart), *(self.kustomization(name) for name in chart.kustomizations)):
                for entry in sequence(holder, "status", "inventory", "entries"):
                    parts = text(mapping(entry).get("id")).split("_")
                    if len(parts) == 4 and parts[3] not in ("Kustomization", "HelmRelease"):
                        found[parts[3], parts[0], parts[1]] = chart.chart
        return found

    def _sort_claims(self) -> None:
        """A claim belongs to the chart of the pods that mount it, else to the chart its own labels or inventory name."""
        mounted: dict[Key, str] = {}
        for chart, pods in self.pods.items():
            for pod in pods:
                for volume in sequence(pod, "spec", "volumes"):
                    claim = text(mapping(volume, "persistentVolumeClaim").get("claimName"))
                    if claim:
                        mounted[name_of(pod)[0], claim] = chart
        for (namespace, name), item in self.kind("PersistentVolumeClaim").items():
            chart = mounted.get((namespace, name)) or self._chart_of("PersistentVolumeClaim", namespace, name, item)
            if chart:
                self.claims[chart].append(item)


def event_time(event: Object) -> str:
    """When an event last happened, as the server wrote it."""
    series = text(mapping(event, "series").get("lastObservedTime"))
    own = [text(event.get(name)) for name in ("lastTimestamp", "eventTime", "firstTimestamp")]
    return max([series, *own, text(mapping(event, "metadata").get("creationTimestamp"))])
