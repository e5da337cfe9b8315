"""The lock in the cluster: one holder, and a dead one only by our own clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.fakeapi import FakeApi, Request, fake_api
from wizard.cluster import Api, Lease, holder_name
from wizard.errors import Locked

PATH = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


class Stepped:
    """Every wait passes at once; `each` runs in place of the time. Waits of the renewing thread last until they are let go."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.waited: list[float] = []
        self.each: Any = lambda: None
        self.renewals = threading.Semaphore(0)
        self.main = threading.current_thread()

    def now(self) -> datetime:
        return datetime(2001, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if threading.current_thread() is not self.main:
            while not event.is_set():
                if self.renewals.acquire(timeout=0.01):
                    return event.is_set()
            return True
        self.waited.append(seconds)
        self.seconds += seconds
        self.each()
        return event.is_set()


class Store:
    """One Lease with optimistic locking."""

    def __init__(self, server: FakeApi) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.writes = 0
        self.written = threading.Condition()
        self.down = False
        self.before_put: Any = None
        server.answers[PATH] = self._create
        server.answers[f"{PATH}/tierup"] = self._one

    def put(self, holder: str, renewed: str = "2030-01-01T00:00:00.000000Z", duration: int = 15) -> None:
        spec = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": duration}
        self._store({"metadata": {"name": "tierup", "namespace": "kube-system"}, "spec": spec})

    def holder(self) -> str:
        return str((self.lease or {"spec": {}})["spec"].get("holderIdentity", ""))

    def _store(self, lease: dict[str, Any]) -> dict[str, Any]:
        with self.written:
            self.version += 1
            self.lease = lease | {"metadata": lease["metadata"] | {"resourceVersion": str(self.version)}}
            self.writes += 1
            self.written.notify_all()
            return self.lease

    def _create(self, request: Request) -> None:
        if self.lease is not None:
            request.status(409, "AlreadyExists", "exists")
        else:
            request.json(self._store(request.body), 201)

    def _one(self, request: Request) -> None:
        if self.down:
            request.status(503, "", "away")
        elif self.lease is None:
            request.status(404, "NotFound", "none")
        elif request.method == "GET":
            request.json(self.lease)
        elif self.before_put is not None:
            hook, self.before_put = self.before_put, None
            hook()
            self._one(request)
        elif request.body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            request.status(409, "Conflict", "changed")
        else:
            request.json(self._store(request.body))


@contextmanager
def _world() -> Iterator[tuple[Store, Api, Stepped]]:
    with fake_api() as (server, api):
        yield Store(server), api, Stepped()


def test_a_free_lease_is_taken_kept_and_given_back() -> None:
    with _world() as (store, api, clock):
        lease = Lease(api, holder="me", clock=clock)
        lease.acquire()
        assert store.holder() == "me"
        clock.renewals.release()
        with store.written:
            assert store.written.wait_for(lambda: store.writes == 2, 20)
        lease.release()
        assert store.holder() == ""
        assert not lease.lost.is_set()


def test_times_have_the_six_digits_the_api_server_wants() -> None:
    with _world() as (store, api, clock):
        lease = Lease(api, holder="me", clock=clock)
        lease.acquire()
        assert store.lease is not None
        assert store.lease["spec"]["renewTime"] == "2001-01-01T00:00:00.000000Z"
        lease.release()


def test_a_holder_that_renews_is_left_alone_and_named() -> None:
    with _world() as (store, api, clock):
        store.put("root@other home", "2001-01-01T00:00:00.000000Z")
        clock.each = lambda: store.put("root@other home", "2001-01-01T00:00:05.000000Z")
        with pytest.raises(Locked, match="root@other home") as caught:
            Lease(api, holder="me", clock=clock).acquire()
        assert caught.value.exit_code == 75
        assert store.holder() == "root@other home"


@pytest.mark.parametrize("renewed", ["1999-01-01T00:00:00.000000Z", "2030-01-01T00:00:00.000000Z", "nonsense"])
def test_a_silent_holder_is_replaced_after_its_duration_by_our_clock_whatever_its_clock_says(renewed: str) -> None:
    with _world() as (store, api, clock):
        store.put("dead", renewed, 15)
        told: list[tuple[str, float]] = []
        lease = Lease(api, holder="me", clock=clock)
        lease.acquire(on_wait=lambda holder, left: told.append((holder, left)))
        assert store.holder() == "me"
        assert sum(clock.waited) == 15.0
        assert told[0] == ("dead", 15.0)
        lease.release()


def test_our_own_lease_of_before_a_kill_is_taken_at_once() -> None:
    with _world() as (store, api, clock):
        store.put("me")
        lease = Lease(api, holder="me", clock=clock)
        lease.acquire()
        assert clock.waited == []
        lease.release()


def test_a_lease_taken_by_another_is_lost() -> None:
    with _world() as (store, api, clock):
        lease = Lease(api, holder="me", clock=clock)
        lease.acquire()
        store.put("other")
        clock.renewals.release()
        assert lease.lost.wait(20)
        lease.release()
        assert store.holder() == "other"


def test_a_lease_that_cannot_be_renewed_in_time_is_lost_and_a_short_fault_is_not() -> None:
    with _world() as (store, api, clock):
        lease = Lease(api, holder="me", clock=clock)
        lease.acquire()
        store.down = True
        clock.renewals.release()
        clock.seconds += 5
        assert not lease.lost.is_set()
        store.down = False
        clock.renewals.release()
        with store.written:
            assert store.written.wait_for(lambda: store.writes >= 2, 20)
        store.down = True
        for _ in range(200):
            clock.seconds += 20
            clock.renewals.release()
            if lease.lost.wait(0.1):
                break
        assert lease.lost.is_set()
        lease.release()


def test_two_who_find_it_free_do_not_both_get_it() -> None:
    with _world() as (store, api, clock):
        won: list[str] = []

        def take(name: str) -> None:
            each = Stepped()
            each.each = lambda: store.put(store.holder(), f"{store.version}")
            try:
                Lease(api, holder=name, clock=each).acquire()
            except Locked:
                return
            won.append(name)

        threads = [threading.Thread(target=take, args=(f"h{n}",), daemon=True) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(won) == 1
        assert store.holder() == won[0]
        assert clock.waited == []


def test_somebody_faster_is_not_overwritten() -> None:
    with _world() as (store, api, clock):
        store.put("dead")
        store.before_put = lambda: store.put("faster", "2030-01-01T00:00:01.000000Z")

        def renew() -> None:
            if store.holder() == "faster":
                store.put("faster", f"{store.version}")

        clock.each = renew
        with pytest.raises(Locked, match="faster"):
            Lease(api, holder="me", clock=clock).acquire()
        assert store.holder() == "faster"


def test_waiting_for_a_silent_holder_can_be_stopped() -> None:
    with _world() as (store, api, clock):
        store.put("dead")
        cancel = threading.Event()
        clock.each = cancel.set
        with pytest.raises(Locked, match="stopped while waiting whether dead"):
            Lease(api, holder="me", clock=clock).acquire(cancel=cancel)
        assert store.holder() == "dead"


def test_a_hostile_holder_name_is_harmless() -> None:
    with _world() as (store, api, clock):
        store.put("x\x1b[2J", "1")
        clock.each = lambda: store.put("x\x1b[2J", "2")
        with pytest.raises(Locked) as caught:
            Lease(api, holder="me", clock=clock).acquire()
        assert "\x1b" not in str(caught.value)


def test_the_holder_is_the_same_for_every_run_of_a_plan_on_this_machine() -> None:
    assert holder_name("home") == holder_name("home")
    assert holder_name("home") != holder_name("work")
