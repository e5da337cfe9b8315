"""Which network runs: CNI and kube-proxy, by what can be seen of them from outside the nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_CNI = {
    "cilium": "cilium",
    "calico-node": "calico",
    "canal": "canal",
    "rke2-canal": "canal",
    "kube-flannel": "flannel",
    "kube-flannel-ds": "flannel",
    "weave-net": "weave",
    "antrea-agent": "antrea",
    "kube-router": "kube-router",
    "kindnet": "kindnet",
    "aws-node": "aws-vpc",
    "azure-cns": "azure",
    "ovnkube-node": "ovn",
    "kube-ovn-cni": "kube-ovn",
    "cilium-envoy": "",
}
"""DaemonSet name -> network. multus and the like only add to one."""
_REASONS = {"CalicoIsUp": "calico", "CiliumIsUp": "cilium", "FlannelIsUp": "flannel", "WeaveIsUp": "weave"}
"""Reason of node condition NetworkUnavailable=False, which the network itself writes."""


def cni(daemons: Iterable[Mapping[str, Any]], nodes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The networks found, by name. CRDs are no evidence (they outlive what brought them), nor are nodes that say Ready."""
    found = {_CNI.get(str((d.get("metadata") or {}).get("name")), "") for d in daemons}
    for node in nodes:
        for condition in (node.get("status") or {}).get("conditions") or ():
            if isinstance(condition, dict) and condition.get("type") == "NetworkUnavailable" and condition.get("status") == "False":
                found.add(_REASONS.get(str(condition.get("reason")), ""))
        if "flannel.alpha.coreos.com/backend-type" in ((node.get("metadata") or {}).get("annotations") or {}):
            found.add("flannel")  # k3s runs it inside its own process
    return tuple(sorted(found - {""}))


def kube_proxy(daemons: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]], version: Mapping[str, Any]) -> bool:
    """Whether kube-proxy runs: its DaemonSet (kubeadm, Talos), its pods (static ones), or k3s, which has it inside."""
    named = any((d.get("metadata") or {}).get("name") == "kube-proxy" for d in daemons)
    return named or any(True for _ in pods) or "+k3s" in str(version.get("gitVersion") or "")
