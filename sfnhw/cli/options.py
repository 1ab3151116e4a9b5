"""Options that several commands share."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sfnhw.errors import InputError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
)
chip_option = click.option(
    "--chip",
    default="reference",
    show_default=True,
    metavar="CHIP",
    help="A preset (see `sfnhw chips`) or a YAML file.",
)
inputs_option = click.option(
    "--inputs",
    "inputs_path",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Arrays `inputs` (samples × input shape) and, if known, `labels`.",
)
optional_inputs_option = click.option(
    "--inputs",
    "inputs_path",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Arrays `inputs` (samples × input shape) and, if known, `labels`.",
)
fidelity_option = click.option(
    "--fidelity",
    default="packet",
    show_default=True,
    metavar="F",
    help="`packet` simulates every spike packet with contention and unbounded queues; `flit` moves every flit through routers with finite buffers, which push back; `auto` runs packet, and flit where packets wait long; `analytic` estimates the times in closed form.",
)
objective_option = click.option(
    "--objective",
    default="cores",
    show_default=True,
    metavar="NAME",
    help="What layers are cut for: cores (the fewest slices), latency, throughput or energy.",
)
placer_option = click.option(
    "--placer",
    default="hilbert",
    show_default=True,
    metavar="NAME",
    help="How slices are laid out over the cores: hilbert (space-filling), sequential, random, annealed (a search), annealed-balanced, or partitioned (over the chips of a board, then a search).",
)
network_argument = click.argument("network_path", metavar="NETWORK", type=click.Path(path_type=Path))


def folder_option(default: str | None = None) -> Decorator:
    """``-o DIR``, required where there is no default."""
    # None given as a default is one to click, which then asks for nothing.
    given: dict[str, Any] = {"required": True} if default is None else {"default": default, "show_default": True}
    return click.option(
        "-o",
        "--output",
        "folder",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder for the results.",
        **given,
    )


@contextmanager
def as_typed(flags: Mapping[str, str]) -> Iterator[None]:
    """Where an error is about an argument of Python, name the option as it was typed: argument → flag."""
    try:
        yield
    except InputError as error:
        if error.field is None or error.field not in flags:
            raise
        raise type(error)(str(error).replace(f"{error.field}: ", f"{flags[error.field]}: ", 1)) from None


def command_line() -> list[str]:
    """Return the command as it was typed, for the record."""
    return ["sfnhw", *sys.argv[1:]]
