"""`doctor`: is everything there? One line a check."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from wizard.cli.options import Chosen, plan_options

GLYPH = {"ok": "✓", "warn": "!", "operator": "✗", "failed": "✗"}


@click.command()
@plan_options
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(chosen: Chosen, as_json: bool) -> int:
    """Check this machine, the cluster and the repository for a plan. Exit code 0 all right, 1 failed, 3 needs the operator."""
    from wizard.journeys.checks import Checks

    seen = []
    for checked in Checks(chosen.request, chosen.places, chosen.plan):
        seen.append(checked)
        if not as_json:
            click.echo(f"{GLYPH[checked.state]} {checked.name:<13} {checked.found}")
            if checked.remedy:
                click.echo(f"                {checked.remedy}")
    if as_json:
        click.echo(json.dumps([asdict(c) for c in seen], ensure_ascii=False, indent=2))
    states = {c.state for c in seen}
    return 1 if "failed" in states else 3 if "operator" in states else 0
