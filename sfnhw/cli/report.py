"""`sfnhw report`: the page of a saved run, written again."""

from pathlib import Path

import click

from sfnhw.cli.options import as_json
from sfnhw.cli.output import print_json


@click.command("report", short_help="Write a saved run's page again, and print its summary.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@as_json
def command(folder: Path, as_json: bool) -> None:
    """Write report.html of a saved run again, and print its summary."""
    from sfnhw.reports import load_view, rebuild_page
    from sfnhw.reports.summary import summary

    view = load_view(folder)
    page = rebuild_page(folder)
    if as_json:
        print_json(view.json)
    else:
        click.echo(f"{summary(view)}\n\nopen: {page}")
