"""Options that several commands share, and the plan they lead to."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wizard.errors import InputError
from wizard.state.places import Places, known_plans, places
from wizard.state.request import Request

if TYPE_CHECKING:
    from wizard.plan import Plan

PLAN_OPTIONS = [
    click.argument("file", required=False),
    click.option("-n", "--name", help="Name of the cluster's plan (default: what the file says)."),
    click.option("--kubeconfig", type=click.Path(), help="Kubeconfig to use (default: KUBECONFIG, else ~/.kube/config)."),
    click.option("--context", help="Context in the kubeconfig (default: what the plan says, else the current one)."),
    click.option("--git", "git_url", metavar="URL", help="Git repository that Flux follows."),
    click.option("--branch", help="Branch in that repository."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, e.g. domain=home.example.net."),
    click.option(
        "--secret",
        "secrets",
        multiple=True,
        metavar="NAME=SOURCE",
        help="Where a secret comes from: prompt, env:NAME, vault:NAME, generate.",
    ),
    click.option("--mirror", metavar="HOST:PORT", help="OCI registry that holds all charts, for clusters without the internet."),
    click.option("--mirror-http", metavar="URL", help="Plain HTTP server with the charts Terraform reads."),
    click.option("--insecure", is_flag=True, default=None, help="The mirror speaks plain HTTP."),
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the options came to."""

    plan: Plan
    request: Request
    places: Places


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options above; it is called with `chosen` in their place."""

    @functools.wraps(command)
    def wrapped(
        file: str | None,
        name: str | None,
        kubeconfig: str | None,
        context: str | None,
        git_url: str | None,
        branch: str | None,
        settings: tuple[str, ...],
        secrets: tuple[str, ...],
        mirror: str | None,
        mirror_http: str | None,
        insecure: bool | None,
        **rest: Any,
    ) -> Any:
        from wizard.catalog import load as load_catalog
        from wizard.plan import check, load_plan, load_preset

        path = _file(file, name)
        loaded = load_plan(path) if path.suffix else load_preset(str(path))
        plan = loaded.plan.with_overrides(
            name=name,
            git_url=git_url,
            branch=branch,
            context=context,
            settings=_pairs(settings, "--set"),
            secrets=_pairs(secrets, "--secret"),
            mirror=mirror,
            http=mirror_http,
            insecure=insecure,
            kind="Plan",
        )
        check(plan, load_catalog(), loaded.document)
        return command(chosen=_chosen(plan, path, kubeconfig), **rest)

    decorated: Callable[..., Any] = wrapped
    for option in reversed(PLAN_OPTIONS):
        decorated = option(decorated)
    return decorated


def _chosen(plan: Plan, path: Path, kubeconfig: str | None) -> Chosen:
    config = kubeconfig or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or "~/.kube/config"
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    request = Request(
        name=plan.name,
        source=str(path.absolute()) if path.is_file() else str(path),
        source_digest=digest,
        kubeconfig=str(Path(config).expanduser().absolute()),
        context=plan.cluster.context or "",
        from_environment=tuple(
            (secret, source.removeprefix("env:")) for secret, source in sorted(plan.secrets.items()) if source.startswith("env:")
        ),
    )
    return Chosen(plan, request, places(plan.name))


def _file(file: str | None, name: str | None) -> Path:
    """The file to read: the one named, else the plan of the last run of that name."""
    if file:
        return Path(file)
    where = places(one_name(name))
    if (run := where.latest_run()) is None:
        raise InputError(f'there is no run of "{where.name}" to take the plan from', remedy="name a plan or a preset: `tierup apply FILE`")
    return run / "plan.yaml"


def one_name(name: str | None) -> str:
    """The plan's name: as given, else the only one this machine knows."""
    if name:
        return name
    known = known_plans()
    if len(known) == 1:
        return known[0]
    if not known:
        raise InputError("no run was ever started on this machine", remedy="start with `tierup apply FILE`, e.g. a preset")
    raise InputError(f"several plans have runs here: {', '.join(known)}", remedy="say which with --name")


def _pairs(items: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise InputError(f'{option} "{item.partition("=")[0]}" is not KEY=VALUE')
        pairs[key] = value
    return pairs
