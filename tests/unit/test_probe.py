"""What a probe finds, and what it asks to find it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fakeapi import FakeApi, Request, fake_api, listed
from wizard.cluster import Api, ApiError, probe
from wizard.state import FluxFacts, StorageClass

Object = dict[str, Any]
REFUSAL = 'pods "x" is forbidden: violates PodSecurity "baseline:latest": privileged (container "asks" must not set privileged=true)'


def _named(name: str, namespace: str = "", **meta: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace} | meta}


def _node(name: str, *, image: str = "Talos (v1.11.3)", ready: str = "True", **parts: Any) -> Object:
    status = {
        "allocatable": {"cpu": "3950m", "memory": "8Gi"},
        "capacity": {"cpu": "4", "memory": "9Gi"},
        "conditions": [{"type": "Ready", "status": ready}],
        "nodeInfo": {"osImage": image, "kubeletVersion": "v1.36.3"},
    }
    labels = {"node-role.kubernetes.io/control-plane": ""}
    return {"metadata": {"name": name, "labels": labels} | parts.get("meta", {}), "spec": parts.get("spec", {}), "status": status}


def _cluster(server: FakeApi, **lists: list[Object]) -> None:
    """A bare cluster; `lists` replace what its paths list, by their last part."""

    def answer(request: Request) -> None:
        kind = request.path.rpartition("/")[2]
        if request.path == "/version":
            request.json({"gitVersion": "v1.36.3"})
        elif request.method == "POST":
            request.status(403, "Forbidden", REFUSAL)
        elif kind == "pods" or "flux" in request.path:
            request.json(listed()) if kind == "pods" else request.status(404, "NotFound", "no such kind")
        else:
            request.json(listed(*lists.get(kind, [])))

    lists.setdefault("namespaces", [_named("kube-system", uid="uid-of-the-cluster"), _named("default")])
    lists.setdefault("nodes", [_node("n1")])
    server.answers["*"] = answer


def _probe(**lists: list[Object]) -> Any:
    with fake_api() as (server, api):
        _cluster(server, **lists)
        return probe(api)


def test_a_bare_talos_cluster() -> None:
    facts = _probe()
    assert (facts.identity, facts.version, facts.talos, facts.kubeprism) == ("uid-of-the-cluster", "v1.36.3", True, True)
    assert (facts.cpu, facts.memory) == (3950, 8 * 2**30)
    assert (facts.kube_proxy, facts.cni, facts.flux, facts.pod_security) == (False, (), None, "baseline")
    assert facts.nodes[0].control_plane
    assert facts.namespaces == {"kube-system", "default"}


@pytest.mark.parametrize(
    ("image", "talos", "kubeprism"), [("Talos (v1.5.2)", True, False), ("Talos (v1.14.0)", True, True), ("Debian 13", False, False)]
)
def test_talos_has_kubeprism_by_default_since_1_6(image: str, talos: bool, kubeprism: bool) -> None:
    facts = _probe(nodes=[_node("n1", image=image)])
    assert (facts.talos, facts.kubeprism) == (talos, kubeprism)


def test_what_is_installed_is_found() -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    facts = _probe(
        daemonsets=[_named("cilium", "kube-system"), _named("kube-proxy", "kube-system"), _named("node-exporter", "m")],
        storageclasses=[_named("fast", annotations=default) | {"provisioner": "p"}, _named("slow") | {"provisioner": "q"}],
        ingressclasses=[_named("traefik")],
        customresourcedefinitions=[_named("issuers.cert-manager.io")],
        secrets=[_named("sh.helm.release.v1.app.v2", "ns", labels={"owner": "helm", "name": "app"})],
    )
    assert facts.cni == ("cilium",)
    assert facts.kube_proxy
    assert facts.storage_classes == (StorageClass("fast", "p", True), StorageClass("slow", "q", False))
    assert facts.ingress_classes == ("traefik",)
    assert facts.crds == {"issuers.cert-manager.io"}
    assert facts.helm_releases == {("ns", "app")}


def test_two_default_storage_classes_are_told_of() -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    facts = _probe(storageclasses=[_named(name, annotations=default) for name in ("fast", "slow")])
    assert any("several storage classes are the default: fast, slow" in w for w in facts.warnings)


def test_secrets_are_read_as_metadata_alone_and_nothing_is_written() -> None:
    with fake_api() as (server, api):
        _cluster(server)
        probe(api)
        secrets = [r for r in server.requests if "/secrets" in r.path]
        assert secrets
        assert all("PartialObjectMetadataList" in r.headers["Accept"] for r in secrets)
        writes = [r for r in server.requests if r.method != "GET"]
        assert [r.query.get("dryRun") for r in writes] == ["All"]


def _answer_to_dry_run(status: int, message: str) -> str:
    with fake_api() as (server, api):
        _cluster(server)
        usual = server.answers["*"]

        def answer(request: Request) -> None:
            if request.method != "POST":
                usual(request)
            elif status < 300:
                request.json({}, status)
            else:
                request.status(status, "Forbidden", message)

        server.answers["*"] = answer
        return probe(api).pod_security


def test_the_pod_security_level_is_what_the_refusal_says() -> None:
    assert _answer_to_dry_run(201, "") == "privileged"
    assert _answer_to_dry_run(403, REFUSAL.replace("baseline", "restricted")) == "restricted"
    assert _answer_to_dry_run(403, 'serviceaccount "default" not found') == ""
    assert _answer_to_dry_run(500, "webhook") == ""


def test_what_may_not_be_read_is_a_warning() -> None:
    with fake_api() as (server, api):
        _cluster(server)
        usual = server.answers["*"]
        server.answers["*"] = lambda r: r.status(403, "Forbidden", "cannot list nodes") if r.path.endswith("/nodes") else usual(r)
        facts = probe(api)
    assert facts.nodes == ()
    assert any("cannot list nodes" in w for w in facts.warnings)


@pytest.mark.parametrize("path", ["/version", "/api/v1/namespaces"])
def test_without_version_or_namespaces_there_is_no_answer(path: str) -> None:
    with fake_api() as (server, api):
        _cluster(server)
        usual = server.answers["*"]
        server.answers["*"] = lambda r: r.status(401, "Unauthorized", "no") if r.path == path else usual(r)
        with pytest.raises(ApiError, match="does not accept the credentials"):
            probe(api)


def test_a_namespace_that_cannot_end_is_told_with_its_reason() -> None:
    ending = _named("old", deletionTimestamp="2026-11-23T09:00:00Z")
    ending["status"] = {
        "conditions": [{"type": "NamespaceFinalizersRemaining", "status": "True", "message": "some resources have finalizers: x"}]
    }
    facts = _probe(namespaces=[_named("kube-system", uid="u"), ending])
    assert any("namespace old is being deleted: some resources have finalizers" in w for w in facts.warnings)


def test_nodes_that_are_not_ready_are_told_of_when_there_is_a_network() -> None:
    facts = _probe(nodes=[_node("n1", ready="False")], daemonsets=[_named("cilium", "kube-system")])
    assert "nodes not ready: n1" in facts.warnings
    assert "nodes not ready: n1" not in _probe(nodes=[_node("n1", ready="False")]).warnings


def _flux(facts: dict[str, Object]) -> FluxFacts | None:
    with fake_api() as (server, api):
        _cluster(server)
        usual = server.answers["*"]
        server.answers["*"] = lambda r: r.json(facts[r.path]) if r.path in facts else usual(r)
        found: FluxFacts | None = probe(api).flux
        return found


INSTANCES = "/apis/fluxcd.controlplane.io/v1/fluxinstances"
GIT = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system"
ROOT = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/flux-system"
STATE = "/api/v1/namespaces/kube-system/secrets"
INSTANCE = {
    "metadata": {"name": "flux"},
    "spec": {"distribution": {"version": "2.9.x"}, "sync": {"url": "https://git.example/r", "path": "clusters/home"}},
    "status": {"lastAppliedRevision": "v2.9.4@sha256:abc", "conditions": [{"type": "Ready", "status": "True"}]},
}


def test_flux_of_each_owner_is_told_apart() -> None:
    ours = {INSTANCES: listed(INSTANCE), STATE: listed(_named("tfstate-default-tierup-flux"))}
    assert _flux(ours) == FluxFacts("tierup", "v2.9.4", "https://git.example/r", "clusters/home", True)
    assert _flux({INSTANCES: listed(INSTANCE)}) == FluxFacts("flux-operator", "v2.9.4", "https://git.example/r", "clusters/home", True)
    labels = {"kustomize.toolkit.fluxcd.io/name": "flux-system", "app.kubernetes.io/version": "v2.7.0"}
    root = {"metadata": {"name": "flux-system", "labels": labels}, "spec": {"path": "./c"}}
    git = {"metadata": {"name": "flux-system"}, "spec": {"url": "ssh://git@x/r"}}
    assert _flux({ROOT: root, GIT: git}) == FluxFacts("flux bootstrap", "v2.7.0", "ssh://git@x/r", "./c", False)
    assert _flux({GIT: git}) == FluxFacts("unknown", "", "ssh://git@x/r", "", False)


def test_hostile_names_and_odd_quantities_do_no_harm() -> None:
    node = _node("n1\x1b[2J")
    node["status"]["allocatable"] = {"cpu": "lots", "memory": None}
    facts = _probe(nodes=[node, {"metadata": None}, {}])
    assert "\x1b" not in str(facts.nodes)
    assert facts.cpu == 0


def test_a_probe_waits_for_its_slowest_question_not_for_all_in_turn() -> None:
    import threading

    with fake_api() as (server, api):
        _cluster(server)
        usual, together = server.answers["*"], threading.Barrier(6)

        def answer(request: Request) -> None:
            if request.path.rpartition("/")[2] in ("version", "namespaces", "nodes", "daemonsets", "storageclasses", "ingressclasses"):
                together.wait(20)  # broken unless six questions are asked at the same time
            usual(request)

        server.answers["*"] = answer
        assert isinstance(api, Api)
        assert probe(api).version == "v1.36.3"
