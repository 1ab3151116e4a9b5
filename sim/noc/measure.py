"""What is measured of a run, at either fidelity: packets that have arrived, and those that still wait at their sources."""

from typing import NamedTuple

import numba as nb

from sfnhw.kernel_cache import COMPILED
from sfnhw.sim.noc.bits import INLINED, U
from sfnhw.sim.noc.sources import Sources, gap
from sfnhw.sim.noc.state import Longs, Packets

# Indices of Measure.total.
PACKETS, LATENCY, ROUTERS, LARGEST, WINDOW_FLITS, CREATED = 0, 1, 2, 3, 4, 5
TOTALS = 6


class Measure(NamedTuple):
    """What is measured: packets created in cycles [start, stop), and flits that leave the network in these."""

    start: int
    stop: int
    histogram: Longs  # (bins,) packets by latency in cycles, the last bin open
    total: Longs  # (TOTALS,)


@nb.njit(**INLINED)
def over(m: Measure, p: Packets, packet: int, end: int) -> None:
    """A packet's last flit leaves the network in cycle `end`: its slot is free, and it is counted."""
    p.free[U(p.top[0])] = packet
    p.top[0] += 1
    if m.start <= p.born[U(packet)] < m.stop:
        latency = end - p.born[U(packet)]
        m.histogram[U(min(latency, len(m.histogram) - 1))] += 1
        m.total[PACKETS] += 1
        m.total[LATENCY] += latency
        m.total[ROUTERS] += p.routers[U(packet)]
        m.total[LARGEST] = max(m.total[LARGEST], latency)


@nb.njit(**COMPILED)
def count_queued(q: Sources, m: Measure, now: int) -> tuple[int, int]:
    """Measured packets in the queues of their sources, and the sum of their ages."""
    queued, ages = 0, 0
    for node in range(len(q.born)):
        if q.flit[U(node)] > 0:
            q.born[U(node)] += gap(q, node)
        while q.born[U(node)] < min(m.stop, now):
            if q.born[U(node)] >= m.start:
                queued += 1
                ages += now - q.born[U(node)]
            q.born[U(node)] += gap(q, node)
    return queued, ages
