"""Flux is asked to read the repository after a push, and left alone when there is nothing to read."""

from __future__ import annotations

import pytest

from tests.unit.fakeapi import Request, fake_api
from wizard.journeys.steps import GIT_REPOSITORY, ask_flux

COMMIT = "0123456789012345678901234567890123456789"


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ({"status": {"artifact": {"revision": f"main@sha1:{'f' * 40}"}}}, True),
        ({}, True),
        ({"status": {"artifact": {"revision": f"main@sha1:{COMMIT}"}}}, False),
        (None, False),
    ],
)
def test_flux_is_asked_only_when_its_copy_is_another_one(source: dict[str, object] | None, asked: bool) -> None:
    def answer(request: Request) -> None:
        if source is None:
            request.status(404, "NotFound", "no GitRepository yet")
        else:
            request.json(source)

    with fake_api() as (server, api):
        server.answers[GIT_REPOSITORY] = answer
        assert ask_flux(api, COMMIT) is asked
        patches = [request.body["metadata"]["annotations"] for request in server.requests if request.method == "PATCH"]
    assert [list(annotations) for annotations in patches] == ([["reconcile.fluxcd.io/requestedAt"]] if asked else [])
