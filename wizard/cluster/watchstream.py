"""The lines of a watch, each checked before it is believed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from wizard.cluster import apierror
from wizard.cluster.apierror import ApiError
from wizard.cluster.unanswered import from_exception

LINE = 8 * 1024 * 1024
"""No object is larger: etcd keeps 1.5 MiB by default."""
PIECE = 64 * 1024
_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})


def events(stream: Any, *, server: str, path: str, stopped: Callable[[], bool]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, object) of each event until the server ends the watch or `stopped`. Raises ApiError: with `gone` when the version is too
    old, with reason garbled for a line that is not an event, too long or cut short."""
    rest = bytearray()
    while not stopped():
        try:
            piece = stream.read1(PIECE)
        except Exception as error:
            if stopped():
                return
            raise from_exception(error, server=server, doing=f"WATCH {path}") from error
        if not piece:
            break
        begin = len(rest)
        rest += piece
        if b"\n" not in piece and len(rest) > LINE:
            raise _garbled(server, path, "a line of more than 8 MiB")
        start = 0
        while (end := rest.find(b"\n", max(start, begin))) >= 0:
            line = bytes(rest[start:end])
            start, begin = end + 1, 0
            if len(line) > LINE:
                raise _garbled(server, path, "a line of more than 8 MiB")
            if line.strip():
                yield _event(line, server, path)
            if stopped():
                return
        del rest[:start]
    if rest.strip() and not stopped():
        raise _garbled(server, path, "a line that was cut short")


def _event(line: bytes, server: str, path: str) -> tuple[str, dict[str, Any]]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise _garbled(server, path, "a line that is not JSON") from None
    kind = value.get("type") if isinstance(value, dict) else None
    item = value.get("object") if isinstance(value, dict) else None
    if kind == "ERROR" and isinstance(item, dict):
        code = item.get("code") if isinstance(item.get("code"), int) else 500
        raise apierror.from_status(int(code or 500), json.dumps(item).encode(), {}, server=server, doing=f"WATCH {path}")
    if kind not in _TYPES or not isinstance(item, dict):
        raise _garbled(server, path, "a line that is no event")
    return str(kind), item


def _garbled(server: str, path: str, what: str) -> ApiError:
    return ApiError(f"{server} sent {what} in a watch of {path}", reason="garbled", remedy="everything is read again")
