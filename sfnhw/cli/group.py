"""The group of commands. A new command is one file here and one line in `COMMANDS`."""

from importlib import import_module
from typing import Any

import click

from sfnhw import __version__
from sfnhw.errors import nearest

# Command -> its module in sfnhw.cli, which holds a click command named `command`; in the order of the help page.
COMMANDS = {
    "demo": "demo",
    "convert": "convert",
    "export": "export",
    "cut": "cut",
    "record": "record",
    "map": "map",
    "estimate": "estimate",
    "explore": "explore",
    "report": "report",
    "plot": "plot",
    "trace": "trace",
    "chips": "chips",
    "codings": "codings",
    "threshold-units": "threshold_units",
    "rates": "rates",
    "numerics": "numerics",
    "noc": "noc",
}


class LazyGroup(click.Group):
    """Imports a command's module when that command, or the list of all, is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a first visit."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"sfnhw.cli.{COMMANDS[cmd_name]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but name the nearest command."""
        name = args[0]
        if not name.startswith("-") and name not in COMMANDS:
            text = f"no such command: found {name!r}, expected one of {', '.join(COMMANDS)}"
            raise click.UsageError(text + nearest(name, list(COMMANDS)))
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="sfnhw", message="%(prog)s %(version)s")
@click.pass_context
def sfnhw(ctx: click.Context, **_: Any) -> None:
    """What does this network cost on a neuromorphic chip?

    Energy, latency and area of a multi-threshold spiking network on a multi-core chip, and what its thresholds cost.
    Start with `sfnhw demo`.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
