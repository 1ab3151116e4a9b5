"""What a network simulator of this kind cannot beat: flits carried along their routes, and nothing else.

The same traffic, the same routes hop by hop, the same lists by cycle; but no buffers, credits, virtual channels or
arbiters: a flit is at the next router five cycles later, whoever else is there.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import COMPILED
from sfnhw.sim.noc import Traffic
from sfnhw.sim.noc.bits import U
from sfnhw.sim.noc.fabric import LOCAL, PACKET, Fabric, build
from sfnhw.sim.noc.router import output_and_class
from sfnhw.sim.noc.running import make_sources
from sfnhw.sim.noc.sources import NEVER, Sources, create, gap, set_rate, sleep, wake
from sfnhw.sim.noc.state import Packets, empty_packets

SLOTS, HOP = 8, 5

Longs = NDArray[np.int64]


@nb.njit(**COMPILED | {"cache": False})  # Numba would not see that the functions of the simulator have changed
def carry(f: Fabric, p: Packets, q: Sources, where: Longs, flits: Longs, listed: Longs, cycles: int) -> tuple[int, int]:
    """Run that many cycles; return flits through routers, and packets that arrived.

    where, flits : (SLOTS·room,) the router at which a flit is in a cycle, modulo SLOTS, and the flit.
    listed : (SLOTS,) how many of each cycle.
    """
    room, hops, arrived = len(where) // SLOTS, 0, 0
    set_rate(q)
    for node in range(f.nodes):
        q.born[U(node)] = gap(q, node) - 1
        if q.born[U(node)] < NEVER - 1:
            sleep(q, node)
    for now in range(cycles):
        wake(q, now)
        kept, ahead = 0, (now + 2) & (SLOTS - 1)
        for k in range(q.actives[0]):
            node = q.active[U(k)]
            packet = create(f, p, q, node)
            place = ahead * room + listed[U(ahead)]
            listed[U(ahead)] += 1
            where[U(place)] = f.node_router[U(node)]
            flits[U(place)] = packet << PACKET | p.way[U(packet)] | 1
            q.born[U(node)] += gap(q, node)
            if q.born[U(node)] > now + 1:
                sleep(q, node)
            else:
                q.active[U(kept)] = node
                kept += 1
        q.actives[0] = kept
        slot, ahead = now & (SLOTS - 1), (now + HOP) & (SLOTS - 1)
        first, end = slot * room, ahead * room + listed[U(ahead)]
        for k in range(first, first + listed[U(slot)]):
            router, flit = where[U(k)], flits[U(k)]
            port = output_and_class(f, flit, f.router_xy[U(router)])[0]
            hops += 1
            if port < LOCAL:
                where[U(end)] = f.port_router[U(f.channel[U(router * f.ports + port)])]
                flits[U(end)] = flit
                end += 1
            else:
                arrived += 1
                p.free[U(p.top[0])] = flit >> PACKET
                p.top[0] += 1
        listed[U(slot)] = 0
        listed[U(ahead)] = end - ahead * room
    return hops, arrived


def carried(traffic: Traffic, rate: float, cycles: int) -> tuple[int, int]:
    """Carry random traffic for that many cycles; return flits through routers, and packets that arrived."""
    fabric = build(traffic.config)
    # A packet is under way for as many hops as the mesh has routers along both sides, at most.
    room = fabric.nodes * (fabric.columns + fabric.rows)
    where, flits = np.zeros(SLOTS * room, np.int64), np.zeros(SLOTS * room, np.int64)
    listed = np.zeros(SLOTS, np.int64)
    sources = make_sources(traffic, rate, 0, 0)
    return carry(fabric, empty_packets(fabric), sources, where, flits, listed, cycles)
