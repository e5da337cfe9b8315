"""`make bench`: figures of one run on one machine, as ratios where that is possible; `--quick` leaves the lab out.

Timings do not belong into tests: machines differ and are shared. What is compared here is measured side by side.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from tests.bench.graph import make_plan_of
from tests.bench.lab import lab_figures
from tests.bench.table import Figure, show

CHARTS = 1000


def median_of(act: Callable[[], object], runs: int = 7) -> float:
    """Median seconds of several runs, after one that is not counted."""
    act()
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def child(*argv: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-P", *argv], check=True, capture_output=True)


def start_figures() -> list[Figure]:
    """The command line against the interpreter alone."""
    bare = median_of(child("-c", "pass"), 15)
    shown = median_of(child("-m", "wizard.cli", "--help"), 15)
    return [
        Figure("python -c pass", bare * 1000, "ms"),
        Figure("tierup --help", shown * 1000, "ms"),
        Figure("tierup --help / python -c pass", shown / bare, "times"),
    ]


def graph_figures() -> list[Figure]:
    """Order and render of a synthetic plan."""
    from wizard.gitops.render import render
    from wizard.order import resolve

    plan, catalog = make_plan_of(CHARTS)
    order = resolve(plan, catalog, None)
    ordering = median_of(lambda: resolve(plan, catalog, None))
    rendering = median_of(lambda: render(plan, catalog, order), 5)
    return [
        Figure(f"order of {CHARTS} charts", ordering * 1000, "ms", 100),
        Figure(f"render of {CHARTS} charts", rendering * 1000, "ms", 600),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the lab (10 s instead of 6 minutes)")
    wanted = parser.parse_args()
    figures = start_figures() + graph_figures()
    show(figures)
    if not wanted.quick:
        more = lab_figures()
        show(more)
        figures += more
    missed = [f.name for f in figures if f.missed]
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
