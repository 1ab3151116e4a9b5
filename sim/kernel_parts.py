"""Small functions of the packet kernel."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.event_records import BEGIN, END, FRAME, INDEX, KIND, MORE, WHERE, WHO, WIDTH
from sfnhw.sim.kernel_state import AXON_FREE, EJECTION_FREE, INJECTION_FREE, SYNAPSE_FREE, THRESHOLD_FREE
from sfnhw.sim.packed import COST_FIRST, POSITIONS, RUN_FIRST, RUN_STRIDE, TAPS_FIRST, TAPS_STRIDE
from sfnhw.sim.tables import CYCLES
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]
Words = NDArray[np.int32]


@nb.njit(nogil=True, cache=True)
def any_taken(links: Ints, at: Ints, now: int, V: int) -> bool:
    """Whether any link or port is taken beyond a cycle."""
    taken = False
    for k in range(0, links.shape[0], 2):
        taken |= links[k] > now * V
    for k in range(0, at.shape[0], 16):
        taken |= at[k + INJECTION_FREE] > now or at[k + EJECTION_FREE] > now * V
    return taken


@nb.njit(nogil=True, cache=True)
def over_pins(flits: int, num: int, den: int) -> int:
    """Cycles that a packet takes over the pins, num / den a flit: at least one a flit."""
    return max(flits, -(-flits * num // den))


@nb.njit(nogil=True, cache=True)
def next_sender(sent: NDArray[np.uint8], first: int, j: int, neurons: int, columns: int, apart: int) -> int:
    """Return the first neuron of a part from j on that sends something, or `neurons`.

    first : where the part's frame begins in `sent`; its neurons are side by side, but for `apart` others after each `columns`.
    """
    while j < neurons and sent[np.uint64(first + j + j // columns * apart)] == 0:
        j += 1
    return j


@nb.njit(nogil=True, cache=True)
def spiking_groups(sent: NDArray[np.uint8], first: int, neurons: int, lanes: int, columns: int, apart: int) -> int:
    """Groups of `lanes` neurons of a part in which any sends something; arguments as of `next_sender`."""
    groups = 0
    last = -1
    for j in range(neurons):
        if sent[first + j + j // columns * apart] > 0 and j // lanes != last:
            last = j // lanes
            groups += 1
    return groups


# Without a branch, as `sfnhw.sim.wheel.push` and for the same reason: what has no room goes over the last record.
@nb.njit(nogil=True, cache=True)
def note(
    log: Ints, noted: int, kind: int, begin: int, end: int, where: int, who: int, index: int, frame: int, more: int
) -> int:
    """Write a record; returns how many there are, those that found no room included."""
    k = min(noted, log.shape[0] // WIDTH - 1)
    log[cell(k, WIDTH, KIND)] = kind
    log[cell(k, WIDTH, BEGIN)] = begin
    log[cell(k, WIDTH, END)] = end
    log[cell(k, WIDTH, WHERE)] = where
    log[cell(k, WIDTH, WHO)] = who
    log[cell(k, WIDTH, INDEX)] = index
    log[cell(k, WIDTH, FRAME)] = frame
    log[cell(k, WIDTH, MORE)] = more
    return noted + 1


@nb.njit(nogil=True, cache=True)
def worked_off(at: Ints, last: int) -> int:
    """Cycle in which the units of all cores are done, not before `last`."""
    for k in range(0, at.shape[0], 16):
        last = max(last, max(at[k + AXON_FREE], max(at[k + SYNAPSE_FREE], at[k + THRESHOLD_FREE])))
    return last


@nb.njit(nogil=True, cache=True)
def copies(
    sent: NDArray[np.uint8],
    frame: int,
    base: int,
    neurons: int,
    columns: int,
    apart: int,
    copy_first: Ints,
    trees: int,
) -> int:
    """Packets at the port that a part makes in the frame that begins at `frame` of `sent`; its neurons begin at `base`.

    Each spike packet makes `trees`, or as many as its neuron has paths: those of neuron j begin at ``copy_first[j]``. Columns
    and apart as of `next_sender`.
    """
    made = 0
    for k in range(neurons):
        j = base + k + k // columns * apart
        if sent[frame + j] > 0:
            made += sent[frame + j] * (copy_first[j + 1] - copy_first[j] if copy_first.shape[0] > 0 else trees)
    return made


@nb.njit(nogil=True, cache=True)
def has_synapses(calls: Words, runs: NDArray[np.integer], taps: Words, costs: Ints, k: int, index: int) -> bool:
    """Whether a neuron has synapses through the connection of a call."""
    major, minor = divmod(index, int64(calls[cell(k, 16, POSITIONS)]))
    cost = (
        calls[cell(k, 16, COST_FIRST)]
        + runs[place(calls[cell(k, 16, RUN_FIRST)] + major * calls[cell(k, 16, RUN_STRIDE)])]
    )
    each = taps[place(calls[cell(k, 16, TAPS_FIRST)] + minor * calls[cell(k, 16, TAPS_STRIDE)])]
    return each * costs[cell(cost, 4, CYCLES)] > 0
