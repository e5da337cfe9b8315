"""What `terraform ... -json` tells while it runs: one JSON object per line, turned into plain records.

Line formats: Terraform 1.11.4, "Machine-Readable UI". A Go panic or a refused flag is plain text; such lines are kept as they
are. Everything here may hold foreign text (provider messages), so it is cleaned before it leaves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.errors import Place, Problem
from wizard.text import clean

_PHASES = {
    "apply_start": "start",
    "apply_progress": "progress",
    "apply_complete": "done",
    "apply_errored": "failed",
}


@dataclass(frozen=True, slots=True)
class Event:
    """A step of one resource. `phase`: start, progress (every 10 s), done, failed; `seconds` since its start."""

    address: str
    action: str
    phase: str
    message: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning as Terraform words it; `address` is the resource it concerns, empty when none."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """A line that is not JSON: a panic, a refused flag, a warning before Terraform knew its own flags."""

    text: str


Line = Event | Diagnostic | Raw


def parse(line: str) -> Line | None:
    """The record of one line, None for what is of no interest (refreshes, summaries, log lines)."""
    try:
        data = json.loads(line)
    except ValueError:
        text = clean(line)
        return Raw(text) if text.strip() else None
    if not isinstance(data, dict):
        return Raw(clean(line))
    kind = data.get("type")
    if kind in _PHASES:
        return _event(_PHASES[str(kind)], data)
    if kind == "diagnostic":
        return _diagnostic(data.get("diagnostic") or {})
    return None


def _event(phase: str, data: dict[str, Any]) -> Event:
    hook = data.get("hook") or {}
    resource = hook.get("resource") or {}
    return Event(
        address=clean(resource.get("addr", "")),
        action=clean(hook.get("action", "")),
        phase=phase,
        message=clean(data.get("@message", "")),
        seconds=float(hook.get("elapsed_seconds") or 0),
    )


def _diagnostic(data: dict[str, Any]) -> Diagnostic:
    place = data.get("range") or {}
    return Diagnostic(
        severity=str(data.get("severity", "error")),
        summary=clean(data.get("summary", "")),
        detail=clean(data.get("detail", ""), limit=4000, lines=True),
        address=clean(data.get("address", "")),
        file=clean(place.get("filename", "")),
        line=(place.get("start") or {}).get("line"),
    )


class Tail:
    """Follows a log file that another process writes; gives whole lines only, the rest when that process has ended."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0
        self._rest = b""

    def lines(self, *, last: bool = False) -> Iterator[Line]:
        """The records that came since the last call. With `last`, an unfinished line counts as a line."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read()
        except FileNotFoundError:
            return
        self._offset += len(chunk)
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        if last and self._rest:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            record = parse(line.decode("utf-8", "replace"))
            if record is not None:
                yield record


def problem(diagnostic: Diagnostic, *, root: str) -> Problem:
    """An error in words: which resource, what Terraform says, where in the root it stands."""
    subject = f"{diagnostic.address}: " if diagnostic.address else ""
    what = f"Terraform ({root}): {subject}{diagnostic.summary or 'failed without a word'}"
    if diagnostic.detail and diagnostic.detail.strip() != diagnostic.summary.strip():
        what += f": {clean(diagnostic.detail)}"
    place = Place(f"terraform/{root}/{diagnostic.file}", diagnostic.line) if diagnostic.file else None
    return Problem(what, place, _remedy(diagnostic))


_REMEDIES = (
    ("cannot re-use a name that is still in use", "A release of that name is there already: remove it with helm, then `tierup resume`."),
    (
        "another operation (install/upgrade/rollback) is in progress",
        "A killed run left the release pending: `tierup resume` removes the mark.",
    ),
    ("already exists", "It was made by somebody else, or by a run that was killed: `tierup resume` looks at which."),
    ("connection refused", "The API server does not answer: `tierup doctor` says more."),
    ("no such host", "The name is not known to this machine's DNS."),
    ("x509: ", "The certificate is not trusted: check the CA in the kubeconfig and the clock."),
    ("unauthorized", "The credential of the kubeconfig is not accepted (any more)."),
    ("is forbidden", "The account of the kubeconfig may not do this: tierup needs cluster-admin for the first install."),
    ("could not locate chart", "The chart is not in that repository under this version: check the version and the mirror."),
    ("unable to locate chart", "The chart is not in that repository under this version: check the version and the mirror."),
    (
        "failed to query available provider packages",
        "The provider registry cannot be reached: go online or set a provider mirror in Terraform's CLI configuration.",
    ),
    ("context deadline exceeded", "It took longer than its time limit: `tierup resume` goes on where it stands."),
    ("timed out waiting", "It took longer than its time limit: `tierup resume` goes on where it stands."),
)


def _remedy(diagnostic: Diagnostic) -> str:
    text = f"{diagnostic.summary} {diagnostic.detail}".lower()
    return next((remedy for mark, remedy in _REMEDIES if mark in text), "")
