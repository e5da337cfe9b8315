"""What an operator is told when something cannot go on: what, where, why, and what to do.

Every error an operator can cause is a `TierupError` that holds one or more `Problem`s; the command line prints them all and
ends with the error's exit code. Exit codes: 0 done, 1 failed, 2 changes pending, 3 needs the operator, 64 bad usage or input,
75 locked (sysexits' EX_TEMPFAIL).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where a problem is: a file and, when known, the line and column (both from 1)."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.file] + [str(n) for n in (self.line, self.column) if n is not None]
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `remedy` is one next action; neither may hold a secret value."""

    what: str
    place: Place | None = None
    remedy: str = ""

    def __str__(self) -> str:
        head = f"{self.place}: {self.what}" if self.place else self.what
        return f"{head}\n  {self.remedy}" if self.remedy else head


class TierupError(Exception):
    """The run failed for a reason that is known and said. Exit code 1."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str | Problem | Iterable[Problem], *, remedy: str = "", place: Place | None = None) -> None:
        if isinstance(what, str):
            self.problems: tuple[Problem, ...] = (Problem(what, place, remedy),)
        elif isinstance(what, Problem):
            self.problems = (what,)
        else:
            self.problems = tuple(what)
        super().__init__("\n".join(str(p) for p in self.problems))


class InputError(TierupError):
    """A file, an option or an answer is not what it must be. Nothing was changed. Exit code 64."""

    exit_code: ClassVar[int] = 64


class NeedsOperator(TierupError):
    """Only a person can decide this (a conflict, a missing secret, an object of somebody else). Exit code 3."""

    exit_code: ClassVar[int] = 3


class Locked(TierupError):
    """Another run works on the same cluster. Exit code 75."""

    exit_code: ClassVar[int] = 75


class Cancelled(TierupError):
    """The operator asked to stop. Exit code 1; `resume` goes on."""
