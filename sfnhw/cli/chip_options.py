"""Options that change the chip of ``--chip`` before it is used."""

from typing import TYPE_CHECKING, Any

import click

from sfnhw.cli.options import Decorator
from sfnhw.errors import InputError

if TYPE_CHECKING:
    from sfnhw.chip import Chip

ORIGIN = "given on the command line"

set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field of the chip, e.g. noc.columns=4, or a price, e.g. energy.compare.energy_pj=0.1.",
)


def technology_options(command: Any) -> Any:
    """``--node``, ``--voltage`` and ``--clock``, as `node_nm`, `voltage_v` and `clock`."""
    options: tuple[Decorator, ...] = (
        click.option(
            "--node",
            "node_nm",
            type=float,
            metavar="NM",
            help="Price the chip at another process node, by Stillmaker and Baas 2017.",
        ),
        click.option("--voltage", "voltage_v", type=float, metavar="V", help="Price it at another supply."),
        click.option(
            "--clock",
            metavar="RULE",
            help="With --node or --voltage: `keep` the clock, or `scale` it by the delay of logic.  [default: keep]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def at_technology(chip: "str | Chip", node_nm: float | None, voltage_v: float | None, clock: str | None) -> "Chip":
    """Load the chip, at the node and supply that were asked for.

    Raises
    ------
    ChipError : a chip, node or supply that cannot be.
    InputError : ``--clock`` without another node or supply.
    """
    from sfnhw.chip import load_chip

    loaded = load_chip(chip) if isinstance(chip, str) else chip
    if node_nm is None and voltage_v is None:
        if clock is not None:
            raise InputError(
                "nothing moves the chip", field="--clock", found=clock, expected="--node or --voltage with it"
            )
        return loaded
    return loaded.at(node_nm, voltage_v, clock=clock or "keep")


def with_settings(chip: "str | Chip", settings: tuple[str, ...]) -> "Chip":
    """Load the chip, with ``FIELD=VALUE`` texts applied; a price that is given says so in its source.

    Raises
    ------
    ChipError : a chip, field or value that cannot be.
    InputError : a text without a field, '=' or value, or a field given twice.
    """
    from sfnhw.chip import load_chip

    loaded = load_chip(chip) if isinstance(chip, str) else chip
    changes: dict[str, Any] = {}
    for text in settings:
        field, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not field or not value:
            raise InputError(field="--set", found=text, expected="FIELD=VALUE such as noc.columns=4")
        if field in changes:
            raise InputError(f"{field} is given twice", field="--set", found=text, expected="one --set for each field")
        changes[field] = value
    return loaded.replace(changes, origin=ORIGIN) if changes else loaded
