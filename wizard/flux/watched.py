"""What there is to watch: the kinds, and for each chart the objects it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

FLUX_NAMESPACE = "flux-system"


@dataclass(frozen=True, slots=True)
class Watch:
    """A list to keep current: the word `Board.update` knows it by, its path and parameters."""

    kind: str
    path: str
    params: tuple[tuple[str, str], ...] = ()


WATCHES = (
    Watch("Kustomization", "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"),
    Watch("HelmRelease", "/apis/helm.toolkit.fluxcd.io/v2/helmreleases"),
    Watch("GitRepository", "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"),
    Watch("OCIRepository", "/apis/source.toolkit.fluxcd.io/v1/ocirepositories"),
    Watch("HelmRepository", "/apis/source.toolkit.fluxcd.io/v1/helmrepositories"),
    Watch("HelmChart", "/apis/source.toolkit.fluxcd.io/v1/helmcharts"),
    Watch("FluxInstance", "/apis/fluxcd.controlplane.io/v1/fluxinstances"),
    Watch("Pod", "/api/v1/pods"),
    Watch("Event", "/api/v1/events", (("fieldSelector", "type=Warning"),)),
    Watch("ClaimEvent", "/api/v1/events", (("fieldSelector", "type=Normal,involvedObject.kind=PersistentVolumeClaim"),)),
    Watch("Deployment", "/apis/apps/v1/deployments"),
    Watch("StatefulSet", "/apis/apps/v1/statefulsets"),
    Watch("DaemonSet", "/apis/apps/v1/daemonsets"),
    Watch("Job", "/apis/batch/v1/jobs"),
    Watch("PersistentVolumeClaim", "/api/v1/persistentvolumeclaims"),
    Watch("StorageClass", "/apis/storage.k8s.io/v1/storageclasses"),
    Watch("Node", "/api/v1/nodes"),
)
"""FailedBinding and ExternalProvisioning of claims are Normal events, so those have a watch of their own."""
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


class OrderLike(Protocol):
    """What a board needs of an Order."""

    @property
    def charts(self) -> tuple[str, ...]: ...


class CatalogLike(Protocol):
    """What a board needs of a Catalog."""

    @property
    def charts(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Watched:
    """A chart and what it is judged by. `claims` and `config`: it has a Kustomization of that name. `workloads` are (kind, name) in its
    namespace, needed for charts that are not Flux's. `usual`: seconds it usually takes."""

    chart: str
    tier: str
    namespace: str = ""
    release: str = ""
    claims: bool = False
    config: bool = False
    workloads: tuple[tuple[str, str], ...] = field(default=())
    usual: float = 0.0

    @property
    def by_flux(self) -> bool:
        """Installed by Flux; charts of tier cluster are Terraform's."""
        return self.tier != "cluster"

    @property
    def kustomizations(self) -> tuple[str, ...]:
        """Names of its Kustomizations in flux-system, in the order they are applied."""
        return (*([f"{self.chart}-claims"] if self.claims else []), self.chart, *([f"{self.chart}-config"] if self.config else []))


def watched(order: OrderLike, catalog: CatalogLike) -> tuple[Watched, ...]:
    """The charts of an order with what the catalog says of them."""
    return tuple(_one(name, catalog.charts[name]) for name in order.charts)


def _one(name: str, chart: Any) -> Watched:
    return Watched(
        chart=name,
        tier=str(chart.tier),
        namespace=str(chart.namespace or ""),
        release=str(chart.release or name),
        claims=bool(chart.resources.claims),
        config=bool(chart.resources.config),
        workloads=tuple((str(w.kind), str(w.name)) for w in chart.workloads or ()),
        usual=float(chart.ready.after if chart.ready else 0.0),
    )
