"""The clock of fidelity `flit`: one cycle after the other, and in each only what has something to do."""

import numba as nb
import numpy as np

from sfnhw.kernel_cache import COMPILED
from sfnhw.sim.noc.bits import INLINED, U
from sfnhw.sim.noc.fabric import PACKET, Fabric
from sfnhw.sim.noc.measure import CREATED, PACKETS, WINDOW_FLITS, Measure, over
from sfnhw.sim.noc.router import (
    NODE_CREDIT,
    allocate_switch,
    allocate_vcs,
    begin_route,
    later,
    request_switch,
    request_vc,
    starts,
)
from sfnhw.sim.noc.sources import NEVER, Sources, gap, inject, set_rate, sleep, wake
from sfnhw.sim.noc.state import (
    ARRIVALS,
    EJECTED_FLITS,
    EJECTIONS,
    GRANTED,
    IN_FLIGHT,
    KINDS,
    LAST_EJECTION,
    NOBODY,
    RELEASES,
    RETURNS,
    SA_PORTS,
    TO_SA,
    TO_VA,
    VA_PORTS,
    VC_STAGE,
    Packets,
    State,
)


@nb.njit(**COMPILED)
def start_sources(q: Sources) -> None:
    """Draw each node's first packet."""
    set_rate(q)
    for node in range(len(q.born)):
        if q.burst > 0:
            q.born[U(node)] = 0
            q.left[U(node)] = q.burst
            q.active[U(q.actives[0])] = node
            q.actives[0] += 1
            continue
        q.born[U(node)] = gap(q, node) - 1
        if q.born[U(node)] < NEVER - 1:
            sleep(q, node)


@nb.njit(**INLINED)
def eject(f: Fabric, s: State, p: Packets, m: Measure, slot: int, now: int) -> None:
    """Flits arrive at their nodes: the credits go back; with its tail a packet is over."""
    first = slot * s.room
    flits = s.pending[U(EJECTIONS * s.slots + slot)]
    s.counts[EJECTED_FLITS] += flits
    if m.start <= now < m.stop:
        m.total[WINDOW_FLITS] += flits
    for k in range(first, first + flits):
        flit = s.last_flit[U(k)]
        place = later(s, RETURNS, now + NODE_CREDIT)
        s.crediting[U(place)] = s.leaving[U(k)]
        if flit & 1:
            s.counts[IN_FLIGHT] -= 1
            s.counts[LAST_EJECTION] = now
            over(m, p, flit >> PACKET, now)


@nb.njit(**INLINED)
def arrive(f: Fabric, s: State, i: int, flit: int, now: int, ports: int) -> int:
    """A flit enters the buffer of input VC `i`. Return how many ports are asked for VCs now, of `ports` before."""
    vc = s.inputs[U(i)]
    count = np.int64(vc.count)
    vc.count = count + 1
    if count > 0:
        at = np.int64(vc.head) + count - 1
        s.buffer[U(i * f.depth + (at if at < f.depth else at - f.depth))] = flit
        return ports
    vc.front = flit
    start = max(now, s.ready[U(i)])
    if vc.held < 0 and f.route > 1:
        if start == now:
            begin_route(f, s, i, now)
        else:
            place = later(s, TO_VA, start)
            s.to_va[U(place)] = ~i
        return ports
    if vc.held < 0:
        # With a route stage the VC allocation of this cycle is over, so what is asked now counts in the next one.
        if start + f.route == now + (f.route > 0):
            return request_vc(f, s, i, ports)
        place = later(s, TO_VA, start + f.route)
        s.to_va[U(place)] = i
        return ports
    o = (s.ports[U(i >> f.shift)].base << f.shift) + vc.held
    if start == now:
        s.listed[SA_PORTS] = request_switch(f, s, o, s.listed[SA_PORTS])
    else:
        place = later(s, TO_SA, start)
        s.to_sa[U(place)] = o
    return ports


@nb.njit(**INLINED)
def receive(f: Fabric, s: State, slot: int, now: int) -> None:
    """Flits that arrive at a router in this cycle."""
    first, ports = slot * s.room, s.listed[VA_PORTS]
    for k in range(first, first + s.pending[U(ARRIVALS * s.slots + slot)]):
        ports = arrive(f, s, s.arriving[U(k)], s.flit[U(k)], now, ports)
    s.listed[VA_PORTS] = ports


@nb.njit(**INLINED)
def take_back(f: Fabric, s: State, slot: int, now: int) -> None:
    """Credits that return in this cycle, and virtual channels that become free."""
    first = slot * s.room
    for k in range(first, first + s.pending[U(RETURNS * s.slots + slot)]):
        o = s.crediting[U(k)]
        output = s.outputs[U(o)]
        credits = np.int64(output.credits) + 1
        output.credits = credits
        if credits == 1 and output.owner != NOBODY and f.switch_alloc == 1:
            out = o >> f.shift
            i = (s.ports[U(out)].base << f.shift) + f.bit_vc[U(output.owner)]
            if s.inputs[U(i)].count > 0 and s.ready[U(i)] <= now:
                s.listed[SA_PORTS] = request_switch(f, s, o, s.listed[SA_PORTS])
    for k in range(first, first + s.pending[U(RELEASES * s.slots + slot)]):
        o = s.releasing[U(k)]
        s.ports[U(o >> f.shift)].free |= 1 << (o & ((1 << f.shift) - 1))


@nb.njit(**INLINED)
def give_vcs(f: Fabric, s: State, slot: int, now: int) -> None:
    """VC allocation of all output ports with requests."""
    first, ports = slot * s.room, s.listed[VA_PORTS]
    for k in range(first, first + s.pending[U(TO_VA * s.slots + slot)]):
        i = s.to_va[U(k)]
        if f.route > 1 and i < 0:
            begin_route(f, s, ~i, now)
        else:
            ports = request_vc(f, s, i, ports)
    kept = 0
    for k in range(ports):
        out = s.va_ports[U(k)]
        s.va_ports[U(kept)] = out
        if f.vc_alloc > 1 and not starts(s.batch, f.port_router[U(out)], VC_STAGE, f.vc_alloc, now):
            kept += 1
        else:
            kept += s.ports[U(out)].free == 0 or allocate_vcs(f, s, out, now)
    s.listed[VA_PORTS] = kept


@nb.njit(**INLINED)
def switch(f: Fabric, s: State, slot: int, now: int) -> None:
    """Switch allocation of all routers with requests; those that were given a VC in this cycle ask from the next."""
    first, ports = slot * s.room, s.listed[SA_PORTS]
    for k in range(first, first + s.pending[U(TO_SA * s.slots + slot)]):
        ports = request_switch(f, s, s.to_sa[U(k)], ports)
    ports = allocate_switch(f, s, ports, now)
    for k in range(s.listed[GRANTED]):
        ports = request_switch(f, s, s.granted[U(k)], ports)
    s.listed[GRANTED] = 0
    s.listed[SA_PORTS] = ports


@nb.njit(**COMPILED)
def run_cycles(f: Fabric, s: State, p: Packets, q: Sources, m: Measure, begin: int, end: int, drain: bool) -> int:
    """Run cycles of any network, see `_cycles`."""
    return _cycles(f, s, p, q, m, begin, end, drain)


@nb.njit(**COMPILED)
def run_plain_cycles(f: Fabric, s: State, p: Packets, q: Sources, m: Measure, begin: int, end: int, drain: bool) -> int:
    """Run cycles of a network that `is_plain`: what is known of it is compiled in, which is faster by a tenth."""
    return _cycles(_as_plain(f), s, p, q, m, begin, end, drain)


def is_plain(f: Fabric) -> bool:
    """Whether the network is a mesh whose routers take one cycle for each stage."""
    return not f.wrap and f.route == f.vc_alloc == f.switch_alloc == 1


@nb.njit(**INLINED)
def _as_plain(f: Fabric) -> Fabric:
    """Return the same network, with constants for what `is_plain` says; in the order of the fields."""
    return Fabric(
        f.columns,
        f.rows,
        False,
        f.routers,
        f.ports,
        f.nodes,
        f.vcs,
        f.shift,
        f.depth,
        0,
        f.whole,
        1,
        1,
        1,
        f.flight,
        f.eject,
        f.inject,
        f.credit,
        f.channel,
        f.port_router,
        f.node_router,
        f.node_port,
        f.node_vc,
        f.bit_vc,
        f.router_x,
        f.router_y,
        f.router_xy,
        f.entries,
    )


@nb.njit(**INLINED)
def _cycles(f: Fabric, s: State, p: Packets, q: Sources, m: Measure, begin: int, end: int, drain: bool) -> int:
    """Run cycles [begin, end) and return the next one.

    drain : stop as soon as no measured packet is missing (random traffic), or no packet is left (a burst).
    """
    now = begin
    while now < end:
        if drain and _over(s, q, m, now):
            break
        slot = now & (s.slots - 1)
        take_back(f, s, slot, now)
        if f.route > 0:
            give_vcs(f, s, slot, now)
        eject(f, s, p, m, slot, now)
        receive(f, s, slot, now)
        if q.burst == 0:
            wake(q, now)
        if q.actives[0] > 0:
            m.total[CREATED] += inject(f, s, p, q, m.start, m.stop, now)
        if f.route == 0:
            give_vcs(f, s, slot, now)
        switch(f, s, slot, now)
        for what in range(KINDS):
            s.pending[U(what * s.slots + slot)] = 0
        now += 1
    return now


@nb.njit(**INLINED)
def _over(s: State, q: Sources, m: Measure, now: int) -> bool:
    """Whether nothing is left to wait for."""
    if q.burst > 0:
        return s.counts[IN_FLIGHT] == 0 and q.actives[0] == 0
    if now < m.stop or m.total[PACKETS] < m.total[CREATED]:
        return False
    for node in range(len(q.born)):  # noqa: SIM110 (Numba has no all())
        if q.born[U(node)] < m.stop:
            return False
    return True
