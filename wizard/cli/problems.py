"""Errors as the operator sees them: what, where with the line, what to do."""

from __future__ import annotations

from pathlib import Path

import click

from wizard.errors import InputError, Place, Problem, TierupError
from wizard.text import clean


def show(error: TierupError) -> None:
    """Print every problem of an error to standard error."""
    for problem in error.problems:
        click.echo(render(problem, quote=not isinstance(error, InputError) or problem.place is not None), err=True)
    if isinstance(error, InputError):
        count = len(error.problems)
        click.echo(f"{count} error{'s' if count > 1 else ''}, nothing was changed", err=True)


def render(problem: Problem, *, quote: bool = True) -> str:
    """A problem as text: `error: place: what`, the line it is about with a mark below, the remedy."""
    where = f"{problem.place}: " if problem.place else ""
    lines = [f"error: {where}{clean(problem.what)}"]
    remedy = clean(problem.remedy, lines=True)
    excerpt = _excerpt(problem.place) if quote and problem.place else None
    if excerpt is None:
        return "\n".join(lines + ([f"  {remedy}"] if remedy else []))
    number, text, column, width = excerpt
    margin = " " * len(str(number))
    lines.append(f"  {number} | {text}")
    lines.append(f"  {margin} | {' ' * column}{'^' * width}" + (f" {remedy}" if remedy else ""))
    return "\n".join(lines)


def _excerpt(place: Place) -> tuple[int, str, int, int] | None:
    """Line number, the key part of the line, where the mark begins and how wide it is.

    Only what stands before the colon is shown: a value may be a secret that was put where none belongs.
    """
    if place.line is None or place.column is None:
        return None
    try:
        with Path(place.file).open(encoding="utf-8") as file:
            line = file.read(256 * 1024).splitlines()[place.line - 1]
    except (OSError, UnicodeDecodeError, IndexError):
        return None
    key = line[place.column - 1 :].partition(":")[0].strip()
    before = line[: place.column - 1]
    if ":" in before and not before.rstrip().endswith(("{", ",", "[", "-")):
        shown = before.rstrip()
        return place.line, clean(shown + " …"), len(shown) + 1, 1
    return place.line, clean(before + key), len(before), max(1, len(key))
