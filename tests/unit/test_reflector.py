"""The reflector against every way a watch goes wrong (each was measured on the package's own watches).

Time is virtual: a wait ends at once and counts its seconds, so rates are counted in requests per virtual second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.fakeapi import FakeApi, Request, api_for, event, fake_api, listed, pod
from wizard.cluster import Reflector

PODS = "/api/v1/pods"


class Virtual:
    """Time that passes only in waits; after `waits` of them a wait really lasts until its event."""

    def __init__(self, waits: int = 10) -> None:
        self.seconds = 0.0
        self.left = waits
        self.delays: list[float] = []
        self.spent = threading.Event()

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if self.left <= 0:
            self.spent.set()
            return event.wait(30)
        self.left -= 1
        self.delays.append(seconds)
        self.seconds += seconds
        return event.is_set()


def _serve(server: FakeApi, watch: Callable[[Request], None], *items: Any) -> None:
    server.answers[PODS] = lambda r: watch(r) if r.watch else r.json(listed(*items))


def _open_and_close(request: Request, *lines: Any) -> None:
    request.open()
    for line in lines:
        request.line(line)
    request.close()


def _cut_after(request: Request, *lines: Any) -> None:
    request.open()
    for line in lines:
        request.line(line)
    request.reset()


def _cut_line(request: Request) -> None:
    request.open()
    request.chunk(b'{"type": "ADD')
    request.close()


GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}}
ONE = event("ADDED", pod("n", "11"))
PITFALLS: dict[str, Callable[[Request], None]] = {
    "closed at once": lambda r: _open_and_close(r),
    "closed after one event": lambda r: _open_and_close(r, ONE),
    "reset": lambda r: _cut_after(r),
    "reset after one event": lambda r: _cut_after(r, ONE),
    "410 in the stream": lambda r: _open_and_close(r, GONE),
    "410 as answer": lambda r: r.status(410, "Expired", "too old resource version"),
    "429 with Retry-After": lambda r: r.status(429, "TooManyRequests", "slow", {"Retry-After": "3"}),
    "429 without": lambda r: r.status(429, "TooManyRequests", "slow"),
    "500": lambda r: r.status(500, "InternalError", "etcd"),
    "503": lambda r: r.raw(b"no", 503, {"Content-Type": "text/plain"}),
    "401": lambda r: r.status(401, "Unauthorized", "expired"),
    "403": lambda r: r.status(403, "Forbidden", "no"),
    "HTML": lambda r: r.raw(b"<html>portal</html>", 200, {"Content-Type": "text/html"}),
    "cut JSON": lambda r: _open_and_close(r, b'{"type": "ADDED", "obj'),
    "cut line": lambda r: _cut_line(r),
    "bad UTF-8": lambda r: _open_and_close(r, b'{"type": "ADDED", "object": {"metadata": {"name": "\xff\xfe"}}}'),
    "a list": lambda r: _open_and_close(r, [1, 2]),
    "no object": lambda r: _open_and_close(r, {"type": "ADDED", "object": None}),
    "no metadata": lambda r: _open_and_close(r, {"type": "ADDED", "object": {"metadata": None}}),
    "unknown type": lambda r: _open_and_close(r, {"type": "RENAMED", "object": pod("x")}),
    "odd error": lambda r: _open_and_close(r, {"type": "ERROR", "object": {"code": "x"}}),
    "empty lines": lambda r: _open_and_close(r, b"", b"  "),
    "deep nesting": lambda r: _open_and_close(r, b"[" * 100_000),
}


@pytest.mark.parametrize("pitfall", PITFALLS.values(), ids=PITFALLS.keys())
def test_a_bad_watch_is_asked_for_at_most_once_a_second_and_never_kills(pitfall: Callable[[Request], None]) -> None:
    with fake_api() as (server, api):
        _serve(server, pitfall, pod("kept"))
        clock = Virtual(waits=12)
        reflector = Reflector(api, PODS, clock=clock).start()
        assert clock.spent.wait(30)
        assert ("ns", "kept") in reflector.objects()
        assert server.count(watch=True) <= clock.seconds + 2
        assert server.count(watch=False) <= clock.seconds + 2
        reflector.stop()
        assert reflector.join(10)


def test_pauses_grow_to_thirty_seconds_and_shrink_after_a_healthy_watch() -> None:
    with fake_api() as (server, api):
        healthy = threading.Event()

        def watch(request: Request) -> None:
            if healthy.is_set():
                _open_and_close(request, ONE)
            else:
                request.status(503, "", "away")

        _serve(server, watch)
        clock = Virtual(waits=14)
        reflector = Reflector(api, PODS, clock=clock, rng=lambda: 1.0).start()
        assert clock.spent.wait(30)
        assert clock.delays[:3] == [1.0, 1.0, 2.0]
        assert max(clock.delays) == 30.0
        assert clock.delays[-1] == 30.0
        healthy.set()
        clock.spent.clear()
        clock.left = 3
        reflector._wake.set()
        assert clock.spent.wait(30)
        assert clock.delays[-1] == 1.0
        reflector.stop()


def test_retry_after_is_waited_for_and_can_be_stopped() -> None:
    with fake_api() as (server, api):
        _serve(server, lambda r: r.status(429, "TooManyRequests", "slow", {"Retry-After": "25"}))
        clock = Virtual(waits=0)
        reflector = Reflector(api, PODS, clock=clock).start()
        assert clock.spent.wait(20)
        assert "25 s" in reflector.freshness().message or "too many" in reflector.freshness().message
        reflector.stop()
        assert reflector.join(10)


def test_refused_rights_are_asked_for_slowly() -> None:
    with fake_api() as (server, api):
        _serve(server, lambda r: r.status(403, "Forbidden", "no"))
        clock = Virtual(waits=5)
        reflector = Reflector(api, PODS, clock=clock).start()
        assert clock.spent.wait(20)
        assert min(clock.delays) >= 10.0
        reflector.stop()


def _held(server: FakeApi, *lines: Any) -> Callable[[Request], None]:
    def watch(request: Request) -> None:
        request.open()
        for line in lines:
            request.line(line)
        server.hold.wait(30)

    return watch


def test_events_arrive_in_order_and_the_version_rises() -> None:
    with fake_api() as (server, api):
        lines = [event("ADDED", pod("b", "11")), event("MODIFIED", pod("a", "12", phase="Running")), event("DELETED", pod("b", "13"))]
        _serve(server, _held(server, *lines), pod("a"))
        seen: list[tuple[str, str]] = []
        done = threading.Event()

        def changed(change: dict[str, Any]) -> None:
            seen.append((change["type"], change["object"]["metadata"]["name"]))
            if len(seen) == 4:
                done.set()

        reflector = Reflector(api, PODS, changed).start()
        assert done.wait(20)
        assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
        assert list(reflector.objects()) == [("ns", "a")]
        assert reflector.objects()["ns", "a"]["status"] == {"phase": "Running"}
        assert reflector.version == 4
        found = reflector.freshness()
        assert (found.state, found.message) == ("live", "")
        reflector.stop()


def test_after_a_410_everything_is_listed_and_what_vanished_is_told() -> None:
    with fake_api() as (server, api):
        lists = iter([[pod("a"), pod("b"), pod("c")], [pod("a"), pod("c", "9")]])
        final = [pod("a"), pod("c", "9")]
        first = threading.Event()

        def watch(request: Request) -> None:
            if first.is_set():
                return _held(server)(request)
            first.set()
            return _open_and_close(request, GONE)

        server.answers[PODS] = lambda r: watch(r) if r.watch else r.json(listed(*next(lists, final)))
        seen: list[tuple[str, str]] = []
        reflector = Reflector(api, PODS, lambda c: seen.append((c["type"], c["object"]["metadata"]["name"])), clock=Virtual(50)).start()
        server.wait(lambda: server.count(watch=True) == 2)
        assert seen[3:] == [("MODIFIED", "c"), ("DELETED", "b")]
        assert set(reflector.objects()) == {("ns", "a"), ("ns", "c")}
        reflector.stop()


def test_a_watch_goes_on_from_the_newest_version_bookmarks_included() -> None:
    with fake_api() as (server, api):
        bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}}
        first = threading.Event()

        def watch(request: Request) -> None:
            if first.is_set():
                return _held(server)(request)
            first.set()
            return _open_and_close(request, ONE, bookmark)

        _serve(server, watch)
        reflector = Reflector(api, PODS, clock=Virtual(50)).start()
        server.wait(lambda: server.count(watch=True) == 2)
        asked = [r.query for r in server.requests if r.watch]
        assert [q["resourceVersion"] for q in asked] == ["10", "77"]
        assert asked[0]["allowWatchBookmarks"] == "true"
        assert int(asked[0]["timeoutSeconds"]) == 30
        reflector.stop()


def test_a_half_open_connection_is_given_up() -> None:
    with fake_api() as (server, api):
        _serve(server, _held(server))
        reflector = Reflector(api, PODS, silence=0.05, clock=Virtual(50)).start()
        server.wait(lambda: server.count(watch=True) >= 2)
        reflector.stop()
        assert reflector.join(10)


def test_stop_ends_a_read_that_hears_nothing() -> None:
    with fake_api() as (server, api):
        _serve(server, _held(server, ONE), pod("a"))
        reflector = Reflector(api, PODS).start()
        assert reflector.wait(1, 20)  # the watch's own event: the next read hears nothing for 40 s
        reflector.stop()
        assert reflector.join(10)
        assert len(reflector.objects()) == 2


def test_a_line_without_an_end_is_given_up_at_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wizard.cluster.watchstream.LINE", 100_000)
    with fake_api() as (server, api):

        def watch(request: Request) -> None:
            request.open()
            for _ in range(200):
                request.chunk(b"x" * 10_000)
            server.hold.wait(30)

        _serve(server, watch)
        clock = Virtual(waits=2)
        reflector = Reflector(api, PODS, clock=clock).start()
        assert clock.spent.wait(20)
        assert "8 MiB" in reflector.freshness().message
        reflector.stop()


def test_events_cut_anywhere_and_many_in_a_piece_are_read_whole() -> None:
    with fake_api() as (server, api):
        import json

        text = b"".join(json.dumps(event("ADDED", pod(f"p{n}-\u00e9", str(n)))).encode() + b"\n" for n in range(40))

        def watch(request: Request) -> None:
            request.open()
            for start in range(0, len(text), 37):
                request.chunk(text[start : start + 37])
            server.hold.wait(30)

        _serve(server, watch)
        reflector = Reflector(api, PODS).start()
        assert reflector.wait(39, 20)
        assert len(reflector.objects()) == 40
        reflector.stop()


def test_a_kind_that_does_not_exist_yet_is_live_and_empty_and_found_when_it_comes() -> None:
    with fake_api() as (server, api):
        clock = Virtual(waits=3)
        reflector = Reflector(api, PODS, clock=clock).start()
        assert clock.spent.wait(20)
        assert reflector.freshness().state == "live"
        assert all(1.0 <= d <= 2.0 for d in clock.delays)
        _serve(server, _held(server), pod("late"))
        reflector._wake.set()
        assert reflector.wait(0, 20)
        assert list(reflector.objects()) == [("ns", "late")]
        reflector.stop()


def test_a_kind_that_vanishes_takes_its_objects_along() -> None:
    with fake_api() as (server, api):
        _serve(server, lambda r: _open_and_close(r), pod("a"))
        clock = Virtual(waits=1)
        reflector = Reflector(api, PODS, clock=clock).start()
        assert clock.spent.wait(20)
        del server.answers[PODS]
        reflector._wake.set()
        assert reflector.wait(1, 20)
        assert reflector.objects() == {}
        reflector.stop()


def test_silence_makes_data_stale_then_down() -> None:
    with fake_api() as (server, api):
        _serve(server, lambda r: r.status(503, "", "away"), pod("a"))
        clock = Virtual(waits=1)
        reflector = Reflector(api, PODS, clock=clock).start()
        assert clock.spent.wait(20)
        clock.seconds += 9
        assert reflector.freshness().state in ("live", "stale")
        clock.seconds += 10
        assert reflector.freshness().state == "stale"
        clock.seconds += 40
        found = reflector.freshness()
        assert found.state == "down"
        assert "no word from the API server" in found.message
        reflector.stop()


def test_an_open_watch_that_hears_nothing_is_down_after_45_seconds() -> None:
    with fake_api() as (server, api):
        _serve(server, _held(server), pod("a"))
        clock = Virtual()
        reflector = Reflector(api, PODS, clock=clock).start()
        server.wait(lambda: server.count(watch=True) == 1)
        clock.seconds += 46
        assert reflector.freshness().state == "down"
        reflector.stop()


def test_before_the_first_answer_data_are_down() -> None:
    reflector = Reflector(api_for("http://127.0.0.1:1"), PODS)
    assert reflector.freshness().state == "down"
    assert reflector.freshness().age == float("inf")


def test_an_unreachable_server_never_kills_and_says_what_is_wrong() -> None:
    clock = Virtual(waits=6)
    reflector = Reflector(api_for("http://127.0.0.1:1"), PODS, clock=clock).start()
    assert clock.spent.wait(30)
    assert "refuses the connection" in reflector.freshness().message
    assert reflector.freshness().state == "down"
    reflector.stop()
    assert reflector.join(10)


def test_resync_reads_everything_again_after_it_was_asked_for() -> None:
    with fake_api() as (server, api):
        items = [pod("a")]
        server.answers[PODS] = lambda r: _held(server)(r) if r.watch else r.json(listed(*items))
        reflector = Reflector(api, PODS).start()
        server.wait(lambda: server.count(watch=True) == 1)
        items.append(pod("b"))
        assert reflector.resync(20)
        assert set(reflector.objects()) == {("ns", "a"), ("ns", "b")}
        assert "resourceVersion" not in [r for r in server.requests if not r.watch][-1].query
        reflector.stop()


def test_a_handler_that_raises_does_not_end_the_watch_unseen() -> None:
    with fake_api() as (server, api):
        _serve(server, _held(server, ONE))

        def broken(_change: dict[str, Any]) -> None:
            raise RuntimeError("handler fault")

        clock = Virtual(waits=2)
        reflector = Reflector(api, PODS, broken, clock=clock).start()
        assert clock.spent.wait(20)
        assert "handler fault" in reflector.freshness().message
        reflector.stop()
        assert reflector.join(10)


def test_managed_fields_are_not_kept() -> None:
    with fake_api() as (server, api):
        item = pod("a")
        item["metadata"]["managedFields"] = [{"manager": "x"}]
        _serve(server, _held(server), item)
        reflector = Reflector(api, PODS).start()
        assert reflector.wait(0, 20)
        assert "managedFields" not in reflector.objects()["ns", "a"]["metadata"]
        reflector.stop()
