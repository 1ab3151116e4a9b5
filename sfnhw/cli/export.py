"""`sfnhw export`: a network file to a NIR file."""

from pathlib import Path

import click

from sfnhw.cli.options import network_argument
from sfnhw.cli.output import check_file, say


@click.command("export", short_help="A network to NIR, where NIR can say it.")
@network_argument
@click.option("--dt", default=1e-4, show_default=True, type=float, metavar="SECONDS", help="One timestep.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE.nir")
def command(network_path: Path, dt: float, output: Path) -> None:
    """Write NETWORK (a .sfn file) as NIR, where NIR can say it; what it cannot say is refused by name."""
    from sfnhw.network import Network
    from sfnhw.nir import to_nir

    check_file(output, (".nir",))
    graph = to_nir(Network.load(network_path), output, dt=dt)
    say(f"{output}: {len(graph.nodes)} nodes, {len(graph.edges)} edges, dt = {dt:g} s")
