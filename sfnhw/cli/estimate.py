"""`sfnhw estimate`: energy, latency and area of a network on a chip."""

import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from sfnhw.cli.chip_options import at_technology, set_option, technology_options, with_settings
from sfnhw.cli.compiling import tell_of_compiling
from sfnhw.cli.event_options import EventRequest, event_options
from sfnhw.cli.options import (
    as_json,
    as_typed,
    chip_option,
    command_line,
    fidelity_option,
    folder_option,
    network_argument,
    objective_option,
    optional_inputs_option,
    placer_option,
)
from sfnhw.cli.output import Progress, print_json, say
from sfnhw.errors import InputError


@click.command("estimate", short_help="Energy, latency and area of a network on a chip.")
@network_argument
@chip_option
@set_option
@technology_options
@optional_inputs_option
@click.option(
    "--rates",
    "rates_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Rates to draw spikes from (`sfnhw rates`, or numbers in YAML); beside --inputs: compare with them.",
)
@click.option("--samples", type=click.IntRange(1), help="Inferences to draw from --rates  [default: 16, or as inputs]")
@click.option("--seed", type=click.IntRange(0), help="Of the draw from --rates  [default: 0]")
@folder_option()
@fidelity_option
@placer_option
@objective_option
@click.option(
    "--mapping",
    "mapping_path",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="A mapping of NETWORK on this chip (`sfnhw map -o`); baselines are mapped with --placer.",
)
@click.option(
    "--baselines",
    default="if,mtn,polarity,ttfs,graded8,graded",
    show_default=True,
    metavar="NAMES",
    help="The same network under other codings, to compare with; `none` for none.",
)
@click.option("--break-even", is_flag=True, help="Chart where one timestep stops paying: over N, over the spike rate.")
@click.option("--sensitivity", is_flag=True, help="Accuracy with thresholds that are off and inputs that drift.")
@event_options
@click.option("--threads", type=click.IntRange(1), help="Threads of the simulation; all cores unless told otherwise.")
@as_json
def command(
    network_path: Path,
    chip: str,
    settings: tuple[str, ...],
    node_nm: float | None,
    voltage_v: float | None,
    clock: str | None,
    inputs_path: Path | None,
    rates_path: Path | None,
    samples: int | None,
    seed: int | None,
    folder: Path,
    fidelity: str,
    placer: str,
    objective: str,
    mapping_path: Path | None,
    baselines: str,
    break_even: bool,
    sensitivity: bool,
    events: EventRequest,
    threads: int | None,
    as_json: bool,
) -> None:
    """Estimate what NETWORK (a .sfn file) costs on a chip, on given inputs or on spikes drawn from rates."""
    from sfnhw.estimate import SAMPLES, estimate
    from sfnhw.inputs import load_inputs
    from sfnhw.network import Network
    from sfnhw.reports import check_output_folder

    check_output_folder(folder)
    events.check(fidelity)
    if inputs_path is None and rates_path is None:
        raise InputError("neither is given", field="--inputs, --rates", expected="one of them, or both to compare")
    for option, value in (("--samples", samples), ("--seed", seed)):
        if rates_path is None and value is not None:
            raise InputError("draws from rates", field=option, found=value, expected="--rates FILE with it")
    target = with_settings(at_technology(chip, node_nm, voltage_v, clock), settings)
    given = load_inputs(inputs_path) if inputs_path else None
    network = Network.load(network_path)
    names = [] if baselines == "none" else [name.strip() for name in baselines.split(",") if name.strip()]
    _check_placer(mapping_path, names, break_even)
    events.check_against(network, len(given.inputs) if given else samples or SAMPLES)
    progress = Progress()
    tell_of_compiling()
    options = ("fidelity", "placer", "objective", "baselines", "break_even", "sensitivity")
    with as_typed({name: "--" + name.replace("_", "-") for name in options}):
        run = estimate(
            network,
            target,
            given.inputs if given else None,
            labels=given.labels if given else None,
            fidelity=fidelity,
            placer=placer,
            objective=objective,
            mapping=mapping_path,
            baselines=names,
            break_even=break_even,
            sensitivity=sensitivity,
            rates=rates_path,
            samples=samples,
            seed=seed or 0,
            threads=threads,
            progress=progress,
            command=command_line(),
        )
    progress.clear()
    run = events.of(run)
    run.save(folder)
    if as_json:
        print_json(run.as_json())
    else:
        click.echo(run.summary())
    say(f"\nopen: {folder / 'report.html'}")
    if events.wanted:
        say(f"then: sfnhw trace {shlex.quote(str(folder))}")


def _check_placer(mapping: Path | None, baselines: list[str], break_even: bool) -> None:
    """Refuse a placer that has nothing to place, and an objective that has nothing to cut."""
    if mapping is None or baselines:
        return
    source = click.get_current_context().get_parameter_source
    for option in ("placer", "objective"):
        if source(option) is not ParameterSource.DEFAULT and not (break_even and option == "placer"):
            text = f"the network is mapped, and there are no baselines to {'place' if option == 'placer' else 'cut'}"
            raise InputError(text, field=f"--{option}", expected=f"--mapping or --{option}")
