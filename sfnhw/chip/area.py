"""Silicon area: of a core by component, of the chip, and what many thresholds add."""

from dataclasses import astuple, dataclass

from sfnhw.chip.chip import Chip
from sfnhw.chip.gate_model import FIT_ERROR, unit_gates
from sfnhw.chip.prices import Power
from sfnhw.chip.threshold_unit import registers
from sfnhw.neurons import ThresholdNeed
from sfnhw.units import BITS_PER_KIB

# Register with enable: 6.38 µm² at Nangate45 = 8.0 gate equivalents (8.3 sky130, 8.0 ASAP7), synthesised; the threshold
# select multiplexer is part of the unit's gates.
REGISTER_GATES_PER_BIT = 8.0
# Gate counts move between cell libraries (130, 45, 7 nm) within about 15 %.
LIBRARY_SPREAD = 0.15


@dataclass(frozen=True)
class SquareMillimetres:
    """An area with its bounds. [mm²]"""

    value_mm2: float
    low_mm2: float
    high_mm2: float

    def __add__(self, other: "SquareMillimetres") -> "SquareMillimetres":
        return SquareMillimetres(
            self.value_mm2 + other.value_mm2, self.low_mm2 + other.low_mm2, self.high_mm2 + other.high_mm2
        )

    def __sub__(self, other: "SquareMillimetres") -> "SquareMillimetres":
        # Both come from the same cells, so their errors go together: low minus low, high minus high.
        value, *ends = (self.value_mm2 - other.value_mm2, self.low_mm2 - other.low_mm2, self.high_mm2 - other.high_mm2)
        return SquareMillimetres(value, min(value, *ends), max(value, *ends))

    def as_json(self) -> dict[str, float]:
        """Return ``{value, low, high}``. [mm²]"""
        return {"value": self.value_mm2, "low": self.low_mm2, "high": self.high_mm2}

    def times(self, count: int) -> "SquareMillimetres":
        """Return the area of `count` of them."""
        return SquareMillimetres(self.value_mm2 * count, self.low_mm2 * count, self.high_mm2 * count)


@dataclass(frozen=True)
class ChipArea:
    """The chip's area and its components over all cores. Pads and the power grid are not counted."""

    total: SquareMillimetres
    components: dict[str, SquareMillimetres]


NOTHING = SquareMillimetres(0.0, 0.0, 0.0)


def core_area(chip: Chip) -> dict[str, SquareMillimetres]:
    """Return the area of one core with its router, component -> mm².

    The threshold unit is sized for the largest unsigned bank that the core holds (`largest_bank`). State memory holds
    all banks of accumulators, and the thresholds where every neuron has its own. The unit's gates were fitted to N ≤ 32;
    beyond, they are extrapolated.
    """
    return {
        "weight_memory": _area(chip, "weight_memory"),
        "state_memory": _area(chip, "state_memory"),
        "axon_table": _area(chip, "axon_table"),
        **_logic_area(chip),
        "router": _area(chip, "router"),
    }


def _logic_area(chip: Chip) -> dict[str, SquareMillimetres]:
    """Return the components of a core that are gates and flip-flops, not memory."""
    return {
        "synapse_lanes": _area(chip, "synapse_lane").times(chip.core.synapse_lanes),
        "threshold_unit": threshold_unit_area(chip, largest_bank(chip), False),
        "threshold_registers": register_area(chip, chip.core.threshold_unit.registers),
        "function_unit": _area(chip, "function_unit_lane").times(chip.core.function_unit.lanes),
        "control": _area(chip, "control"),
    }


def largest_bank(chip: Chip) -> int:
    """Return the most unsigned thresholds that a full core has room for, at least 1.

    One table for a slice or core: N = registers. One for each channel: registers // neurons. One for each neuron: what
    the state memory holds beside the accumulators, neuron by neuron. And no more than the chip's neurons may have.
    """
    core, unit = chip.core, chip.core.threshold_unit
    if unit.sharing in ("population", "core"):
        room = unit.registers
    elif unit.sharing == "channel":
        room = unit.registers // core.neurons
    else:
        bits = core.state_memory.kib * BITS_PER_KIB // core.neurons - core.accumulator_bits * core.state_banks
        room = bits // unit.register_bits
    return max(1, min(room, unit.most_thresholds or room))


def chip_area(chip: Chip) -> ChipArea:
    """Return the area of all cores and routers, in total and by component."""
    number = {"router": chip.routers}
    components = {name: area.times(number.get(name, chip.cores)) for name, area in core_area(chip).items()}
    return ChipArea(sum(components.values(), NOTHING), components)


# What of a core is gates and flip-flops, not memory.
LOGIC_COMPONENTS = ("synapse_lanes", "threshold_unit", "threshold_registers", "function_unit", "control")


def logic_gates(chip: Chip) -> float:
    """Return the gate equivalents (NAND2) of one core's logic: its area over that of one gate; no memories, no router."""
    gate = _area(chip, "gate_equivalent").value_mm2
    logic = _logic_area(chip)
    return sum(logic[name].value_mm2 for name in LOGIC_COMPONENTS) / gate if gate else 0.0


def core_leakage(chip: Chip) -> Power:
    """Return the leakage of one powered core without its router: `core_leakage`, and all its gates' `gate_leakage`. [µW]"""
    core, gate, gates = chip.static_price("core_leakage"), chip.static_price("gate_leakage"), logic_gates(chip)
    return Power(*(c + gates * g for c, g in zip(astuple(core), astuple(gate), strict=True)))


def threshold_unit_area(chip: Chip, thresholds: int, signed: bool) -> SquareMillimetres:
    """Return the area of all lanes of a threshold unit that serves N thresholds for each polarity; no registers."""
    unit = chip.core.threshold_unit
    gates = unit_gates(unit.kind, thresholds, chip.core.accumulator_bits, signed)
    return _gates_area(chip, gates.equivalents * unit.lanes, FIT_ERROR[unit.kind] + LIBRARY_SPREAD)


def register_area(chip: Chip, words: int) -> SquareMillimetres:
    """Return the area of threshold registers (flip-flops with enable)."""
    bits = words * chip.core.threshold_unit.register_bits
    return _gates_area(chip, bits * REGISTER_GATES_PER_BIT, LIBRARY_SPREAD)


def memory_area(chip: Chip, words: int) -> SquareMillimetres:
    """Return the area that so many threshold words take up in state memory (thresholds of single neurons)."""
    core = chip.core
    share = words * core.threshold_unit.register_bits / (core.state_memory.kib * BITS_PER_KIB)
    memory = _area(chip, "state_memory")
    return SquareMillimetres(memory.value_mm2 * share, memory.low_mm2 * share, memory.high_mm2 * share)


def threshold_overhead_area(
    chip: Chip, thresholds: int, signed: bool = False, groups: int = 1
) -> dict[str, SquareMillimetres]:
    """Return what N thresholds add to ONE core, beside plain integrate-and-fire with one programmable threshold.

    A power-of-two unit needs no programmable comparator and may come out below zero. Thresholds of single neurons are
    SRAM, so they count as state memory.

    Parameters
    ----------
    thresholds : N for each polarity.
    signed : with a negative branch.
    groups : tables that the core holds (its channels or neurons, where `sharing` says so); the plain neuron has one
        word for each of them.

    Returns
    -------
    ``threshold_unit``, ``threshold_registers`` and their sum ``total``, in mm² of one core. The spacing is taken to be
    one that the unit serves.
    """
    unit = chip.core.threshold_unit
    spacing = {"uniform": "uniform", "power-of-two": "power-of-two"}.get(unit.kind, "free")
    need = ThresholdNeed("bank", thresholds, signed, spacing)  # type: ignore[arg-type]
    store = memory_area if unit.sharing == "neuron" else register_area
    words = store(chip, registers(unit.kind, need, groups) - groups)
    plain = unit_gates("parallel", 1, chip.core.accumulator_bits, False).equivalents * unit.lanes
    more = threshold_unit_area(chip, thresholds, signed) - _gates_area(chip, plain, LIBRARY_SPREAD)
    return {"threshold_unit": more, "threshold_registers": words, "total": more + words}


def _gates_area(chip: Chip, gates: float, spread: float) -> SquareMillimetres:
    one = _area(chip, "gate_equivalent")
    return SquareMillimetres(
        one.value_mm2 * gates, one.low_mm2 * gates * (1 - spread), one.high_mm2 * gates * (1 + spread)
    )


def _area(chip: Chip, term: str) -> SquareMillimetres:
    area = chip.area_of(term)
    return SquareMillimetres(area.value_um2 * 1e-6, area.low_um2 * 1e-6, area.high_um2 * 1e-6)
