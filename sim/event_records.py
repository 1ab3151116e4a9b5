"""What the packet kernel writes down of a run when it is asked to: one record for each time that a unit is taken."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.wheel import cell

Ints = NDArray[np.int64]

# Kinds of records: the threshold unit, a port into the network, a link, a port out of it, axon look-up, synapse lanes.
THRESHOLD, INJECT, LINK, EJECT, AXON, SYNAPSE = range(6)
EVENTS = ("threshold", "inject", "link", "eject", "axon", "synapse")
# Columns of a record: kind; first cycle and the one after the last; terminal or link; slice (the packet's own, or the one
# at work), or connection at axon look-ups and lanes; neuron of the packet's slice or control mark; frame; the cycle in which
# a packet was ready, or synaptic operations, or neurons updated.
KIND, BEGIN, END, WHERE, WHO, INDEX, FRAME, MORE = range(8)
WIDTH = 8


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
