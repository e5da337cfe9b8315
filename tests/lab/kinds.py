"""Stand-in CRDs: the right names and kinds, any content, a status of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]
# fmt: off
WORDS = [
    "access", "account", "acme", "address", "advertisement", "alert", "alertmanager", "auth", "autoscaler", "backend", "backup",
    "bgp", "bucket", "bundle", "catalog", "certificate", "challenge", "cidr", "cilium", "class", "cluster", "clusterwide", "config",
    "configuration", "connection", "content", "csi", "data", "database", "datapath", "destination", "dns", "egress", "end",
    "endpoint", "endpoints", "envoy", "export", "external", "failover", "gateway", "generator", "grant", "group", "grpc", "hub",
    "http", "identity", "image", "ingress", "issuer", "job", "join", "k8s", "key", "l2", "limit", "listener", "loadbalancer", "local",
    "location", "manager", "map", "member", "metric", "middleware", "mirror", "monitor", "network", "node", "object", "option",
    "order", "password", "peer", "plugin", "pod", "podip", "policy", "pool", "pooler", "probe", "prometheus", "proxy", "publication",
    "push", "quorum", "record", "redirect", "reference", "relay", "replication", "request", "role", "route", "rule", "safe", "sample",
    "scheduled", "scrape", "secret", "server", "service", "set", "slice", "snapshot", "source", "state", "status", "store", "stores",
    "subscription", "tcp", "thanos", "tls", "token", "traefik", "transport", "udp", "upgrade", "user", "uuid", "vault", "volume",
    "webhook", "ip",
]
# fmt: on
KINDS = {
    "ciliumloadbalancerippools": "CiliumLoadBalancerIPPool",
    "ciliuml2announcementpolicies": "CiliumL2AnnouncementPolicy",
    "ciliumnetworkpolicies": "CiliumNetworkPolicy",
    "ciliumclusterwidenetworkpolicies": "CiliumClusterwideNetworkPolicy",
    "dnsendpoints": "DNSEndpoint",
    "tlsstores": "TLSStore",
    "tlsoptions": "TLSOption",
    "ipaddresspools": "IPAddressPool",
    "httproutes": "HTTPRoute",
    "grpcroutes": "GRPCRoute",
    "tlsroutes": "TLSRoute",
    "backendtlspolicies": "BackendTLSPolicy",
}
VERSIONS = {
    "cilium.io": ("v2", "v2alpha1"),
    "traefik.io": ("v1alpha1",),
    "trust.cert-manager.io": ("v1alpha1",),
    "external-secrets.io": ("v1", "v1beta1", "v1alpha1"),
    "generators.external-secrets.io": ("v1alpha1",),
    "externaldns.k8s.io": ("v1alpha1",),
    "gateway.networking.k8s.io": ("v1", "v1beta1"),
}
CLUSTER_WIDE = (
    "clusterissuers",
    "bundles.trust",
    "clustersecretstores",
    "clusterexternalsecrets",
    "clusterpushsecrets",
    "clustergenerators",
    "clusterimagecatalogs",
)
NAMESPACED = ("ciliumnetworkpolicies", "ciliumendpoints.", "ciliumenvoyconfigs", "ciliumlocalredirectpolicies", "ciliumnodeconfigs")


def singular(plural: str) -> str:
    if plural.endswith("ies"):
        return plural[:-3] + "y"
    for ending in ("sses", "xes", "ches"):
        if plural.endswith(ending):
            return plural[:-2]
    return plural[:-1] if plural.endswith("s") else plural


def kind_of(plural: str) -> str:
    """`clusterissuers` -> `ClusterIssuer`, by the words that names of kinds are made of."""
    if plural in KINDS:
        return KINDS[plural]
    rest, kind = singular(plural), ""
    while rest:
        word = max((word for word in WORDS if rest.startswith(word)), key=len, default=rest)
        kind += word.upper() if word in ("bgp", "cidr", "ip", "tcp", "udp", "k8s") else word.capitalize()
        rest = rest[len(word) :]
    return kind


def is_cluster_wide(name: str) -> bool:
    if ".cilium.io" in name:
        return not name.startswith(NAMESPACED)
    return name.startswith(CLUSTER_WIDE)


def crd(name: str, used: Iterable[tuple[str, str]], *, keep: bool = False) -> Object:
    """`used`: (apiVersion, kind) of the custom resources that the catalog holds; they win over guessed versions and kinds."""
    plural, _, group = name.partition(".")
    versions = list(VERSIONS.get(group, ("v1",)))
    kind, wide = kind_of(plural), is_cluster_wide(name)
    for api_version, used_kind in used:
        used_group, _, version = api_version.partition("/")
        if used_group == group and used_kind.lower() == singular(plural):
            kind = used_kind
            if version not in versions:
                versions.insert(0, version)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    # Kubernetes keeps the groups below k8s.io for itself: a type in one of them must name its approval.
    approval = {"api-approved.kubernetes.io": "unapproved, a stand-in"} if group.endswith((".k8s.io", ".kubernetes.io")) else {}
    metadata: Object = {"name": name, "annotations": {**approval, **({"helm.sh/resource-policy": "keep"} if keep else {})}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": group,
            "scope": "Cluster" if wide else "Namespaced",
            "names": {"plural": plural, "singular": singular(plural), "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": number == 0,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
                for number, version in enumerate(versions)
            ],
        },
    }
