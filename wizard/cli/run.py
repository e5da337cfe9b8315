"""`plan`, `apply`, `resume`: start an engine, show its proposal, approve, watch."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace

import click

from wizard.cli.options import Chosen, one_name, plan_options
from wizard.cli.progress import Progress
from wizard.cli.proposal import show_proposal
from wizard.client.connection import Connection, EngineGone
from wizard.client.launch import launch
from wizard.client.launch import resume as resume_run
from wizard.errors import InputError, NeedsOperator
from wizard.secrets import Secret
from wizard.state import Activity, Proposal, RunState
from wizard.state.places import places
from wizard.state.request import load_request


@click.command()
@plan_options
@click.option("--json", "as_json", is_flag=True, help="Print the proposal as JSON.")
@click.option("--diff/--no-diff", default=True, help="Show the files as a diff.")
def plan(chosen: Chosen, as_json: bool, diff: bool) -> int:
    """Show what apply would do and change nothing. Exit code 0: nothing to do, 2: changes pending."""
    with launch(chosen.places, replace(chosen.request, mode="plan"), chosen.plan.to_yaml()) as view:
        view.begin(_environment(chosen.request.from_environment))
        last = _follow(view, Progress(quiet=as_json))
    if last.proposal is None:
        return _end(last)
    if as_json:
        click.echo(json.dumps({**asdict(last.proposal), "exit_code": last.exit_code}, ensure_ascii=False, indent=2))
    else:
        show_proposal(last.proposal, diff=diff)
        if last.proposal.missing:
            click.echo(f"no value yet for: {', '.join(last.proposal.missing)}")
    return _end(last, quiet=as_json)


@click.command()
@plan_options
@click.option("--yes", is_flag=True, help="Approve what is proposed without asking.")
@click.option("--approve", metavar="DIGEST", help="Approve the proposal of this digest (printed by `tierup plan`) and no other.")
@click.option("--detach", is_flag=True, help="Return as soon as the run is approved; it goes on by itself.")
def apply(chosen: Chosen, yes: bool, approve: str | None, detach: bool) -> int:
    """Show what would be done, ask, and do it."""
    with launch(chosen.places, chosen.request, chosen.plan.to_yaml()) as view:
        view.begin(_environment(chosen.request.from_environment))
        return _drive(view, yes=yes, approve=approve, detach=detach)


@click.command()
@click.option("-n", "--name", help="Name of the cluster's plan (default: the only one known here).")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
def resume(name: str | None, detach: bool) -> int:
    """Go on with the last run: everything is looked at again, only what is missing is done."""
    where = places(one_name(name))
    run = where.latest_run()
    if run is None:
        raise InputError(f'there is no run of "{where.name}" to resume', remedy="start one with `tierup apply FILE`")
    with resume_run(where, run) as view:
        view.begin(_environment(load_request(run).from_environment))
        return _drive(view, yes=False, approve=None, detach=detach)


def _drive(view: Connection, *, yes: bool, approve: str | None, detach: bool) -> int:
    progress = Progress()
    asked: set[str] = set()
    last: RunState | None = None
    try:
        for last in view.states():
            progress.show(last)
            if last.activity is Activity.PROPOSED and last.proposal is not None and last.proposal.digest not in asked:
                if last.proposal.missing:
                    asked.add(last.proposal.digest)
                    view.give(_prompt(last.proposal.missing))
                elif not last.proposal.empty:
                    asked.add(last.proposal.digest)
                    show_proposal(last.proposal, diff=not yes and approve is None)
                    view.approve(_decision(last.proposal, yes=yes, approve=approve))
            if detach and last.activity is Activity.EXECUTING:
                click.echo("the run goes on; `tierup attach` shows it")
                return 0
    except KeyboardInterrupt:
        if last is not None and last.activity is Activity.EXECUTING:
            click.echo("\ndetached: the run goes on. `tierup attach` shows it, `tierup cancel` stops it.", err=True)
            return 0
        view.cancel()
        raise
    except (NeedsOperator, InputError):
        view.cancel()
        raise
    if last is None:
        raise EngineGone("the engine ended before it said anything", remedy="`tierup logs` shows why")
    return _end(last)


def _decision(proposal: Proposal, *, yes: bool, approve: str | None) -> str:
    if yes:
        return proposal.digest
    if approve is not None:
        return approve
    if not sys.stdin.isatty():
        raise NeedsOperator(
            "nobody is here to approve",
            remedy=f"approve with --yes, or with --approve {proposal.digest}",
        )
    hard = [c for c in proposal.changes if c.action in ("delete", "replace")]
    for change in hard:
        if click.prompt(f"{change.action}s {change.subject}. Type its name to go on", default="", show_default=False) != change.subject:
            raise NeedsOperator("not approved; nothing was changed")
    if not hard and not click.confirm("Do it?", default=False):
        raise NeedsOperator("not approved; nothing was changed")
    return proposal.digest


def _environment(wanted: Iterable[tuple[str, str]]) -> dict[str, Secret]:
    """The secrets that come from this process's environment; what is not set is asked for or reported by the engine."""
    return {name: Secret(os.environ[variable]) for name, variable in wanted if os.environ.get(variable)}


def _prompt(missing: Iterable[str]) -> dict[str, Secret]:
    names = list(missing)
    if not sys.stdin.isatty():
        raise NeedsOperator(
            f"no value for {len(names)} secret{'s' if len(names) > 1 else ''}: {', '.join(names)}",
            remedy="set the environment variables that the plan names (env:NAME), or run this in a terminal to type them",
        )
    import getpass

    return {name: Secret(getpass.getpass(f"{name}: ")) for name in names}


def _follow(view: Connection, progress: Progress) -> RunState:
    last: RunState | None = None
    for last in view.states():
        progress.show(last)
    if last is None:
        raise EngineGone("the engine ended before it said anything", remedy="`tierup logs` shows why")
    return last


def _end(state: RunState, *, quiet: bool = False) -> int:
    if state.exit_code is None:
        raise EngineGone("the engine ended in the middle", remedy="`tierup resume` goes on")
    if state.problems:
        for problem in state.problems:
            click.echo(f"error: {problem}", err=True)
    elif not quiet and state.activity is Activity.DONE and state.exit_code == 0:
        click.echo(state.message)
    return state.exit_code
