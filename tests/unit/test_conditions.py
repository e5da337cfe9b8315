"""Conditions to phases, row by row of what the controllers write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.fluxobjects import COMMIT, OLD, condition, deployment, failed, kustomization, obj, oci, pod, ready, release
from wizard.flux import assess, diagnose, kstatus
from wizard.flux.board import Board
from wizard.flux.watched import Watched
from wizard.state import Phase

PROGRESS = condition("Ready", "Unknown", "Progressing", "Reconciliation in progress")


def _reconciling(message: str, reason: str = "Progressing") -> dict[str, Any]:
    return condition("Reconciling", "True", reason, message)


ROWS: list[tuple[str, dict[str, Any], Phase, bool]] = [
    ("ks ready", kustomization("k"), Phase.READY, False),
    ("ks progressing", kustomization("k", PROGRESS, _reconciling("Building manifests")), Phase.APPLYING, False),
    (
        "ks health",
        kustomization("k", PROGRESS, _reconciling("Running health checks for revision x with a timeout of 5m")),
        Phase.APPLYING,
        False,
    ),
    ("ks dependency", kustomization("k", failed("DependencyNotReady", "dependency 'flux-system/a' is not ready")), Phase.WAITING, False),
    ("ks source", kustomization("k", failed("ArtifactFailed", "Source artifact not found, retrying in 30s")), Phase.WAITING, False),
    ("ks path", kustomization("k", failed("ArtifactFailed", "kustomization path not found: stat /x: no such file")), Phase.APPLYING, True),
    ("ks build", kustomization("k", failed("BuildFailed", "envsubst error: variable not set")), Phase.APPLYING, True),
    ("ks apply", kustomization("k", failed("ReconciliationFailed", "Certificate/ns/x dry-run failed")), Phase.APPLYING, True),
    ("ks health failed", kustomization("k", failed("HealthCheckFailed", "timeout waiting for: [x]")), Phase.APPLYING, True),
    (
        "ks stalled",
        kustomization("k", failed("InvalidCEL", "x"), condition("Stalled", "True", "InvalidCELExpression", "x")),
        Phase.FAILED,
        True,
    ),
    ("ks suspended", kustomization("k", spec={"suspend": True}), Phase.SUSPENDED, False),
    ("ks deleted", kustomization("k", meta={"deletionTimestamp": "2026-11-23T09:00:00Z"}), Phase.APPLYING, False),
    ("ks new", {"kind": "Kustomization", "metadata": {"name": "k", "generation": 1}}, Phase.WAITING, False),
    ("hr ready", release("r"), Phase.READY, False),
    ("hr installing", release("r", condition("Ready", "Unknown", "Progressing", "Running 'install' action")), Phase.APPLYING, False),
    ("hr dependency", release("r", failed("DependencyNotReady", "dependency 'ns/x' is not ready")), Phase.WAITING, False),
    ("hr source", release("r", failed("SourceNotReady", "HelmChart 'ns/x' is not ready: does not have an artifact")), Phase.WAITING, False),
    ("hr source bad", release("r", failed("SourceNotReady", "OCIRepository 'ns/x' is not ready: MANIFEST_UNKNOWN")), Phase.APPLYING, True),
    ("hr values", release("r", failed("ValuesError", 'secrets "x" not found')), Phase.APPLYING, True),
    (
        "hr failed, retries",
        release("r", failed("InstallFailed", "Helm install failed"), _reconciling("retrying", "ProgressingWithRetry")),
        Phase.APPLYING,
        True,
    ),
    (
        "hr stalled",
        release("r", failed("InstallFailed", "no"), condition("Stalled", "True", "RetriesExceeded", "1 attempt")),
        Phase.FAILED,
        True,
    ),
    ("hr ready, reconciling", release("r", ready(), _reconciling("Fulfilling prerequisites")), Phase.APPLYING, False),
    ("source ready", oci("s"), Phase.READY, False),
    ("source failed", oci("s", failed("OCIArtifactPullFailed", "UNAUTHORIZED")), Phase.APPLYING, True),
    ("oci helm repository", obj("HelmRepository", "h", spec={"type": "oci"}), Phase.READY, False),
    (
        "instance ready",
        {"kind": "FluxInstance", "metadata": {"generation": 2}, "status": {"conditions": [ready(generation=2)]}},
        Phase.READY,
        False,
    ),
    (
        "instance old",
        {"kind": "FluxInstance", "metadata": {"generation": 3}, "status": {"conditions": [ready(generation=2)]}},
        Phase.APPLYING,
        False,
    ),
]


@pytest.mark.parametrize(("item", "phase", "failing"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_conditions_mean_a_phase(item: dict[str, Any], phase: Phase, failing: bool) -> None:
    found = assess(item)
    assert (found.phase, found.failing) == (phase, failing)


@pytest.mark.parametrize("kind", [kustomization, release, oci])
def test_ready_of_an_older_generation_is_not_ready(kind: Any) -> None:
    assert assess(kind("x", generation=2, seen=2)).phase is Phase.APPLYING  # its condition is of generation 1
    old = kind("x", condition("Ready", "True", "Succeeded", "", None), generation=2, seen=1)
    assert assess(old).phase is Phase.APPLYING
    assert not assess(old).generation_seen
    assert assess(kind("x", ready(generation=2), generation=2)).phase is Phase.READY


def test_ready_without_an_observed_generation_is_not_ready() -> None:
    item = release("r", condition("Ready", "True", "InstallSucceeded", "", None))
    del item["status"]["observedGeneration"]
    assert assess(item).phase is Phase.APPLYING


def test_a_failure_of_an_older_generation_is_no_failure_of_this_one() -> None:
    found = assess(release("r", failed("InstallFailed", "old"), generation=2, seen=1))
    assert (found.phase, found.failing) == (Phase.APPLYING, False)


def test_a_kustomization_is_ready_only_at_our_revision() -> None:
    assert assess(kustomization("k"), revision=COMMIT).phase is Phase.READY
    other = assess(kustomization("k", commit=OLD), revision=COMMIT)
    assert other.phase is Phase.APPLYING
    assert "our commit is not there yet" in other.message
    assert assess(kustomization("k", commit=OLD), revision=(COMMIT, OLD)).phase is Phase.READY
    assert assess(kustomization("k"), revision="").phase is Phase.APPLYING
    assert assess(release("r"), revision=COMMIT).phase is Phase.READY


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("dependency 'flux-system/a' is not ready", ("flux-system/a",)),
        ("dependency 'a' revision is not up to date", ("ns/a",)),
        ("unable to get 'core/traefik' dependency: not found", ("core/traefik",)),
        ("something new", ("ns/spec-one", "other/spec-two")),
    ],
)
def test_what_is_waited_for_is_named(message: str, names: tuple[str, ...]) -> None:
    spec = {"dependsOn": [{"name": "spec-one"}, {"name": "spec-two", "namespace": "other"}]}
    assert assess(obj("HelmRelease", "r", failed("DependencyNotReady", message), spec=spec)).waits_for == names


def test_foreign_text_is_made_harmless() -> None:
    found = assess(release("r", failed("Install\x1b[2J", "\x1b]52;c;aGk=\x07 \u202e [/red] x" * 300)))
    assert "\x1b" not in found.message + found.reason
    assert "\u202e" not in found.message
    assert len(found.message) <= 600


WORKLOADS: list[tuple[str, dict[str, Any], Phase]] = [
    ("deployment", deployment("d"), Phase.READY),
    ("deployment coming", deployment("d", ready_pods=0), Phase.APPLYING),
    ("deployment old", deployment("d") | {"metadata": {"generation": 5}}, Phase.APPLYING),
    ("deployment stuck", deployment("d", conditions=(condition("Progressing", "False", "ProgressDeadlineExceeded"),)), Phase.FAILED),
    (
        "daemonset",
        obj("DaemonSet", "d", status={"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2, "numberReady": 2}),
        Phase.READY,
    ),
    ("daemonset coming", obj("DaemonSet", "d", status={"desiredNumberScheduled": 2, "numberReady": 1}), Phase.APPLYING),
    ("daemonset new", obj("DaemonSet", "d"), Phase.APPLYING),
    ("statefulset", obj("StatefulSet", "s", spec={"replicas": 1}, status={"readyReplicas": 1, "replicas": 1}), Phase.READY),
    (
        "statefulset rolling",
        obj("StatefulSet", "s", status={"readyReplicas": 1, "replicas": 1, "currentRevision": "a", "updateRevision": "b"}),
        Phase.APPLYING,
    ),
    ("job", obj("Job", "j", condition("Complete", "True")), Phase.READY),
    ("job failed", obj("Job", "j", condition("Failed", "True")), Phase.FAILED),
    ("job running", obj("Job", "j"), Phase.APPLYING),
    ("claim", obj("PersistentVolumeClaim", "c", status={"phase": "Bound"}), Phase.READY),
    ("claim pending", obj("PersistentVolumeClaim", "c", status={"phase": "Pending"}), Phase.APPLYING),
    ("pod", pod("p"), Phase.APPLYING),
    ("a kind without status", {"kind": "ConfigMap", "metadata": {"name": "c"}}, Phase.READY),
    ("custom, not ready", obj("Cluster", "c", condition("Ready", "False")), Phase.APPLYING),
    ("custom, stalled", obj("Cluster", "c", condition("Stalled", "True")), Phase.FAILED),
    ("deleted", deployment("d", meta={"deletionTimestamp": "x"}), Phase.WAITING),
]


@pytest.mark.parametrize(("item", "phase"), [row[1:] for row in WORKLOADS], ids=[row[0] for row in WORKLOADS])
def test_kstatus(item: dict[str, Any], phase: Phase) -> None:
    assert kstatus(item) is phase


FIELDS = st.sampled_from(
    [
        "kind",
        "metadata",
        "spec",
        "status",
        "conditions",
        "type",
        "reason",
        "message",
        "observedGeneration",
        "generation",
        "name",
        "namespace",
        "labels",
        "ownerReferences",
        "inventory",
        "entries",
        "id",
        "containerStatuses",
        "state",
        "waiting",
        "lastState",
        "terminated",
        "dependsOn",
        "chartRef",
        "chart",
        "sourceRef",
        "artifact",
        "revision",
        "volumes",
        "involvedObject",
        "suspend",
        "phase",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)
KINDS = st.sampled_from(["Kustomization", "HelmRelease", "OCIRepository", "Deployment", "Pod", "Job", "DaemonSet", "StatefulSet"])


@settings(max_examples=300, deadline=None)
@given(JSON, KINDS)
def test_no_object_however_malformed_raises(value: Any, kind: str) -> None:
    item = value if not isinstance(value, dict) else value | {"kind": kind}
    for candidate in (
        item,
        {"kind": kind, "metadata": value, "status": {"conditions": value}},
        {"kind": kind, "status": value, "spec": value},
    ):
        assess(candidate, revision=COMMIT)
        assert assess(candidate, revision=COMMIT).phase is not Phase.READY or candidate.get("kind") != "Kustomization"
        kstatus(candidate)


@settings(max_examples=150, deadline=None)
@given(JSON, st.sampled_from(["metadata", "spec", "status"]), KINDS)
def test_no_malformed_part_of_an_object_breaks_the_board(value: Any, part: str, kind: str) -> None:
    sound = {"kind": kind, "metadata": {"name": "a", "namespace": "ns", "generation": 1}, "spec": {}, "status": {}}
    item = sound | {part: value}
    board = Board(charts=(Watched("a", "system", "ns", "a", config=True),), revision=COMMIT)
    board.update("Kustomization", {("flux-system", "a"): item | {"kind": "Kustomization"}})
    for each in (kind, "HelmRelease", "Pod", "Event", "PersistentVolumeClaim", "Node"):
        board.update(each, {("ns", "a"): item | {"kind": each}})
    assert board.charts()[0].phase is not Phase.READY
    diagnose("a", item, [item], item, [item], [item], [item], [item], nodes=[item], storage_classes=[item])
