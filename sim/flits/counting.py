"""End markers that come before packets that they end.

Packets of one slice may overtake each other in different virtual channels. So an end marker says how many packets it ends,
and a connection is over when it and all of these have been worked off, in whatever order. Where a slice works row by row
(`sfnhw.sim.parts`), each row has an end marker, and is counted, by itself.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.flits.state import Network
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.noc.bits import INLINED, INSIDE, U

# Of a connection whose end marker has not come: more than any part sends in a frame.
NOT_ENDED = 1 << 30


@nb.njit(**INSIDE)
def announce(
    w: Wires, n: Network, part: int, g: int, sent: NDArray[np.uint8], first: int, neurons: int, columns: int, apart: int
) -> None:
    """Note how many packets a part sends in frame g; first, neurons, columns, apart : as of `kernel_parts.next_sender`."""
    packets = 0
    for j in range(neurons):
        packets += sent[U(first + j + j // columns * apart)]
    n.announced[U(part * w.frames + g % w.frames)] = packets


@nb.njit(**INLINED)
def _over(w: Wires, n: Network, row: int, y: int, g: int, less: int) -> bool:
    at = U((w.row_counts[U(row)] + y) * w.frames + g % w.frames)
    n.missing[at] -= less
    if n.missing[at] != 0:
        return False
    n.missing[at] = NOT_ENDED
    return True


@nb.njit(**INSIDE)
def ended(w: Wires, n: Network, row: int, y: int, g: int) -> bool:
    """Look up an end marker of row y of a connection's source; returns whether the row is over with it."""
    announced = n.announced[U((w.row_part[U(row)] + y) * w.frames + g % w.frames)]
    return _over(w, n, row, y, g, NOT_ENDED - announced)


@nb.njit(**INSIDE)
def worked_off(w: Wires, n: Network, row: int, index: int, g: int) -> int:
    """A packet of neuron `index` has been worked off; returns its row if that is over with it (its end marker came before), or −1."""
    y = index % w.row_positions[U(row)] // w.row_columns[U(row)]
    return y if _over(w, n, row, y, g, 1) else -1
