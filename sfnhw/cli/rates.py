"""`sfnhw rates`: what a network's activity is in the mean, as a file to draw spikes from."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sfnhw.cli.chip_options import set_option, with_settings
from sfnhw.cli.columns import columns
from sfnhw.cli.compiling import tell_of_compiling
from sfnhw.cli.options import as_json, chip_option, fidelity_option, inputs_option, network_argument
from sfnhw.cli.output import check_file, print_json, say
from sfnhw.errors import InputError

if TYPE_CHECKING:
    from sfnhw.network import Network
    from sfnhw.rates import Rates


@click.command("rates", short_help="Record how often neurons spike, to draw spikes from.")
@network_argument
@chip_option
@set_option
@inputs_option
@click.option(
    "--by",
    default="channel",
    show_default=True,
    metavar="GROUP",
    help="Which neurons share a distribution: population, channel, row, channel+row, position or neuron.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="RATES.npz")
@click.option(
    "--compare", is_flag=True, help="Simulate both on the chip: what do spikes drawn from the rates get wrong?"
)
@click.option(
    "--samples", type=click.IntRange(1), help="Inferences to draw for --compare; as many as inputs by default."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the draw for --compare.")
@fidelity_option
@as_json
@click.pass_context
def command(
    context: click.Context,
    network_path: Path,
    chip: str,
    settings: tuple[str, ...],
    inputs_path: Path,
    by: str,
    output: Path,
    compare: bool,
    samples: int | None,
    seed: int,
    fidelity: str,
    as_json: bool,
) -> None:
    """Record NETWORK (a .sfn file) on inputs, in the chip's integers, and keep its rates.

    For each layer, timestep and group of neurons: with what probability a neuron sends each level. `sfnhw estimate
    --rates` draws spikes from the file.
    """
    from sfnhw.inputs import load_inputs
    from sfnhw.network import Network
    from sfnhw.rates import Rates, group_index
    from sfnhw.rates import compare as compare_with_rates
    from sfnhw.record import record_on_chip
    from sfnhw.reports.rates_table import rates_lines

    check_file(output, (".npz",))
    for option in ("samples", "seed", "fidelity"):
        if not compare and context.get_parameter_source(option) is not ParameterSource.DEFAULT:
            raise InputError("is of the comparison", field=f"--{option}", expected="--compare with it")
    tell_of_compiling()
    target = with_settings(chip, settings)
    given = load_inputs(inputs_path)
    network = Network.load(network_path)
    group_index(network.populations[0], by)
    recording = record_on_chip(network, target, given.inputs, given.labels)
    rates = Rates.of(recording, network, by)
    compared = None
    if compare:
        found = compare_with_rates(network, target, recording, rates, seed, samples=samples, fidelity=fidelity)
        compared = found.as_json()
    rates.save(output)
    rows = _rows(network, rates)
    if as_json:
        print_json({"file": str(output), "source": rates.source, "layers": rows, "rates_comparison": compared})
        return
    click.echo(_table(rows))
    if compared:
        click.echo("\n" + "\n".join(rates_lines(compared)))
    say(f"\nrates: {output}")


def _rows(network: "Network", rates: "Rates") -> list[dict[str, Any]]:
    rows = []
    for name, p in rates.populations.items():
        rows.append(
            {
                "name": name,
                "by": p.by,
                "neurons": network[name].size,
                "groups": p.groups,
                "timesteps": p.steps,
                "rate": p.mean_rate,
                "lowest_group_rate": float(p.rate.min()),
                "highest_group_rate": float(p.rate.max()),
            }
        )
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    head = ["neurons", "groups", "rate", "lowest", "highest", "layer"]
    cells = [
        [
            f"{row['neurons']:,}",
            f"{row['groups']:,}",
            *(f"{row[key]:.4f}" for key in ("rate", "lowest_group_rate", "highest_group_rate")),
            row["name"],
        ]
        for row in rows
    ]
    note = "\n\nrate: spikes per neuron and timestep; lowest, highest: of a group at a timestep"
    return columns(head, cells, [True] * 5) + note
