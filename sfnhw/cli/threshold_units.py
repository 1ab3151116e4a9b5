"""`sfnhw threshold-units`: what N thresholds take on every kind of threshold unit."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from sfnhw.cli.columns import WIDTH, columns
from sfnhw.cli.options import as_json
from sfnhw.cli.output import print_json
from sfnhw.errors import InputError

if TYPE_CHECKING:
    from sfnhw.chip import Chip, UnitFigures

MOST_THRESHOLDS = 1024


@click.command("threshold-units")
@click.argument("chip", default="reference", metavar="[CHIP]")
@click.option("--thresholds", default="1,2,4,8,16,32", show_default=True, metavar="N,N..", help="For each polarity.")
@click.option("--signed", is_flag=True, help="With a negative side.")
@click.option(
    "--sharing",
    metavar="S",
    help="Who shares a table: population, channel, core or neuron. [default: the chip's own]",
)
@click.option(
    "--width",
    type=click.IntRange(8, 32),
    metavar="BITS",
    help="Of membrane and thresholds, 8 to 32. [default: the chip's own]",
)
@as_json
def command(chip: str, thresholds: str, signed: bool, sharing: str | None, width: int | None, as_json: bool) -> None:
    """Registers, comparators, gates, cycles, energy and area of every threshold unit, at the prices of CHIP.

    CHIP is a preset (see `sfnhw chips`) or a YAML file; its own unit comes first. A core is full: every neuron it may
    hold, one channel each.
    """
    from sfnhw.chip import load_chip, scale_figures, unit_figures
    from sfnhw.chip.threshold_unit import KINDS

    target = load_chip(chip)
    sizes = _sizes(thresholds)
    own = target.core.threshold_unit.kind
    kinds = [own, *(kind for kind in KINDS if kind != own)]
    table = {
        kind: [unit_figures(target, n, signed, kind=kind, sharing=sharing, width_bits=width) for n in sizes]
        for kind in kinds
    }
    steps = [scale_figures(target, step) for step in ("folded", "shift", "multiply")]
    first = table[own][0]
    if as_json:
        scaling = [
            {"step": s.step, "gates": s.gates.gates, "gate_equivalents": s.gates.equivalents}
            | {"energy_pj": {"value": s.energy.value_pj, "low": s.energy.low_pj, "high": s.energy.high_pj}}
            for s in steps
        ]
        head = {"chip": target.name, "own_kind": own, "signed": signed, "sharing": first.sharing}
        units = {kind: [figures.as_json() for figures in rows] for kind, rows in table.items()}
        print_json({**head, "width_bits": first.width_bits, "units": units, "sfn_scaling": scaling})
        return
    click.echo(_head(target, first))
    for kind, rows in table.items():
        click.echo(f"\n{kind}{' (this chip)' if kind == own else ''}\n" + _table(rows))
    scaled = [[s.step, f"{s.gates.gates:,.0f}", f"{s.gates.equivalents:,.0f}", _energy(s.energy)] for s in steps]
    click.echo("\nSFN's scaling step, if it were a step of its own (this chip folds it)")
    click.echo(columns(["step", "gates", "GE", "energy, pJ"], scaled, [False, True, True]))
    for text in (_note(first), *_limits(target, sizes)):
        click.echo("\n" + fill(text, WIDTH))


def _head(chip: "Chip", first: "UnitFigures") -> str:
    unit = chip.core.threshold_unit
    side = "N thresholds for each sign" if first.signed else "N thresholds, unsigned"
    lanes = f"{unit.lanes} lane{'s' * (unit.lanes > 1)}"
    text = (
        f"{chip.name}, {chip.technology.node_nm:g} nm: {side}, {first.width_bits} bits, shared by {first.sharing}, "
        f"a core of {chip.core.neurons:,} neurons, {lanes}"
    )
    return fill(text, WIDTH)


def _table(rows: list["UnitFigures"]) -> str:
    head = ["N", "bits", "cmp", "encoder", "gates", "GE", "cycles", "area, µm²", "energy, pJ"]
    lines = [
        [
            str(f.thresholds),
            f"{f.register_bits + f.memory_bits:,}",
            str(f.comparators),
            f"{f.encoder_gates:,.0f}",
            f"{f.gates.gates:,.0f}",
            f"{f.gates.equivalents:,.0f}",
            str(f.update.cycles),
            f"{f.area.value_mm2 * 1e6:,.0f}",
            _energy(f.energy),
        ]
        for f in rows
    ]
    return columns(head, lines, [True] * 8)


def _energy(price: Any) -> str:
    return f"{price.value_pj:.3g} ({price.low_pj:.2g} to {price.high_pj:.2g})"


def _note(first: "UnitFigures") -> str:
    where = "state memory" if first.sharing == "neuron" else "threshold registers"
    return (
        f"bits: of all tables, in {where}. cmp, encoder, gates: of one lane; gates are those of a netlist of two-input "
        "gates, GE its area in that of a NAND2. area: all lanes and tables. energy: of one update: adding, comparing, encoding and "
        "reading thresholds, with all prices at their low and high; not the membrane's own read and write. Each unit is "
        "taken to serve the spacing of the thresholds. docs/threshold-units.md explains them."
    )


def _limits(chip: "Chip", sizes: list[int]) -> list[str]:
    """What of the table this chip's file does not price, time or allow."""
    unit, told = chip.core.threshold_unit, []
    most = unit.most_thresholds
    if most is not None and max(sizes) > most:
        told.append(
            f"{chip.name} maps no network of more than {most} threshold{'s' * (most > 1)} a neuron "
            "(core.threshold_unit.most_thresholds): rows of more say what such a unit would take."
        )
    if unit.update_cycles is not None:
        told.append(
            f"An update takes {unit.update_cycles} cycles on {chip.name}, whatever its unit compares "
            "(core.threshold_unit.update_cycles)."
        )
    prices = {row["action"]: row["energy_pj"] for row in chip.price_rows("energy")}
    if not any(prices[action] for action in ("compare", "threshold_read", "encode")):
        told.append(
            f"{chip.name} has no price of its own for comparing, reading and encoding: they are in the price of another "
            f"action, which the sources of their rows name; energy does not tell the units apart."
        )
    if not any(row["area_um2"] for row in chip.price_rows("area") if row["term"] == "gate_equivalent"):
        told.append(f"{chip.name} gives gates no area of their own: 0 says nothing about size.")
    return told


def _sizes(text: str) -> list[int]:
    """Read ``1,2,4``; raises InputError."""
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(1 <= n <= MOST_THRESHOLDS for n in sizes):
        expected = f"whole numbers from 1 to {MOST_THRESHOLDS}, with commas"
        raise InputError(field="--thresholds", found=text, expected=expected)
    return sizes
