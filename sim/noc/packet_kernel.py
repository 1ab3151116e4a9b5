"""Fidelity `packet`: whole packets from buffer to buffer, event by event.

The same network as at fidelity `flit`, with the same capacities: an input VC serves one packet at a time through route,
VC and switch allocation; an output VC is held from VC allocation until the tail has left; a buffer takes as many packets
as it has room for, and a place is free again after the credit's way back; an input port and an output port of the switch
pass one flit a cycle. What is not there: arbiters. Who asks first is served first, in the first cycles in which both
ports of the switch are free (`first_gap`), and the flits of a packet follow each other.

A stage of several cycles takes what waits for it in batches, as at fidelity `flit`, but for who waits without a credit.

One event a hop, as the departure of a packet tells all times that follow from it. Events are of an input VC (its first
packet asks for a VC), of an output port (a VC becomes free) or of a node (it has a packet); each has at most one pending.
"""

from typing import NamedTuple

import numba as nb

from sfnhw.kernel_cache import COMPILED
from sfnhw.sim.noc.bits import INLINED, U, lowest, next_bit
from sfnhw.sim.noc.fabric import Fabric
from sfnhw.sim.noc.measure import CREATED, PACKETS, WINDOW_FLITS, Measure, over
from sfnhw.sim.noc.router import NODE_CREDIT, join, output_and_class, starts
from sfnhw.sim.noc.sources import Sources, create, gap, set_rate
from sfnhw.sim.noc.state import (
    AFTER,
    BEFORE,
    CROSSING_STAGE,
    ROUTE_STAGE,
    STAGES,
    SWITCH_STAGE,
    VC_STAGE,
    Ints,
    Longs,
    Packets,
)

WINDOW = 62  # cycles ahead for which a port of the switch is booked cycle by cycle
UNKNOWN = 1 << 61
# Indices of Hops.counts.
HOPS, INSIDE, LAST = 0, 1, 2


class Hops(NamedTuple):
    """Mutable arrays. c is a virtual channel of a channel, i an input VC, K packets that a buffer takes."""

    inputs: int
    places: int  # K
    ring: int  # packet n of a buffer is at (c << ring) + n modulo 2^ring, which is K or more: nothing is divided
    spread: int  # cycles from a packet's first to its last flit at a switch
    drag: int  # by how much later its last flit is through a switch of several cycles
    lead: int  # cycles of its route, where these are not more than 1: a longer route is an event of its own
    lag: int  # cycles from its first to that flit whose place the first flit of a packet K later takes
    port: Longs  # (i,) its input port, numbered over all routers
    queue: Ints  # (c·2^ring,) packets in the buffer, or on their way to it
    ready: Longs  # (c·2^ring,) cycle in which each may ask for a VC, or for its route, if it is in front
    left: Longs  # (c·2^ring,) cycle from which the place of the last packet there can be filled again
    sent: Longs  # (c,) packets sent into it
    gone: Longs  # (c,) packets of it whose departure is known
    busy: Longs  # (i,) cycle from which its stages take the next packet
    free_at: Longs  # (c,) cycle from which no packet holds it; UNKNOWN: its holder waits for a place
    way_back: Longs  # (i,) cycles of a credit
    routed: Ints  # (i,) 1: the route of the packet in front is known
    batch: Longs  # (R·STAGES,) see `sfnhw.sim.noc.router.join`
    holder: Ints  # (c,) input VC that waits for a place in it, −1: none
    holder_ready: Longs  # (c,) since when
    next_vc: Ints  # (i,) round-robin pointer over output VCs
    waiting: Ints  # (R·P,) first input VC that waits for a VC of the output port, −1: none
    waiting_last: Ints  # (R·P,)
    next_waiting: Ints  # (i,)
    booked: Longs  # (2·R·P,) cycles from `base` on in which an input port, or an output port, is taken
    base: Longs  # (2·R·P,)
    until: Longs  # (2·R·P,) cycle after its last booking
    wheel: Ints  # (slots,) first event of a cycle, modulo the slots
    next_event: Ints  # (events,)
    time: Longs  # (events,) −1: not pending
    carried: Longs  # (R·P,) flits through each output port
    counts: Longs  # (3,)


@nb.njit(**INLINED)
def push(h: Hops, event: int, when: int) -> None:
    """Let an event happen; it is not pending."""
    slot = when & (len(h.wheel) - 1)
    h.time[U(event)] = when
    h.next_event[U(event)] = h.wheel[U(slot)]
    h.wheel[U(slot)] = event


@nb.njit(**INLINED)
def slot_of(h: Hops, c: int, n: int) -> int:
    """Where packet n of buffer `c` is."""
    return (c << h.ring) + (n & ((1 << h.ring) - 1))


@nb.njit(**INLINED)
def first_gap(h: Hops, port: int, out: int, flits: int, when: int, now: int) -> int:
    """Book the first cycles from `when` on in which an input and an output port are both free; return the first."""
    for side in (port, out):
        passed = now - h.base[U(side)]
        h.booked[U(side)] = h.booked[U(side)] >> passed if passed < WINDOW else 0
        h.base[U(side)] = now
    taken = h.booked[U(port)] | h.booked[U(out)]
    start, run = when - now, (1 << min(flits, WINDOW)) - 1
    while start + flits <= WINDOW and (taken >> start) & run != 0:
        start += 1
    if start + flits > WINDOW:
        start = max(when, h.until[U(port)], h.until[U(out)]) - now
    for side in (port, out):
        if start < WINDOW:
            h.booked[U(side)] |= (run << start) & ((1 << WINDOW) - 1)
        h.until[U(side)] = max(h.until[U(side)], now + start + flits)
    return now + start


@nb.njit(**INLINED)
def place_known(h: Hops, c: int) -> bool:
    """Whether it is known when the next packet into `c` has a place."""
    return h.sent[U(c)] - h.places < h.gone[U(c)]


@nb.njit(**INLINED)
def place_from(h: Hops, c: int) -> int:
    """Cycle from which the next packet into `c` has a place, where that is known."""
    n = h.sent[U(c)]
    return h.left[U(slot_of(h, c, n - h.places))] if n >= h.places else 0


@nb.njit(**INLINED)
def enqueue(f: Fabric, h: Hops, c: int, packet: int, arrival: int) -> None:
    """A packet is on its way into the buffer of input VC `c`."""
    n = h.sent[U(c)]
    h.sent[U(c)] = n + 1
    h.queue[U(slot_of(h, c, n))] = packet
    h.ready[U(slot_of(h, c, n))] = arrival + h.lead
    if n == h.gone[U(c)]:
        push(h, c, max(arrival, h.busy[U(c)]) + h.lead)


@nb.njit(**INLINED)
def leave(f: Fabric, p: Packets, m: Measure, h: Hops, c: int, packet: int, start: int, flits: int) -> None:
    """A packet leaves the network: everything about it is known when it starts."""
    n, end = h.sent[U(c)], start + h.spread + h.drag + f.switch_alloc - 1 + f.eject
    h.sent[U(c)] = n + 1
    h.gone[U(c)] = n + 1
    first = end - h.spread - h.drag
    h.left[U(slot_of(h, c, n))] = first + h.lag + NODE_CREDIT
    h.counts[INSIDE] -= 1
    h.counts[LAST] = max(h.counts[LAST], end)
    if end >= m.start and first < m.stop:
        m.total[WINDOW_FLITS] += max(0, min(flits, m.stop - first) - max(0, m.start - first))
    over(m, p, packet, end)


@nb.njit(**INLINED)
def depart(f: Fabric, p: Packets, m: Measure, h: Hops, i: int, out: int, c: int, ready: int, now: int) -> None:
    """The first packet of input VC `i` goes through port `out` into `c`; whoever waited for its place goes too, and so on."""
    while True:
        n = h.gone[U(i)]
        packet = h.queue[U(slot_of(h, i, n))]
        flits = p.flits[U(packet)]
        start = max(ready, place_from(h, c), now)
        if f.switch_alloc > 1:
            start = in_batch(f, h, out, SWITCH_STAGE, f.switch_alloc, start, now)
        start = first_gap(h, h.port[U(i)], f.routers * f.ports + out, flits * f.switch_alloc, start, now)
        wait = 0
        if f.eject > 3:
            wait = (
                in_batch(f, h, out, CROSSING_STAGE, f.eject - 2, start + f.switch_alloc, now) - start - f.switch_alloc
            )
        end = start + h.spread + f.switch_alloc
        h.free_at[U(c)] = end
        h.counts[HOPS] += flits
        h.carried[U(out)] += flits
        if c < h.inputs:
            enqueue(f, h, c, packet, start + wait + f.switch_alloc - 1 + f.flight)
        else:
            leave(f, p, m, h, c, packet, start + wait, flits)
        if h.waiting[U(out)] >= 0 and h.time[U(h.inputs + out)] < 0:
            push(h, h.inputs + out, end)
        # Its place is free when the credit is back; the next packet is in front when the tail has gone.
        h.left[U(slot_of(h, i, n))] = start + h.lag + f.switch_alloc - 1 + h.way_back[U(i)]
        h.gone[U(i)] = n + 1
        h.busy[U(i)] = end
        if h.sent[U(i)] > n + 1:
            push(h, i, max(end + h.lead, h.ready[U(slot_of(h, i, n + 1))]))
        node = h.holder[U(i)]
        if node < 0:
            return
        h.holder[U(i)] = -1
        if node >= h.inputs:
            push(h, node, max(now + 1, h.left[U(slot_of(h, i, n))]))
            return
        i, c, ready = node, i, h.holder_ready[U(i)]
        out = output_of(f, p, h, i, h.queue[U(slot_of(h, i, h.gone[U(i)]))])


@nb.njit(**INLINED)
def in_batch(f: Fabric, h: Hops, out: int, stage: int, cycles: int, when: int, now: int) -> int:
    """Cycle from which a stage of several cycles works on what waits from `when` on; the far future is not looked into."""
    if when > now + f.vc_alloc + 2 * (f.switch_alloc + cycles):
        return when
    return join(h.batch, f.port_router[U(out)], stage, cycles, when)


@nb.njit(**INLINED)
def output_of(f: Fabric, p: Packets, h: Hops, i: int, packet: int) -> int:
    """Output port that a packet in input VC `i` takes, numbered over all routers."""
    port = h.port[U(i)]
    router = f.port_router[U(port)]
    return router * f.ports + output_and_class(f, p.way[U(packet)], f.router_xy[U(router)])[0]


@nb.njit(**INLINED)
def ask(f: Fabric, p: Packets, m: Measure, h: Hops, i: int, now: int) -> bool:
    """The first packet of input VC `i` asks for a virtual channel; return whether it has got one."""
    V = f.vcs
    packet = h.queue[U(slot_of(h, i, h.gone[U(i)]))]
    router = f.port_router[U(h.port[U(i)])]
    port, kind = output_and_class(f, p.way[U(packet)], f.router_xy[U(router)])
    out = router * f.ports + port
    first, half = f.channel[U(out)] * V, V // 2
    free = 0
    for v in range(V):
        c = first + v
        if (kind == BEFORE and v >= V - half) or (kind == AFTER and v < half) or h.free_at[U(c)] > now:
            continue
        if kind > 0 and (f.shared >> v) & 1 != 0 and not (place_known(h, c) and place_from(h, c) <= now):
            continue
        free |= 1 << v
    if free == 0:
        return False
    start = h.next_vc[U(i)] - port * V
    v = next_bit(free, start) if 0 < start < V else lowest(free)
    h.next_vc[U(i)] = port * V + v + 1
    c = first + v
    if place_known(h, c):
        depart(f, p, m, h, i, out, c, now + f.vc_alloc, now)
    else:
        h.free_at[U(c)] = UNKNOWN
        h.holder[U(c)] = i
        h.holder_ready[U(c)] = now + f.vc_alloc
    return True


@nb.njit(**INLINED)
def wait(h: Hops, i: int, out: int) -> None:
    """Put input VC `i` at the end of the queue for an output port's virtual channels."""
    h.next_waiting[U(i)] = -1
    if h.waiting[U(out)] < 0:
        h.waiting[U(out)] = i
    else:
        h.next_waiting[U(h.waiting_last[U(out)])] = i
    h.waiting_last[U(out)] = i


@nb.njit(**INLINED)
def look_again(f: Fabric, h: Hops, out: int, now: int) -> None:
    """Let the output port be looked at when the next of its virtual channels is free, where that is known."""
    if h.time[U(h.inputs + out)] >= 0:
        return
    if f.vc_alloc > 1:
        # Who waits is taken along by every allocation.
        push(h, h.inputs + out, now + f.vc_alloc)
        return
    when = UNKNOWN
    first = f.channel[U(out)] * f.vcs
    for c in range(first, first + f.vcs):
        if h.free_at[U(c)] > now:
            when = min(when, h.free_at[U(c)])
    if when < UNKNOWN:
        push(h, h.inputs + out, when)


@nb.njit(**INLINED)
def may_ask(f: Fabric, h: Hops, event: int, router: int, now: int) -> bool:
    """Whether the router's VC allocation begins now; if not, the event is put off until it does."""
    if f.vc_alloc == 1 or starts(h.batch, router, VC_STAGE, f.vc_alloc, now):
        return True
    push(h, event, h.batch[U(router * STAGES + VC_STAGE)])
    return False


@nb.njit(**INLINED)
def come_to_front(f: Fabric, p: Packets, m: Measure, h: Hops, i: int, now: int) -> None:
    """The packet in front of input VC `i` has its route computed, or asks for a virtual channel, or waits for one."""
    router = f.port_router[U(h.port[U(i)])]
    if f.route > 1 and h.routed[U(i)] == 0:
        h.routed[U(i)] = 1
        push(h, i, join(h.batch, router, ROUTE_STAGE, f.route, now) + f.route)
        return
    if not may_ask(f, h, i, router, now):
        return
    h.routed[U(i)] = 0
    out = output_of(f, p, h, i, h.queue[U(slot_of(h, i, h.gone[U(i)]))])
    # Who waits is about to be served, and was here before.
    if h.time[U(h.inputs + out)] == now and h.waiting[U(out)] >= 0:
        wait(h, i, out)
    elif not ask(f, p, m, h, i, now):
        wait(h, i, out)
        look_again(f, h, out, now)


@nb.njit(**INLINED)
def serve_waiting(f: Fabric, p: Packets, m: Measure, h: Hops, out: int, now: int) -> None:
    """Give virtual channels that have become free to those that wait, in order."""
    if not may_ask(f, h, h.inputs + out, f.port_router[U(out)], now):
        return
    i, before = h.waiting[U(out)], -1
    while i >= 0:
        after = h.next_waiting[U(i)]
        # Out of the queue first: its departure may let others join.
        if ask(f, p, m, h, i, now):
            if before < 0:
                h.waiting[U(out)] = after
            else:
                h.next_waiting[U(before)] = after
            if after < 0:
                h.waiting_last[U(out)] = before
        else:
            before = i
        i = after
    if h.waiting[U(out)] >= 0:
        look_again(f, h, out, now)


@nb.njit(**INLINED)
def issue(f: Fabric, p: Packets, q: Sources, m: Measure, h: Hops, node: int, now: int) -> None:
    """A node has a packet: it goes into the next virtual channel with a place, or waits for one."""
    V, event = f.vcs, h.inputs + f.routers * f.ports + node
    first = (f.node_router[U(node)] * f.ports + f.node_port[U(node)]) * V
    v, soonest = q.vc[U(node)], UNKNOWN
    for _ in range(V):
        v = v + 1 if v + 1 < V else 0
        c = first + v
        when = place_from(h, c) if place_known(h, c) else UNKNOWN
        soonest = min(soonest, when)
        if when <= now:
            q.vc[U(node)] = v
            packet = create(f, p, q, node)
            h.counts[INSIDE] += 1
            m.total[CREATED] += m.start <= q.born[U(node)] < m.stop
            enqueue(f, h, c, packet, now + f.inject)
            after = now + q.flits
            if q.burst > 0:
                q.left[U(node)] -= 1
                if q.left[U(node)] > 0:
                    push(h, event, after)
            else:
                q.born[U(node)] += gap(q, node)
                if q.born[U(node)] < UNKNOWN:
                    push(h, event, max(after, q.born[U(node)]))
            return
    if soonest < UNKNOWN:
        push(h, event, soonest)
        return
    for c in range(first, first + V):
        if h.holder[U(c)] < 0:
            h.holder[U(c)] = event
            return


@nb.njit(**COMPILED)
def start_nodes(f: Fabric, q: Sources, h: Hops) -> None:
    """Draw each node's first packet."""
    set_rate(q)
    for node in range(f.nodes):
        event = h.inputs + f.routers * f.ports + node
        if q.burst > 0:
            q.left[U(node)] = q.burst
            push(h, event, 0)
            continue
        q.born[U(node)] = gap(q, node) - 1
        if q.born[U(node)] < UNKNOWN:
            push(h, event, q.born[U(node)])


@nb.njit(**COMPILED)
def run_events(f: Fabric, p: Packets, q: Sources, m: Measure, h: Hops, begin: int, end: int, drain: bool) -> int:
    """Work off the events of cycles [begin, end); return the next cycle. `drain` as in `run_cycles`."""
    now = begin
    ports = f.routers * f.ports
    while now < end:
        if drain and _over(q, m, h, now):
            break
        slot = now & (len(h.wheel) - 1)
        event = h.wheel[U(slot)]
        h.wheel[U(slot)] = -1
        while event >= 0:
            after = h.next_event[U(event)]
            if h.time[U(event)] != now:
                h.next_event[U(event)] = h.wheel[U(slot)]
                h.wheel[U(slot)] = event
            else:
                h.time[U(event)] = -1
                if event < h.inputs:
                    come_to_front(f, p, m, h, event, now)
                elif event < h.inputs + ports:
                    serve_waiting(f, p, m, h, event - h.inputs, now)
                else:
                    issue(f, p, q, m, h, event - h.inputs - ports, now)
            event = after
        now += 1
    return now


@nb.njit(**INLINED)
def _over(q: Sources, m: Measure, h: Hops, now: int) -> bool:
    """Whether nothing is left to wait for."""
    if q.burst > 0:
        left = 0
        for node in range(len(q.left)):
            left += q.left[U(node)]
        return left == 0 and h.counts[INSIDE] == 0
    if now < m.stop or m.total[PACKETS] < m.total[CREATED]:
        return False
    for node in range(len(q.born)):  # noqa: SIM110 (Numba has no all())
        if q.born[U(node)] < m.stop:
            return False
    return True
