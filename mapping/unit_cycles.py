"""What the units of a core take for one run of synapses, one neuron update, one packet: read by mapper and simulator."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.chip.sharing import memory_words, unit_update
from sfnhw.lowering import unit_projections
from sfnhw.mapping.memory_banks import Scattered, bank_cycles
from sfnhw.mapping.slices import operand_bits
from sfnhw.network import FUNCTIONS, MaxPool, Network, Population, Product, Projection, Stationary
from sfnhw.units import bits_for, ceil_div

Ints = NDArray[np.int64]


class RunCost(NamedTuple):
    """What runs of synapses take, elementwise: synaptic operations, cycles of the lanes, words of weight and of state memory.

    As many words of state memory are written as are read. Of a stationary operand the words are written.
    """

    synapses: Ints
    cycles: Ints
    words: Ints
    state: Ints


def run_cost(
    width: Ints, bits: Ints | int, written: NDArray[np.bool_] | bool, chip: Chip, scattered: Scattered | None = None
) -> RunCost:
    """Return what runs of so many neighbouring synapses take.

    Lanes, weight memory and state memory are pipelined: the slowest sets the pace. Neighbouring words are in neighbouring
    banks, so B banks move B of them in a cycle; they stream, whichever group of lanes they are for.

    Parameters
    ----------
    bits : read from weight memory for each synapse.
    written : where a run is a packet of a stationary operand: one word written, no synaptic operation, no accumulator.
    scattered : of runs whose accumulators are no neighbours; −1 where they are.
    """
    core = chip.core
    words = np.where(written, width, -(-(width * bits) // core.weight_memory.word_bits))
    state = np.where(written, 0, -(-(width * core.accumulator_bits) // core.state_memory.word_bits))
    cycles = -(-width // core.synapse_lanes) * core.synapse_cycles
    cycles = np.maximum(cycles, bank_cycles(words, core.weight_memory.banks))
    at_state = bank_cycles(state, core.state_memory.banks)
    if scattered is not None:
        at_state = np.where(scattered.words < 0, at_state, scattered.cycles)
        state = np.where(scattered.words < 0, state, scattered.words)
    return RunCost(synapses=np.where(written, 0, width), cycles=np.maximum(cycles, at_state), words=words, state=state)


def synapse_bits(network: Network, p: Projection, unit: bool, most_targets: int, chip: Chip) -> int:
    """Bits read from weight memory for each synapse of a projection: 0 where the weight is 1 by construction.

    Parameters
    ----------
    unit : whether all its lowered weights are 1 (`unit_weights`).
    most_targets : neurons of the largest slice of its target, which explicit synapse indices must tell apart.
    """
    if unit or isinstance(p, MaxPool | Stationary):
        return 0
    if isinstance(p, Product):
        return operand_bits(network, p.operand, chip)
    if p.has_indices:
        return chip.core.weight_bits + bits_for(most_targets)
    return int(chip.core.weight_bits)


def unit_weights(network: Network, chip: Chip) -> list[bool]:
    """For each projection whether all its lowered weights are 1 (a pool by itself): neither read nor multiplied."""
    return unit_projections(network, chip.numerics, chip.core.threshold_unit.sharing)


def update_cycles(chip: Chip, population: Population) -> int:
    """Cycles in which the threshold unit updates as many neurons as it has lanes; 0 for an input, at the pins.

    A function unit, and the banks of state memory, are pipelined with the threshold unit: the slowest sets the pace. A time
    of the chip's own (`core.threshold_unit.update_cycles`) has the memory in it.
    """
    if population.role == "input":
        return 0
    core = chip.core
    unit, banks = core.threshold_unit, core.state_memory.banks
    at_memory = 0
    if banks is not None and unit.update_cycles is None:
        words = ceil_div(unit.lanes * core.accumulator_bits, core.state_memory.word_bits)
        if population.function != "max":
            words += memory_words(core, population.coding.need(), unit.lanes)
        at_memory = ceil_div(words, banks)
    if population.function == "max":
        return max(at_memory, unit.update_cycles or 1)
    own = unit_update(core, population.coding.need()).cycles
    return max(own, at_memory, function_cycles(chip, population))


def function_cycles(chip: Chip, population: Population) -> int:
    """Cycles in which the function unit passes on as many values as the threshold unit has lanes; 0 without one."""
    if not population.needs_function_unit:
        return 0
    unit = chip.core.function_unit
    cycles: int = getattr(unit, f"{FUNCTIONS[population.function].action}_cycles")
    return ceil_div(chip.core.threshold_unit.lanes * cycles, unit.lanes)


def frames_of(network: Network, population: Population) -> int:
    """Timesteps of each window in which a population works: all, or the first (inputs and readouts of a network in windows)."""
    return 1 if population.coding.window == 1 else network.window


def port_cycles(flits: Ints | int, chip: Chip, pins: bool) -> Ints:
    """Cycles that one packet of so many flits takes a core's injection port, or the pins."""
    flits = np.asarray(flits, np.int64)
    if pins:
        return np.maximum(flits, -(-flits * chip.noc.flit_bits // chip.io.bits_per_cycle))
    return np.maximum(flits, chip.noc.port_cycles)
