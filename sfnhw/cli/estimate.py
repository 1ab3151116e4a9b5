"""`sfnhw estimate`: energy, latency and area of a network on a chip."""

from pathlib import Path

import click

from sfnhw.cli.options import (
    as_json,
    chip_option,
    command_line,
    fidelity_option,
    folder_option,
    inputs_option,
    network_argument,
)
from sfnhw.cli.output import Progress, print_json, say


@click.command("estimate")
@network_argument
@chip_option
@inputs_option
@folder_option()
@fidelity_option
@click.option("--placer", default="hilbert", show_default=True, help="How slices are laid out over the cores.")
@click.option(
    "--baselines",
    default="if,graded8,graded",
    show_default=True,
    metavar="NAMES",
    help="The same network under other codings, to compare with; `none` for none.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads of the simulation; all cores unless told otherwise.")
@as_json
def command(
    network_path: Path,
    chip: str,
    inputs_path: Path,
    folder: Path,
    fidelity: str,
    placer: str,
    baselines: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Estimate what NETWORK (a .sfn file) costs on a chip, on given inputs."""
    from sfnhw.chip import load_chip
    from sfnhw.estimate import estimate
    from sfnhw.inputs import load_inputs
    from sfnhw.network import Network
    from sfnhw.reports import check_output_folder

    check_output_folder(folder)
    target = load_chip(chip)
    given = load_inputs(inputs_path)
    network = Network.load(network_path)
    names = [] if baselines == "none" else [name.strip() for name in baselines.split(",") if name.strip()]
    progress = Progress()
    run = estimate(
        network,
        target,
        given.inputs,
        labels=given.labels,
        fidelity=fidelity,
        placer=placer,
        baselines=names,
        threads=threads,
        progress=progress,
        command=command_line(),
    )
    progress.clear()
    run.save(folder)
    if as_json:
        print_json(run.as_json())
    else:
        click.echo(run.summary())
    say(f"\nopen: {folder / 'report.html'}")
