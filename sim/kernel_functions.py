"""What the packet kernel asks in functions of its own."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.kernel_state import EJECTION_FREE, INJECTION_FREE
from sfnhw.sim.packed import COST_FIRST, POSITIONS, RUN_FIRST, RUN_STRIDE, TAPS_FIRST, TAPS_STRIDE
from sfnhw.sim.tables import CYCLES
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]
Words = NDArray[np.int32]


@nb.njit(nogil=True, cache=True)
def taken(links: Ints, at: Ints, now: int, V: int) -> bool:
    """Whether any link or port is taken beyond a cycle."""
    any_taken = False
    for k in range(0, links.shape[0], 2):
        any_taken |= links[k] > now * V
    for k in range(0, at.shape[0], 16):
        any_taken |= at[k + INJECTION_FREE] > now or at[k + EJECTION_FREE] > now * V
    return any_taken


@nb.njit(nogil=True, cache=True)
def over_pins(flits: int, f_num: int, f_den: int) -> int:
    """Cycles that a packet takes over the pins: at least one a flit."""
    return max(flits, -(-flits * f_num // f_den))


@nb.njit(nogil=True, cache=True)
def spiking_groups(sent: NDArray[np.uint8], first: int, neurons: int, lanes: int) -> int:
    """Groups of `lanes` neurons of a slice in which any sends something; `first` is where its frame begins in `sent`."""
    groups = 0
    last = -1
    for j in range(neurons):
        if sent[first + j] > 0 and j // lanes != last:
            last = j // lanes
            groups += 1
    return groups


@nb.njit(nogil=True, cache=True)
def copies(sent: NDArray[np.uint8], first: int, copy_first: Ints, base: int, neurons: int, trees: int) -> int:
    """Packets at the port that a slice's frame, which begins at `first`, makes: `trees` each, or (base ≥ 0) its neuron's."""
    made = 0
    for j in range(neurons):
        if sent[first + j] > 0:
            made += sent[first + j] * (copy_first[base + j + 1] - copy_first[base + j] if base >= 0 else trees)
    return made


@nb.njit(nogil=True, cache=True)
def feeds(calls: Words, runs: NDArray[np.integer], taps: Words, costs: Ints, k: int, index: int) -> bool:
    """Whether a neuron has synapses through the connection of a call."""
    major, minor = divmod(index, int64(calls[cell(k, 16, POSITIONS)]))
    cost = (
        calls[cell(k, 16, COST_FIRST)]
        + runs[place(calls[cell(k, 16, RUN_FIRST)] + major * calls[cell(k, 16, RUN_STRIDE)])]
    )
    each = taps[place(calls[cell(k, 16, TAPS_FIRST)] + minor * calls[cell(k, 16, TAPS_STRIDE)])]
    return each * costs[cell(cost, 4, CYCLES)] > 0
