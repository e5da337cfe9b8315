"""The reading of an audit log: it must see an installation that began too early, and a write among questions."""

from __future__ import annotations

from typing import Any

from tests.lab.installing import Name, too_early, written

BEFORE: Name = ("helmreleases", "a", "first")
AFTER: Name = ("helmreleases", "b", "second")
EDGES = {(AFTER, BEFORE)}


def event(name: Name, verb: str = "patch", *, answer: dict[str, Any] | None = None, uri: str = "", agent: str = "tierup") -> dict[str, Any]:
    about = dict(zip(("resource", "namespace", "name"), name, strict=True))
    return {
        "verb": verb,
        "objectRef": about,
        "requestURI": uri,
        "responseStatus": {"code": 200},
        "responseObject": answer,
        "user": {"username": "lab-operator"},
        "userAgent": agent,
    }


def ready(generation: int = 1, observed: int = 1) -> dict[str, Any]:
    status = {"observedGeneration": observed, "conditions": [{"type": "Ready", "status": "True"}]}
    return event(BEFORE, answer={"metadata": {"generation": generation}, "status": status})


BEGIN = event(("secrets", "b", "sh.helm.release.v1.second.v1"), "create")


def test_an_install_after_its_dependency_is_in_order_and_before_it_is_not() -> None:
    assert too_early([ready(), BEGIN], EDGES) == set()
    assert too_early([BEGIN, ready()], EDGES) == EDGES


def test_ready_at_an_older_generation_does_not_count_and_neither_does_a_dry_run() -> None:
    assert too_early([ready(generation=2), BEGIN], EDGES) == EDGES
    assert too_early([ready() | {"requestURI": "/x?dryRun=All"}, BEGIN], EDGES) == EDGES


def test_nothing_begun_is_not_taken_for_in_order() -> None:
    assert too_early([ready()], EDGES) == EDGES


def test_a_write_is_told_from_a_question() -> None:
    asks = [event(("pods", "default", "x"), "create", uri="/pods?dryRun=All"), event(("selfsubjectaccessreviews", "", ""), "create")]
    assert written(asks) == []
    assert written([*asks, event(("secrets", "b", "x"), "update", uri="/x", agent="Helm/4.2")]) == ["Helm/4.2: update /x"]
