"""The command line: parse, call, print. Commands are imported when they are used, so that help is there at once."""

from __future__ import annotations

import importlib
import sys

import click

_COMMANDS = {
    "apply": ("wizard.cli.run", "apply", "Show what would be done, ask, and do it."),
    "plan": ("wizard.cli.run", "plan", "Show what apply would do; change nothing."),
    "resume": ("wizard.cli.run", "resume", "Go on with a run that was cut off or failed."),
    "attach": ("wizard.cli.watch", "attach", "Watch the run that is going on."),
    "status": ("wizard.cli.watch", "status", "Show how the last run stands."),
    "logs": ("wizard.cli.watch", "logs", "Print what the engine wrote down."),
    "cancel": ("wizard.cli.watch", "cancel", "Stop a run at the next safe point."),
    "order": ("wizard.cli.order", "order", "Show what waits for what, and why."),
    "doctor": ("wizard.cli.doctor", "doctor", "Check this machine, the cluster and the repository."),
}

EPILOG = """Exit codes: 0 done, 1 failed, 2 changes pending, 3 needs the operator, 64 bad usage or input, 75 locked."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, _, words) in _COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, 1)
            raise click.UsageError(f'no such command "{args[0]}"' + (f', did you mean "{near[0]}"?' if near else ""), ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="tierup", prog_name="tierup")
def root() -> None:
    """From a bare Kubernetes cluster to GitOps with Flux, tier by tier."""


def main(argv: list[str] | None = None) -> None:
    """Run a command and exit with its code; every error an operator can cause ends in words."""
    from wizard.errors import TierupError

    try:
        code = root.main(args=argv, prog_name="tierup", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(64)
    except click.ClickException as error:
        error.show()
        sys.exit(64)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except TierupError as error:
        from wizard.cli.problems import show

        show(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
