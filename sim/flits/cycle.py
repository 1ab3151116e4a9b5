"""One cycle of the network, and a core's way into it.

A packet in the network is an event record outside the wheel (`sfnhw.sim.wheel`), with the number of its copies in place of
a cycle; of all its copies it is the same one. While it waits in a core's queue it has there the cycle from which it does,
and its flits. It comes out as an event HOP at an exit when its last flit has left.
"""

import numba as nb

from sfnhw.kernel_cache import COMPILED, INNER
from sfnhw.sim.flits.router import (
    accept,
    ask_switch,
    flits_gone,
    give_vcs,
    length,
    match_ports,
    route,
)
from sfnhw.sim.flits.state import (
    ACTIVE,
    ACTIVE_SOURCES,
    ARRIVALS,
    ARRIVING,
    BRANCH,
    BY,
    COPIES,
    CREDITS,
    CYCLE,
    ENTER,
    FLIT_HOPS,
    FLITS,
    FREE_FROM,
    FRONT,
    GONE,
    GRANTED,
    HEAD,
    HEAD_AT,
    HERE,
    HOLDS,
    IN,
    LEADS_TO,
    LENGTH,
    NEXT_CREDIT,
    NEXT_FLIT,
    NODE,
    ON_WAY,
    OWNER,
    PACKET,
    PACKETS,
    PLACE,
    PORT,
    READY,
    RELEASES,
    RETURNS,
    ROUTER,
    ROUTES,
    SA_ROUTERS,
    SENT,
    SOURCE,
    SWITCH,
    TAIL,
    TO_COME,
    TO_ROUTE,
    TO_SA,
    VC,
    Network,
    due,
    put,
)
from sfnhw.sim.flits.wires import LOCAL, Wires
from sfnhw.sim.kernel_state import EMIT, FREE, HOP, NEXT_NEURON, NEXT_READY, PENDING, State, Tally
from sfnhw.sim.noc.bits import INLINED, U, lowest
from sfnhw.sim.noc.router import join
from sfnhw.sim.noc.state import CROSSING_STAGE, ROUTE_STAGE
from sfnhw.sim.packed import OWNER as NODE_OWNER
from sfnhw.sim.packed import Packed
from sfnhw.sim.tables import SliceTable
from sfnhw.sim.wheel import BORN, FRAME, INDEX, NEXT, WHAT, WHEN, int64, push

# Of the number that a queued packet has in place of a cycle, for its flits: beyond any packet; the rest is for 2^39 cycles.
FLITS_BITS = 24


@nb.njit(**COMPILED)
def enqueue(
    w: Wires, n: Network, state: State, free: int, terminal: int, what: int, index: int, g: int, flits: int, born: int,
    now: int,
) -> int:  # fmt: skip
    """Put a packet, in record `free`, at the end of a core's queue and return the next free record.

    what : its root node and, in the lowest bit, whether the slice is to be told when it is in.
    """
    events, e, ch = state.events, free, int64(w.source[U(terminal)])
    after = int64(events[U(e * 8 + NEXT)])
    events[U(e * 8 + WHAT)], events[U(e * 8 + NEXT)] = what, -1
    events[U(e * 8 + INDEX)], events[U(e * 8 + FRAME)] = index, g
    state.when_born[U(e * 4 + WHEN)], state.when_born[U(e * 4 + BORN)] = now << FLITS_BITS | flits, born
    if n.listed[COPIES] + n.listed[ON_WAY] == 0:
        n.listed[CYCLE] = now
    n.listed[COPIES] += 1
    if n.source[U(ch * SOURCE + HEAD)] < 0:
        n.source[U(ch * SOURCE + HEAD)] = e
        n.active[U(n.listed[ACTIVE_SOURCES])] = ch
        n.listed[ACTIVE_SOURCES] += 1
    else:
        events[U(n.source[U(ch * SOURCE + TAIL)] * 8 + NEXT)] = e
    n.source[U(ch * SOURCE + TAIL)] = e
    return after


@nb.njit(**INLINED)
def enter(n: Network, w: Wires, c: int, node: int, e: int, flits: int) -> None:
    """A packet's head is on its way into virtual channel c: keep a place for it."""
    at = n.vc[U(c * VC + ENTER)]
    n.vc[U(c * VC + ENTER)] = at + 1 if at + 1 < w.depth else 0
    place = (c * w.depth + at) * PLACE
    n.buffer[U(place + NODE)], n.buffer[U(place + PACKET)] = node, e
    n.buffer[U(place + FLITS)], n.buffer[U(place + HERE)] = flits, 0


@nb.njit(**INLINED)
def fly(n: Network, w: Wires, c: int, when: int) -> None:
    """A flit is on its way into c."""
    k = n.vc[U(c * VC + NEXT_FLIT)]
    n.vc[U(c * VC + NEXT_FLIT)] = k + 1 if k + 1 < w.depth else 0
    put(w, n, ARRIVALS, n.flit_next, c * w.depth + k, when)


@nb.njit(**INLINED)
def credit(n: Network, w: Wires, c: int, when: int) -> None:
    """A credit of c is on its way back."""
    k = n.vc[U(c * VC + NEXT_CREDIT)]
    n.vc[U(c * VC + NEXT_CREDIT)] = k + 1 if k + 1 < w.depth else 0
    put(w, n, RETURNS, n.credit_next, c * w.depth + k, when)


@nb.njit(**INLINED)
def join_route(w: Wires, n: Network, i: int, now: int) -> None:
    """The first packet of an input VC waits for a route stage of several cycles from now on."""
    begin = join(n.batch, n.vc[U(i * VC + ROUTER)], ROUTE_STAGE, w.route, now)
    put(w, n, ROUTES, n.vc_next, 2 * w.inputs + i, begin + w.route)


@nb.njit(**INLINED)
def cross(w: Wires, n: Network, o: int, begin: int) -> int:
    """Cycles that a flit waits at a switch of several cycles, which takes all flits that wait for it at once.

    Those of one batch leave by an output port one after the other. begin : cycle from which it waits.
    """
    leaves = join(n.batch, o // w.ports, CROSSING_STAGE, w.crossing, begin) + w.crossing - 1
    leaves = max(leaves, n.line_free[U(o)])
    n.line_free[U(o)] = leaves + 1
    return leaves - begin - w.crossing + 1


@nb.njit(**INLINED)
def start_route(w: Wires, n: Network, p: Packed, i: int, start: int, now: int) -> None:
    """The first packet of an input VC is routed from cycle `start` on.

    With a route stage the VC allocation of this cycle is over, so what is asked now counts in the next one. One of several
    cycles is entered when its turn comes: what is there first decides when the batch begins.
    """
    if w.route > 1:
        if start == now:
            join_route(w, n, i, now)
        else:
            put(w, n, TO_ROUTE, n.vc_next, 3 * w.inputs + i, start)
    elif start + w.route == now + (w.route > 0):
        route(w, n, p, i)
    else:
        put(w, n, ROUTES, n.vc_next, 2 * w.inputs + i, start + w.route)


@nb.njit(**INLINED)
def arrive(w: Wires, n: Network, p: Packed, out: Tally, state: State, T: int, i: int, now: int) -> None:
    """A flit enters the buffer of input VC `i`."""
    head = n.vc[U(i * VC + TO_COME)] == 0
    if head:
        first, packets = n.vc[U(i * VC + FRONT)], n.vc[U(i * VC + PACKETS)]
        at = first + packets
        at = at if at < w.depth else at - w.depth
        n.vc[U(i * VC + ARRIVING)] = at
        n.vc[U(i * VC + PACKETS)] = packets + 1
        place = (i * w.depth + at) * PLACE
        n.vc[U(i * VC + TO_COME)] = n.buffer[U(place + FLITS)]
        e, node = n.buffer[U(place + PACKET)], n.buffer[U(place + NODE)]
        t = state.events[U(e * 8 + FRAME)] % T
        if state.events[U(e * 8 + INDEX)] >= 0:
            out.node_packets[U(t), U(node)] += 1
            if out.node_flits.shape[1] > 0:
                out.node_flits[U(t), U(node)] += n.vc[U(i * VC + TO_COME)]
        else:
            out.node_control[U(t), U(node)] += 1
    n.vc[U(i * VC + TO_COME)] -= 1
    n.buffer[U((i * w.depth + n.vc[U(i * VC + ARRIVING)]) * PLACE + HERE)] += 1
    if n.vc[U(i * VC + PACKETS)] > 1:
        return
    if head:
        start_route(w, n, p, i, max(now, n.ready[U(i)]), now)
        return
    active = n.vc[U(i * VC + ACTIVE)]
    while active != 0:
        port = lowest(active)
        active &= active - 1
        ask_switch(w, n, i * w.ports + port, now)


@nb.njit(**INLINED)
def copy_over(n: Network, state: State, e: int) -> None:
    """A copy of a packet is no more; with the last one its record is free."""
    n.listed[COPIES] -= 1
    state.when_born[U(e * 4 + WHEN)] -= 1
    if state.when_born[U(e * 4 + WHEN)] == 0:
        state.events[U(e * 8 + NEXT)] = state.clock[FREE]
        state.clock[FREE] = e
        state.clock[PENDING] -= 1


@nb.njit(**INLINED)
def deliver(state: State, p: Packed, e: int, exit_: int, when: int, now: int) -> None:
    """The event of a packet's last flit at an exit."""
    events = state.events
    state.clock[FREE] = push(
        state.when_born, events, state.tail, state.many, state.clock[FREE], now, when,
        state.when_born[U(e * 4 + BORN)], exit_ << 3 | HOP, int64(events[U(e * 8 + INDEX)]), int64(events[U(e * 8 + FRAME)]),
    )  # fmt: skip
    state.clock[PENDING] += 1


@nb.njit(**INLINED)
def send(w: Wires, n: Network, p: Packed, state: State, i: int, port: int, now: int) -> None:
    """A branch of input VC `i` has won the switch: its next flit leaves."""
    router, b = n.vc[U(i * VC + ROUTER)], i * w.ports + port
    o = router * w.ports + port
    c = n.branch[U(b * BRANCH + HOLDS)]
    sent = n.branch[U(b * BRANCH + SENT)] + 1
    n.branch[U(b * BRANCH + SENT)] = sent
    flits = length(w, n, i)
    place = (i * w.depth + n.vc[U(i * VC + FRONT)]) * PLACE
    e = n.buffer[U(place + PACKET)]
    n.vc[U(c * VC + CREDITS)] -= 1
    n.listed[FLIT_HOPS] += 1
    done, delay = now + w.switch_alloc, w.delay[U(o)]
    num, den = w.num[U(o)], w.den[U(o)]
    waits = 0
    if w.crossing > 1:
        waits = cross(w, n, o, done)
        delay += waits
    if num > den:
        # A slow channel passes one flit after the other; a packet ends with a whole cycle.
        tick = max(n.free_tick[U(o)], (now + waits) * den)
        delay += -(-tick // den) - (now + waits)
        tick += num
        n.free_tick[U(o)] = -(-tick // den) * den if sent == flits else tick
    if port < LOCAL:
        # A slow link lets a packet's head go on when the rest can follow without a gap.
        delay += (num - 1) * (flits - sent + 1)
        if sent == 1:
            enter(n, w, c, n.branch[U(b * BRANCH + LEADS_TO)], e, flits)
            n.listed[COPIES] += 1
            state.when_born[U(e * 4 + WHEN)] += 1
        fly(n, w, c, done + delay)
        state.links[U(w.link[U(o)] * 2 + 1)] += num
    else:
        credit(n, w, c, done + delay + w.back[U(c // w.vcs)])
        if sent == flits:
            # Over narrow pins the packet is out with its last bit.
            more = max(flits, -(-flits * num // den)) - 1 - -(-(flits - 1) * num // den)
            deliver(state, p, e, n.branch[U(b * BRANCH + LEADS_TO)], done + delay + more, now)
    bit = 1 << (i - router * w.ports * w.vcs)
    if sent < flits:
        keeps = n.buffer[U(place + HERE)] > sent and n.vc[U(c * VC + CREDITS)] > 0 and w.switch_alloc <= 1
        if not keeps:
            n.port[U(o * PORT + SWITCH)] &= ~bit
            if w.switch_alloc > 1:
                n.branch[U(b * BRANCH + READY)] = done
                put(w, n, TO_SA, n.branch_next, b, done)
            else:
                n.granted[U(n.listed[GRANTED])] = b
                n.listed[GRANTED] += 1
        return
    n.port[U(o * PORT + SWITCH)] &= ~bit
    n.branch[U(b * BRANCH + HOLDS)] = -1
    n.vc[U(c * VC + OWNER)] = -1
    n.vc[U(i * VC + ACTIVE)] &= ~(1 << port)
    if w.switch_alloc <= 1:
        n.free[U(c // w.vcs)] |= 1 << (c % w.vcs)
    else:
        put(w, n, RELEASES, n.vc_next, c, done)


@nb.njit(**INLINED)
def leave(w: Wires, n: Network, p: Packed, state: State, i: int, taking: int, now: int) -> None:
    """One flit of input VC `i` leaves by all the output ports that take it."""
    while taking != 0:
        port = lowest(taking)
        taking &= taking - 1
        send(w, n, p, state, i, port, now)
    if flits_gone(w, n, i) > n.vc[U(i * VC + GONE)]:
        n.vc[U(i * VC + GONE)] += 1
        credit(n, w, i, now + w.switch_alloc + w.back[U(i // w.vcs)])
    if n.vc[U(i * VC + ACTIVE)] != 0:
        return
    # The packet is over; the next one is routed.
    first = n.vc[U(i * VC + FRONT)]
    copy_over(n, state, n.buffer[U((i * w.depth + first) * PLACE + PACKET)])
    n.vc[U(i * VC + FRONT)] = first + 1 if first + 1 < w.depth else 0
    n.vc[U(i * VC + PACKETS)] -= 1
    n.vc[U(i * VC + GONE)] = 0
    n.ready[U(i)] = now + max(1, w.switch_alloc)
    if n.vc[U(i * VC + PACKETS)] > 0:
        start_route(w, n, p, i, n.ready[U(i)], now)


@nb.njit(**INLINED)
def tell(state: State, s: SliceTable, p: Packed, out: Tally, i: int, e: int, now: int) -> None:
    """A slice's packet is in the network: the next one is ready when the threshold unit has it, and not before."""
    of, g, o = state.slices, int64(state.events[U(e * 8 + FRAME)]), p.parts.first[U(i)]
    ready = of[U(o * 32 + NEXT_READY)]
    when = max(ready, now)
    state.clock[FREE] = push(
        state.when_born, state.events, state.tail, state.many, state.clock[FREE], now, when, ready, i << 3 | EMIT,
        of[U(o * 32 + NEXT_NEURON)], g,
    )  # fmt: skip
    state.clock[PENDING] += 1
    layer = U(s.population[U(i)])
    out.layer_end[U(g), layer] = max(out.layer_end[U(g), layer], when)


@nb.njit(**INLINED)
def inject(w: Wires, n: Network, p: Packed, s: SliceTable, state: State, out: Tally, T: int, ch: int, now: int) -> bool:
    """A core or the pins send at most one flit into the router; returns whether packets are left.

    The head waits until the rest can follow without a gap (narrow pins, a slow port), and takes the next virtual channel
    after the last one that has room.
    """
    V, at = w.vcs, ch * SOURCE
    e = n.source[U(at + HEAD)]
    node = int64(state.events[U(e * 8 + WHAT)]) >> 1
    sent, v = n.source[U(at + IN)], n.source[U(at + BY)]
    if sent == 0:
        if n.source[U(at + HEAD_AT)] < 0:
            waits = state.when_born[U(e * 4 + WHEN)]
            flits = waits & ((1 << FLITS_BITS) - 1)
            cycles = max(flits, w.port_cycles)
            if ch == w.pins:
                cycles = max(flits, -(-flits * w.pin_num // w.pin_den))
            n.source[U(at + LENGTH)] = flits
            n.source[U(at + HEAD_AT)] = max(waits >> FLITS_BITS, n.source[U(at + FREE_FROM)]) + cycles - flits
        if n.source[U(at + HEAD_AT)] > now:
            return True
        for _ in range(V):
            v = v + 1 if v + 1 < V else 0
            if n.vc[U((ch * V + v) * VC + CREDITS)] > 0:
                break
    c, flits = ch * V + v, n.source[U(at + LENGTH)]
    if n.vc[U(c * VC + CREDITS)] == 0:
        return True
    if sent == 0:
        n.source[U(at + BY)] = v
        enter(n, w, c, node, e, flits)
        state.when_born[U(e * 4 + WHEN)] = 1
        if state.events[U(e * 8 + WHAT)] & 1:
            tell(state, s, p, out, p.nodes[U(node * 4 + NODE_OWNER)], e, now)
    n.vc[U(c * VC + CREDITS)] -= 1
    left = True
    if sent + 1 == flits:
        after = state.events[U(e * 8 + NEXT)]
        n.source[U(at + HEAD)] = after
        n.source[U(at + IN)], n.source[U(at + FREE_FROM)], n.source[U(at + HEAD_AT)] = 0, now + 1, -1
        left = after >= 0
    else:
        n.source[U(at + IN)] = sent + 1
    if w.inject == 0:
        arrive(w, n, p, out, state, T, c, now)
    else:
        fly(n, w, c, now + w.inject)
    return left


@nb.njit(**INLINED)
def take_back(w: Wires, n: Network, now: int) -> None:
    """Credits that return in this cycle, and virtual channels that become free."""
    k = due(w, n, RETURNS, now)
    while k >= 0:
        n.listed[ON_WAY] -= 1
        c = k // w.depth
        k = n.credit_next[U(k)]
        n.vc[U(c * VC + CREDITS)] += 1
        b = n.vc[U(c * VC + OWNER)]
        if b >= 0:
            ask_switch(w, n, b, now)
    k = due(w, n, RELEASES, now)
    while k >= 0:
        n.listed[ON_WAY] -= 1
        n.free[U(k // w.vcs)] |= 1 << (k % w.vcs)
        k = n.vc_next[U(k)]


@nb.njit(**INNER)
def allocate(w: Wires, n: Network, p: Packed, now: int) -> None:
    """VC allocation, with the requests that are due."""
    k = due(w, n, ROUTES, now)
    while k >= 0:
        n.listed[ON_WAY] -= 1
        i = k - 2 * w.inputs
        k = n.vc_next[U(k)]
        route(w, n, p, i)
    k = due(w, n, TO_ROUTE, now)
    while k >= 0:
        n.listed[ON_WAY] -= 1
        i = k - 3 * w.inputs
        k = n.vc_next[U(k)]
        join_route(w, n, i, now)
    give_vcs(w, n, now)


@nb.njit(**INLINED)
def granted_ask(w: Wires, n: Network, now: int) -> None:
    """Who was given a VC, or has more flits to send, asks for the switch from cycle `now` on."""
    for k in range(n.listed[GRANTED]):
        ask_switch(w, n, n.granted[U(k)], now)
    n.listed[GRANTED] = 0


@nb.njit(**INNER)
def switch(w: Wires, n: Network, p: Packed, state: State, now: int) -> None:
    """Switch allocation of all routers with requests."""
    b = due(w, n, TO_SA, now)
    while b >= 0:
        n.listed[ON_WAY] -= 1
        after = n.branch_next[U(b)]
        ask_switch(w, n, b, now)
        b = after
    if w.vc_alloc == 0:
        granted_ask(w, n, now)
    routers, kept = n.listed[SA_ROUTERS], 0
    for k in range(routers):
        router = n.sa_routers[U(k)]
        inputs = match_ports(w, n, router, now)
        while inputs != 0:
            port = lowest(inputs)
            inputs &= inputs - 1
            i, taking = accept(w, n, router, port, now)
            leave(w, n, p, state, i, taking, now)
        if n.sa_outputs[U(router)] != 0:
            n.sa_routers[U(kept)] = router
            kept += 1
    n.listed[SA_ROUTERS] = kept
    granted_ask(w, n, now + 1)


@nb.njit(**COMPILED)
def step(w: Wires, n: Network, p: Packed, s: SliceTable, state: State, out: Tally, T: int, now: int) -> None:
    """Run one cycle, after the events of that cycle."""
    n.listed[CYCLE] = now + 1
    take_back(w, n, now)
    if w.route > 0:
        allocate(w, n, p, now)
    k = due(w, n, ARRIVALS, now)
    while k >= 0:
        n.listed[ON_WAY] -= 1
        i = k // w.depth
        k = n.flit_next[U(k)]
        arrive(w, n, p, out, state, T, i, now)
    sources, kept = n.listed[ACTIVE_SOURCES], 0
    for k in range(sources):
        ch = n.active[U(k)]
        if inject(w, n, p, s, state, out, T, ch, now):
            n.active[U(kept)] = ch
            kept += 1
    n.listed[ACTIVE_SOURCES] = kept
    if w.route == 0:
        allocate(w, n, p, now)
    switch(w, n, p, state, now)


@nb.njit(**COMPILED)
def busy(n: Network) -> bool:
    """Whether anything is in the network or on its way."""
    return n.listed[COPIES] + n.listed[ON_WAY] > 0


@nb.njit(**INNER)
def catch_up(w: Wires, n: Network, p: Packed, s: SliceTable, state: State, out: Tally, T: int, until: int) -> None:
    """Run the cycles before `until` in which credits are still on their way and no packet is left."""
    while n.listed[CYCLE] < until and busy(n):
        step(w, n, p, s, state, out, T, n.listed[CYCLE])
