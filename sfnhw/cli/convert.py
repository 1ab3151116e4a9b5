"""`sfnhw convert`: a trained torch module to a network file."""

from pathlib import Path
from typing import Any

import click

from sfnhw.cli.output import check_file, say


@click.command("convert")
@click.argument("source", metavar="FILE.py:FUNCTION")
@click.option(
    "--calibration", required=True, type=click.Path(path_type=Path), metavar="FILE.npz", help="Typical inputs."
)
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE.safetensors", help="State for the module.")
@click.option("--coding", default="sfn", show_default=True, help="Neuron coding (see `sfnhw codings`).")
@click.option("--thresholds", default=8, show_default=True, type=click.IntRange(1), help="N, for sfn and mtn.")
@click.option("--timesteps", type=click.IntRange(1), help="T, for if and lif.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="NET.sfn")
def command(
    source: str,
    calibration: Path,
    weights: Path | None,
    coding: str,
    thresholds: int,
    timesteps: int | None,
    output: Path,
) -> None:
    """Convert the torch module that FUNCTION in FILE.py returns.

    FILE.py is your own code and is run. Weights are read from safetensors only: nothing is unpickled.
    """
    from sfnhw.inputs import load_inputs

    check_file(output, (".sfn",))
    given = load_inputs(calibration)
    from sfnhw.cli.user_module import load_user_module
    from sfnhw.convert import convert

    module = load_user_module(source, weights)

    options: dict[str, Any] = {"thresholds": thresholds} if coding in ("sfn", "mtn") else {}
    if timesteps is not None:
        options["timesteps"] = timesteps
    network = convert(module, given.inputs, labels=given.labels, coding=coding, **options)
    network.save(output)
    say(f"{output}: {len(network.populations)} populations, {network.parameters:,} parameters, {network.macs:,} MACs")
