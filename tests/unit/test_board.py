"""The board: a chart is ready only when all of it is, at our revision, by data that are fresh."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fluxobjects import (
    COMMIT,
    OLD,
    claim,
    condition,
    deployment,
    failed,
    kustomization,
    obj,
    oci,
    pod,
    ready,
    release,
    waiting,
    warning,
)
from wizard.cluster import Freshness
from wizard.flux import Board, Watched
from wizard.state import ChartState, Phase

Object = dict[str, Any]
APP = Watched("app", "apps", "ns", "app")
FULL = Watched("app", "apps", "ns", "app", claims=True, config=True, usual=40.0)
CILIUM = Watched("cilium", "cluster", "kube-system", "cilium", workloads=(("DaemonSet", "cilium"), ("Deployment", "cilium-operator")))
STALE = Freshness("stale", 52.0, "refuses the connection")


def _board(*charts: Watched, kustomizations: list[Object], releases: list[Object] | None = None, **kinds: list[Object]) -> Board:
    board = Board(charts=charts, revision=COMMIT)
    board.update("Kustomization", kustomizations)
    board.update("HelmRelease", [release("app")] if releases is None else releases)
    board.update("OCIRepository", kinds.pop("OCIRepository", [oci("app")]))
    for kind, objects in kinds.items():
        board.update(kind, objects)
    return board


def _one(board: Board) -> ChartState:
    return board.charts()[0]


def test_a_chart_is_ready_when_all_of_it_is() -> None:
    board = _board(FULL, kustomizations=[kustomization("app-claims"), kustomization("app"), kustomization("app-config")])
    state = _one(board)
    assert (state.phase, state.tier, state.usual) == (Phase.READY, "apps", 40.0)


@pytest.mark.parametrize("part", ["app-claims", "app", "app-config"])
def test_a_chart_is_not_ready_while_one_of_its_kustomizations_is_at_another_revision(part: str) -> None:
    names = ("app-claims", "app", "app-config")
    board = _board(FULL, kustomizations=[kustomization(n, commit=OLD if n == part else COMMIT) for n in names])
    assert _one(board).phase is Phase.APPLYING


@pytest.mark.parametrize("part", ["app-claims", "app-config"])
def test_a_chart_is_not_ready_while_one_of_its_kustomizations_is_missing(part: str) -> None:
    board = _board(FULL, kustomizations=[kustomization(n) for n in ("app-claims", "app", "app-config") if n != part])
    assert _one(board).phase is Phase.APPLYING


def test_a_release_ready_at_an_older_generation_is_not_ready() -> None:
    board = _board(APP, kustomizations=[kustomization("app")], releases=[release("app", generation=2, seen=1)])
    assert _one(board).phase is Phase.APPLYING


def test_a_release_that_still_runs_the_chart_of_before_is_not_ready() -> None:
    ran = {"lastAttemptedRevision": "1.0.0+aaaaaaaaaaaa", "lastAttemptedRevisionDigest": "sha256:" + "a" * 64}
    newer = oci("app", revision="1.1.0@sha256:" + "b" * 64)
    board = _board(APP, kustomizations=[kustomization("app")], releases=[release("app", status=ran)], OCIRepository=[newer])
    assert _one(board).phase is Phase.APPLYING
    assert "1.1.0" in _one(board).message
    board.update("OCIRepository", [oci("app")])
    assert _one(board).phase is Phase.READY


def test_a_source_that_has_not_seen_its_new_version_is_not_ready() -> None:
    late = oci("app", condition("Ready", "True", "Succeeded", "", 1), generation=2, seen=1)
    board = _board(APP, kustomizations=[kustomization("app")], OCIRepository=[late])
    assert _one(board).phase is Phase.APPLYING


@pytest.mark.parametrize("revision", ["v1.21.1", "1.21.1@sha256:" + "c" * 64])
def test_the_same_version_written_in_another_way_is_the_same(revision: str) -> None:
    ran = release("app", status={"lastAttemptedRevision": "1.21.1+cccccccccccc"})
    board = _board(APP, kustomizations=[kustomization("app")], releases=[ran], OCIRepository=[oci("app", revision=revision)])
    assert _one(board).phase is Phase.READY


def test_a_chart_of_a_helm_repository_is_judged_by_its_helmchart() -> None:
    spec = {"chartRef": None, "chart": {"spec": {"sourceRef": {"kind": "HelmRepository", "name": "repo"}}}}
    ran = release("app", spec=spec, status={"helmChart": "ns/ns-app", "lastAttemptedRevision": "1.0.0"})
    chart = obj("HelmChart", "ns-app", ready(), status={"artifact": {"revision": "1.1.0"}})
    board = _board(APP, kustomizations=[kustomization("app")], releases=[ran], HelmChart=[chart])
    assert _one(board).phase is Phase.APPLYING


@pytest.mark.parametrize("kind", ["Kustomization", "HelmRelease", "OCIRepository"])
@pytest.mark.parametrize("state", ["stale", "down"])
def test_data_that_are_not_fresh_never_look_ready(kind: str, state: str) -> None:
    board = _board(APP, kustomizations=[kustomization("app")])
    assert _one(board).phase is Phase.READY
    board.refresh(kind, Freshness(state, 52.0, "refuses the connection"))
    assert _one(board).phase is Phase.UNKNOWN
    assert "52 s" in _one(board).message
    board.refresh(kind, Freshness("live", 0.1))
    assert _one(board).phase is Phase.READY


def test_nothing_seen_is_waiting_not_ready() -> None:
    assert _one(Board(charts=(APP,), revision=COMMIT)).phase is Phase.WAITING


def test_what_a_chart_waits_for_is_named_by_chart() -> None:
    other = Watched("db-operator", "platform", "db", "cnpg", config=True)
    waits = release("app", failed("DependencyNotReady", "dependency 'db/cnpg' is not ready"))
    board = _board(APP, other, kustomizations=[kustomization("app")], releases=[waits])
    state = _one(board)
    assert (state.phase, state.waits_for, state.message) == (Phase.WAITING, ("db-operator",), "waits for db-operator")
    gated = kustomization("app", failed("DependencyNotReady", "dependency 'flux-system/db-operator-config' is not ready"))
    board.update("Kustomization", [gated])
    assert _one(board).waits_for == ("db-operator",)


def test_a_waiting_chart_on_its_own_claims_says_what_these_wait_for() -> None:
    ours = [
        kustomization("app-claims", failed("DependencyNotReady", "dependency 'flux-system/db-config' is not ready")),
        kustomization("app", failed("DependencyNotReady", "dependency 'flux-system/app-claims' is not ready")),
    ]
    state = _one(_board(FULL, Watched("db", "platform", "db", "db", config=True), kustomizations=ours, releases=[]))
    assert (state.phase, state.waits_for) == (Phase.WAITING, ("db",))


def _failing(board: Board) -> None:
    item = pod("app-5d4f8c-x", of="app", container=waiting("ImagePullBackOff"))
    board.update("Deployment", [deployment("app", owner="app", ready_pods=0, wanted=2)])
    board.update("Pod", [item])
    board.update("Event", [warning(item, "Failed", "Failed to pull image: not found")])


def test_a_chart_that_fails_says_which_pod_and_its_last_event() -> None:
    installing = release("app", condition("Ready", "Unknown", "Progressing", "Running 'install' action with timeout of 5m0s"))
    board = _board(APP, kustomizations=[kustomization("app")], releases=[installing])
    _failing(board)
    state = _one(board)
    assert state.phase is Phase.APPLYING
    assert (state.ready, state.wanted) == (0, 2)
    assert "cannot be pulled" in state.message
    assert "ns/app-5d4f8c-x" in state.message
    assert "Failed to pull image: not found" in state.message
    assert state.remedy


def test_pods_are_found_by_owner_by_instance_label_and_by_inventory() -> None:
    inventory = {"inventory": {"entries": [{"id": "ns_db_postgresql.cnpg.io_Cluster", "v": "v1"}]}}
    owned = pod("db-1", container=waiting("CrashLoopBackOff", restarts=1))
    owned["metadata"]["ownerReferences"] = [{"kind": "Cluster", "name": "db"}]
    labelled = pod("x", labels={"app.kubernetes.io/instance": "app"}, container=waiting("CrashLoopBackOff", restarts=1))
    for item in (owned, labelled, pod("app-5d4f8c-x", of="app", container=waiting("CrashLoopBackOff", restarts=1))):
        board = _board(
            APP, kustomizations=[kustomization("app", status=inventory)], releases=[release("app", failed("InstallFailed", "timeout"))]
        )
        board.update("Deployment", [deployment("app", owner="app")])
        board.update("Pod", [item])
        found = board.diagnose("app")
        assert found is not None
        assert found.pod == f"ns/{item['metadata']['name']}"


def test_a_pod_of_another_release_in_the_same_namespace_is_not_ours() -> None:
    board = _board(APP, Watched("b", "apps", "ns", "b"), kustomizations=[kustomization("app"), kustomization("b")])
    board.update("Deployment", [deployment("b", owner="b")])
    board.update("Pod", [pod("b-5d4f8c-x", of="b", container=waiting("CrashLoopBackOff", restarts=1))])
    assert board.diagnose("app") is None
    assert board.diagnose("b") is not None


def test_a_claim_that_no_pod_mounts_belongs_by_its_label() -> None:
    board = _board(APP, kustomizations=[kustomization("app")], releases=[release("app", failed("InstallFailed", "timeout"))])
    board.update("PersistentVolumeClaim", [claim("d", labels={"app.kubernetes.io/instance": "app"})])
    board.update("StorageClass", [])
    found = board.diagnose("app")
    assert found is not None
    assert "no default storage class" in found.what


def test_terraforms_charts_are_judged_by_their_workloads() -> None:
    daemon = obj("DaemonSet", "cilium", namespace="kube-system", status={"desiredNumberScheduled": 1})
    board = _board(CILIUM, kustomizations=[], DaemonSet=[daemon], Deployment=[deployment("cilium-operator", namespace="kube-system")])
    assert _one(board).phase is Phase.APPLYING
    done = {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1}
    board.update("DaemonSet", [obj("DaemonSet", "cilium", namespace="kube-system", status=done)])
    state = _one(board)
    assert (state.phase, state.ready, state.wanted) == (Phase.READY, 2, 2)
    board.refresh("DaemonSet", STALE)
    assert _one(board).phase is Phase.UNKNOWN


def test_what_the_engine_says_of_terraforms_charts_stands() -> None:
    board = Board(charts=(Watched("gateway-api", "cluster"),))
    assert _one(board).phase is Phase.WAITING
    board.set_phase("gateway-api", Phase.READY, "5 CRDs")
    assert (_one(board).phase, _one(board).message) == (Phase.READY, "5 CRDs")
    board.clear_phase("gateway-api")
    assert _one(board).phase is Phase.WAITING


def test_a_chart_past_its_deadline_is_failed_until_it_is_ready() -> None:
    board = _board(APP, kustomizations=[kustomization("app")], releases=[release("app", failed("InstallFailed", "no"))])
    board.set_phase("app", Phase.FAILED, "deadline of 5 min passed", "look at the pod")
    assert (_one(board).phase, _one(board).remedy) == (Phase.FAILED, "look at the pod")
    board.refresh("HelmRelease", STALE)
    assert _one(board).phase is Phase.FAILED
    board.update("HelmRelease", [release("app")])
    assert _one(board).phase is Phase.READY


def test_a_kustomization_that_cannot_apply_is_told_though_its_release_waits() -> None:
    broken = kustomization("app", failed("ReconciliationFailed", 'x dry-run failed: no matches for kind "Robot" in version "r/v1"'))
    state = _one(
        _board(APP, kustomizations=[broken], releases=[release("app", failed("DependencyNotReady", "dependency 'ns/x' is not ready"))])
    )
    assert state.phase is Phase.APPLYING
    assert "kind Robot" in state.message


def test_since_is_kept_while_the_phase_lasts() -> None:
    board = _board(APP, kustomizations=[kustomization("app")])
    first = _one(board).since
    assert first == "2026-11-23T09:00:00Z"
    board.update("Pod", [])
    assert _one(board).since == first
    board.update("HelmRelease", [release("app", failed("InstallFailed", "x"))])
    assert _one(board).since != first


def test_a_suspended_chart_is_suspended() -> None:
    board = _board(APP, kustomizations=[kustomization("app")], releases=[release("app", spec={"suspend": True})])
    assert _one(board).phase is Phase.SUSPENDED


def test_the_same_data_are_judged_once() -> None:
    board = _board(APP, kustomizations=[kustomization("app")])
    assert board.charts() is board.charts()


def test_flux_itself_is_told_of() -> None:
    board = _board(APP, kustomizations=[kustomization("flux-system")])
    assert board.root().phase is Phase.READY
    assert board.source().phase is Phase.WAITING
    board.update(
        "GitRepository",
        [obj("GitRepository", "flux-system", failed("GitOperationFailed", "authentication required"), namespace="flux-system")],
    )
    assert board.source().failing
    assert board.flux().phase is Phase.WAITING
    board.update("FluxInstance", [obj("FluxInstance", "flux", ready(), namespace="flux-system")])
    assert board.flux().phase is Phase.READY


def test_a_large_board_is_judged_in_one_pass_over_its_objects() -> None:
    charts = tuple(Watched(f"c{n}", "apps", f"ns{n}", f"c{n}") for n in range(200))
    board = _board(
        *charts, kustomizations=[kustomization(c.chart) for c in charts], releases=[release(c.chart, namespace=c.namespace) for c in charts]
    )
    board.update("Deployment", [deployment(f"d{m}", owner=c.chart, namespace=c.namespace) for c in charts for m in range(5)])
    board.update("Pod", [pod(f"d{m}-5d4f8c-{c.chart}", of=f"d{m}", namespace=c.namespace) for c in charts for m in range(5)])
    assert {state.wanted for state in board.charts()} == {5}
