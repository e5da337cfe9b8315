"""Requests against a fake server: what is asked, and the words for each way to fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.fakeapi import FakeApi, Request, api_for, fake_api, listed, pod
from wizard.cluster import ApiError, FieldConflict
from wizard.cluster.api import Api

PODS = "/api/v1/pods"


def _refusal(answer: Callable[[Request], None]) -> ApiError:
    with fake_api() as (server, api):
        server.answers[PODS] = answer
        with pytest.raises(ApiError) as caught:
            api.get(PODS)
        return caught.value


def _status(code: int, reason: str = "", message: str = "told why") -> Callable[[Request], None]:
    return lambda r: r.status(code, reason, message)


REFUSALS: list[tuple[str, Callable[[Request], None], int, str]] = [
    ("401", _status(401, "Unauthorized"), 401, "does not accept the credentials"),
    ("403", _status(403, "Forbidden", "cannot list pods"), 403, "not allowed"),
    ("404", _status(404, "NotFound"), 404, "not found"),
    ("409", _status(409, "Conflict"), 409, "somebody else changed it first"),
    ("410", _status(410, "Expired"), 410, "no longer keeps"),
    ("422", _status(422, "Invalid", "spec.x: Required"), 422, "refuses the object"),
    ("429", _status(429, "TooManyRequests"), 429, "too many requests"),
    ("500", _status(500, "InternalError"), 500, "is in trouble"),
    ("503", lambda r: r.raw(b"upstream connect error", 503, {"Content-Type": "text/plain"}), 503, "is in trouble"),
    (
        "webhook",
        _status(500, "InternalError", 'failed calling webhook "w.example": connection refused'),
        500,
        "admission webhook does not answer",
    ),
    (
        "html",
        lambda r: r.raw(b"<html>log in</html>", 200, {"Content-Type": "text/html"}),
        0,
        "is not a Kubernetes API (it answers text/html)",
    ),
    ("html-403", lambda r: r.raw(b"<html>no</html>", 403, {"Content-Type": "text/html"}), 403, "is not a Kubernetes API"),
    ("redirect", lambda r: r.raw(b"", 302, {"Location": "https://login.example"}), 302, "sends us elsewhere"),
    ("plain", lambda r: r.raw(b"Client sent an HTTP request to an HTTPS server.\n", 400, {}), 400, "speaks TLS"),
    ("truncated", lambda r: r.raw(b'{"kind": "Po', 200, {"Content-Type": "application/json"}), 0, "broken JSON"),
    ("list", lambda r: r.json([1, 2]), 0, "no object"),
    ("nested", lambda r: r.raw(b"[" * 200_000, 200, {"Content-Type": "application/json"}), 0, "broken JSON"),
    ("cut", lambda r: r.reset(), 0, ""),
]


@pytest.mark.parametrize(("answer", "status", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_each_refusal_has_words_and_a_status(answer: Callable[[Request], None], status: int, words: str) -> None:
    error = _refusal(answer)
    assert error.status == status
    assert words in error.what


def test_terminal_sequences_in_a_message_of_the_server_are_harmless() -> None:
    assert "\x1b" not in str(_refusal(_status(403, "Forbidden", "no \x1b]52;c;aGk=\x07 \x9b2J")))


@pytest.mark.parametrize(("asked", "kept"), [("7", 7.0), ("3600", 30.0), ("soon", None), ("-1", None), ("nan", None)])
def test_retry_after_is_read_and_bounded(asked: str, kept: float | None) -> None:
    error = _refusal(lambda r: r.status(429, "TooManyRequests", "slow down", {"Retry-After": asked}))
    assert error.retry_after == kept


class _Waits:
    """A clock whose waits end at once and are kept."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return False


def test_reading_waits_as_told_for_a_busy_server_but_not_for_ever() -> None:
    with fake_api() as (server, _):
        clock = _Waits()
        api = api_for(server.url, clock=clock)
        busy = {"Retry-After": "2"}
        server.answers[PODS] = lambda r: r.json({}) if len(server.requests) > 2 else r.status(429, "TooManyRequests", "busy", busy)
        assert api.get(PODS) == {}
        server.answers[PODS] = lambda r: r.status(429, "TooManyRequests", "busy", busy)
        with pytest.raises(ApiError):
            api.list(PODS)
        assert clock.waits == [2.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize("wait", ["", "20"])
def test_a_write_a_page_and_a_long_wait_are_the_callers_to_repeat(wait: str) -> None:
    with fake_api() as (server, _):
        clock = _Waits()
        api = api_for(server.url, clock=clock)
        server.answers[PODS] = lambda r: r.status(
            429, "TooManyRequests", "busy", {"Retry-After": "1"} if r.method == "POST" else {"Retry-After": wait}
        )
        for ask in (lambda: api.create(PODS, {}), lambda: api.list_from(PODS), lambda: api.get(PODS)):
            with pytest.raises(ApiError):
                ask()
        assert (clock.waits, len(server.requests)) == ([], 3)


def test_a_port_that_refuses_is_called_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ApiError, match="refuses the connection") as caught:
        api_for(f"http://127.0.0.1:{port}").get(PODS)
    assert caught.value.reason == "refused"
    assert caught.value.passing


def test_an_unknown_host_is_called_dns() -> None:
    with pytest.raises(ApiError, match="cannot be resolved") as caught:
        api_for("http://no-such-host.invalid").get(PODS)
    assert caught.value.reason == "dns"


def _nothing(server: FakeApi) -> None:
    server.hold.wait(20)


def test_a_silent_server_is_called_a_timeout() -> None:
    with fake_api() as (server, api):
        server.answers[PODS] = lambda r: _nothing(server)
        with pytest.raises(ApiError, match="does not answer in time") as caught:
            api.request("GET", PODS, timeout=0.05)
        assert caught.value.reason == "timeout"


def test_a_get_on_a_connection_that_was_cut_is_asked_once_more_and_a_write_is_not() -> None:
    with fake_api() as (server, api):
        tries: list[str] = []

        def answer(request: Request) -> None:
            tries.append(request.method)
            if len(tries) == 1 or request.method == "POST":
                request.reset()
            else:
                request.json({"ok": True})

        server.answers[PODS] = answer
        assert api.get(PODS) == {"ok": True}
        with pytest.raises(ApiError):
            api.create(PODS, {})
        assert tries == ["GET", "GET", "POST"]


def test_a_list_is_read_page_by_page_and_items_get_their_kind() -> None:
    with fake_api() as (server, api):
        server.answers[PODS] = lambda r: r.json(listed(pod("b")) if "continue" in r.query else listed(pod("a"), token="more"))
        found = api.list(PODS)
        assert [(o["metadata"]["name"], o["kind"], o["apiVersion"]) for o in found] == [("a", "Pod", "v1"), ("b", "Pod", "v1")]
        assert [r.query.get("limit") for r in server.requests] == ["500", "500"]


def test_a_list_whose_page_expired_is_read_again_in_one_go() -> None:
    with fake_api() as (server, api):

        def answer(request: Request) -> None:
            if "continue" in request.query:
                request.status(410, "Expired", "the continue token is too old")
            elif "limit" in request.query:
                request.json(listed(pod("a"), token="more"))
            else:
                request.json(listed(pod("a"), pod("b")))

        server.answers[PODS] = answer
        assert len(api.list(PODS)) == 2


def test_metadata_asks_for_metadata_alone() -> None:
    with fake_api() as (server, api):
        server.answers["/api/v1/secrets"] = lambda r: r.json(listed(pod("s"), kind="PartialObjectMetadataList"))
        assert [o["metadata"]["name"] for o in api.metadata("/api/v1/secrets")] == ["s"]
        assert "PartialObjectMetadataList" in server.requests[0].headers["Accept"]
        assert "application/json," not in server.requests[0].headers["Accept"]


CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "ns"}, "data": {"a": "1"}}


def test_apply_is_server_side_with_our_name_and_without_force() -> None:
    with fake_api() as (server, api):
        server.answers["*"] = lambda r: r.json(r.body)
        api.apply(CONFIG)
        sent = server.requests[0]
        assert (sent.method, sent.path) == ("PATCH", "/api/v1/namespaces/ns/configmaps/c")
        assert sent.headers["Content-Type"] == "application/apply-patch+yaml"
        assert sent.query == {"fieldManager": "tierup", "force": "false"}


def test_a_field_of_another_owner_needs_the_operator_and_names_the_owner() -> None:
    with fake_api() as (server, api):
        said = 'Apply failed with 1 conflict: conflict with "kustomize-controller" using v1: .data.a'
        server.answers["*"] = lambda r: r.status(409, "Conflict", said)
        with pytest.raises(FieldConflict, match="kustomize-controller") as caught:
            api.apply(CONFIG)
        assert caught.value.managers == ("kustomize-controller",)
        assert caught.value.exit_code == 3


def test_the_path_of_an_unknown_kind_is_looked_up_once() -> None:
    with fake_api() as (server, api):
        resources = [
            {"name": "issuers", "kind": "Issuer", "namespaced": True},
            {"name": "issuers/status", "kind": "Issuer", "namespaced": True},
        ]
        server.answers["/apis/cert-manager.io/v1"] = lambda r: r.json({"kind": "APIResourceList", "resources": resources})
        wanted = "/apis/cert-manager.io/v1/namespaces/ns/issuers/x"
        assert api.resource_path("cert-manager.io/v1", "Issuer", "ns", "x") == wanted
        assert api.resource_path("cert-manager.io/v1", "Issuer", "ns", "x") == wanted
        assert len(server.requests) == 1
        with pytest.raises(ApiError, match="no kind Robot") as caught:
            api.resource_path("cert-manager.io/v1", "Robot")
        assert caught.value.missing


def test_a_401_renews_the_credentials_once() -> None:
    with fake_api() as (server, _):
        tokens = iter(["old", "new"])
        current = [next(tokens)]
        api = api_for(server.url, authorization=lambda: f"Bearer {current[0]}", renew=lambda: current.__setitem__(0, next(tokens)))
        server.answers[PODS] = lambda r: (
            r.json({}) if r.headers["Authorization"] == "Bearer new" else r.status(401, "Unauthorized", "expired")
        )
        assert api.get(PODS) == {}


def test_the_end_of_the_client_certificate_is_said_with_a_401() -> None:
    with fake_api() as (server, _):
        server.answers[PODS] = _status(401, "Unauthorized")
        with pytest.raises(ApiError, match="the client certificate ends Nov  1"):
            api_for(server.url, credential_expires="Nov  1 2026").get(PODS)


class _Fixed:
    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=1)

    def monotonic(self) -> float:
        return 0.0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return True


def test_the_difference_of_the_clocks_is_seen() -> None:
    with fake_api() as (server, _):
        server.answers[PODS] = lambda r: r.json({})
        api = api_for(server.url, clock=_Fixed())
        api.get(PODS)
        assert api.skew is not None
        assert 86_000 < api.skew < 87_000


def test_many_threads_may_ask_at_once() -> None:
    with fake_api() as (server, api):
        server.answers["*"] = lambda r: r.json({"path": r.path})
        seen: list[bool] = []
        threads = [threading.Thread(target=lambda n=n: seen.append(api.get(f"/x/{n}") == {"path": f"/x/{n}"})) for n in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert seen == [True] * 30


def test_find_is_none_where_there_is_nothing() -> None:
    with fake_api() as (server, api):
        assert isinstance(server, FakeApi)
        assert isinstance(api, Api)
        assert api.find("/api/v1/namespaces/x") is None
