"""Kernels of a router with multicast: routes, virtual-channel allocation, switch allocation.

As in `sfnhw.sim.noc.router`, with branches. A packet at the front of an input VC has a branch for each output port of its
route node. Each branch asks for a virtual channel of its own and sends at its own pace; a flit leaves the buffer when all
branches have sent it (asynchronous replication; Stunkel, Sivaram, Panda, ISCA 1997). An input port reads one flit a cycle,
and all output ports that want this flit of this VC, and have given their grant, take it at once.

A stage of several cycles takes all that wait for it at a router at once, and what comes later when it is through with them.
"""

import numba as nb

from sfnhw.sim.flits.state import (
    ACCEPT_NEXT,
    ACTIVE,
    BIT,
    BRANCH,
    CREDITS,
    FLITS,
    FRONT,
    GRANT_NEXT,
    GRANTED,
    HERE,
    HOLDS,
    INPUT_NEXT,
    LEADS_TO,
    NODE,
    OUTPUT_NEXT,
    OWNER,
    PARTS,
    PLACE,
    PORT,
    READY,
    ROUTER,
    SA_ROUTERS,
    SENT,
    SERVED,
    SWITCH,
    TO_SA,
    VA_ROUTERS,
    VC,
    VC_NEXT,
    Network,
    put,
)
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.noc.bits import INLINED, U, lowest, next_bit
from sfnhw.sim.noc.router import starts
from sfnhw.sim.noc.state import SWITCH_STAGE, VC_STAGE
from sfnhw.sim.packed import CHILD, EDGES, EDGES_END, EXITS, EXITS_END, LINK, Packed


@nb.njit(**INLINED)
def ask_vc(w: Wires, n: Network, i: int, port: int, kind: int) -> None:
    """A branch of input VC `i` asks for a virtual channel of its output port."""
    router = n.vc[U(i * VC + ROUTER)]
    n.port[U((router * w.ports + port) * PORT + kind)] |= 1 << n.vc[U(i * VC + BIT)]
    if n.va_outputs[U(router)] == 0:
        n.va_routers[U(n.listed[VA_ROUTERS])] = router
        n.listed[VA_ROUTERS] += 1
    n.va_outputs[U(router)] |= 1 << port


@nb.njit(**INLINED)
def route(w: Wires, n: Network, p: Packed, i: int) -> None:
    """Route computation of the first packet of input VC `i` is over: its branches ask for virtual channels."""
    place = (i * w.depth + n.vc[U(i * VC + FRONT)]) * PLACE
    node = n.buffer[U(place + NODE)]
    parts = 0
    for k in range(p.nodes[U(node * 4 + EDGES)], p.nodes[U(node * 4 + EDGES_END)]):
        port = p.edges[U(k * 4 + LINK)] & 3
        b = i * w.ports + port
        n.branch[U(b * BRANCH + SENT)] = 0
        n.branch[U(b * BRANCH + LEADS_TO)] = p.edges[U(k * 4 + CHILD)]
        parts |= 1 << port
        ask_vc(w, n, i, port, w.node_class[U(node)])
    for k in range(p.nodes[U(node * 4 + EXITS)], p.nodes[U(node * 4 + EXITS_END)]):
        port = w.exit_out[U(k)] - n.vc[U(i * VC + ROUTER)] * w.ports
        b = i * w.ports + port
        n.branch[U(b * BRANCH + SENT)] = 0
        n.branch[U(b * BRANCH + LEADS_TO)] = k
        parts |= 1 << port
        ask_vc(w, n, i, port, 0)
    n.vc[U(i * VC + PARTS)] = parts
    n.vc[U(i * VC + ACTIVE)] = parts


@nb.njit(**INLINED)
def ask_switch(w: Wires, n: Network, b: int, now: int) -> None:
    """A branch asks for its output port, if it holds a VC with a credit, its stage is over and its next flit has come.

    An allocator of several cycles takes all that wait, to find that there is no credit.
    """
    c = n.branch[U(b * BRANCH + HOLDS)]
    if c < 0 or n.branch[U(b * BRANCH + READY)] > now or (w.switch_alloc <= 1 and n.vc[U(c * VC + CREDITS)] == 0):
        return
    i = b // w.ports
    here = n.buffer[U((i * w.depth + n.vc[U(i * VC + FRONT)]) * PLACE + HERE)]
    if n.branch[U(b * BRANCH + SENT)] >= here:
        return
    router, port = n.vc[U(i * VC + ROUTER)], b - i * w.ports
    n.port[U((router * w.ports + port) * PORT + SWITCH)] |= 1 << n.vc[U(i * VC + BIT)]
    if n.sa_outputs[U(router)] == 0:
        n.sa_routers[U(n.listed[SA_ROUTERS])] = router
        n.listed[SA_ROUTERS] += 1
    n.sa_outputs[U(router)] |= 1 << port


@nb.njit(**INLINED)
def _take_vc(w: Wires, n: Network, i: int, port: int, channel: int, given: int, now: int) -> None:
    """Give one of the virtual channels `given` to a branch: the next one after the last that the input VC took."""
    V = w.vcs
    start = n.vc[U(i * VC + ACCEPT_NEXT)] - port * V
    v = next_bit(given, start) if 0 < start < V else lowest(given)
    c, b, bit = channel * V + v, i * w.ports + port, n.vc[U(i * VC + BIT)]
    out = n.vc[U(i * VC + ROUTER)] * w.ports + port
    for kind in range(3):
        n.port[U(out * PORT + kind)] &= ~(1 << bit)
    n.free[U(channel)] &= ~(1 << v)
    n.vc[U(c * VC + OWNER)] = b
    n.vc[U(c * VC + GRANT_NEXT)] = bit + 1 if bit + 1 < w.ports * V else 0
    n.vc[U(i * VC + ACCEPT_NEXT)] = port * V + v + 1
    n.branch[U(b * BRANCH + HOLDS)] = c
    n.branch[U(b * BRANCH + READY)] = now + w.vc_alloc
    n.entries[U(out)] -= 1
    if w.vc_alloc <= 1:
        n.granted[U(n.listed[GRANTED])] = b
        n.listed[GRANTED] += 1
    else:
        put(w, n, TO_SA, n.branch_next, b, now + w.vc_alloc)


@nb.njit(**INLINED)
def allocate_vcs(w: Wires, n: Network, router: int, port: int, now: int) -> bool:
    """Match waiting input VCs with the free virtual channels of an output port; return whether any still waits.

    A core with fewer free places in its input buffer than it has free virtual channels offers as many of these.
    """
    V, out = w.vcs, router * w.ports + port
    channel = w.channel[U(out)]
    first = router * w.ports * V
    lower = (1 << (V - (V >> 1))) - 1
    free = n.free[U(channel)]
    while n.entries[U(out)] < V and free != 0 and _bits(free) > n.entries[U(out)]:
        free &= ~(1 << _highest(free))
    anywhere, low, high = n.port[U(out * PORT)], n.port[U(out * PORT + 1)], n.port[U(out * PORT + 2)]
    taken = 0
    while free != 0:
        v = lowest(free)
        free &= free - 1
        wanting = anywhere | (low if (lower >> v) & 1 else high)
        if wanting != 0:
            b = next_bit(wanting, n.vc[U((channel * V + v) * VC + GRANT_NEXT)])
            n.va_given[U(b)] |= 1 << v
            taken |= 1 << b
    losers = (anywhere | low | high) & ~taken
    while taken != 0:
        b = lowest(taken)
        taken &= taken - 1
        given, n.va_given[U(b)] = n.va_given[U(b)], 0
        _take_vc(w, n, first + b, port, channel, given, now)
    return losers != 0


@nb.njit(**INLINED)
def _bits(mask: int) -> int:
    """Number of bits set."""
    number = 0
    while mask != 0:
        mask &= mask - 1
        number += 1
    return number


@nb.njit(**INLINED)
def _highest(mask: int) -> int:
    """Index of the highest bit of a mask that is not 0."""
    bit = 0
    while mask != 0:
        bit = lowest(mask)
        mask &= mask - 1
    return bit


@nb.njit(**INLINED)
def give_vcs(w: Wires, n: Network, now: int) -> None:
    """VC allocation of all output ports with requests, port by port."""
    routers, kept = n.listed[VA_ROUTERS], 0
    for k in range(routers):
        router = n.va_routers[U(k)]
        asking = outputs = n.va_outputs[U(router)]
        if w.vc_alloc > 1 and not starts(n.batch, router, VC_STAGE, w.vc_alloc, now):
            asking = 0
        while asking != 0:
            port = lowest(asking)
            asking &= asking - 1
            out = router * w.ports + port
            if n.free[U(w.channel[U(out)])] == 0 or n.entries[U(out)] <= 0:
                continue
            if not allocate_vcs(w, n, router, port, now):
                outputs &= ~(1 << port)
        n.va_outputs[U(router)] = outputs
        if outputs != 0:
            n.va_routers[U(kept)] = router
            kept += 1
    n.listed[VA_ROUTERS] = kept


@nb.njit(**INLINED)
def wanting(w: Wires, n: Network, router: int, port: int, now: int) -> int:
    """Input VCs that want an output port of the switch; where a slow channel is taken, only those of packets under way.

    Its first stage takes in the rest of a packet a flit a cycle, so that a packet that forks is read but once.
    """
    out = router * w.ports + port
    mask = n.port[U(out * PORT + (SWITCH if w.switch_alloc <= 1 else SERVED))]
    if n.free_tick[U(out)] <= now * w.den[U(out)]:
        return mask
    kept, left = 0, mask
    while left != 0:
        bit = lowest(left)
        left &= left - 1
        if n.branch[U(((router * w.ports * w.vcs + bit) * w.ports + port) * BRANCH + SENT)] > 0:
            kept |= 1 << bit
    return kept


@nb.njit(**INLINED)
def with_credit(w: Wires, n: Network, router: int, now: int) -> int:
    """Begin a switch allocation of several cycles, unless one is under way or nothing asks; returns the outputs that it serves.

    It serves the requests of those that have a credit now; all stay for the next time.
    """
    base, outputs, asked, served = router * w.ports, n.sa_outputs[U(router)], False, 0
    while outputs != 0:
        o = lowest(outputs)
        outputs &= outputs - 1
        left, may = n.port[U((base + o) * PORT + SWITCH)], 0
        if left == 0:
            n.sa_outputs[U(router)] &= ~(1 << o)
        while left != 0:
            bit = lowest(left)
            left &= left - 1
            b = (base * w.vcs + bit) * w.ports + o
            # A slow channel that is taken is waited for.
            if n.free_tick[U(base + o)] > now * w.den[U(base + o)] and n.branch[U(b * BRANCH + SENT)] == 0:
                continue
            asked = True
            if n.vc[U(n.branch[U(b * BRANCH + HOLDS)] * VC + CREDITS)] > 0:
                may |= 1 << bit
        n.port[U((base + o) * PORT + SERVED)] = may
        served |= (may != 0) << o
    if asked and starts(n.batch, router, SWITCH_STAGE, w.switch_alloc, now):
        return served
    return 0


@nb.njit(**INLINED)
def match_ports(w: Wires, n: Network, router: int, now: int) -> int:
    """Switch allocation, first half: each output port that is asked grants to an input port; returns those that got any."""
    base, V = router * w.ports, w.vcs
    served = with_credit(w, n, router, now) if w.switch_alloc > 1 else -1
    outputs = n.sa_outputs[U(router)]
    asking, inputs = outputs & served, 0
    while asking != 0:
        o = lowest(asking)
        asking &= asking - 1
        if n.port[U((base + o) * PORT + SWITCH)] == 0:
            outputs &= ~(1 << o)
            continue
        mask = wanting(w, n, router, o, now)
        if mask == 0:
            continue
        port = w.bit_port[U(next_bit(mask, n.port[U((base + o) * PORT + INPUT_NEXT)] * V))]
        n.sa_given[U(port)] |= 1 << o
        inputs |= 1 << port
    n.sa_outputs[U(router)] = outputs
    return inputs


@nb.njit(**INLINED)
def accept(w: Wires, n: Network, router: int, port: int, now: int) -> tuple[int, int]:
    """Switch allocation, second half: an input port takes an output, and with it a VC and its flit; moves the pointers.

    Returns the input VC, and the outputs that take its flit: the others that have granted and want the same one, too.
    """
    base, V = router * w.ports, w.vcs
    given, n.sa_given[U(port)] = n.sa_given[U(port)], 0
    o = next_bit(given, n.port[U((base + port) * PORT + OUTPUT_NEXT)])
    mask = (wanting(w, n, router, o, now) >> (port * V)) & ((1 << V) - 1)
    v = next_bit(mask, n.port[U((base + port) * PORT + VC_NEXT)])
    n.port[U((base + port) * PORT + OUTPUT_NEXT)] = o + 1 if o + 1 < w.ports else 0
    n.port[U((base + port) * PORT + VC_NEXT)] = v + 1 if v + 1 < V else 0
    i = (base + port) * V + v
    flit = n.branch[U((i * w.ports + o) * BRANCH + SENT)]
    taking, others = 1 << o, given & n.vc[U(i * VC + ACTIVE)] & ~(1 << o)
    while others != 0:
        other = lowest(others)
        others &= others - 1
        wants = (wanting(w, n, router, other, now) >> (port * V + v)) & 1
        if wants != 0 and n.branch[U((i * w.ports + other) * BRANCH + SENT)] == flit:
            taking |= 1 << other
    left = taking
    while left != 0:
        other = lowest(left)
        left &= left - 1
        n.port[U((base + other) * PORT + INPUT_NEXT)] = port + 1 if port + 1 < w.ports else 0
    return i, taking


@nb.njit(**INLINED)
def flits_gone(w: Wires, n: Network, i: int) -> int:
    """Flits of the first packet of input VC `i` that all its branches have sent."""
    parts, gone = n.vc[U(i * VC + PARTS)], 1 << 30
    while parts != 0:
        port = lowest(parts)
        parts &= parts - 1
        gone = min(gone, n.branch[U((i * w.ports + port) * BRANCH + SENT)])
    return gone


@nb.njit(**INLINED)
def length(w: Wires, n: Network, i: int) -> int:
    """Flits of the first packet of input VC `i`."""
    return n.buffer[U((i * w.depth + n.vc[U(i * VC + FRONT)]) * PLACE + FLITS)]
