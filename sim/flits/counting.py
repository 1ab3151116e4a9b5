"""End markers that come before packets that they end.

Packets of one slice may overtake each other in different virtual channels. So an end marker says how many packets it ends,
and a connection is over when it and all of these have been worked off, in whatever order. Where a slice works row by row
(`sfnhw.sim.parts`), each row has an end marker, and is counted, by itself.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.bundles import Bundles
from sfnhw.sim.flits.state import Network
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.kernel_parts import has_synapses, wake
from sfnhw.sim.kernel_state import FED, State
from sfnhw.sim.noc.bits import INLINED, U
from sfnhw.sim.packed import SOURCE, Packed
from sfnhw.sim.tables import Fabric, SliceTable
from sfnhw.sim.wheel import cell, int64

# Of a connection whose end marker has not come: more than any part sends in a frame.
NOT_ENDED = 1 << 30


@nb.njit(**INNER)
def announce(
    w: Wires, n: Network, part: int, g: int, sent: NDArray[np.uint8], first: int, neurons: int, columns: int, apart: int,
    b: Bundles | None,
) -> None:  # fmt: skip
    """Note how many packets a part sends in frame g.

    first, neurons, columns, apart : as of `kernel_parts.next_sender`. b : where packets hold several spikes, their list.
    """
    packets = 0
    if b is not None:
        at = U(g * w.parts + part)
        packets = b.part_first[at + U(1)] - b.part_first[at]
    else:
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


@nb.njit(**INNER)
def ended(
    w: Wires, n: Network, row: int, y: int, g: int, sent: NDArray[np.uint8], s: SliceTable, p: Packed, f: Fabric, k: int
) -> bool:
    """Look up an end marker of row y of a connection's source; returns whether the row is over with it.

    k : the connection's place among `Packed.calls`; sent : frames end to end.
    """
    announced = n.announced[U((w.row_part[U(row)] + y) * w.frames + g % w.frames)]
    if f.per_neuron:  # packets of neurons that have synapses there
        i, announced = int64(p.calls[cell(k, 16, SOURCE)]), 0
        columns, parts = p.parts.columns[i], p.parts.first[i + 1] - p.parts.first[i]
        for j in range(s.neurons[i] // parts):
            index = (j // columns * parts + y) * columns + j % columns
            times = sent[U(g * s.first_neuron[-1] + s.first_neuron[i] + index)]
            if times > 0 and has_synapses(p, k, index):
                announced += times
    return _over(w, n, row, y, g, NOT_ENDED - announced)


@nb.njit(**INNER)
def worked_off(
    w: Wires, n: Network, state: State, row: int, index: int, g: int, free: int, now: int, when: int,
    p: Packed, k: int,
) -> Any:  # fmt: skip
    """A packet of neuron `index`, or of a bundle whose first neuron it is, has been worked off.

    Its row's targets are told if that is over with it (its end marker came before). The last arguments, and what is
    returned, are as of `kernel_parts.wake`.
    """
    y, woken = index % w.row_positions[U(row)] // w.row_columns[U(row)], 0
    if _over(w, n, row, y, g, 1):
        free, woken = wake(state, free, now, when, when, p.calls, p.parts, k, y, g, FED)
    return free, woken
