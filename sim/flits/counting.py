"""End markers that come before packets that they end.

Packets of one slice may overtake each other in different virtual channels. So an end marker says how many packets it ends,
and a connection is over when it and all of these have been worked off, in whatever order.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.flits.state import Network
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.noc.bits import COMPILED, INLINED, U

# Of a connection whose end marker has not come: more than any slice sends in a frame.
NOT_ENDED = 1 << 30


@nb.njit(**COMPILED)
def announce(w: Wires, n: Network, i: int, g: int, sent: NDArray[np.uint8], first: int, neurons: int) -> None:
    """Note how many packets slice `i` sends in frame g; `first` is where its neurons of the frame begin in `sent`."""
    packets = 0
    for j in range(neurons):
        packets += sent[U(first + j)]
    n.announced[U(i * w.frames + g % w.frames)] = packets


@nb.njit(**INLINED)
def _over(w: Wires, n: Network, row: int, g: int, less: int) -> bool:
    at = U(row * w.frames + g % w.frames)
    n.missing[at] -= less
    if n.missing[at] != 0:
        return False
    n.missing[at] = NOT_ENDED
    return True


@nb.njit(**COMPILED)
def ended(w: Wires, n: Network, row: int, g: int) -> bool:
    """An end marker has been looked up; returns whether the connection is over with it."""
    return _over(w, n, row, g, NOT_ENDED - n.announced[U(w.row_source[U(row)] * w.frames + g % w.frames)])


@nb.njit(**COMPILED)
def worked_off(w: Wires, n: Network, row: int, g: int) -> bool:
    """A packet has been worked off; returns whether the connection is over with it: its end marker came before."""
    return _over(w, n, row, g, 1)
