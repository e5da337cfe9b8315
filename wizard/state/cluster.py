"""What a probe found out about a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the API server tells of it; CPU in millicores, memory in bytes."""

    name: str
    ready: bool
    control_plane: bool = False
    cpu: int = 0
    memory: int = 0
    os_image: str = ""
    kubelet: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StorageClass:
    name: str
    provisioner: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class FluxFacts:
    """Flux as found: who made it (`tierup`, `flux-operator`, `flux bootstrap`, `unknown`) and what it follows."""

    owner: str
    version: str = ""
    url: str = ""
    path: str = ""
    ready: bool = False


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """The cluster at the time of the probe. `identity` is the UID of namespace kube-system: another one is another cluster."""

    server: str
    identity: str
    ca_fingerprint: str
    version: str
    nodes: tuple[Node, ...] = ()
    talos: bool = False
    kubeprism: bool = False
    kube_proxy: bool = False
    cni: tuple[str, ...] = ()
    storage_classes: tuple[StorageClass, ...] = ()
    ingress_classes: tuple[str, ...] = ()
    crds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    pod_security: str = ""
    flux: FluxFacts | None = None
    helm_releases: frozenset[tuple[str, str]] = frozenset()
    """(namespace, name) of every Helm release whose Secret exists."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def cpu(self) -> int:
        """Allocatable millicores of all nodes."""
        return sum(node.cpu for node in self.nodes)

    @property
    def memory(self) -> int:
        """Allocatable bytes of all nodes."""
        return sum(node.memory for node in self.nodes)

    @property
    def provides(self) -> frozenset[str]:
        """What charts may require that is here already: `storage-class`, `cni`, and the names of classes as `storage-class/NAME`."""
        found = {f"storage-class/{c.name}" for c in self.storage_classes} | {f"ingress-class/{name}" for name in self.ingress_classes}
        if self.storage_classes:
            found.add("storage-class")
        if self.cni:
            found.add("cni")
        return frozenset(found)
