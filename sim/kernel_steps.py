"""Steps of the packet kernel that stand by themselves."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.kernel_state import EJECTION_FREE, INJECTION_FREE

Ints = NDArray[np.int64]


@nb.njit(nogil=True, cache=True)
def taken(links: Ints, at: Ints, now: int, V: int) -> bool:
    """Whether any link or port is taken beyond a cycle."""
    taken = False
    for k in range(0, links.shape[0], 2):
        taken |= links[k] > now * V
    for k in range(0, at.shape[0], 16):
        taken |= at[k + INJECTION_FREE] > now or at[k + EJECTION_FREE] > now * V
    return taken


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
