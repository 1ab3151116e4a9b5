"""Where packets come from: random traffic by pattern, drawn as it is needed, so that memory does not grow with the run."""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.noc.bits import INLINED, U
from sfnhw.sim.noc.fabric import ALONG_X, ALONG_Y, EXIT, GOAL, PACKET, PORT_BITS, Fabric
from sfnhw.sim.noc.router import later
from sfnhw.sim.noc.state import ARRIVALS, IN_FLIGHT, Ints, Longs, Packets, State

NEVER = 1 << 62


class Sources(NamedTuple):
    """What each of N nodes sends, and how far it is."""

    rate: float  # packets per node and cycle; a node's packets are the heads of a coin tossed every cycle
    log_miss: NDArray[np.float64]  # (1,) log(1 − rate)
    burst: int  # packets of each node, all of cycle 0; 0: random traffic at `rate`
    flits: int
    target: Ints  # (N,) the node it sends to; −1: drawn anew for each packet
    hot_node: Ints  # (K,) nodes that a share of the drawn packets goes to
    hot_until: NDArray[np.float64]  # (K,) cumulative shares
    random: NDArray[np.uint64]  # (N,) state of each node's generator
    born: Longs  # (N,) creation of the packet in front
    packet: Ints  # (N,) its slot, −1: not yet injected
    flit: Ints  # (N,) flits of it already sent
    vc: Ints  # (N,) virtual channel that it goes by
    left: Longs  # (N,) packets of the burst still to come
    active: Ints  # (N,) nodes that have a packet now
    actives: Longs  # (1,)
    asleep: Ints  # (slots,) first node of a list that wakes in a cycle, modulo the slots
    next_asleep: Ints  # (N,)


@nb.njit(**INLINED)
def draw(random: NDArray[np.uint64], node: int) -> np.uint64:
    """Next 64 bits of a node's generator: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, fig. 17)."""
    state = random[U(node)] + np.uint64(0x9E3779B97F4A7C15)
    random[U(node)] = state
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@nb.njit(**INLINED)
def uniform(random: NDArray[np.uint64], node: int) -> float:
    """Next number in [0, 1) of a node's generator."""
    return np.float64(draw(random, node) >> np.uint64(11)) * 2.0**-53


@nb.njit(**INLINED)
def set_rate(q: Sources) -> None:
    """Note what `gap` divides by."""
    if 0.0 < q.rate < 1.0:
        q.log_miss[0] = np.log1p(-q.rate)


@nb.njit(**INLINED)
def gap(q: Sources, node: int) -> int:
    """Cycles to the node's next packet: how often a coin of `rate` is tossed until it shows heads."""
    if q.rate >= 1.0:
        return 1
    if q.rate <= 0.0:
        return NEVER
    u = uniform(q.random, node)
    tosses = np.log(1.0 - u) / q.log_miss[0]
    if np.abs(tosses - np.rint(tosses)) < 1e-9:
        # log is twice as fast as log1p and 1 − u is exact, but beside a whole number the last digit decides.
        tosses = np.log1p(-u) / q.log_miss[0]
    return int(np.floor(tosses)) + 1


@nb.njit(**INLINED)
def goal(q: Sources, nodes: int, node: int) -> int:
    """Draw where a node's packet goes."""
    if q.target[U(node)] >= 0:
        return q.target[U(node)]
    share = uniform(q.random, node)
    for k in range(len(q.hot_node)):
        if share < q.hot_until[U(k)]:
            return q.hot_node[U(k)]
    return int(uniform(q.random, node) * nodes)


@nb.njit(**INLINED)
def sleep(q: Sources, node: int) -> None:
    """The node's next packet is of a later cycle: wake it then."""
    slot = q.born[U(node)] & (len(q.asleep) - 1)
    q.next_asleep[U(node)] = q.asleep[U(slot)]
    q.asleep[U(slot)] = node


@nb.njit(**INLINED)
def wake(q: Sources, now: int) -> None:
    """Activate the nodes whose packet is of this cycle."""
    slot = now & (len(q.asleep) - 1)
    node = q.asleep[U(slot)]
    q.asleep[U(slot)] = -1
    while node >= 0:
        after = q.next_asleep[U(node)]
        if q.born[U(node)] == now:
            q.active[U(q.actives[0])] = node
            q.actives[0] += 1
        else:
            q.next_asleep[U(node)] = q.asleep[U(slot)]
            q.asleep[U(slot)] = node
        node = after


@nb.njit(**INLINED)
def way_round(f: Fabric, q: Sources, node: int, a: int, b: int) -> tuple[int, int]:
    """On a torus: the turn of a packet from router a to b, and the links that it takes.

    Both ways round are as far: one of them is drawn. The class of virtual channels is `AFTER` for packets that leave a
    ring before the place where they enter it: all that cross from its end to its beginning, and those the other way
    that do not.
    """
    dx = (f.router_x[U(b)] - f.router_x[U(a)]) % f.columns
    dy = (f.router_y[U(b)] - f.router_y[U(a)]) % f.rows
    turn = 4 * (f.router_x[U(a)] > f.router_x[U(b)]) + 8 * (f.router_y[U(a)] > f.router_y[U(b)])
    if 2 * dx > f.columns or (2 * dx == f.columns and draw(q.random, node) & np.uint64(1)):
        turn |= 1
    if 2 * dy > f.rows or (2 * dy == f.rows and draw(q.random, node) & np.uint64(1)):
        turn |= 2
    return turn, min(dx, f.columns - dx) + min(dy, f.rows - dy)


@nb.njit(**INLINED)
def create(f: Fabric, p: Packets, q: Sources, node: int) -> int:
    """Give the packet in front of a node's queue a slot and a destination; return the slot."""
    p.top[0] -= 1
    slot = p.free[U(p.top[0])]
    to = goal(q, f.nodes, node)
    a, b = f.node_router[U(node)], f.node_router[U(to)]
    if f.wrap:
        turn, links = way_round(f, q, node, a, b)
    else:
        dx, dy = f.router_x[U(b)] - f.router_x[U(a)], f.router_y[U(b)] - f.router_y[U(a)]
        turn, links = (dx < 0) + 2 * (dy < 0), abs(dx) + abs(dy)
    along_x = (turn & 1) | ((turn >> 2) & 1) << PORT_BITS
    along_y = 2 | ((turn >> 1) & 1) | ((turn >> 3) & 1) << PORT_BITS
    ways = along_x << ALONG_X | along_y << ALONG_Y | f.node_port[U(to)] << EXIT
    p.way[U(slot)] = f.router_xy[U(b)] << GOAL | ways
    p.flits[U(slot)] = q.flits
    p.born[U(slot)] = q.born[U(node)]
    p.routers[U(slot)] = links + 1
    return slot


@nb.njit(**INLINED)
def inject(f: Fabric, s: State, p: Packets, q: Sources, start: int, stop: int, now: int) -> int:
    """Every active node sends at most one flit into its router, on a virtual channel with room.

    Returns how many packets that were created in cycles [start, stop) have begun.
    """
    V, kept, measured = f.vcs, 0, 0
    for k in range(q.actives[0]):
        node = q.active[U(k)]
        first = (f.routers * f.ports + node) << f.shift
        v, sent = q.vc[U(node)], q.flit[U(node)]
        if sent == 0:
            # The next virtual channel after the last one that has room.
            for _ in range(V):
                v = v + 1 if v + 1 < V else 0
                if s.outputs[U(first + v)].credits > 0:
                    break
        output = s.outputs[U(first + v)]
        if output.credits == 0:
            q.active[U(kept)] = node
            kept += 1
            continue
        if sent == 0:
            q.vc[U(node)] = v
            q.packet[U(node)] = create(f, p, q, node)
            s.counts[IN_FLIGHT] += 1
            measured += start <= q.born[U(node)] < stop
        packet, last = q.packet[U(node)], sent + 1 == q.flits
        q.flit[U(node)] = sent + 1
        output.credits -= 1
        place = later(s, ARRIVALS, now + f.inject)
        s.arriving[U(place)] = f.node_vc[U(node)] + v
        s.flit[U(place)] = packet << PACKET | p.way[U(packet)] | last
        if last:
            q.flit[U(node)] = 0
            if q.burst > 0:
                q.left[U(node)] -= 1
                if q.left[U(node)] == 0:
                    continue
            else:
                q.born[U(node)] += gap(q, node)
                if q.born[U(node)] > now + 1:
                    sleep(q, node)
                    continue
        q.active[U(kept)] = node
        kept += 1
    q.actives[0] = kept
    return measured
