"""The clock of fidelity `flit`: one cycle after the other, and in each only what has something to do."""

import numba as nb

from sfnhw.sim.noc.bits import COMPILED, INLINED, U
from sfnhw.sim.noc.fabric import Fabric
from sfnhw.sim.noc.measure import CREATED, PACKETS, WINDOW_FLITS, Measure, over
from sfnhw.sim.noc.router import (
    ARRIVALS,
    RELEASES,
    RETURNS,
    TO_SA,
    TO_VA,
    allocate_switch,
    allocate_vcs,
    later,
    request_switch,
    request_vc,
)
from sfnhw.sim.noc.sources import NEVER, Sources, gap, inject, sleep, wake
from sfnhw.sim.noc.state import (
    CHANNEL,
    COUNT,
    CREDITS,
    EJECTED_FLITS,
    FRONT,
    HEAD,
    IN_FLIGHT,
    LAST_EJECTION,
    MASK,
    OUT_VC,
    OWNER,
    READY,
    VC,
    Packets,
    State,
)


@nb.njit(**COMPILED)
def start_sources(q: Sources) -> None:
    """Draw each node's first packet."""
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
def eject(f: Fabric, s: State, p: Packets, m: Measure, c: int, flit: int, now: int) -> None:
    """A flit is at its node: the credit goes back; with the tail the packet is over."""
    place = later(s, RETURNS, now + f.credit)
    s.crediting[U(place)] = c
    s.counts[EJECTED_FLITS] += 1
    if m.start <= now < m.stop:
        m.total[WINDOW_FLITS] += 1
    if not flit & 1:
        return
    s.counts[IN_FLIGHT] -= 1
    s.counts[LAST_EJECTION] = now
    over(m, p, flit >> 1, now)


@nb.njit(**INLINED)
def arrive(f: Fabric, s: State, p: Packets, i: int, flit: int, now: int) -> None:
    """A flit enters the buffer of input VC `i`."""
    count = s.vc[U(i * VC + COUNT)]
    s.vc[U(i * VC + COUNT)] = count + 1
    if count > 0:
        at = s.vc[U(i * VC + HEAD)] + count - 1
        s.buffer[U(i * f.depth + (at if at < f.depth else at - f.depth))] = flit
        return
    s.vc[U(i * VC + FRONT)] = flit
    start = max(now, s.vc[U(i * VC + READY)])
    if s.vc[U(i * VC + OUT_VC)] < 0:
        # With a route stage the VC allocation of this cycle is over, so what is asked now counts in the next one.
        if start + f.route == now + (f.route > 0):
            request_vc(f, s, p, i)
        else:
            place = later(s, TO_VA, start + f.route)
            s.to_va[U(place)] = i
    elif start == now:
        if s.vc[U((s.vc[U(i * VC + OUT_VC)]) * VC + CREDITS)] > 0:
            request_switch(f, s, i)
    else:
        place = later(s, TO_SA, start)
        s.to_sa[U(place)] = i


@nb.njit(**INLINED)
def receive(f: Fabric, s: State, p: Packets, m: Measure, slot: int, now: int) -> None:
    """Flits that arrive in this cycle, at a router or at their node."""
    first = slot * s.room
    for k in range(first, first + s.pending[U(ARRIVALS * s.slots + slot)]):
        c, flit = s.arriving[U(k)], s.flit[U(k)]
        if c < s.inputs:
            arrive(f, s, p, c, flit, now)
        else:
            eject(f, s, p, m, c, flit, now)


@nb.njit(**INLINED)
def take_back(f: Fabric, s: State, slot: int, now: int) -> None:
    """Credits that return in this cycle, and virtual channels that become free."""
    first = slot * s.room
    for k in range(first, first + s.pending[U(RETURNS * s.slots + slot)]):
        c = s.crediting[U(k)]
        s.vc[U(c * VC + CREDITS)] += 1
        i = s.vc[U(c * VC + OWNER)]
        if s.vc[U(c * VC + CREDITS)] == 1 and i >= 0 and s.vc[U(i * VC + COUNT)] > 0 and s.vc[U(i * VC + READY)] <= now:
            request_switch(f, s, i)
    for k in range(first, first + s.pending[U(RELEASES * s.slots + slot)]):
        c = s.releasing[U(k)]
        s.free[U(s.vc[U(c * VC + CHANNEL)])] |= s.vc[U(c * VC + MASK)]


@nb.njit(**INLINED)
def give_vcs(f: Fabric, s: State, p: Packets, slot: int, now: int) -> None:
    """VC allocation of all output ports with requests."""
    first = slot * s.room
    for k in range(first, first + s.pending[U(TO_VA * s.slots + slot)]):
        request_vc(f, s, p, s.to_va[U(k)])
    ports, kept = s.listed[0], 0
    for k in range(ports):
        out = s.va_ports[U(k)]
        if s.free[U(f.channel[U(out)])] == 0 or allocate_vcs(f, s, p, out, now):
            s.va_ports[U(kept)] = out
            kept += 1
    s.listed[0] = kept


@nb.njit(**INLINED)
def switch(f: Fabric, s: State, slot: int, now: int) -> None:
    """Switch allocation of all routers with requests; those that were given a VC in this cycle ask from the next."""
    first = slot * s.room
    for k in range(first, first + s.pending[U(TO_SA * s.slots + slot)]):
        i = s.to_sa[U(k)]
        if s.vc[U((s.vc[U(i * VC + OUT_VC)]) * VC + CREDITS)] > 0:
            request_switch(f, s, i)
    routers, kept = s.listed[1], 0
    for k in range(routers):
        router = s.sa_routers[U(k)]
        if allocate_switch(f, s, router, now):
            s.sa_routers[U(kept)] = router
            kept += 1
    s.listed[1] = kept
    for k in range(s.listed[2]):
        i = s.granted[U(k)]
        if s.vc[U((s.vc[U(i * VC + OUT_VC)]) * VC + CREDITS)] > 0:
            request_switch(f, s, i)
    s.listed[2] = 0


@nb.njit(**COMPILED)
def run_cycles(f: Fabric, s: State, p: Packets, q: Sources, m: Measure, begin: int, end: int, drain: bool) -> int:
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
            give_vcs(f, s, p, slot, now)
        receive(f, s, p, m, slot, now)
        if q.burst == 0:
            wake(q, now)
        if q.actives[0] > 0:
            m.total[CREATED] += inject(f, s, p, q, m.start, m.stop, now)
        if f.route == 0:
            give_vcs(f, s, p, slot, now)
        switch(f, s, slot, now)
        for what in range(5):
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
