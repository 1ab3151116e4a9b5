"""Small functions of the packet kernel."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.event_records import BEGIN, END, FRAME, INDEX, KIND, MORE, WHERE, WHO, WIDTH
from sfnhw.sim.kernel_state import EJECTION_FREE, INJECTION_FREE
from sfnhw.sim.wheel import cell

Ints = NDArray[np.int64]


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
def shift_of(V: int) -> int:
    """1/V ticks are cycles times V: the shift where V is a power of two up to 128, else −1."""
    for k in range(8):
        if 1 << k == V:
            return k
    return -1
