"""Figures and the table they are shown in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `target` is the most it may be."""

    name: str
    value: float
    unit: str
    target: float | None = None

    @property
    def missed(self) -> bool:
        return self.target is not None and self.value > self.target


def show(figures: Iterable[Figure]) -> None:
    """Print one line a figure."""
    for figure in figures:
        verdict = "" if figure.target is None else f"target {figure.target:g}  {'MISSED' if figure.missed else 'met'}"
        print(f"{figure.name:<58}{figure.value:>9.2f} {figure.unit:<6} {verdict}", flush=True)
