"""The lab of a test run: one, named after the process, made when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab import Lab


@pytest.fixture(scope="session")
def session_lab() -> Iterator[Lab]:
    with Lab.up(f"test-{os.getpid()}") as lab:
        yield lab


@pytest.fixture
def lab(session_lab: Lab) -> Iterator[Lab]:
    """The session's lab; faults are lifted afterwards, what a test put into the cluster stays: use names of your own."""
    yield session_lab
    for chart in ("reloader", "jellyfin"):
        session_lab.knob(chart)
    session_lab.git_server("ok")
    session_lab.registry_server("ok")


@pytest.fixture
def empty_lab(session_lab: Lab) -> Lab:
    """The session's lab, reset: about 5 seconds."""
    session_lab.reset()
    return session_lab
