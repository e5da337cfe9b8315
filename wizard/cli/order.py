"""`order`: what waits for what, and why."""

from __future__ import annotations

import json

import click

from wizard.cli.options import Chosen, plan_options


@click.command()
@plan_options
@click.option("--mermaid", is_flag=True, help="Print a Mermaid graph.")
@click.option("--json", "as_json", is_flag=True, help="Print levels and edges as JSON.")
@click.option("--why", nargs=2, metavar="A B", help="Explain why A waits for B.")
def order(chosen: Chosen, mermaid: bool, as_json: bool, why: tuple[str, str] | None) -> int:
    """Show what waits for what, and why. What the cluster itself offers is only known to `plan`."""
    from wizard.catalog import load as load_catalog
    from wizard.order import resolve

    resolved = resolve(chosen.plan, load_catalog(), None)
    if why:
        click.echo(resolved.explain(*why))
    elif mermaid:
        click.echo(resolved.mermaid())
    elif as_json:
        edges = [{"from": e.source, "to": e.target, "kind": e.kind, "because": e.because} for e in resolved.edges]
        click.echo(json.dumps({"levels": resolved.levels, "edges": edges, "brought": dict(resolved.brought)}, ensure_ascii=False, indent=2))
    else:
        click.echo(resolved.text())
    return 0
