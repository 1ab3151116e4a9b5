"""`sfnhw plot`: one figure of a saved run."""

from pathlib import Path

import click

from sfnhw.cli.output import check_file, say


@click.command("plot")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("name", metavar="NAME")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The figure's file: .svg, .png or .pdf.",
)
def command(folder: Path, name: str, output: Path) -> None:
    """Draw one figure of a saved run.

    NAME is energy, timeline, utilisation, links, overhead, tornado or area; packet_latency for a run at fidelity packet, flit or auto;
    break_even or sensitivity for a run that was estimated with --break-even or --sensitivity.
    """
    from sfnhw.reports import load_run_json, plot

    load_run_json(folder)
    check_file(output)
    say(f"wrote {plot(folder, name, output)}")
