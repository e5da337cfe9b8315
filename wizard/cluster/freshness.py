"""How far a live copy can be trusted, and how long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wizard.cluster.apierror import ApiError
from wizard.text import seconds_in_words

PAUSE = 1.0
"""Least seconds between the starts of two watches."""
FIRST, LONGEST = 0.5, 30.0
"""Bounds of the pause after a failure, in seconds."""
REFUSED = 10.0
"""Least pause after 401 or 403: only a person changes that."""
STALE, DOWN = 10.0, 45.0
"""Age in seconds at which data of a failing watch are called stale, and at which any data are called down."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far a copy can be trusted. `live`: as the server has it now. `stale`: the last try failed or is late. `down`: never read, or
    no word for 45 s. `age` is seconds since the server's last word, infinite before the first."""

    state: str
    age: float
    message: str = ""


def freshness(age: float | None, failing: bool, message: str) -> Freshness:
    """`age`: seconds since the server's last word, None before the first. `failing`: the last try failed, as `message` says."""
    if age is None:
        return Freshness("down", float("inf"), message)
    if age > DOWN:
        said = f": {message}" if message else ""
        return Freshness("down", age, f"no word from the API server for {seconds_in_words(age)}{said}")
    if failing and age > STALE:
        return Freshness("stale", age, message)
    return Freshness("live", age, message if failing else "")


def backoff(failures: int, error: ApiError | None, rng: Callable[[], float], pause: float = PAUSE) -> float:
    """Seconds until the next try after so many failures in a row: doubled each time, jittered, at least what the server asked for."""
    delay: float = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 10)) * (0.5 + rng() / 2)
    if error is not None and error.status in (401, 403):
        delay = max(delay, REFUSED)
    return max(delay, pause, (error.retry_after or 0.0) if error is not None else 0.0)
