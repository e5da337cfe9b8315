"""The cluster room against a real API server."""

from __future__ import annotations

import threading

import pytest

from tests.lab import Lab
from tests.lab.steps import install, namespace, until, waiting_reasons
from wizard.cluster import Api, FieldConflict, Lease, Reflector, connect, probe
from wizard.errors import Locked
from wizard.flux import WATCHES, Board, Watched
from wizard.state import Phase

pytestmark = pytest.mark.lab


@pytest.fixture
def api(lab: Lab) -> Api:
    return connect(lab.kubeconfig, lab.context)


def test_a_probe_finds_the_lab_and_changes_nothing(lab: Lab, api: Api) -> None:
    before = {p["metadata"]["uid"] for p in api.list("/api/v1/namespaces/default/pods")}
    facts = probe(api)
    assert (facts.talos, facts.kubeprism, len(facts.nodes)) == (True, True, 3)
    assert facts.cpu > 0
    assert facts.memory > 0
    assert facts.pod_security == "baseline"
    assert facts.identity == lab.api("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert len(facts.ca_fingerprint) == 64
    assert {"default", "kube-system"} <= facts.namespaces
    assert {p["metadata"]["uid"] for p in api.list("/api/v1/namespaces/default/pods")} == before


def test_apply_is_idempotent_and_a_field_of_another_owner_is_refused(lab: Lab, api: Api) -> None:
    where = namespace(lab, "room-apply")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": where}, "data": {"a": "1"}}
    first = api.apply(config)
    assert api.apply(config)["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    with pytest.raises(FieldConflict) as caught:
        api.apply(config | {"data": {"a": "2"}}, manager="somebody")
    assert caught.value.managers == ("tierup",)


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "robots.room.invalid"},
    "spec": {
        "group": "room.invalid",
        "scope": "Namespaced",
        "names": {"plural": "robots", "singular": "robot", "kind": "Robot", "listKind": "RobotList"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
    },
}


def test_a_reflector_finds_a_kind_that_comes_late_and_follows_it(lab: Lab, api: Api) -> None:
    where = namespace(lab, "room-late")
    reflector = Reflector(api, "/apis/room.invalid/v1/robots").start()
    try:
        until("the absent kind is live and empty", lambda: reflector.freshness().state == "live")
        api.apply(CRD)
        robot = {"apiVersion": "room.invalid/v1", "kind": "Robot", "metadata": {"name": "one", "namespace": where}}
        until("the kind is served", lambda: bool(api.find("/apis/room.invalid/v1/robots")))
        path = api.path_of(robot)
        api.apply(robot)
        assert reflector.wait(0, 20)
        assert list(reflector.objects()) == [(where, "one")]
        api.delete(path)
        assert reflector.wait(1, 20)
        assert reflector.objects() == {}
        api.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/robots.room.invalid")
    finally:
        reflector.stop()
        assert reflector.join(10)


def test_a_reflector_outlives_the_api_server_and_misses_nothing(lab: Lab, api: Api) -> None:
    where = namespace(lab, "room-outage")
    reflector = Reflector(api, f"/api/v1/namespaces/{where}/configmaps").start()
    try:
        assert reflector.wait(0, 20)
        server = lab.part("kube-apiserver")
        server.kill()
        until("the outage is seen", lambda: "refuses" in reflector.freshness().message or reflector.freshness().state != "live")
        server.start()
        lab.wait_for_api()
        api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "after", "namespace": where}})
        until("what came after the outage is seen", lambda: (where, "after") in reflector.objects())
        assert reflector.resync(20)
        assert reflector.freshness().state == "live"
    finally:
        reflector.stop()


def test_one_of_two_gets_the_lease_and_the_other_is_told_who(lab: Lab, api: Api) -> None:
    mine = Lease(api, "tierup-room", "default", "me", duration=3)
    mine.acquire()
    with pytest.raises(Locked, match="me"):
        Lease(api, "tierup-room", "default", "other", duration=3).acquire()
    mine.release()
    other = Lease(api, "tierup-room", "default", "other", duration=3)
    other.acquire(cancel=threading.Event())
    assert not other.lost.is_set()
    other.release()


def test_an_image_that_cannot_be_pulled_is_diagnosed_from_the_cluster(lab: Lab, api: Api) -> None:
    where = namespace(lab, "room-pull")
    lab.knob("reloader", fault="image")
    install(lab, "reloader", where)
    until("the image is refused", lambda: waiting_reasons(lab, where) & {"ErrImagePull", "ImagePullBackOff"})
    board = Board(charts=(Watched("reloader", "system", where, "reloader"),))
    for watch in WATCHES:
        if "toolkit" not in watch.path and "fluxcd" not in watch.path:
            board.update(watch.kind, api.list(watch.path, **dict(watch.params)))
    found = board.diagnose("reloader")
    assert found is not None
    assert "cannot be pulled" in found.what
    assert (found.pod or "").startswith(f"{where}/")
    assert found.evidence
    assert board.charts()[0].phase is Phase.WAITING
    assert board.charts()[0].wanted >= 1
