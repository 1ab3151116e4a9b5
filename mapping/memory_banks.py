"""Words that the synapse lanes ask of state memory where targets are listed one by one, and how often banks are in the way.

Accumulators lie end to end, `accumulator_bits` each, in words of `state_memory.word_bits`; word w is in bank w mod B. In a
cycle the lanes take a group of as many synapses as there are lanes, in the order in which they are listed. Each word that
an accumulator of the group lies in is read once and written once, but for an accumulator that is met k times in a group,
whose words are read and written k times. A bank does one word a cycle, so a group takes as many cycles as the bank that is
asked for the most.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip

Ints = NDArray[np.int64]


class Scattered(NamedTuple):
    """Of one run for each neuron, or −1 where its accumulators are neighbours.

    Attributes
    ----------
    words : of state memory that are read, and as many written.
    cycles : of the banks; 0 where nothing says how many there are.
    """

    words: Ints
    cycles: Ints


def bank_cycles(words: Ints, banks: int | None) -> Ints:
    """Cycles that so many neighbouring words take; 0 where there are always banks enough."""
    return np.zeros_like(words) if banks is None else -(-words // banks)


def scattered(first: Ints, targets: Ints, chip: Chip) -> Scattered:
    """Return what runs of listed accumulators take.

    Parameters
    ----------
    first : (runs + 1,) where each begins in `targets`.
    targets : accumulators, by their place in the slice.
    """
    from sfnhw.mapping.bank_kernel import accesses  # Numba, only where synapses are listed

    core, runs = chip.core, len(first) - 1
    out = Scattered(np.zeros(runs, np.int64), np.zeros(runs, np.int64))
    memory, banks = core.state_memory, core.state_memory.banks or 0
    accesses(
        first, targets, core.synapse_lanes, core.accumulator_bits, memory.word_bits, banks, core.synapse_cycles, *out
    )
    return out
