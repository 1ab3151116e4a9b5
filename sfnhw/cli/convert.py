"""`sfnhw convert`: a trained torch module, or a NIR file, to a network file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sfnhw.cli.convert_options import HELP, ConvertCommand, flag
from sfnhw.cli.options import as_json, as_typed
from sfnhw.cli.output import Progress, check_file, print_json, say
from sfnhw.errors import ConversionError

if TYPE_CHECKING:
    from sfnhw.network import Network

# Options that only a NIR file has, and those of a module that it has too.
OF_NIR = ("dt", "library", "input", "input_max", "input_signed")
OF_BOTH = ("timesteps", "reset", "input_bits", "name")


@click.command("convert", cls=ConvertCommand, short_help="A torch module or a NIR file to a network file (.sfn).")
@click.argument("source", metavar="FILE.py:FUNCTION|FILE.nir")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="NET.sfn")
@click.option("--name", metavar="NAME", help="Of the network; the module's class, or the NIR file's stem, by default.")
@as_json
@click.option("--dt", type=float, metavar="SECONDS", help="NIR: one timestep; 1e-4 where the exporters chose it.")
@click.option("--library", metavar="snntorch|spikingjelly", help="NIR: whose rule to follow; recognised if not given.")
@click.option(
    "--input",
    "input",
    default="events",
    show_default=True,
    metavar="events|graded",
    help="NIR: spikes in time, or real values.",
)
@click.option("--input-max", default=1.0, show_default=True, help="NIR: largest event, or largest graded value.")
@click.option("--input-signed", is_flag=True, help="NIR: inputs may be negative.")
@click.option("--calibration", type=click.Path(path_type=Path), metavar="FILE.npz", help="Typical inputs of a module.")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE.safetensors", help="State for the module.")
@click.pass_context
def command(context: click.Context, source: str, output: Path, as_json: bool, **options: Any) -> None:
    """Convert the torch module that FUNCTION in FILE.py returns, or the spiking network in FILE.nir.

    FILE.py is your own code and is run. Weights are read from safetensors only: nothing is unpickled. A NIR file does
    not say its timestep (--dt) nor its reset (--reset), unless `sfnhw export` wrote it. An option that the coding, or
    the source, does not have is an error.
    """
    from sfnhw.cli.convert_summary import about, lines

    check_file(output, (".sfn",))
    given = {k: v for k, v in options.items() if context.get_parameter_source(k) is not ParameterSource.DEFAULT}
    is_nir = Path(source).suffix in (".nir", ".h5", ".hdf5")
    _check_source(source, given, is_nir)
    with as_typed({name: flag(name) for name in (*OF_NIR, *OF_BOTH, *HELP)}):
        network, fired = (_from_nir(source, given), None) if is_nir else _from_module(source, given)
    network.save(output)
    found = about(network, output, fired)
    if as_json:
        print_json(found)
        return
    for line in lines(found):
        say(line)


def _check_source(source: str, given: dict[str, Any], is_nir: bool) -> None:
    of_modules = ("calibration", "weights", *(name for name in HELP if name not in OF_BOTH))
    for name in given:
        if name in (of_modules if is_nir else OF_NIR):
            what = "a NIR file brings its own neurons" if is_nir else "only a NIR file has it"
            raise ConversionError(what, field=flag(name), expected=f"no {flag(name)} with {source}")
    if is_nir and "input_bits" in given and given.get("input") != "graded":
        raise ConversionError("events have no bits", field="--input-bits", expected="--input graded")


def _from_nir(source: str, given: dict[str, Any]) -> "Network":
    from sfnhw.nir import from_nir

    network = from_nir(source, **given)
    about = network.metadata
    if about["library"] in ("snntorch", "spikingjelly"):
        rule = "v > θ, reset one step late" if about["library"] == "snntorch" else "v ≥ θ, reset at once"
        say(f"{source}: following {about['library']} ({rule}), told by {about['library_found_by']}")
    return network


def _from_module(source: str, given: dict[str, Any]) -> "tuple[Network, dict[str, Any]]":
    from sfnhw.convert.options import options_from
    from sfnhw.inputs import load_inputs

    chosen = dict(given)
    calibration, weights = chosen.pop("calibration", None), chosen.pop("weights", None)
    if calibration is None:
        raise ConversionError("is needed to convert a torch module", field="--calibration", expected="FILE.npz")
    inputs = load_inputs(calibration)
    options_from({k: v for k, v in chosen.items() if k != "name"})  # before the user's own code, which may train
    from sfnhw.cli.convert_summary import firing
    from sfnhw.cli.user_module import load_user_module
    from sfnhw.convert import convert
    from sfnhw.headroom import told_otherwise

    module = load_user_module(source, weights)
    progress = Progress()
    try:
        with told_otherwise():  # by the summary
            network = convert(module, inputs.inputs, labels=inputs.labels, progress=progress, **chosen)
        progress("count spikes", 0, 1)
        return network, firing(network, inputs.inputs)
    finally:
        progress.clear()
