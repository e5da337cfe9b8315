"""`attach`, `status`, `logs`, `cancel`: look at a run from outside."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import click

from wizard.cli.options import one_name
from wizard.cli.progress import GLYPH, Progress
from wizard.client.connection import Connection, EngineGone, as_seen, read_snapshot
from wizard.clock import SYSTEM
from wizard.errors import InputError
from wizard.state import TIERS, RunState, tier_phase
from wizard.state.places import Places, places
from wizard.text import clean

_name = click.option("-n", "--name", help="Name of the cluster's plan (default: the only one known here).")


@click.command()
@_name
def attach(name: str | None) -> int:
    """Watch the run that is going on, from any terminal; Ctrl+C leaves it alone."""
    where = places(one_name(name))
    progress = Progress()
    last: RunState | None = None
    with Connection(where.socket) as view:
        try:
            for last in view.states():
                progress.show(last)
        except KeyboardInterrupt:
            click.echo("\ndetached: the run goes on", err=True)
            return 0
    if last is None or last.exit_code is None:
        raise EngineGone("the engine ended in the middle", remedy="`tierup resume` goes on")
    for problem in last.problems:
        click.echo(f"error: {problem}", err=True)
    return last.exit_code


@click.command()
@_name
@click.option("--json", "as_json", is_flag=True, help="Print the whole state as JSON.")
def status(name: str | None, as_json: bool) -> int:
    """Show how the last run stands, whether its engine lives or not. Exit code: the run's own, 0 while it goes on."""
    where = places(one_name(name))
    state = _state(where)
    if as_json:
        click.echo(json.dumps(state.to_json(), ensure_ascii=False, indent=2))
        return state.exit_code or 0
    click.echo(f"{state.plan} · {state.journey} · {state.activity.value}" + (f" · {clean(state.message)}" if state.message else ""))
    for tier in TIERS:
        charts = state.tier(tier)
        if charts:
            phase = tier_phase(charts)
            ready = sum(c.phase == "ready" for c in charts)
            click.echo(f"  {tier.capitalize():<9}{GLYPH[phase]} {ready}/{len(charts)}")
            for chart in charts:
                click.echo(f"    {GLYPH[chart.phase]} {chart.chart:<25}{chart.phase.value:<10}{clean(chart.message, limit=120)}")
    for problem in state.problems:
        click.echo(f"error: {problem}", err=True)
    return state.exit_code or 0


@click.command()
@_name
@click.option("-f", "--follow", is_flag=True, help="Go on printing until the run ends.")
def logs(name: str | None, follow: bool) -> int:
    """Print the journal and the engine's and Terraform's logs of the last run."""
    where = places(one_name(name))
    run = _latest(where)
    printed: dict[Path, int] = {}
    while True:
        ended = not _alive(where)
        for file in sorted([run / "journal.jsonl", *run.glob("*.log"), *run.glob("terraform/*.log")]):
            printed[file] = _print_from(file, printed.get(file, 0))
        if ended or not follow:
            return 0
        SYSTEM.wait(threading.Event(), 0.3)


@click.command()
@_name
def cancel(name: str | None) -> int:
    """Ask the run to stop at the next safe point. Terraform finishes what it is at; `resume` goes on later."""
    where = places(one_name(name))
    with Connection(where.socket) as view:
        next(view.states())
        view.cancel()
        heard = list(view.states())
    click.echo(clean(heard[-1].message) if heard and heard[-1].message else "cancelled")
    return 0


def _state(where: Places) -> RunState:
    try:
        with Connection(where.socket) as view:
            for state in view.states():
                return state
    except EngineGone:
        pass
    state_on_disk = read_snapshot(_latest(where))
    if state_on_disk is None:
        raise InputError(
            f'the last run of "{where.name}" left no state', remedy="`tierup logs` shows what it wrote; `tierup resume` goes on"
        )
    return as_seen(state_on_disk, alive=False)


def _latest(where: Places) -> Path:
    run = where.latest_run()
    if run is None:
        raise InputError(f'there is no run of "{where.name}"', remedy="start one with `tierup apply FILE`")
    return run


def _alive(where: Places) -> bool:
    try:
        Connection(where.socket).close()
    except EngineGone:
        return False
    return True


def _print_from(file: Path, offset: int) -> int:
    """Print what a file holds beyond `offset`, whole lines only, harmless; returns the new offset."""
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return offset
    whole = data[: data.rfind(b"\n") + 1]
    for line in whole.decode(errors="replace").splitlines():
        click.echo(f"{file.stem}: {clean(line, limit=4000)}")
    return offset + len(whole)
