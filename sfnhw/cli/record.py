"""`sfnhw record`: what every population of a network emits on given inputs."""

from pathlib import Path

import click
from click.core import ParameterSource

from sfnhw.cli.chip_options import set_option, with_settings
from sfnhw.cli.options import chip_option, inputs_option, network_argument
from sfnhw.cli.output import check_file, say
from sfnhw.errors import InputError


@click.command("record", short_help="Run a network on inputs and write what it emitted.")
@network_argument
@inputs_option
@chip_option
@set_option
@click.option("--real", is_flag=True, help="Compute in real numbers instead of the chip's integers.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT.npz")
@click.pass_context
def command(
    context: click.Context,
    network_path: Path,
    inputs_path: Path,
    chip: str,
    settings: tuple[str, ...],
    real: bool,
    output: Path,
) -> None:
    """Run NETWORK (a .sfn file) on inputs and write what every population emitted.

    OUT.npz holds `levels/<population>` (samples × T × shape, integers: spikes are 1, multi-threshold spikes their
    level, a readout its accumulator) and `outputs` (samples × outputs, in the trained network's units). With --real a
    readout has no integers, and only `outputs` has it.
    """
    from sfnhw.inputs import load_inputs
    from sfnhw.network import Network
    from sfnhw.record import record, save_recording
    from sfnhw.timesteps import fitted

    check_file(output, (".npz",))
    if real and (settings or context.get_parameter_source("chip") is not ParameterSource.DEFAULT):
        other = "--set" if settings else "--chip"
        raise InputError("real numbers have no chip", field="--real", expected=f"{other} or --real, not both")
    target = with_settings(chip, settings)
    given = load_inputs(inputs_path)
    network = fitted(Network.load(network_path), given.inputs)
    recording = record(
        network,
        given.inputs,
        labels=given.labels,
        numerics=None if real else target.numerics,
        threshold_sharing=target.core.threshold_unit.sharing,
    )
    save_recording(recording, network, output)
    spikes = recording.activity.spikes(network)
    hidden = sum(spikes[p.name] for p in network.populations if p.role == "hidden")
    text = f"{output}: {recording.activity.samples} samples, T = {network.timesteps}, {hidden:,} spikes"
    if recording.accuracy is not None:
        text += f", accuracy {recording.accuracy:.4f}"
    say(text)
    overflows = sum(recording.overflows.values())
    if overflows:
        say(f"{overflows:,} accumulator values overflowed and were brought back by the chip's overflow rule")
    if recording.clipped_inputs:
        say(f"{recording.clipped_inputs:,} input values lay beyond the input coding's range and were clipped")
