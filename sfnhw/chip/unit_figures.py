"""A threshold unit in figures: registers, comparators, gates, cycles, energy and area, for N, width and sharing."""

from dataclasses import dataclass
from typing import Any

from sfnhw.chip.area import NOTHING, SquareMillimetres, memory_area, register_area, threshold_unit_area
from sfnhw.chip.chip import Chip
from sfnhw.chip.gate_model import Gates, scale_gates, unit_parts
from sfnhw.chip.prices import Price
from sfnhw.chip.sharing import memory_words, table_words, tables, unit_update
from sfnhw.chip.threshold_unit import UpdateCost, comparators
from sfnhw.errors import InputError
from sfnhw.neurons import ThresholdNeed
from sfnhw.units import bits_for

# The one spacing that a unit is made for; the others serve any.
OWN_SPACING = {"uniform": "uniform", "power-of-two": "power-of-two"}


@dataclass(frozen=True)
class UnitFigures:
    """One core's threshold unit for N thresholds a polarity; made by `unit_figures`.

    Attributes
    ----------
    kind, thresholds, signed, width_bits, sharing : what it is; the width is that of membrane and thresholds.
    tables : threshold tables that the core holds.
    register_bits, memory_bits : where the thresholds are kept: flip-flops, or state memory. [bits]
    comparators : of one lane.
    parts : gates of each part of one lane; `gates` is their sum.
    update : actions and cycles of one neuron update.
    memory_reads : words of state memory that one update reads for its thresholds, of a full core's walk.
    energy : of one update in this unit, with its thresholds' reads and without the membrane's own. [pJ]
    unit_area, table_area : of all lanes, and of all tables. [mm²]
    """

    kind: str
    thresholds: int
    signed: bool
    width_bits: int
    sharing: str
    tables: int
    register_bits: int
    memory_bits: int
    comparators: int
    parts: dict[str, Gates]
    update: UpdateCost
    memory_reads: float
    energy: Price
    unit_area: SquareMillimetres
    table_area: SquareMillimetres

    @property
    def gates(self) -> Gates:
        """Gates of one lane, flip-flops among them."""
        return sum(self.parts.values(), Gates(0, 0))

    @property
    def encoder_gates(self) -> float:
        """Two-input gates of the level encoder of one lane; a walk or a search counts its level and has none."""
        return self.parts.get("encoder", Gates(0, 0)).gates

    @property
    def area(self) -> SquareMillimetres:
        """Unit and tables. [mm²]"""
        return self.unit_area + self.table_area

    def as_json(self) -> dict[str, Any]:
        """Return plain values, units in the keys."""
        return {
            "kind": self.kind,
            "thresholds": self.thresholds,
            "signed": self.signed,
            "width_bits": self.width_bits,
            "sharing": self.sharing,
            "tables": self.tables,
            "register_bits": self.register_bits,
            "memory_bits": self.memory_bits,
            "comparators": self.comparators,
            "encoder_gates": self.encoder_gates,
            "gates": self.gates.gates,
            "gate_equivalents": self.gates.equivalents,
            "parts": {name: {"gates": g.gates, "gate_equivalents": g.equivalents} for name, g in self.parts.items()},
            "cycles": self.update.cycles,
            "compares": self.update.compares,
            "threshold_reads": self.update.threshold_reads,
            "encodes": self.update.encodes,
            "state_memory_reads": self.memory_reads,
            "energy_pj": {"value": self.energy.value_pj, "low": self.energy.low_pj, "high": self.energy.high_pj},
            "unit_area_mm2": self.unit_area.as_json(),
            "table_area_mm2": self.table_area.as_json(),
            "area_mm2": self.area.as_json(),
        }


def unit_figures(
    chip: Chip,
    thresholds: int,
    signed: bool = False,
    *,
    kind: str | None = None,
    width_bits: int | None = None,
    sharing: str | None = None,
    neurons: int | None = None,
    channels: int | None = None,
) -> UnitFigures:
    """Return the figures of a threshold unit at this chip's prices.

    Parameters
    ----------
    thresholds : N for each polarity, of a spacing that the unit serves.
    kind, sharing : as `core.threshold_unit` (default: the chip's own).
    width_bits : of membrane and thresholds, 8 to 32 (default: the chip's own, which may differ; `register_bits` then
        counts threshold registers at their width and the unit is as wide as the accumulator).
    neurons : that the core holds (default: all it may). channels : of them (default: as many as neurons).

    Raises
    ------
    ChipError : an unknown kind or sharing, or a width that the chip cannot have.
    InputError : fewer than one threshold, neuron or channel, or more channels than neurons.
    """
    changes: dict[str, Any] = {"core.threshold_unit.kind": kind, "core.threshold_unit.sharing": sharing}
    changes |= {"core.accumulator_bits": width_bits, "core.threshold_unit.register_bits": width_bits}
    chip = chip.replace({name: value for name, value in changes.items() if value is not None})
    core, unit = chip.core, chip.core.threshold_unit
    neurons = core.neurons if neurons is None else neurons
    channels = neurons if channels is None else channels
    for name, value, least in (
        ("thresholds", thresholds, 1),
        ("channels", channels, 1),
        ("neurons", neurons, channels),
    ):
        if value < least:
            raise InputError(field=name, found=value, expected=f"{least} or more")
    need = ThresholdNeed("bank", thresholds, signed, OWN_SPACING.get(unit.kind, "free"))  # type: ignore[arg-type]
    words, update = table_words(unit, need, channels, neurons), unit_update(core, need)
    reads = memory_words(core, need, neurons) / neurons
    stored = memory_area(chip, words.memory) if words.memory else NOTHING
    return UnitFigures(
        kind=unit.kind,
        thresholds=thresholds,
        signed=signed,
        width_bits=core.accumulator_bits,
        sharing=unit.sharing,
        tables=tables(unit.sharing, channels, neurons),
        register_bits=words.registers * unit.register_bits,
        memory_bits=words.memory * unit.register_bits,
        comparators=comparators(unit.kind, need),
        parts=unit_parts(unit.kind, thresholds, core.accumulator_bits, signed),
        update=update,
        memory_reads=reads,
        energy=_energy(chip, update, reads),
        unit_area=threshold_unit_area(chip, thresholds, signed),
        table_area=register_area(chip, words.registers) + stored,
    )


@dataclass(frozen=True)
class ScaleFigures:
    """SFN's scaling step as an extra step in front of a threshold unit: gates of one lane, energy of one update."""

    step: str
    gates: Gates
    energy: Price


def scale_figures(chip: Chip, step: str, factor_bits: int = 8) -> ScaleFigures:
    """Return what scaling the membrane explicitly would cost: ``folded``, ``shift`` or ``multiply``.

    Folded into thresholds and weights it costs nothing, and gives the same levels (docs/threshold-units.md). A
    multiplication is priced as `requantise`, whose factor is 16 bits wide; a shift as ⌈log2 W⌉ stages of the synapse's
    shifter, widened from weights to accumulators.

    Raises
    ------
    InputError : another step.
    ChipError : the chip lacks the price.
    """
    if step == "folded":
        return ScaleFigures(step, Gates(0, 0), Price(0.0, 0.0, 0.0))
    width = chip.core.accumulator_bits
    gates = scale_gates(step, width, factor_bits)
    if step == "multiply":
        return ScaleFigures(step, gates, chip.energy_price("requantise"))
    stages = bits_for(width) * width / chip.core.weight_bits
    return ScaleFigures(step, gates, _sum([(stages, chip.energy_price("shift_bit"))]))


def _energy(chip: Chip, update: UpdateCost, memory_reads: float) -> Price:
    counts = {
        "neuron_update": 1,
        "compare": update.compares,
        "threshold_read": update.threshold_reads,
        "encode": update.encodes,
        "state_read": memory_reads,
    }
    return _sum([(count, chip.energy_price(action)) for action, count in counts.items() if count])


def _sum(counts: list[tuple[float, Price]]) -> Price:
    return Price(*(sum(n * getattr(p, end) for n, p in counts) for end in ("value_pj", "low_pj", "high_pj")))
