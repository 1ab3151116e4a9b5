"""`sfnhw explore`: a grid over fields of the chip."""

from pathlib import Path

import click

from sfnhw.cli.chip_options import at_technology, technology_options
from sfnhw.cli.compiling import tell_of_compiling
from sfnhw.cli.options import (
    as_json,
    as_typed,
    chip_option,
    fidelity_option,
    folder_option,
    inputs_option,
    network_argument,
    objective_option,
    placer_option,
)
from sfnhw.cli.output import Progress, print_json, say
from sfnhw.errors import InputError


@click.command("explore", short_help="Estimate a network on a grid of chip fields.")
@network_argument
@chip_option
@technology_options
@inputs_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    required=True,
    metavar="FIELD=V1,V2,..",
    help="Values of a chip field, e.g. noc.columns=4,8, or of a price, e.g. energy.compare.energy_pj=0.1,0.2; may be given several times, all combinations are estimated. A list stands in brackets: io.router=[0,0],[7,7].",
)
@folder_option()
@fidelity_option
@placer_option
@objective_option
@click.option(
    "--workers", type=click.IntRange(1), help="Processes; one for each core of this machine unless told otherwise."
)
@as_json
def command(
    network_path: Path,
    chip: str,
    node_nm: float | None,
    voltage_v: float | None,
    clock: str | None,
    inputs_path: Path,
    settings: tuple[str, ...],
    folder: Path,
    fidelity: str,
    placer: str,
    objective: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Estimate NETWORK on every combination of chip fields, and show what is worth having.

    Rows are written to DIR as they finish; run the command again and finished points are kept.
    """
    from sfnhw.explore import explore, table_text
    from sfnhw.inputs import load_inputs
    from sfnhw.reports.explore_table import about_text

    grid = parse_settings(settings)
    target = at_technology(chip, node_nm, voltage_v, clock)
    given = load_inputs(inputs_path)
    progress = Progress()
    tell_of_compiling()
    with as_typed({"objective": "--objective", "placer": "--placer"}):
        rows = explore(
            network_path,
            target,
            given.inputs,
            grid,
            folder,
            fidelity=fidelity,
            objective=objective,
            placer=placer,
            workers=workers,
            labels=given.labels,
            progress=progress,
        )
    progress.clear()
    if as_json:
        print_json({"objective": objective, "placer": placer, "points": rows, "folder": str(folder)})
    else:
        about = about_text(len(rows), target.name, fidelity, objective, placer)
        click.echo(table_text(rows, list(grid), len(given.inputs), about))
    say(f"\ntable: {folder / 'table.csv'}\nopen:  {folder / 'pareto.svg'}")


def parse_settings(settings: tuple[str, ...]) -> dict[str, list[str]]:
    """Read ``field=v1,v2`` texts; the values stay texts, which `Chip.replace` reads as YAML scalars.

    Commas inside brackets belong to a value: ``io.router=[0,0],[3,3]``.

    Raises
    ------
    InputError : no '=', no field, an empty value, or a field given twice.
    """
    grid: dict[str, list[str]] = {}
    for text in settings:
        field, equals, values = text.partition("=")
        field = field.strip()
        given = _split(values)
        if not equals or not field or not all(given):
            raise InputError(field="--set", found=text, expected="FIELD=VALUE,VALUE,.. such as noc.columns=4,8")
        if field in grid:
            raise InputError(f"{field} is given twice", field="--set", found=text, expected="one --set for each field")
        grid[field] = given
    return grid


def _split(values: str) -> list[str]:
    """Split at commas outside brackets."""
    parts, depth = [""], 0
    for character in values:
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
