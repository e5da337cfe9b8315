"""Time, in one place, so that tests can stand in their own."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the engine needs of time. Deadlines use `monotonic`, records use `now`."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, seconds: float) -> bool: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The wall clock in UTC; for display and records, never for deadlines."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back; they stop while the machine sleeps."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set or `seconds` have passed; true when it is set."""
        return event.wait(seconds)


SYSTEM: Clock = SystemClock()


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as journals and the Kubernetes API write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_stamp(text: str) -> datetime | None:
    """The moment of an RFC 3339 text, None when it is none."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
