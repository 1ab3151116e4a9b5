"""Where thresholds are kept: one table for a slice, a channel, a core or a neuron, and what it takes to read them.

| sharing | tables of a slice | kept in |
| --- | --- | --- |
| `population` | 1 | threshold registers |
| `channel` | one for each of its channels | threshold registers |
| `core` | 1, the same one for all slices of the core | threshold registers |
| `neuron` | one for each of its neurons | state memory, beside the accumulators |

N thresholds for each neuron are too many for flip-flops (8 thresholds of 24 bits for 256 neurons: 49,152 bits, 0.12 mm²
as registers at 28 nm and 0.008 mm² as SRAM), so they take room in the state memory, and an update reads them from
there: `state_read` takes the place of `threshold_read`, word by word. A table lies in one piece and neurons are updated
in order, so words are used whole; only a binary search, whose reads depend on the neuron, takes a word for each read.
The memory gives one word a cycle, and an update waits for its thresholds.
"""

from dataclasses import dataclass, replace

from sfnhw.chip.schema import Core, ThresholdUnit
from sfnhw.chip.threshold_unit import UpdateCost, registers, update_cost
from sfnhw.neurons import ThresholdNeed
from sfnhw.units import ceil_div


@dataclass(frozen=True)
class Words:
    """Words of `core.threshold_unit.register_bits` bits: in threshold registers, and in state memory."""

    registers: int
    memory: int = 0

    def __add__(self, other: "Words") -> "Words":
        return Words(self.registers + other.registers, self.memory + other.memory)


def tables(sharing: str, channels: int, neurons: int) -> int:
    """Return how many threshold tables a slice of so many channels and neurons has."""
    return {"channel": channels, "neuron": neurons}.get(sharing, 1)


def table_words(unit: ThresholdUnit, need: ThresholdNeed, channels: int, neurons: int) -> Words:
    """Return the words of a slice's threshold tables and where they are kept; leak factors stay in registers.

    Raises
    ------
    ChipError : as `sfnhw.chip.update_cost`.
    """
    words = registers(unit.kind, need, tables(unit.sharing, channels, neurons))
    if unit.sharing != "neuron" or need.kind == "none":
        return Words(words)
    return Words(need.leaks, words - need.leaks)


def unit_update(core: Core, need: ThresholdNeed) -> UpdateCost:
    """Return what one neuron update costs on this core: as `update_cost`, with thresholds read where they are kept.

    With tables of neurons nothing is read from registers, and all lanes together wait for the state memory, which reads a word
    a cycle, or as many as it has banks. Cycles are the chip's own (`core.threshold_unit.update_cycles`) where it gives them.

    Raises
    ------
    ChipError : as `sfnhw.chip.update_cost`.
    """
    unit = core.threshold_unit
    cost = update_cost(unit.kind, need)
    if unit.update_cycles is not None:
        cost = replace(cost, cycles=unit.update_cycles)
    if unit.sharing != "neuron" or need.kind == "none":
        return cost
    return replace(
        cost,
        threshold_reads=0,
        cycles=max(cost.cycles, ceil_div(memory_words(core, need, unit.lanes), core.state_memory.banks or 1)),
    )


def memory_words(core: Core, need: ThresholdNeed, neurons: int) -> int:
    """Return the words of state memory that updating `neurons` neurons in order reads for their thresholds.

    Raises
    ------
    ChipError : as `sfnhw.chip.update_cost`.
    """
    unit, word = core.threshold_unit, core.state_memory.word_bits
    if unit.sharing != "neuron" or need.kind == "none":
        return 0
    if unit.kind == "binary-search" and need.kind == "bank" and need.thresholds > 1:
        reads = update_cost(unit.kind, need).threshold_reads
        return neurons * reads * ceil_div(unit.register_bits, word)
    return ceil_div(table_words(unit, need, 1, neurons).memory * unit.register_bits, word)
