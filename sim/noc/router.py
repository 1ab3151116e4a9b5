"""Kernels of a router: routes, virtual-channel allocation, switch allocation, and a flit on its way.

Both allocators are iSLIP with one iteration (McKeown, IEEE/ACM Trans. Netw. 7(2), 1999): outputs grant, inputs accept,
and pointers move on acceptance only.
"""

import numba as nb

from sfnhw.sim.noc.bits import INLINED, U, lowest, next_bit
from sfnhw.sim.noc.fabric import X_MASK, Fabric
from sfnhw.sim.noc.state import (
    ACCEPT_NEXT,
    AFTER,
    ANY,
    BEFORE,
    BIT,
    CHANNEL,
    CLASSES,
    COUNT,
    CREDITS,
    FLIT_HOPS,
    FRONT,
    GRANT_NEXT,
    HEAD,
    INPUT_NEXT,
    MASK,
    OUT_PORT,
    OUT_VC,
    OUTPUT_NEXT,
    OWNER,
    PORT,
    READY,
    ROUTER,
    SWITCH,
    VC,
    VC_NEXT,
    Packets,
    State,
)

# Columns of State.pending.
ARRIVALS, RETURNS, TO_VA, TO_SA, RELEASES = 0, 1, 2, 3, 4


@nb.njit(**INLINED)
def output_and_class(f: Fabric, p: Packets, router: int, packet: int) -> tuple[int, int]:
    """Dimension-order route: the output port, and the class of virtual channels.

    On a torus a packet keeps, along each ring, one of two classes of virtual channels, chosen by where it enters the
    ring: a packet that would close the cycle is never in the class of those that it waits for.
    """
    apart = p.goal[U(packet)] ^ f.router_xy[U(router)]
    turn = p.turn[U(packet)]
    along_x, along_y = turn & 1, 2 + ((turn >> 1) & 1)
    kind_x = kind_y = ANY
    if f.wrap:
        kind_x, kind_y = BEFORE + ((turn >> 2) & 1), BEFORE + ((turn >> 3) & 1)
    port, kind = p.exit[U(packet)], ANY
    if f.yx:
        if apart & X_MASK != 0:
            port, kind = along_x, kind_x
        if apart > X_MASK:
            port, kind = along_y, kind_y
    else:
        if apart > X_MASK:
            port, kind = along_y, kind_y
        if apart & X_MASK != 0:
            port, kind = along_x, kind_x
    return port, kind


@nb.njit(**INLINED)
def request_vc(f: Fabric, s: State, p: Packets, i: int) -> None:
    """Route computation is over: input VC `i` asks for a virtual channel."""
    router = s.vc[U(i * VC + ROUTER)]
    port, kind = output_and_class(f, p, router, s.vc[U(i * VC + FRONT)] >> 1)
    out = router * f.ports + port
    s.vc[U(i * VC + OUT_PORT)] = port
    if s.port[U(out * PORT)] | s.port[U(out * PORT + BEFORE)] | s.port[U(out * PORT + AFTER)] == 0:
        s.va_ports[U(s.listed[0])] = out
        s.listed[0] += 1
    s.port[U(out * PORT + kind)] |= 1 << s.vc[U(i * VC + BIT)]


@nb.njit(**INLINED)
def request_switch(f: Fabric, s: State, i: int) -> None:
    """Input VC `i` has a flit and a credit: it asks for its output port."""
    router = s.vc[U(i * VC + ROUTER)]
    port = s.vc[U(i * VC + OUT_PORT)]
    s.port[U((router * f.ports + port) * PORT + SWITCH)] |= 1 << s.vc[U(i * VC + BIT)]
    if s.sa_outputs[U(router)] == 0:
        s.sa_routers[U(s.listed[1])] = router
        s.listed[1] += 1
    s.sa_outputs[U(router)] |= 1 << port


@nb.njit(**INLINED)
def later(s: State, what: int, when: int) -> int:
    """Return the place in its list of something that happens in cycle `when`."""
    slot = when & (s.slots - 1)
    place = s.pending[U(what * s.slots + slot)]
    s.pending[U(what * s.slots + slot)] = place + 1
    return slot * s.room + place


@nb.njit(**INLINED)
def with_room(f: Fabric, s: State, p: Packets, wanting: int, first: int, c: int) -> int:
    """Keep the input VCs whose packet finds room in virtual channel `c` for all its flits.

    With an odd number of virtual channels both classes of a torus share the middle one. A packet takes that one only if
    all of it fits at once, so that it never waits there for its own class (Duato, IEEE TPDS 4(12), 1993).
    """
    kept, left = 0, wanting
    while left != 0:
        b = lowest(left)
        left &= left - 1
        i = first + b
        if s.vc[U(c * VC + CREDITS)] >= p.flits[U(s.vc[U(i * VC + FRONT)] >> 1)]:
            kept |= 1 << b
    return kept


@nb.njit(**INLINED)
def accepted(s: State, given: int, i: int, lot: int, V: int) -> int:
    """Which of the virtual channels granted to input VC `i` it takes: the next one after its last."""
    start = s.vc[U(i * VC + ACCEPT_NEXT)] - lot
    return next_bit(given, start) if 0 < start < V else lowest(given)


@nb.njit(**INLINED)
def take_vc(f: Fabric, s: State, i: int, out: int, channel: int, v: int, now: int) -> None:
    """Give virtual channel v of `channel` to input VC `i` and move both round-robin pointers."""
    c = channel * f.vcs + v
    bit = s.vc[U(i * VC + BIT)]
    for kind in range(CLASSES):
        s.port[U(out * PORT + kind)] &= ~(1 << bit)
    s.free[U(channel)] &= ~(1 << v)
    s.vc[U(c * VC + OWNER)] = i
    s.vc[U(i * VC + OUT_VC)] = c
    s.vc[U(c * VC + GRANT_NEXT)] = bit + 1 if bit + 1 < f.ports * f.vcs else 0
    s.vc[U(i * VC + ACCEPT_NEXT)] = (
        s.vc[U(i * VC + OUT_PORT)] * f.vcs + v + 1
    )  # beyond the last one is before the first
    s.vc[U(i * VC + READY)] = now + f.vc_alloc
    if f.vc_alloc == 1:
        s.granted[U(s.listed[2])] = i
        s.listed[2] += 1
    else:
        place = later(s, TO_SA, now + f.vc_alloc)
        s.to_sa[U(place)] = i


@nb.njit(**INLINED)
def allocate_vcs(f: Fabric, s: State, p: Packets, out: int, now: int) -> bool:
    """Match waiting input VCs with the free virtual channels of an output port; return whether any still waits."""
    V = f.vcs
    router = f.port_router[U(out)]
    channel = f.channel[U(out)]
    first = router * f.ports * V
    lot = (out - router * f.ports) * V
    half = V >> 1
    free = s.free[U(channel)]
    any_vc, low, high = s.port[U(out * PORT)], s.port[U(out * PORT + BEFORE)], s.port[U(out * PORT + AFTER)]
    waiting, offered = any_vc | low | high, free
    odd = V & 1 == 1 and low | high != 0
    taken = 0
    if waiting & (waiting - 1) == 0 and not odd:
        # One packet asks, as it is most of the time: every free VC that it may take grants, and it accepts one.
        allowed = free
        if low != 0:
            allowed &= (1 << (V - half)) - 1
        elif high != 0:
            allowed = (allowed >> half) << half
        if waiting != 0 and allowed != 0:
            b = lowest(waiting)
            take_vc(f, s, first + b, out, channel, accepted(s, allowed, first + b, lot, V), now)
            waiting = 0
        losers = waiting
    else:
        while free != 0:
            v = lowest(free)
            free &= free - 1
            wanting = any_vc
            if v < V - half:
                wanting |= low
            if v >= half:
                wanting |= high
            c = channel * V + v
            if odd and v == half:
                wanting = with_room(f, s, p, wanting, first, c)
            if wanting != 0:
                b = next_bit(wanting, s.vc[U(c * VC + GRANT_NEXT)])
                s.va_given[U(b)] |= 1 << v
                taken |= 1 << b
        losers = waiting & ~taken
        while taken != 0:
            b = lowest(taken)
            taken &= taken - 1
            v = accepted(s, s.va_given[U(b)], first + b, lot, V)
            s.va_given[U(b)] = 0
            take_vc(f, s, first + b, out, channel, v, now)
    if f.vc_alloc == 1 or losers == 0:
        return losers != 0
    # The allocator has worked for them in vain: they ask anew when it is done. Who found no free VC has not asked.
    before = offered
    if before & ((1 << (V - half)) - 1) == 0:
        losers &= ~low
    if before >> half == 0:
        losers &= ~high
    for kind in range(CLASSES):
        s.port[U(out * PORT + kind)] &= ~losers
    while losers != 0:
        b = lowest(losers)
        losers &= losers - 1
        place = later(s, TO_VA, now + f.vc_alloc)
        s.to_va[U(place)] = first + b
    return s.port[U(out * PORT)] | s.port[U(out * PORT + BEFORE)] | s.port[U(out * PORT + AFTER)] != 0


@nb.njit(**INLINED)
def send(f: Fabric, s: State, i: int, out: int, now: int) -> None:
    """Input VC `i` has won the switch: its first flit leaves, a credit goes back, the packet's tail frees the VC."""
    bit = 1 << s.vc[U(i * VC + BIT)]
    flit = s.vc[U(i * VC + FRONT)]
    left = s.vc[U(i * VC + COUNT)] - 1
    s.vc[U(i * VC + COUNT)] = left
    if left > 0:
        at = s.vc[U(i * VC + HEAD)]
        s.vc[U(i * VC + FRONT)] = s.buffer[U(i * f.depth + at)]
        s.vc[U(i * VC + HEAD)] = at + 1 if at + 1 < f.depth else 0
    c = s.vc[U(i * VC + OUT_VC)]
    s.vc[U(c * VC + CREDITS)] -= 1
    done = now + f.switch_alloc
    onward = f.flight if c < s.inputs else f.eject
    place = later(s, ARRIVALS, done - 1 + onward)
    s.arriving[U(place)] = c
    s.flit[U(place)] = flit
    place = later(s, RETURNS, done - 1 + f.credit)
    s.crediting[U(place)] = i
    s.counts[FLIT_HOPS] += 1
    if flit & 1:
        s.port[U(out * PORT + SWITCH)] &= ~bit
        s.vc[U(i * VC + OUT_VC)] = -1
        s.vc[U(c * VC + OWNER)] = -1
        s.vc[U(i * VC + READY)] = done
        if f.switch_alloc == 1:
            s.free[U(s.vc[U(c * VC + CHANNEL)])] |= s.vc[U(c * VC + MASK)]
        else:
            place = later(s, RELEASES, done)
            s.releasing[U(place)] = c
        if left > 0:
            place = later(s, TO_VA, done + f.route)
            s.to_va[U(place)] = i
    elif f.switch_alloc > 1:
        s.port[U(out * PORT + SWITCH)] &= ~bit
        s.vc[U(i * VC + READY)] = done
        if left > 0:
            place = later(s, TO_SA, done)
            s.to_sa[U(place)] = i
    elif left == 0 or s.vc[U(c * VC + CREDITS)] == 0:
        s.port[U(out * PORT + SWITCH)] &= ~bit


@nb.njit(**INLINED)
def allocate_switch(f: Fabric, s: State, router: int, now: int) -> bool:
    """Match input ports with output ports and send a flit for each match; return whether any VC still asks."""
    V, base = f.vcs, router * f.ports
    outputs = s.sa_outputs[U(router)]
    inputs = 0
    asking = outputs
    while asking != 0:
        o = lowest(asking)
        asking &= asking - 1
        mask = s.port[U((base + o) * PORT + SWITCH)]
        if mask == 0:
            outputs &= ~(1 << o)
            continue
        port = f.bit_port[U(next_bit(mask, s.port[U((base + o) * PORT + INPUT_NEXT)] * V))]
        s.sa_given[U(port)] |= 1 << o
        inputs |= 1 << port
    while inputs != 0:
        port = lowest(inputs)
        inputs &= inputs - 1
        o = next_bit(s.sa_given[U(port)], s.port[U((base + port) * PORT + OUTPUT_NEXT)])
        s.sa_given[U(port)] = 0
        mask = (s.port[U((base + o) * PORT + SWITCH)] >> (port * V)) & ((1 << V) - 1)
        v = next_bit(mask, s.port[U((base + port) * PORT + VC_NEXT)])
        s.port[U((base + o) * PORT + INPUT_NEXT)] = port + 1 if port + 1 < f.ports else 0
        s.port[U((base + port) * PORT + OUTPUT_NEXT)] = o + 1 if o + 1 < f.ports else 0
        s.port[U((base + port) * PORT + VC_NEXT)] = v + 1 if v + 1 < V else 0
        send(f, s, (base + port) * V + v, base + o, now)
        if s.port[U((base + o) * PORT + SWITCH)] == 0:
            outputs &= ~(1 << o)
    if f.switch_alloc > 1:
        outputs = _ask_anew(f, s, router, outputs, now)
    s.sa_outputs[U(router)] = outputs
    return outputs != 0


@nb.njit(**INLINED)
def _ask_anew(f: Fabric, s: State, router: int, outputs: int, now: int) -> int:
    """A switch allocator of several cycles has worked for the losers in vain: they ask again when it is done."""
    base = router * f.ports
    while outputs != 0:
        o = lowest(outputs)
        outputs &= outputs - 1
        mask = s.port[U((base + o) * PORT + SWITCH)]
        s.port[U((base + o) * PORT + SWITCH)] = 0
        while mask != 0:
            b = lowest(mask)
            mask &= mask - 1
            i = base * f.vcs + b
            s.vc[U(i * VC + READY)] = now + f.switch_alloc
            place = later(s, TO_SA, now + f.switch_alloc)
            s.to_sa[U(place)] = i
    return 0
