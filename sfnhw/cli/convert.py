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
@click.option(
    "--thresholds",
    metavar="N",
    help="For sfn, mtn and polarity (8); with --spacing free a list, e.g. 0.1,0.4,1.",
)
@click.option("--timesteps", type=click.IntRange(1), metavar="T", help="For if and ttfs.")
@click.option("--bits", type=click.IntRange(2, 16), help="For graded.")
@click.option("--spacing", metavar="S", help="Of sfn's and mtn's thresholds, e.g. power-of-two.")
@click.option("--theta", metavar="RULE", help="quantile, max or mse.")
@click.option("--threshold-scale", metavar="A", help="Of if: a number, or mse to fit it.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="NET.sfn")
def command(
    source: str,
    calibration: Path,
    weights: Path | None,
    coding: str,
    thresholds: str | None,
    timesteps: int | None,
    bits: int | None,
    spacing: str | None,
    theta: str | None,
    threshold_scale: str | None,
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

    given_options = {
        "timesteps": timesteps,
        "bits": bits,
        "spacing": spacing,
        "theta": theta,
        "threshold_scale": None if threshold_scale is None else _number(threshold_scale),
    }
    options: dict[str, Any] = {name: value for name, value in given_options.items() if value is not None}
    if thresholds is not None:
        if coding not in ("sfn", "mtn", "polarity"):
            raise click.BadParameter(f"coding {coding!r} has no thresholds", param_hint="--thresholds")
        options["thresholds"] = _thresholds(thresholds)
    network = convert(module, given.inputs, labels=given.labels, coding=coding, **options)
    network.save(output)
    say(f"{output}: {len(network.populations)} populations, {network.parameters:,} parameters, {network.macs:,} MACs")


def _thresholds(text: str) -> int | tuple[float, ...]:
    """``8`` is N; ``0.1,0.4,1`` are the thresholds themselves."""
    if "," not in text and text.strip().isdecimal():
        return int(text)
    parts = [_number(part) for part in text.split(",")]
    numbers = tuple(part for part in parts if isinstance(part, float))
    if len(numbers) < len(parts):
        raise click.BadParameter(
            f"found {text!r}, expected a number, or numbers with commas", param_hint="--thresholds"
        )
    return numbers


def _number(text: str) -> float | str:
    """The number that the text is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text
