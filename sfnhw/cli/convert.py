"""`sfnhw convert`: a trained torch module, or a NIR file, to a network file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sfnhw.cli.output import check_file, say
from sfnhw.errors import ConversionError

if TYPE_CHECKING:
    from sfnhw.network import Network

# Options that only one kind of source has.
OF_MODULES = ("calibration", "weights", "coding", "thresholds", "beta")
OF_NIR = ("dt", "library", "input", "input_max", "input_signed", "input_bits")


@click.command("convert")
@click.argument("source", metavar="FILE.py:FUNCTION|FILE.nir")
@click.option("--calibration", type=click.Path(path_type=Path), metavar="FILE.npz", help="Typical inputs of a module.")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE.safetensors", help="State for the module.")
@click.option("--coding", default="sfn", show_default=True, help="Neuron coding (see `sfnhw codings`).")
@click.option(
    "--thresholds",
    metavar="N",
    help="For sfn, mtn and polarity (8); with --spacing free a list, e.g. 0.1,0.4,1.",
)
@click.option("--bits", type=click.IntRange(2, 16), help="For graded.")
@click.option("--spacing", metavar="S", help="Of sfn's and mtn's thresholds, e.g. power-of-two.")
@click.option("--theta", metavar="RULE", help="quantile, max or mse.")
@click.option("--threshold-scale", metavar="A", help="Of if: a number, or mse to fit it.")
@click.option("--beta", type=float, help="Decay of the membrane in one timestep, for lif.")
@click.option("--timesteps", type=click.IntRange(1), help="T, for if, lif and ttfs; a NIR network takes its inputs' T.")
@click.option("--reset", metavar="subtract|zero", help="What a spike does to the membrane: NIR, and lif.")
@click.option("--dt", type=float, metavar="SECONDS", help="NIR: one timestep; 1e-4 where the exporters chose it.")
@click.option("--library", metavar="snntorch|spikingjelly", help="NIR: whose rule to follow; recognised if not given.")
@click.option(
    "--input", "input", default="events", show_default=True, help="NIR: `events` in time, or `graded` values."
)
@click.option("--input-max", default=1.0, show_default=True, help="NIR: largest event, or largest graded value.")
@click.option("--input-signed", is_flag=True, help="NIR: inputs may be negative.")
@click.option("--input-bits", default=8, show_default=True, type=click.IntRange(1, 16), help="NIR: of a graded input.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="NET.sfn")
@click.pass_context
def command(context: click.Context, source: str, output: Path, **options: Any) -> None:
    """Convert the torch module that FUNCTION in FILE.py returns, or the spiking network in FILE.nir.

    FILE.py is your own code and is run. Weights are read from safetensors only: nothing is unpickled. A NIR file does
    not say its timestep (--dt) nor its reset (--reset), unless `sfnhw export` wrote it.
    """
    check_file(output, (".sfn",))
    given = {k: v for k, v in options.items() if context.get_parameter_source(k) is not ParameterSource.DEFAULT}
    is_nir = Path(source).suffix in (".nir", ".h5", ".hdf5")
    for name in given:
        if name in (OF_MODULES if is_nir else OF_NIR):
            what = "a NIR file brings its own neurons" if is_nir else "only a NIR file has it"
            option = "--" + name.replace("_", "-")
            raise ConversionError(what, field=option, expected=f"no {option} with {source}")
    network = _from_nir(source, given) if is_nir else _from_module(source, options, given)
    network.save(output)
    say(f"{output}: {len(network.populations)} populations, {network.parameters:,} parameters, {network.macs:,} MACs")


def _from_nir(source: str, given: dict[str, Any]) -> "Network":
    from sfnhw.nir import from_nir

    network = from_nir(source, **given)
    about = network.metadata
    if about["library"] in ("snntorch", "spikingjelly"):
        rule = "v > θ, reset one step late" if about["library"] == "snntorch" else "v ≥ θ, reset at once"
        say(f"{source}: following {about['library']} ({rule}), told by {about['library_found_by']}")
    return network


def _from_module(source: str, options: dict[str, Any], given: dict[str, Any]) -> "Network":
    from sfnhw.inputs import load_inputs

    if options["calibration"] is None:
        raise ConversionError("is needed to convert a torch module", field="--calibration", expected="FILE.npz")
    inputs = load_inputs(options["calibration"])
    from sfnhw.cli.user_module import load_user_module
    from sfnhw.convert import convert

    module = load_user_module(source, options["weights"])
    coding = options["coding"]
    names = ("timesteps", "bits", "spacing", "theta", "beta", "reset")
    chosen: dict[str, Any] = {k: given[k] for k in names if k in given}
    if "threshold_scale" in given:
        chosen["threshold_scale"] = _number(given["threshold_scale"])
    if "thresholds" in given:
        if coding not in ("sfn", "mtn", "polarity"):
            raise ConversionError(f"coding {coding!r} has no thresholds", field="--thresholds")
        chosen["thresholds"] = _thresholds(given["thresholds"])
    return convert(module, inputs.inputs, labels=inputs.labels, coding=coding, **chosen)


def _thresholds(text: str) -> int | tuple[float, ...]:
    """``8`` is N; ``0.1,0.4,1`` are the thresholds themselves."""
    if "," not in text and text.strip().isdecimal():
        return int(text)
    parts = [_number(part) for part in text.split(",")]
    numbers = tuple(part for part in parts if isinstance(part, float))
    if len(numbers) < len(parts):
        raise ConversionError(field="--thresholds", found=text, expected="a number, or numbers with commas")
    return numbers


def _number(text: str) -> float | str:
    """The number that the text is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text
