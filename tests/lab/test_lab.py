"""The lab itself: it comes up, behaves like a cluster, fails when told to, and goes away without a trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, lifecycle
from tests.lab.api import ApiError
from tests.lab.layout import MARKER
from tests.lab.lifecycle import supervisor
from tests.lab.processes import marked, send
from tests.lab.steps import all_ready, bring_up_flux, events, install, is_ready, namespace, pods, push, run, until, waiting_reasons

pytestmark = pytest.mark.lab
POD = {"containers": [{"name": "main", "image": "lab.invalid/main:1"}]}


def test_nodes_are_ready_when_the_lab_is_up(lab: Lab) -> None:
    nodes = lab.api("GET", "/api/v1/nodes")["items"]
    assert len(nodes) == 3
    assert all(is_ready(node) and not node["spec"].get("taints") for node in nodes)
    assert "Talos" in nodes[0]["status"]["nodeInfo"]["osImage"]


def test_pod_security_refuses_a_privileged_pod_outside_kube_system_unless_its_namespace_is_labelled(lab: Lab) -> None:
    pod = {"metadata": {"name": "host"}, "spec": {**POD, "hostNetwork": True}}
    plain, labelled = namespace(lab, "psa-plain"), namespace(lab, "psa-labelled", "privileged")
    with pytest.raises(ApiError, match=r"violates PodSecurity \"baseline:latest\""):
        lab.api("POST", f"/api/v1/namespaces/{plain}/pods", pod)
    for where in (labelled, "kube-system"):
        lab.api("POST", f"/api/v1/namespaces/{where}/pods", pod)
        lab.api("DELETE", f"/api/v1/namespaces/{where}/pods/host")


def test_a_claim_binds_when_its_class_exists_and_waits_when_not(lab: Lab) -> None:
    where = namespace(lab, "claims")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = f"/api/v1/namespaces/{where}/persistentvolumeclaims"
    lab.api("POST", claims, {"metadata": {"name": "data"}, "spec": {**spec, "storageClassName": "lab-test"}})
    assert lab.api("GET", f"{claims}/data")["status"]["phase"] == "Pending"
    storage_class = {"metadata": {"name": "lab-test"}, "provisioner": "lab.invalid/test", "volumeBindingMode": "WaitForFirstConsumer"}
    lab.api("POST", "/apis/storage.k8s.io/v1/storageclasses", storage_class)
    until("the claim is bound", lambda: lab.api("GET", f"{claims}/data")["status"]["phase"] == "Bound")
    volume = lab.api("GET", f"{claims}/data")["spec"]["volumeName"]
    lab.api("DELETE", f"{claims}/data")
    until(
        "the volume is gone",
        lambda: all(item["metadata"]["name"] != volume for item in lab.api("GET", "/api/v1/persistentvolumes")["items"]),
    )


def test_a_pod_has_logs_events_and_an_open_port(lab: Lab) -> None:
    where = namespace(lab, "pod")
    lab.api("POST", f"/api/v1/namespaces/{where}/pods", {"metadata": {"name": "one"}, "spec": POD})
    until("the pod is Ready", lambda: all_ready(lab, where))
    until("its log is served", lambda: "one is ready" in lab.api("GET", f"/api/v1/namespaces/{where}/pods/one/log"))
    assert {"Scheduled", "Started"} <= events(lab, where)
    proxy = f"/api/v1/namespaces/{where}/pods/one/portforward?ports=80"
    until("port-forward is answered", lambda: _upgrades(lab, proxy))


def _upgrades(lab: Lab, path: str) -> bool:
    """True when the API server switches the connection to a port-forward stream."""
    headers = {
        "Authorization": lab._api.headers()["Authorization"],
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
    }
    headers |= {"Sec-WebSocket-Key": "bGFibGFibGFibGFibGFiMQ==", "Sec-WebSocket-Protocol": "SPDY/3.1+portforward.k8s.io"}
    connection = lab._api.connect()
    try:
        connection.request("GET", path, None, headers)
        return connection.getresponse().status == 101
    finally:
        connection.close()


def test_a_pod_waits_for_the_secret_its_environment_names(lab: Lab) -> None:
    where = namespace(lab, "missing")
    reference = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}}
    container = {**POD["containers"][0], "env": [reference]}
    lab.api("POST", f"/api/v1/namespaces/{where}/pods", {"metadata": {"name": "one"}, "spec": {"containers": [container]}})
    until("the pod misses its Secret", lambda: waiting_reasons(lab, where) == {"CreateContainerConfigError"})
    lab.api("POST", f"/api/v1/namespaces/{where}/secrets", {"metadata": {"name": "token"}, "stringData": {"value": "x"}})
    until("the pod is Ready", lambda: all_ready(lab, where))


@pytest.mark.parametrize(("fault", "reason"), [("crash", "CrashLoopBackOff"), ("image", "ImagePullBackOff")])
def test_pods_fail_as_the_knob_says_until_it_is_lifted(lab: Lab, fault: str, reason: str) -> None:
    where = namespace(lab, f"knob-{fault}")
    lab._operate("knob", chart="reloader", ready_after=None, fault=fault)
    install(lab, "reloader", where)
    until(f"the pod is in {reason}", lambda: waiting_reasons(lab, where) == {reason})
    assert "BackOff" in until("events", lambda: events(lab, where) & {"BackOff"})
    lab.knob("reloader", ready_after=0)
    until("the pod is Ready", lambda: all_ready(lab, where))


def test_a_running_pod_stays_unready_with_the_knob_never(lab: Lab) -> None:
    where = namespace(lab, "knob-never")
    lab.knob("reloader", fault="never")
    install(lab, "reloader", where)
    until("the probe fails", lambda: "Unhealthy" in events(lab, where))
    assert [pod["status"]["phase"] for pod in pods(lab, where)] == ["Running"]
    assert not all_ready(lab, where)
    lab.knob("reloader", ready_after=0)
    until("the pod is Ready", lambda: all_ready(lab, where))


def test_a_chart_fails_to_render_or_in_its_hook_with_the_same_bytes_in_the_registry(lab: Lab) -> None:
    where = namespace(lab, "knob-chart")
    lab.knob("jellyfin", fault="render")
    assert "fails to render because a knob says so" in install(lab, "jellyfin", where, check=False).stderr
    lab.knob("jellyfin", fault="hook")
    failed = install(lab, "jellyfin", where, "--timeout", "20s", check=False)
    assert failed.returncode != 0
    assert "pre-install" in failed.stderr
    lab.knob("jellyfin")
    run(lab, str(lab.helm), "upgrade", "--install", "jellyfin", "jellyfin", "--repo", f"{lab.http}/charts", "--namespace", where)


def test_custom_resources_turn_ready_only_when_the_knob_lets_them(lab: Lab) -> None:
    where = namespace(lab, "cert-manager")
    install(lab, "cert-manager", where)
    issuers = "/apis/cert-manager.io/v1/clusterissuers"
    body = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "one"}, "spec": {"selfSigned": {}}}
    lab.resources(kind="ClusterIssuer", fault="never")
    until("the kind is served", lambda: lab.api("POST", issuers, body))
    lab.resources(kind="ClusterIssuer", after=0.2)
    ready = until("the issuer is Ready", lambda: next((item for item in lab.api("GET", issuers)["items"] if is_ready(item)), None))
    assert ready["status"]["observedGeneration"] == ready["metadata"]["generation"]


def test_git_server_locks_refuses_and_vanishes_when_told(lab: Lab, tmp_path: Path) -> None:
    push(lab, tmp_path / "tree", {"readme": "one"})
    lab.git_server("refuse")
    assert "refuses every push" in push(lab, tmp_path / "tree", {"readme": "two"}, check=False).stderr
    url = lab.git_url.replace("http://", f"http://{lab.git_username}:{lab.git_password}@")
    list_refs = ("git", "-c", "credential.helper=", "ls-remote", url)
    assert "refs/heads/main" in run(lab, *list_refs).stdout
    lab.git_server("401")
    assert run(lab, *list_refs, check=False).returncode
    lab.git_server("down")
    assert "onnect" in run(lab, *list_refs, check=False).stderr
    lab.git_server("ok")
    assert "refs/heads/main" in run(lab, *list_refs).stdout


def test_registry_is_locked_gone_and_back(lab: Lab) -> None:
    show = (str(lab.helm), "show", "chart", f"oci://{lab.registry}/ghcr.io/stakater/charts/reloader", "--plain-http")
    lab.registry_server("401")
    assert "credential" in run(lab, *show, check=False).stderr
    lab.registry_server("down")
    assert "refused" in run(lab, *show, check=False).stderr
    lab.registry_server("ok")
    assert "reloader" in run(lab, *show).stdout


def test_api_server_comes_back_on_its_port_after_a_kill_and_a_pause(lab: Lab) -> None:
    server = lab.part("kube-apiserver")
    server.kill()
    with pytest.raises(OSError):
        lab.api("GET", "/version")
    assert lab.status()["died"] == {}
    server.start()
    lab.wait_for_api()
    server.pause()
    with socket.create_connection(("127.0.0.1", lab.ports["api"]), timeout=5):
        assert until("the status says so", lambda: lab.status()["parts"]["kube-apiserver"]["state"] == "paused")
    server.unpause()
    lab.wait_for_api()
    where = namespace(lab, "after-a-kill")
    lab.api("POST", f"/api/v1/namespaces/{where}/pods", {"metadata": {"name": "one"}, "spec": POD})
    until("pods still run", lambda: all_ready(lab, where))


TREE = """\
apiVersion: v1
kind: Namespace
metadata: {{name: reloader}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: reloader, namespace: reloader}}
spec:
  interval: 1m
  insecure: true
  url: oci://{registry}/ghcr.io/stakater/charts/reloader
  ref: {{tag: {version}}}
  layerSelector: {{mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip, operation: copy}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: reloader, namespace: reloader}}
spec: {{interval: 1h, chartRef: {{kind: OCIRepository, name: reloader}}}}
"""


def test_flux_brings_a_chart_from_git_to_ready_and_is_started_again_when_killed(empty_lab: Lab, tmp_path: Path) -> None:
    lab = empty_lab
    listing = run(lab, str(lab.helm), "show", "chart", f"oci://{lab.registry}/ghcr.io/stakater/charts/reloader", "--plain-http").stdout
    version = next(line.split(": ")[1] for line in listing.splitlines() if line.startswith("version:"))
    push(lab, tmp_path / "tree", {"clusters/lab/reloader.yaml": TREE.format(registry=lab.registry, version=version)})
    bring_up_flux(lab)
    release = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/reloader/helmreleases/reloader"
    until("the HelmRelease is Ready", lambda: is_ready(lab.api("GET", release)), 90)
    assert all_ready(lab, "reloader")
    writers = {event["user"]["username"] for event in lab.audit() if event["objectRef"].get("resource") == "helmreleases"}
    assert {"system:serviceaccount:flux-system:helm-controller", "system:serviceaccount:flux-system:kustomize-controller"} <= writers
    assert any("responseObject" in event for event in lab.audit() if event["objectRef"].get("resource") == "helmreleases")
    before = lab.part("helm-controller").pid
    lab.part("helm-controller").kill()
    until("helm-controller runs again", lambda: _pid(lab, "helm-controller") not in (0, before))


def _pid(lab: Lab, part: str) -> int:
    record = lab.status()["parts"].get(part, {})
    return int(record.get("pid", 0)) if record.get("state") == "running" else 0


@pytest.fixture
def other() -> Iterator[Lab]:
    with Lab.up(f"test-{os.getpid()}-other", nodes=1) as lab:
        yield lab


def test_two_labs_side_by_side_know_nothing_of_each_other(lab: Lab, other: Lab) -> None:
    assert len(other.api("GET", "/api/v1/nodes")["items"]) == 1
    namespace(other, "only-here")
    with pytest.raises(ApiError):
        lab.api("GET", "/api/v1/namespaces/only-here")
    _names_a_part_that_died(other)
    _leaves_nothing_when_its_supervisor_is_killed(other)
    assert len(lab.api("GET", "/api/v1/nodes")["items"]) == 3


def _names_a_part_that_died(lab: Lab) -> None:
    lab.part("kube-scheduler").crash()
    until("the status names the scheduler", lambda: "kube-scheduler" in lab.status()["died"])
    shown = subprocess.run([sys.executable, "-m", "tests.lab", "status", "--name", lab.name], capture_output=True, text=True, check=False)
    assert "kube-scheduler died" in shown.stdout
    assert shown.returncode == 1
    assert lab.status()["died"]["kube-scheduler"]["last"]


def _leaves_nothing_when_its_supervisor_is_killed(lab: Lab) -> None:
    who = supervisor(lab.directory)
    assert who is not None
    assert len(marked(f"{MARKER}={lab.directory}")) > 5
    send(who, signal.SIGKILL)
    until("the supervisor is gone", lambda: supervisor(lab.directory) is None)
    assert lab.status()["phase"] == "orphaned"
    lifecycle.down(lab.directory)
    assert marked(f"{MARKER}={lab.directory}") == []
    assert not lab.directory.exists()
