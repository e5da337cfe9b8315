"""A proposal in words: what is made, changed and taken away, in the order in which it comes up."""

from __future__ import annotations

from collections import Counter

import click

from wizard.state import Change, Proposal
from wizard.text import clean

SIGN = {"create": "+", "update": "~", "delete": "-", "replace": "±"}
TITLE = {"object": "Cluster", "secret": "Secrets", "terraform": "Terraform", "file": "Repository", "git": "Git"}


def show_proposal(proposal: Proposal, *, diff: bool) -> None:
    """Print the proposal; with `diff` the files' changes line by line."""
    for warning in proposal.warnings:
        click.echo(f"warning: {clean(warning)}", err=True)
    if proposal.empty:
        click.echo("nothing to change, everything is Ready")
        return
    for kind, title in TITLE.items():
        changes = [c for c in proposal.changes if c.kind == kind]
        if changes:
            click.echo(f"{title}  {_count(changes)}")
            for change in changes:
                detail = f"  {clean(change.detail)}" if change.detail else ""
                click.echo(f"  {SIGN.get(change.action, '?')} {clean(change.subject)}{detail}")
    if proposal.levels:
        click.echo("Order")
        for number, level in enumerate(proposal.levels, start=1):
            click.echo(f"  {number}. {', '.join(level)}")
    if proposal.pending:
        click.echo(f"Not Ready yet: {', '.join(proposal.pending)}")
    if diff and proposal.diff:
        click.echo(clean(proposal.diff, limit=8 * 1024 * 1024, lines=True))
    click.echo(f"Proposal {proposal.digest}")


def _count(changes: list[Change]) -> str:
    counted = Counter(c.action for c in changes)
    return ", ".join(f"{number} to {action}" for action, number in counted.items())
