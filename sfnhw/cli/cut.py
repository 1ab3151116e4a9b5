"""`sfnhw cut`: a network whose layers are cut over their inputs."""

from pathlib import Path

import click

from sfnhw.cli.options import as_typed, network_argument
from sfnhw.cli.output import check_file, say
from sfnhw.errors import InputError


@click.command("cut", short_help="Cut layers over their inputs: parts add up and send partial sums.")
@network_argument
@click.option(
    "--inputs",
    "texts",
    multiple=True,
    required=True,
    metavar="LAYER=PARTS",
    help="Cut the channels that a dense layer or a convolution reads into so many parts; may be repeated.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT.sfn")
def command(network_path: Path, texts: tuple[str, ...], output: Path) -> None:
    """Cut layers of NETWORK (a .sfn file) over their inputs, and write the network that results.

    A layer's parts stand on cores of their own, each with the weights of its inputs alone, and send it partial sums as
    wide as the accumulator. What the network computes stays the same, bit for bit. Map and estimate OUT.sfn as any other.
    """
    from sfnhw.mapping import partial_sums
    from sfnhw.network import Network

    check_file(output, (".sfn",))
    parts = _parts(texts)
    network = Network.load(network_path)
    with as_typed({f"parts.{layer}": f"--inputs {layer}" for layer in parts}):
        done = partial_sums(network, parts)
    done.save(output)
    more = len(done.populations) - len(network.populations)
    say(f"{output}: {more:,} populations of partial sums for {sum(n > 1 for n in parts.values()):,} layers")


def _parts(texts: tuple[str, ...]) -> dict[str, int]:
    """Read ``LAYER=PARTS`` texts."""
    found: dict[str, int] = {}
    for text in texts:
        layer, equals, number = text.rpartition("=")
        layer, number = layer.strip(), number.strip()
        if not equals or not layer or not (number.isascii() and number.isdigit() and len(number) < 10):
            raise InputError(field="--inputs", found=text, expected="LAYER=PARTS such as fc1=4")
        if layer in found:
            raise InputError(f"{layer} is given twice", field="--inputs", found=text, expected="one --inputs for each")
        found[layer] = int(number)
    return found
