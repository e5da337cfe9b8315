"""`python -m tests.lab up|down|status|env|logs [--name N]`."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from tests.lab.build import BuildError
from tests.lab.lab import Lab, LabError
from tests.lab.layout import BASE, directory_of
from tests.lab.lifecycle import down, status


def main(arguments: list[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    began = time.monotonic()

    def report(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    try:
        if options.command == "up":
            lab = Lab.up(options.name, nodes=options.nodes, catalog=options.catalog, report=report)
            print(f"\nkubeconfig  {lab.kubeconfig}\ngit         {lab.git_url} (user {lab.git_username}, password {lab.git_password})")
            print(f'registry    {lab.registry}\nhttp        {lab.http}\n\neval "$(python -m tests.lab env --name {options.name})"')
        elif options.command == "down":
            for name in [path.name for path in BASE.iterdir() if path.is_dir()] if options.all and BASE.is_dir() else [options.name]:
                down(directory_of(name))
                report(f"lab {name} is down")
        elif options.command == "status":
            return _status(options.name)
        elif options.command == "env":
            _env(Lab.attach(options.name))
        else:
            _logs(options.name, options.part, options.lines)
    except (LabError, BuildError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="a Kubernetes control plane with Flux, Git and a registry on loopback"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "up": "build what is missing and start",
        "down": "end every process and remove the folder",
        "status": "parts and what died",
        "env": "shell lines",
        "logs": "last lines of the parts",
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--name", default="lab")
        if name == "up":
            command.add_argument("--nodes", type=int, default=3)
            command.add_argument("--catalog", type=Path, help="a folder like presets/charts")
        elif name == "down":
            command.add_argument("--all", action="store_true")
        elif name == "logs":
            command.add_argument("part", nargs="?")
            command.add_argument("--lines", type=int, default=20)
    return parser


def _status(name: str) -> int:
    state = status(directory_of(name))
    print(f"{name}: {state['phase']} {state['problem']}".rstrip())
    for part, record in state["parts"].items():
        print(f"  {part:24} {record['state']:8} pid {record['pid']}")
    for part, death in state["died"].items():
        print(f"\n{part} died (code {death['code']}); its last lines:\n  " + "\n  ".join(death["last"]))
    return 0 if state["phase"] == "ready" and not state["died"] else 1


def _env(lab: Lab) -> None:
    """Lines for `eval`: the variables programs read, and the addresses by name."""
    own = {
        "LAB_GIT_URL": lab.git_url,
        "LAB_GIT_USERNAME": lab.git_username,
        "LAB_GIT_PASSWORD": lab.git_password,
        "LAB_REGISTRY": lab.registry,
        "LAB_HTTP": lab.http,
        "TIERUP_GIT_TOKEN": lab.git_password,
    }
    for key, value in (lab.environment() | own).items():
        if key != "HOME":
            print(f"export {key}={shlex.quote(value)}")


def _logs(name: str, part: str | None, lines: int) -> None:
    folder = directory_of(name) / "logs"
    for path in sorted(folder.glob(f"{part or '*'}.log")):
        print(f"== {path}")
        print("\n".join(path.read_text(errors="replace").splitlines()[-lines:]))


if __name__ == "__main__":
    sys.exit(main())
