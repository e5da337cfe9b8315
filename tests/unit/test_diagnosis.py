"""Each way a chart fails to get ready is named, with the pod, the cluster's own words and one next action."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fluxobjects import claim, condition, deployment, failed, kustomization, obj, oci, pod, ready, release, waiting, warning
from wizard.flux.diagnosis import Diagnosis, diagnose

Object = dict[str, Any]
DEFAULT = {"kind": "StorageClass", "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
UNSCHEDULED = condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.", None)


def _of_pod(container: Object | None = None, *events: tuple[str, str], **parts: Any) -> Diagnosis:
    item = pod("app-5d4f8c-x", of="app", container=container, **parts)
    found = diagnose(
        "app", release("app"), [kustomization("app")], oci("app"), [item], [warning(item, *e) for e in events], [deployment("app")], []
    )
    assert found is not None
    assert found.pod == "ns/app-5d4f8c-x"
    return found


PULL = "Failed to pull image"
POD_ROWS: list[tuple[str, Object, tuple[str, str], str]] = [
    ("no such tag", waiting("ErrImagePull"), ("Failed", f'{PULL} "registry.example/app:1": not found'), "there is no such image or tag"),
    ("credentials", waiting("ImagePullBackOff"), ("Failed", f"{PULL}: 401 Unauthorized"), "wants credentials"),
    ("rate limit", waiting("ImagePullBackOff"), ("Failed", f"{PULL}: toomanyrequests: slow down"), "rate limit"),
    ("dns", waiting("ErrImagePull"), ("Failed", f"{PULL}: dial tcp: lookup registry.example: no such host"), "does not reach the registry"),
    ("backoff", waiting("ImagePullBackOff"), ("BackOff", 'Back-off pulling image "x"'), "cannot be pulled"),
    ("bad name", waiting("InvalidImageName"), ("InspectFailed", "Failed to apply default image tag"), "cannot be pulled"),
    (
        "secret",
        waiting("CreateContainerConfigError", 'secret "db" not found'),
        ("Failed", 'Error: secret "db" not found'),
        "Secret db is missing",
    ),
    ("configmap", waiting("CreateContainerConfigError", 'configmap "c" not found'), ("Failed", "x"), "ConfigMap c is missing"),
    (
        "key",
        waiting("CreateContainerConfigError", "couldn't find key token in Secret ns/db"),
        ("Failed", "x"),
        "Secret ns/db has no key token",
    ),
    (
        "mount",
        waiting("ContainerCreating"),
        ("FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "tls" not found'),
        "Secret tls is missing",
    ),
    ("volume", waiting("ContainerCreating"), ("FailedAttachVolume", "Multi-Attach error for volume"), "a volume cannot be mounted"),
    (
        "crash",
        waiting("CrashLoopBackOff", restarts=4, last={"exitCode": 2, "reason": "Error"}),
        ("BackOff", "Back-off restarting"),
        "crashes again and again (4",
    ),
    (
        "oom",
        waiting("CrashLoopBackOff", restarts=2, last={"exitCode": 137, "reason": "OOMKilled"}),
        ("BackOff", "Back-off"),
        "runs out of memory",
    ),
    ("sandbox", waiting("ContainerCreating"), ("FailedCreatePodSandBox", "plugin type cilium-cni failed"), "cannot give the pod a network"),
]


@pytest.mark.parametrize(("container", "event", "what"), [row[1:] for row in POD_ROWS], ids=[row[0] for row in POD_ROWS])
def test_a_pod_that_cannot_start_says_why(container: Object, event: tuple[str, str], what: str) -> None:
    found = _of_pod(container, event)
    assert what in found.what
    assert found.remedy
    assert found.evidence


SCHEDULING = [
    ("Insufficient cpu", "0/3 nodes are available: 3 Insufficient cpu.", "enough cpu"),
    ("taint", "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }", "no node is ready"),
    ("control plane", "0/1 nodes: untolerated taint {node-role.kubernetes.io/control-plane: }", "control-plane"),
    ("affinity", "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector", "placement"),
    ("other", "0/3 nodes are available: something new", "cannot be scheduled"),
]


@pytest.mark.parametrize(("said", "what"), [row[1:] for row in SCHEDULING], ids=[row[0] for row in SCHEDULING])
def test_a_pod_that_cannot_be_scheduled_says_why(said: str, what: str) -> None:
    found = _of_pod(conditions=[condition("PodScheduled", "False", "Unschedulable", said, None)])
    assert what in found.what
    assert said in found.evidence


def test_the_newest_event_is_the_evidence() -> None:
    item = pod("p", container=waiting("ImagePullBackOff"))
    events = [
        warning(item, "Failed", "older: denied", "2026-11-23T09:00:00Z"),
        warning(item, "Failed", "newer: not found", "2026-11-23T09:05:00Z"),
    ]
    found = diagnose("app", None, [], None, [item], events, [], [])
    assert found is not None
    assert "newer" in found.evidence
    assert "no such image" in found.what


def test_a_pod_on_a_node_that_is_away() -> None:
    node = obj("Node", "n1", condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."), namespace="")
    item = pod("p", spec={"nodeName": "n1"}, container=waiting("CrashLoopBackOff", restarts=1))
    found = diagnose("app", None, [], None, [item], [], [], [], nodes=[node])
    assert found is not None
    assert found.what == "node n1 is not ready"
    assert "Kubelet stopped posting" in found.evidence


def _claim(said: tuple[str, str] | None, classes: list[Object] | None, storage_class: str | None = None) -> Diagnosis | None:
    item = claim("data", storage_class=storage_class)
    mounting = pod(
        "p", conditions=[condition("PodScheduled", "False", "Unschedulable", "pod has unbound immediate PersistentVolumeClaims", None)]
    )
    mounting["spec"] = {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}
    events = [warning(item, *said)] if said else []
    return diagnose("app", None, [], None, [mounting], events, [], [item], storage_classes=classes)


CLAIMS: list[tuple[str, tuple[str, str] | None, list[Object] | None, str | None, str]] = [
    (
        "no default",
        ("FailedBinding", "no persistent volumes available for this claim and no storage class is set"),
        [],
        None,
        "no default storage class",
    ),
    ("no default, no event", None, [], None, "no default storage class"),
    (
        "no such class",
        ("ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found'),
        [DEFAULT],
        "x",
        "storage class x, which does not exist",
    ),
    ("driver fails", ("ProvisioningFailed", "failed to provision volume: rpc error: no space"), [DEFAULT], "fast", "no volume can be made"),
    (
        "driver silent",
        ("ExternalProvisioning", "Waiting for a volume to be created by the external provisioner"),
        [DEFAULT],
        "fast",
        "waits for its storage driver",
    ),
    ("unbound", None, [DEFAULT], "fast", "is not bound"),
]


@pytest.mark.parametrize(("said", "classes", "wanted", "what"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
def test_a_claim_that_is_not_bound_says_why(
    said: tuple[str, str] | None, classes: list[Object] | None, wanted: str | None, what: str
) -> None:
    found = _claim(said, classes, wanted)
    assert found is not None
    assert what in found.what
    assert found.pod == "ns/p"


def test_a_claim_that_waits_for_its_first_pod_is_normal() -> None:
    item = claim("data", storage_class="fast")
    said = [warning(item, "WaitForFirstConsumer", "waiting for first consumer to be created before binding")]
    assert diagnose("app", None, [], None, [], said, [], [item], storage_classes=[DEFAULT]) is None


REFUSED = [
    (
        "pod security",
        'pods "x" is forbidden: violates PodSecurity "baseline:latest": privileged',
        "Pod Security level baseline",
        "enforce: privileged",
    ),
    ("quota", 'pods "x" is forbidden: exceeded quota: compute', "exceed the namespace's quota", "ResourceQuota"),
    ("webhook", 'failed calling webhook "w.example": connection refused', "webhook does not answer", "service"),
    ("other", "something else", "cannot be made", "message"),
]


@pytest.mark.parametrize(("said", "what", "remedy"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_pods_that_may_not_be_made_are_seen_without_any_pod(said: str, what: str, remedy: str) -> None:
    by_condition = deployment(
        "d", ready_pods=0, conditions=(condition("ReplicaFailure", "True", "FailedCreate", f"Error creating: {said}"),)
    )
    daemon = obj("DaemonSet", "d")
    for workload, events in ((by_condition, []), (daemon, [warning(daemon, "FailedCreate", f"Error creating: {said}")])):
        found = diagnose("app", None, [], None, [], events, [workload], [])
        assert found is not None
        assert what in found.what
        assert remedy in found.remedy
        assert said in found.evidence


SCHEMA = "values don't meet the specifications of the schema(s) in the following chart(s): app"
VALUES = "could not resolve Secret chart values reference 'ns/db' with key 'values.yaml'"
CRD = (
    'resource mapping not found for name: "x"'
    ' no matches for kind "ServiceMonitor" in version "monitoring.coreos.com/v1" ensure CRDs are installed first'
)
HOOK = (
    'failed calling webhook "webhook.cert-manager.io": failed to call webhook: '
    'Post "https://x.svc:443": no endpoints available for service "x"'
)
MESSAGES = [
    (
        "values secret",
        "ValuesError",
        f'{VALUES}: secrets "db" not found',
        "Secret ns/db, which the chart's values are taken from, is missing",
    ),
    ("values key", "ValuesError", f"{VALUES}: key not found", "Secret ns/db has no key values.yaml"),
    ("schema", "InstallFailed", f"Helm install failed for release ns/app: {SCHEMA}", "refuses its values"),
    (
        "crd",
        "InstallFailed",
        f"unable to build kubernetes objects from release manifest: {CRD}",
        "kind ServiceMonitor (monitoring.coreos.com/v1)",
    ),
    ("webhook", "InstallFailed", HOOK, "webhook webhook.cert-manager.io does not answer (no endpoints"),
    ("hook job", "InstallFailed", "failed pre-install: job app-migrate failed: BackoffLimitExceeded", "hook job"),
    ("quota", "InstallFailed", 'persistentvolumeclaims "x" is forbidden: exceeded quota: q', "quota"),
    ("stalled", "InstallFailed", "failed early due to stalled resources: [Deployment/ns/x status: 'Failed']", "Deployment/ns/x"),
    ("timeout", "InstallFailed", "timeout waiting for: [Deployment/ns/x status: 'InProgress']", "not ready in time"),
    ("namespace", "InstallFailed", 'create: failed to create: namespaces "x" not found', "namespace x is missing"),
    ("unknown", "InstallFailed", "a text of the next version", "the release fails: InstallFailed"),
]


@pytest.mark.parametrize(("reason", "said", "what"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_a_release_that_fails_says_why(reason: str, said: str, what: str) -> None:
    found = diagnose("app", release("app", failed(reason, said)), [kustomization("app")], oci("app"), [], [], [], [])
    assert found is not None
    assert what in found.what
    assert found.remedy


SOURCES = [
    (
        "tag",
        "OCIArtifactPullFailed",
        "failed to determine artifact digest: GET https://r/v2/x: MANIFEST_UNKNOWN: manifest unknown",
        "does not exist in its registry",
    ),
    ("semver", "OCIArtifactPullFailed", "no match found for semver: 9.x", "does not exist in its repository"),
    ("version", "ChartPullError", "chart pull error: no 'app' chart with version matching '9.x' found", "does not exist in its repository"),
    ("registry 401", "OCIArtifactPullFailed", "GET https://r/token: UNAUTHORIZED: authentication required", "access is refused"),
    ("rate limit", "OCIArtifactPullFailed", "TOOMANYREQUESTS: You have reached your pull rate limit", "rate limit"),
    ("layer", "OCIArtifactLayerOperationFailed", "failed to find layer with media type 'x' in artifact", "not a Helm chart"),
    ("git 401", "GitOperationFailed", "failed to checkout: unable to clone 'https://g': authentication required", "access is refused"),
    ("git reason", "AuthenticationFailed", "failed to get secret 'flux-system/flux-system'", "access is refused"),
    ("git timeout", "GitOperationFailed", "unable to clone: context deadline exceeded", "does not answer"),
    ("branch", "GitOperationFailed", 'couldn\'t find remote ref "refs/heads/main"', "branch main does not exist"),
    ("host key", "GitOperationFailed", "ssh: knownhosts: key mismatch", "SSH host key"),
    ("dns", "OCIArtifactPullFailed", "dial tcp: lookup ghcr.io on 10.96.0.10:53: i/o timeout", "a name cannot be resolved"),
    ("down", "OCIArtifactPullFailed", "dial tcp 10.0.0.1:5000: connect: connection refused", "does not answer"),
    ("ca", "OCIArtifactPullFailed", "x509: certificate signed by unknown authority", "not trusted"),
]


@pytest.mark.parametrize(("reason", "said", "what"), [row[1:] for row in SOURCES], ids=[row[0] for row in SOURCES])
def test_a_source_that_fails_is_the_cause_of_its_release(reason: str, said: str, what: str) -> None:
    waits = release("app", failed("SourceNotReady", "OCIRepository 'ns/app' is not ready"))
    found = diagnose("app", waits, [kustomization("app")], oci("app", failed(reason, said)), [], [], [], [])
    assert found is not None
    assert what in found.what
    assert "OCIRepository ns/app (oci://registry.example/charts/app)" in found.what


KUSTOMIZE = [
    (
        "crd",
        "ReconciliationFailed",
        'Certificate/ns/x dry-run failed: no matches for kind "Certificate" in version "cert-manager.io/v1"',
        "kind Certificate",
    ),
    ("settings", "BuildFailed", "substitute from 'ConfigMap/cluster-settings' error: not found", "ConfigMap cluster-settings"),
    ("variable", "BuildFailed", "envsubst error: variable not set", "a ${…} in the repository has no value"),
    ("path", "ArtifactFailed", "kustomization path not found: stat /tmp/x: no such file or directory", "path that Flux shall follow"),
    ("denied", "ReconciliationFailed", 'admission webhook "policy.example" denied the request: no', "webhook policy.example refuses"),
    ("unknown", "PruneFailed", "a text of the next version", "Kustomization app"),
]


@pytest.mark.parametrize(("reason", "said", "what"), [row[1:] for row in KUSTOMIZE], ids=[row[0] for row in KUSTOMIZE])
def test_a_kustomization_that_fails_says_why(reason: str, said: str, what: str) -> None:
    found = diagnose("app", None, [kustomization("app", failed(reason, said))], None, [], [], [], [])
    assert found is not None
    assert what in found.what


def test_a_pod_explains_the_release_that_waits_for_it() -> None:
    item = pod("p", container=waiting("CrashLoopBackOff", restarts=3, last={"exitCode": 1}))
    waits = release("app", failed("InstallFailed", "timeout waiting for: [Deployment/ns/app status: 'InProgress']"))
    found = diagnose("app", waits, [], None, [item], [], [], [])
    assert found is not None
    assert "crashes" in found.what


def test_nothing_wrong_is_no_diagnosis() -> None:
    healthy = pod("p", conditions=[condition("Ready", "True", generation=None)])
    assert diagnose("app", release("app"), [kustomization("app")], oci("app", ready()), [healthy], [], [deployment("app")], []) is None


def test_hostile_text_is_harmless_in_every_field() -> None:
    evil = "\x1b]52;c;aGk=\x07\u202e[/x]"
    item = pod("p", container=waiting("ErrImagePull", evil, image=f"reg/{evil}"))
    found = diagnose("app", None, [], None, [item], [warning(item, "Failed", evil)], [], [])
    assert found is not None
    assert not {"\x1b", "\x07", "\u202e"} & set(found.what + found.evidence + found.remedy)
