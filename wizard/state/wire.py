"""What a view and the engine process say to each other: one JSON object a line, over a Unix socket.

A view sends `{"do": "begin" | "give" | "approve" | "cancel" | "watch", …}`; the engine answers `{"state": …}` whenever its
state changed (at most ten a second) and at least once a second, so silence means a dead engine.
"""

from __future__ import annotations

import json
from typing import Any

LIMIT = 64 * 1024 * 1024
"""Bytes of one message; a proposal of 1,000 charts with its diff is about 8 MiB."""

BEAT = 1.0
"""Seconds between heartbeats."""

SILENCE = 5.0
"""Seconds without a heartbeat after which a view says that the engine does not answer."""


def encode(message: dict[str, Any]) -> bytes:
    """A message as one line."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message of a line. Raises ValueError on anything but a JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    return message
