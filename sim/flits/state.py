"""What changes in the network: buffers, credits, requests, what is on its way, and the queues of the cores."""

from typing import Any, NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.noc.bits import INLINED, U
from sfnhw.sim.noc.state import STAGES

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

# Record of a virtual channel: what the sender into it knows, then what the buffer at its end knows.
VC = 16
CREDITS, OWNER = 0, 1  # free places; the branch that holds it (−1: none)
GRANT_NEXT = 2  # round-robin pointer over input VCs
NEXT_FLIT, NEXT_CREDIT = 3, 4  # places of the next flit and the next credit on their way
ENTER = 5  # place in the buffer of the next packet that is sent into it
FRONT, PACKETS = 6, 7  # place of the first packet; how many have begun to arrive
ARRIVING, TO_COME = 8, 9  # place of the last packet; its flits that are still to come
PARTS, ACTIVE = 10, 11  # masks of output ports that the first packet goes to, and that still have to send
GONE = 12  # its flits that all of them have sent
ACCEPT_NEXT = 13  # round-robin pointer over output VCs
ROUTER, BIT = 14, 15  # where it is; its bit in a router's masks, port·V + VC
# Record of a packet in a buffer.
PLACE = 4
NODE, PACKET, FLITS, HERE = 0, 1, 2, 3  # route node; event record; its flits, and how many of them have come
# Record of a branch, an input VC with one output port: VC that it holds (−1: none), flits sent, cycle from which its stage
# works on, node or exit that it leads to.
BRANCH = 4
HOLDS, SENT, READY, LEADS_TO = 0, 1, 2, 3
# Record of a port of a router: masks of input VCs that want a VC of it, one for each class, that want the switch, and that a
# switch allocation of several cycles serves.
PORT = 8
SWITCH, SERVED = 3, 7
INPUT_NEXT, OUTPUT_NEXT, VC_NEXT = 4, 5, 6  # round-robin pointers, as in `sfnhw.sim.noc.state`
# Record of a source: first and last packet of its queue, cycle from which its port is free, flits of the first packet that
# are in, the VC that it goes by, the first cycle in which its head can go (−1: not known yet), and all its flits.
SOURCE = 8
HEAD, TAIL, FREE_FROM, IN, BY, HEAD_AT, LENGTH = 0, 1, 2, 3, 4, 5, 6
# Kinds of what is on its way: flits to an input, credits, output VCs to be free, packets whose route is known, packets to be
# routed by a stage of several cycles, branches to ask for the switch.
ARRIVALS, RETURNS, RELEASES, ROUTES, TO_ROUTE, TO_SA = 0, 1, 2, 3, 4, 5
KINDS = 6
# Indices of `Network.listed`: lengths of lists; things on their way; copies of packets in buffers, on links and in queues; the
# next cycle; flits that left a router.
VA_ROUTERS, SA_ROUTERS, GRANTED, ACTIVE_SOURCES, ON_WAY, COPIES, CYCLE, FLIT_HOPS = 0, 1, 2, 3, 4, 5, 6, 7


class Network(NamedTuple):
    """Mutable arrays of a run. c is a virtual channel of a channel; i an input VC (a c below R·P·V)."""

    vc: Ints  # (2·R·P·V·VC,)
    ready: Longs  # (i,) cycle from which the next packet of an input VC is routed
    buffer: Ints  # (i·B·PLACE,) packets of an input VC, a ring
    branch: Longs  # (i·P·BRANCH,)
    port: Longs  # (R·P·PORT,)
    free: Longs  # (2·R·P,) mask of virtual channels that no packet holds
    free_tick: Longs  # (R·P,) tick of 1/den cycles from which a slow channel takes the next flit
    entries: Longs  # (R·P,) free places of the input buffer of the core behind an output port
    va_outputs: Longs  # (R,) mask of output ports with requests for virtual channels
    va_routers: Ints  # (R,) routers with such requests
    va_given: Longs  # (P·V,) scratch
    sa_outputs: Longs  # (R,)
    sa_routers: Ints  # (R,)
    sa_given: Longs  # (P,) scratch
    granted: Ints  # branches that were given a VC, or sent a flit, in this cycle
    batch: Longs  # (R·STAGES,) as in `sfnhw.sim.noc.state`
    line_free: Longs  # (R·P,) cycle in which the next flit can leave a switch of several cycles by an output port
    announced: Ints  # (parts·frames,) packets of a part in a frame, see `sfnhw.sim.flits.counting`
    missing: Ints  # (counts·frames,) those of them that a connection has not worked off, for each part of its source
    source: Longs  # (R·P·SOURCE,)
    active: Ints  # (R·P,) channels whose sources have packets
    listed: Longs  # (8,)
    # Lists of what is on its way, by cycle modulo the slots; a thing's number leads to the next one.
    begin: Ints  # (KINDS·slots,) −1: none
    flit_next: Ints  # (2·R·P·V·B,) a flit on its way into c is c·B + a running number
    credit_next: Ints  # (2·R·P·V·B,)
    vc_next: (
        Ints  # (4·R·P·V,) for RELEASES a VC c; for ROUTES and TO_ROUTE an input VC, from `2·inputs` and `3·inputs` on
    )
    branch_next: Ints  # (i·P,) for TO_SA: a branch


def empty_network(w: Wires) -> Network:
    """No packet anywhere, all credits at hand, all round-robin pointers at 0."""
    R, P, V, B, inputs = w.routers, w.ports, w.vcs, w.depth, w.inputs
    C = 2 * inputs

    def ints(size: int, fill: int = 0) -> Ints:
        return np.full(size, fill, np.int32)

    def longs(size: int, fill: int = 0) -> Longs:
        return np.full(size, fill, np.int64)

    vc = np.zeros((C, VC), np.int32)
    vc[:, CREDITS], vc[:, OWNER] = B, -1
    here = vc[:inputs]
    here[:, ROUTER], here[:, BIT] = np.divmod(np.arange(inputs), P * V)
    branch = np.zeros((inputs * P, BRANCH), np.int64)
    branch[:, HOLDS] = -1
    source = np.zeros((R * P, SOURCE), np.int64)
    source[:, HEAD] = source[:, TAIL] = source[:, HEAD_AT] = -1
    source[:, BY] = V - 1  # so that the first packet takes channel 0
    to_core = (w.link < 0) & (np.arange(R * P) % P < P - 1)
    return Network(
        vc=vc.reshape(-1), ready=longs(inputs), buffer=ints(inputs * B * PLACE), branch=branch.reshape(-1),
        port=longs(R * P * PORT), free=longs(2 * R * P, (1 << V) - 1), free_tick=longs(R * P),
        entries=np.where(to_core, w.entries, 1 << 40), va_outputs=longs(R), va_routers=ints(R), va_given=longs(P * V),
        sa_outputs=longs(R), sa_routers=ints(R), sa_given=longs(P), granted=ints(2 * R * P + inputs * P),
        batch=longs(R * STAGES), line_free=longs(R * P),
        announced=ints(w.parts * w.frames), missing=ints(w.counts * w.frames, 1 << 30),
        source=source.reshape(-1), active=ints(R * P), listed=longs(8), begin=ints(KINDS * w.slots, -1),
        flit_next=ints(C * B), credit_next=ints(C * B), vc_next=ints(2 * C), branch_next=ints(inputs * P),
    )  # fmt: skip


@nb.njit(**INLINED)
def put(w: Wires, n: Network, kind: int, following: Ints, number: int, when: int) -> None:
    """Something is on its way, and there in cycle `when`."""
    slot = U(kind * w.slots + (when & (w.slots - 1)))
    following[U(number)] = n.begin[slot]
    n.begin[slot] = number
    n.listed[ON_WAY] += 1


@nb.njit(**INLINED)
def due(w: Wires, n: Network, kind: int, now: int) -> Any:
    """Return the first thing of a kind that is there in this cycle (−1: none), and forget the list."""
    slot = U(kind * w.slots + (now & (w.slots - 1)))
    first = n.begin[slot]
    n.begin[slot] = -1
    return first
