"""Kernels of a router: routes, virtual-channel allocation, switch allocation, and a flit on its way.

Both allocators are iSLIP with one iteration (McKeown, IEEE/ACM Trans. Netw. 7(2), 1999): outputs grant, inputs accept,
and pointers move on acceptance only.

What happens in a cycle is listed for the whole network, ports of all routers one after the other: their work does not
depend on each other, so that the processor does it side by side, and long loops are guessed right.
"""

import numba as nb
import numpy as np

from sfnhw.sim.noc.bits import INLINED, U, lowest, next_bit
from sfnhw.sim.noc.fabric import ENTRY_BITS, GOAL, IN_X, IN_Y, PORT_BITS, Fabric
from sfnhw.sim.noc.state import (
    AFTER,
    ANY,
    ARRIVALS,
    BEFORE,
    CROSSING_STAGE,
    EJECTIONS,
    FLIT_HOPS,
    GRANTED,
    NOBODY,
    RELEASES,
    RETURNS,
    ROUTE_STAGE,
    STAGES,
    SWITCH_STAGE,
    TO_SA,
    TO_VA,
    Longs,
    State,
)

# Cycles from switch allocation, or ejection, until a credit counts at the other end of a node's channel.
NODE_CREDIT = 2


@nb.njit(**INLINED)
def output_and_class(f: Fabric, flit: int, here: int) -> tuple[int, int]:
    """Dimension-order route at router `here`, x + 256·y: the output port, and the class of virtual channels.

    On a torus a packet keeps, along each ring, one of two classes of virtual channels, chosen by where it enters the
    ring: a packet that would close the cycle is never in the class of those that it waits for.
    """
    # No branch: which way a packet goes cannot be guessed.
    apart = (flit >> GOAL) ^ here
    x, y = apart & IN_X != 0, apart & IN_Y != 0
    entry = (flit >> ((f.entries >> (8 * (x + 2 * y))) & 0xFF)) & ((1 << ENTRY_BITS) - 1)
    port, kind = entry & ((1 << PORT_BITS) - 1), ANY
    if f.wrap:
        kind = (BEFORE + (entry >> PORT_BITS)) * (x | y)
    return port, kind


@nb.njit(**INLINED)
def request_vc(f: Fabric, s: State, i: int, ports: int) -> int:
    """Route computation is over: input VC `i` asks for a virtual channel. Count and return the ports that are asked."""
    port = s.ports[U(i >> f.shift)]
    bit = port.lot + (i & ((1 << f.shift) - 1))
    to, kind = output_and_class(f, s.inputs[U(i)].front, np.int64(port.here))
    out = port.base + to
    output = s.ports[U(out)]
    want = output.want
    output.want = want | 1 << bit
    if f.wrap:
        s.bound[U(2 * out)] |= (kind == BEFORE) << bit
        s.bound[U(2 * out + 1)] |= (kind == AFTER) << bit
    s.va_ports[U(ports)] = out
    return ports + (want == 0)


@nb.njit(**INLINED)
def request_switch(f: Fabric, s: State, o: int, ports: int) -> int:
    """The packet that holds output VC `o` has a flit: it asks for the switch if there is a credit. As `request_vc`."""
    output, out = s.outputs[U(o)], o >> f.shift
    port = s.ports[U(out)]
    # An allocator of several cycles takes all that wait, to find at its end that there was no credit (`start_switch`).
    may, switch = (output.credits > 0) | (f.switch_alloc > 1), port.switch
    port.switch = switch | may << output.owner
    s.sa_ports[U(ports)] = out
    return ports + (may and switch == 0)


@nb.njit(**INLINED)
def later(s: State, what: int, when: int) -> int:
    """Return the place in its list of something that happens in cycle `when`."""
    slot = when & (s.slots - 1)
    place = s.pending[U(what * s.slots + slot)]
    s.pending[U(what * s.slots + slot)] = place + 1
    return slot * s.room + place


@nb.njit(**INLINED)
def join(batch: Longs, router: int, stage: int, cycles: int, when: int) -> int:
    """Return the cycle from which a stage of several cycles works on what waits for it from cycle `when` on.

    A router's stage takes all that wait for it at once, when it is through with those before; `when` does not decrease
    from call to call, but for those that the batch noted last takes along.
    """
    end = batch[U(router * STAGES + stage)]
    start = end - cycles if when <= end - cycles else max(when, end)
    batch[U(router * STAGES + stage)] = start + cycles
    return start


@nb.njit(**INLINED)
def starts(batch: Longs, router: int, stage: int, cycles: int, now: int) -> bool:
    """Whether a stage of several cycles begins now with what waits for it, for the first or another of its ports."""
    end = batch[U(router * STAGES + stage)]
    if now < end < now + cycles:
        return False
    batch[U(router * STAGES + stage)] = now + cycles
    return True


@nb.njit(**INLINED)
def begin_route(f: Fabric, s: State, i: int, now: int) -> None:
    """Let input VC `i`, with a packet in front, have its route computed, which takes several cycles."""
    place = later(s, TO_VA, join(s.batch, f.port_router[U(i >> f.shift)], ROUTE_STAGE, f.route, now) + f.route)
    s.to_va[U(place)] = i


@nb.njit(**INLINED)
def end_of(s: State, what: int, when: int) -> int:
    """Return the next place of a list. As `later`, for many: `set_end` takes the place after the last."""
    slot = when & (s.slots - 1)
    return slot * s.room + s.pending[U(what * s.slots + slot)]


@nb.njit(**INLINED)
def set_end(s: State, what: int, when: int, place: int) -> None:
    """Let a list end before `place`."""
    slot = when & (s.slots - 1)
    s.pending[U(what * s.slots + slot)] = place - slot * s.room


@nb.njit(**INLINED)
def take_vc(f: Fabric, s: State, out: int, b: int, given: int, now: int) -> None:
    """The input VC of bit b takes one of the virtual channels of `out` that it was given, the next after its last."""
    port = s.ports[U(out)]
    first = port.base << f.shift
    i = first + f.bit_vc[U(b)]
    vc = s.inputs[U(i)]
    v = next_bit(given << port.lot, vc.accept_next) - port.lot
    o = (out << f.shift) + v
    output = s.outputs[U(o)]
    port.want &= ~(1 << b)
    if f.wrap:
        s.bound[U(2 * out)] &= ~(1 << b)
        s.bound[U(2 * out + 1)] &= ~(1 << b)
    port.free &= ~(1 << v)
    output.owner = b
    vc.held = o - first
    # Beyond the last one is before the first.
    output.grant_next = b + 1
    vc.accept_next = port.lot + v + 1
    s.ready[U(i)] = now + f.vc_alloc
    if f.vc_alloc == 1:
        s.granted[U(s.listed[GRANTED])] = o
        s.listed[GRANTED] += 1
    else:
        place = later(s, TO_SA, now + f.vc_alloc)
        s.to_sa[U(place)] = o


@nb.njit(**INLINED)
def free_vcs(f: Fabric, s: State, out: int) -> int:
    """Mask of the virtual channels of an output port that may be given away now.

    The one that both classes of a torus share is not, where it could not take a packet in whole, or with all of its buffer:
    who has it never waits in it for another's place, which keeps such a torus from deadlock (docs/noc.md).
    """
    port = s.ports[U(out)]
    free: int = port.free
    if f.wrap and f.shared != 0 and port.peer < len(s.inputs):
        room = np.int64(s.outputs[U((out << f.shift) + (f.vcs >> 1))].credits)
        if room < f.whole:
            free &= ~f.shared
    return free


@nb.njit(**INLINED)
def allocate_vcs(f: Fabric, s: State, out: int, now: int) -> bool:
    """Match waiting input VCs with the free virtual channels of an output port; return whether any still waits."""
    V = f.vcs
    port = s.ports[U(out)]
    half = V >> 1
    free, waiting = free_vcs(f, s, out), port.want
    low = high = 0
    if f.wrap:
        low, high = s.bound[U(2 * out)], s.bound[U(2 * out + 1)]
    if waiting & (waiting - 1) == 0:
        # One packet asks, as it is most of the time: every free VC that it may take grants, and it accepts one.
        allowed = free
        if low != 0:
            allowed &= (1 << (V - half)) - 1
        elif high != 0:
            allowed = (allowed >> half) << half
        losers = waiting
        if allowed != 0:
            take_vc(f, s, out, lowest(waiting), allowed, now)
            losers = 0
    else:
        losers = _match_vcs(f, s, out, now)
    return losers != 0


@nb.njit(**INLINED)
def _match_vcs(f: Fabric, s: State, out: int, now: int) -> int:
    """Match several input VCs with the free virtual channels of an output port; return who got none."""
    V, half = f.vcs, f.vcs >> 1
    port = s.ports[U(out)]
    free, waiting = free_vcs(f, s, out), port.want
    low = high = 0
    if f.wrap:
        low, high = s.bound[U(2 * out)], s.bound[U(2 * out + 1)]
    taken = 0
    while free != 0:
        v = lowest(free)
        free &= free - 1
        wanting = waiting & ~(low | high)
        if v < V - half:
            wanting |= low
        if v >= half:
            wanting |= high
        output = s.outputs[U((out << f.shift) + v)]
        if wanting != 0:
            b = next_bit(wanting, output.grant_next)
            s.va_given[U(b)] |= 1 << v
            taken |= 1 << b
    losers = waiting & ~taken
    while taken != 0:
        b = lowest(taken)
        taken &= taken - 1
        given = s.va_given[U(b)]
        s.va_given[U(b)] = 0
        take_vc(f, s, out, b, given, now)
    return losers


@nb.njit(**INLINED)
def send(f: Fabric, s: State, i: int, out: int, now: int) -> tuple[int, int]:
    """Input VC `i` has won the switch: its first flit leaves, and a tail frees the VC. Return the flit and its output VC."""
    vc, port = s.inputs[U(i)], s.ports[U(out)]
    into, v = s.ports[U(i >> f.shift)], i & ((1 << f.shift) - 1)
    flit, bit, o = vc.front, 1 << (into.lot + v), (into.base << f.shift) + vc.held
    left = np.int64(vc.count) - 1
    vc.count = left
    if left > 0:
        at = np.int64(vc.head)
        vc.front = s.buffer[U(i * f.depth + at)]
        vc.head = at + 1 if at + 1 < f.depth else 0
    output = s.outputs[U(o)]
    credits = np.int64(output.credits) - 1
    output.credits = credits
    done = now + f.switch_alloc
    if flit & 1:
        port.switch &= ~bit
        vc.held = -1
        s.ready[U(i)] = done
        output.owner = NOBODY
        if f.switch_alloc == 1:
            port.free |= 1 << (o - (out << f.shift))
        else:
            place = later(s, RELEASES, done)
            s.releasing[U(place)] = o
        if left > 0:
            # A route of several cycles begins when its turn comes: `give_vcs` lets it.
            place = later(s, TO_VA, done + (f.route if f.route <= 1 else 0))
            s.to_va[U(place)] = i if f.route <= 1 else ~i
    elif f.switch_alloc > 1:
        port.switch &= ~bit
        s.ready[U(i)] = done
        if left > 0:
            place = later(s, TO_SA, done)
            s.to_sa[U(place)] = o
    elif left == 0 or credits == 0:
        port.switch &= ~bit
    return flit, o


@nb.njit(**INLINED)
def send_all(f: Fabric, s: State, winners: int, now: int) -> None:
    """Send a flit for each match of this cycle, and the credit for its place in the buffer."""
    done = now + f.switch_alloc - 1
    if f.eject > 3 or f.credit > 2:
        _send_each(f, s, winners, now)
        return
    arrival, ejection, credit = done + f.flight, done + f.eject, done + f.credit
    arrivals, ejections, credits = (
        end_of(s, ARRIVALS, arrival),
        end_of(s, EJECTIONS, ejection),
        end_of(s, RETURNS, credit),
    )
    for k in range(winners):
        i, out = s.winners[U(k)], s.winners_port[U(k)]
        flit, o = send(f, s, i, out, now)
        peer = s.ports[U(out)].peer
        # Written where it may go, and counted where it goes: that cannot be guessed.
        ends = peer >= len(s.inputs)
        s.arriving[U(arrivals)] = peer + o - (out << f.shift)
        s.flit[U(arrivals)] = flit
        arrivals += not ends
        s.leaving[U(ejections)] = o
        s.last_flit[U(ejections)] = flit
        ejections += ends
        s.crediting[U(credits)] = s.ports[U(i >> f.shift)].peer + (i & ((1 << f.shift) - 1))
        credits += 1
    set_end(s, ARRIVALS, arrival, arrivals)
    set_end(s, EJECTIONS, ejection, ejections)
    set_end(s, RETURNS, credit, credits)
    s.counts[FLIT_HOPS] += winners


@nb.njit(**INLINED)
def _send_each(f: Fabric, s: State, winners: int, now: int) -> None:
    """As `send_all`, where the switch or credits take several cycles: a node's credits take one in any case."""
    done, cycles = now + f.switch_alloc - 1, f.eject - 2
    for k in range(winners):
        i, out = s.winners[U(k)], s.winners_port[U(k)]
        flit, o = send(f, s, i, out, now)
        leaves = done + cycles
        if cycles > 1:
            leaves = join(s.batch, f.port_router[U(out)], CROSSING_STAGE, cycles, done + 1) + cycles - 1
            leaves = max(leaves, s.line_free[U(out)])
            s.line_free[U(out)] = leaves + 1
        peer = s.ports[U(out)].peer
        if peer >= len(s.inputs):
            place = later(s, EJECTIONS, leaves + 2)
            s.leaving[U(place)], s.last_flit[U(place)] = o, flit
        else:
            place = later(s, ARRIVALS, leaves + f.flight - cycles)
            s.arriving[U(place)], s.flit[U(place)] = peer + o - (out << f.shift), flit
        source = s.ports[U(i >> f.shift)].peer
        place = later(s, RETURNS, done + (NODE_CREDIT if source >= len(s.inputs) else f.credit))
        s.crediting[U(place)] = source + (i & ((1 << f.shift) - 1))
    s.counts[FLIT_HOPS] += winners


@nb.njit(**INLINED)
def match_ports(f: Fabric, s: State, ports: int) -> int:
    """Match input ports with output ports at all routers; return how many matches there are."""
    V, matched = f.vcs, 0
    for k in range(ports):
        out = s.sa_ports[U(k)]
        output = s.ports[U(out)]
        base = output.base
        into = base + (f.bit_vc[U(next_bit(output.switch, output.input_next))] >> f.shift)
        given = s.given[U(into)]
        s.matched[U(matched)] = into
        matched += given == 0
        s.given[U(into)] = given | 1 << (out - base)
    for k in range(matched):
        into = s.matched[U(k)]
        port = s.ports[U(into)]
        o = next_bit(s.given[U(into)], port.output_next)
        s.given[U(into)] = 0
        out = port.base + o
        output = s.ports[U(out)]
        v = next_bit((output.switch >> port.lot) & ((1 << V) - 1), port.vc_next)
        # Pointers beyond the last one are before the first.
        output.input_next = port.lot + V
        port.output_next = o + 1
        port.vc_next = v + 1
        s.winners[U(k)] = (into << f.shift) + v
        s.winners_port[U(k)] = out
    return matched


@nb.njit(**INLINED)
def allocate_switch(f: Fabric, s: State, ports: int, now: int) -> int:
    """Match the output ports that are asked with input ports, send a flit for each match; return how many are still asked."""
    served = ports if f.switch_alloc == 1 else start_switch(f, s, ports, now)
    send_all(f, s, match_ports(f, s, served), now)
    kept = 0
    for k in range(ports):
        out = s.sa_ports[U(k)]
        if f.switch_alloc > 1:
            s.ports[U(out)].switch |= s.blocked[U(out)]
        s.sa_ports[U(kept)] = out
        kept += s.ports[U(out)].switch != 0
    return kept


@nb.njit(**INLINED)
def start_switch(f: Fabric, s: State, ports: int, now: int) -> int:
    """Begin switch allocations of several cycles; put the ports that one of them serves first and return how many.

    The requests of all others, and of those that have no credit now, are set aside in `State.blocked`.
    """
    served = 0
    for k in range(ports):
        out = s.sa_ports[U(k)]
        port = s.ports[U(out)]
        asking, may = port.switch, 0
        if starts(s.batch, f.port_router[U(out)], SWITCH_STAGE, f.switch_alloc, now):
            may = with_credit(f, s, port.base << f.shift, asking)
        s.blocked[U(out)] = asking & ~may
        port.switch = may
        if may != 0:
            s.sa_ports[U(k)], s.sa_ports[U(served)] = s.sa_ports[U(served)], out
            served += 1
    return served


@nb.njit(**INLINED)
def with_credit(f: Fabric, s: State, first: int, asking: int) -> int:
    """Keep the input VCs whose output VC has a credit."""
    kept, left = 0, asking
    while left != 0:
        b = lowest(left)
        left &= left - 1
        if s.outputs[U(first + s.inputs[U(first + f.bit_vc[U(b)])].held)].credits > 0:
            kept |= 1 << b
    return kept
