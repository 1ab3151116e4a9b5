"""The chip's comparators and threshold registers beyond those of one threshold: their area, and what they leak.

A chip is built for some N (`largest_bank`), whatever a network uses of it. These parts leak in every inference, on every
powered core, and are in its energy. Beside them stands the same chip for one threshold: the same kind of unit with N = 1, and one
register where a table has N.
"""

from dataclasses import dataclass

from sfnhw.chip import Chip, SquareMillimetres, core_area, registers
from sfnhw.chip.area import NOTHING, largest_bank, register_area, threshold_unit_area
from sfnhw.neurons import ThresholdNeed
from sfnhw.reports.component_leakage import KEYS, ROUTER, Band, leakage_by_component_uw
from sfnhw.run import Run
from sfnhw.units import BITS_PER_KIB


@dataclass(frozen=True)
class BuiltParts:
    """What one core has beyond one threshold.

    Attributes
    ----------
    thresholds : N of the chip's unit, for each polarity.
    unit, registers : area of the comparators and of the registers beyond those of one threshold.
    words : those registers.
    """

    thresholds: int
    unit: SquareMillimetres
    registers: SquareMillimetres
    words: int


def built_parts(chip: Chip) -> BuiltParts:
    """Return what a core of this chip has beyond one threshold.

    Its registers hold as many tables of N as fit; with one threshold each of them would take `registers` for N = 1.
    Thresholds of single neurons lie in state memory, of which a chip has no part that is for them alone: no registers.
    """
    unit, most = chip.core.threshold_unit, largest_bank(chip)
    words = 0
    if unit.sharing != "neuron":
        groups = chip.core.neurons if unit.sharing == "channel" else 1
        many, one = (registers(unit.kind, _bank(unit.kind, n), groups) for n in (most, 1))
        words = max(1, unit.registers // many) * (many - one)
    more = threshold_unit_area(chip, most, False) - threshold_unit_area(chip, 1, False)
    return BuiltParts(most, more, register_area(chip, words), words)


def built_area(run: Run) -> dict[str, object]:
    """Return the area of these parts over the used cores as JSON values.

    Keys: ``unit_serves`` (N), ``register_words_beyond_one`` (of a core), ``excess_mm2`` (``{value, low, high}``) and
    ``share_of_used_cores``, of the area of the used cores and their routers as the chip is built.
    """
    parts, core = built_parts(run.chip), core_area(run.chip)
    rest = sum((area for name, area in core.items() if name != ROUTER), NOTHING)
    used = rest.times(run.mapping.cores_used) + core[ROUTER].times(run.mapping.routers_used)
    excess = (parts.unit + parts.registers).times(run.mapping.cores_used)
    return {
        "unit_serves": parts.thresholds,
        "register_words_beyond_one": parts.words,
        "excess_mm2": excess.as_json(),
        "share_of_used_cores": excess.value_mm2 / used.value_mm2 if used.value_mm2 else 0.0,
    }


def built_leakage_w(run: Run, state_words: int) -> Band:
    """Return what the parts beyond one threshold leak, over all powered cores: ``{value, low, high}``. [W]

    Of the leakage of a core's threshold unit and of its registers (`leakage_by_component_uw`) the share that their area beyond one
    threshold has, and of a state memory's the share of `state_words` (thresholds that lie there beyond one, of all cores). The
    band is that of the leakage prices; gates and areas are at their best estimate, as they are in the energy.
    """
    chip = run.chip
    powered = run.mapping.cores_used if chip.execution.gate_idle_cores else chip.cores
    parts, area, leaks = built_parts(chip), core_area(chip), leakage_by_component_uw(chip)
    state_bits = chip.core.state_memory.kib * BITS_PER_KIB
    shares = {
        "threshold_unit": powered * _share(parts.unit, area["threshold_unit"]),
        "threshold_registers": powered * _share(parts.registers, area["threshold_registers"]),
        "state_memory": state_words * chip.core.threshold_unit.register_bits / state_bits,
    }
    watts = {key: sum(share * leaks[name][key] for name, share in shares.items()) * 1e-6 for key in KEYS}
    return {"value": watts["value"], "low": min(watts.values()), "high": max(watts.values())}


def _share(part: SquareMillimetres, whole: SquareMillimetres) -> float:
    return part.value_mm2 / whole.value_mm2 if whole.value_mm2 else 0.0


def _bank(kind: str, thresholds: int) -> ThresholdNeed:
    """N thresholds of a spacing that the unit serves."""
    if kind == "uniform":
        return ThresholdNeed("bank", thresholds, False, "uniform")
    return ThresholdNeed("bank", thresholds, False, "power-of-two" if kind == "power-of-two" else "free")
