"""What changes while flits move: buffers, credits, requests and what is on its way."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.noc.fabric import Fabric

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Records = NDArray[Any]

# Which virtual channels a packet may take next: all, or one of the two classes that a torus needs (`way_round`).
ANY, BEFORE, AFTER = 0, 1, 2
# An output virtual channel's owner where it has none.
NOBODY = -1
# Records are small, as the state of a network should stay in the processor's first cache.
CACHE_LINE = 64
INPUT_VC = np.dtype(
    [
        ("front", np.int64),  # the first flit, where `count` is not 0; see `sfnhw.sim.noc.fabric`
        # Unsigned: to be cast to np.int64, or Numba makes floats of their sums.
        ("head", np.uint16),  # place of the second flit in the buffer
        ("count", np.uint16),  # flits in the buffer
        ("held", np.int8),  # the output VC that its packet holds, counted from its router's first (−1: none)
        ("accept_next", np.int8),  # round-robin pointer over the router's output VCs, as their bits
        ("_pad", np.int16),
    ]
)
OUTPUT_VC = np.dtype(
    [
        ("credits", np.uint16),  # free places of the buffer that it feeds, as known here
        ("owner", np.int8),  # bit of the input VC whose packet holds it (NOBODY: none)
        ("grant_next", np.int8),  # round-robin pointer over those bits
    ]
)
# An input port and the output port of the same number.
PORT = np.dtype(
    [
        ("want", np.int64),  # mask of input VCs that want a virtual channel of the output port
        ("switch", np.int64),  # mask of input VCs that want the output port
        ("base", np.int32),  # port 0 of the router
        # First VC of the port at the other end, which the output port feeds and by which the input port is fed; beyond
        # those of all routers it is a node; −1 at the edge of a mesh.
        ("peer", np.int32),
        ("here", np.uint16),  # router, x + 256·y
        ("free", np.int16),  # mask of output VCs that no packet holds
        ("lot", np.int8),  # bit of the port's first VC
        ("input_next", np.int8),  # round-robin pointer of the output port over input ports, as bits of VCs,
        ("output_next", np.int8),  # of the input port over output ports,
        ("vc_next", np.int8),  # and over its virtual channels
    ]
)
# Indices of `State.counts`.
FLIT_HOPS, IN_FLIGHT, EJECTED_FLITS, LAST_EJECTION = 0, 1, 2, 3
COUNTS = 4
# Indices of `State.listed`.
VA_PORTS, SA_PORTS, GRANTED = 0, 1, 2
# Kinds of events, and how many there are.
ARRIVALS, EJECTIONS, RETURNS, TO_VA, TO_SA, RELEASES = 0, 1, 2, 3, 4, 5
KINDS = 6
# Stages of a router, for `State.batch`.
ROUTE_STAGE, VC_STAGE, SWITCH_STAGE, CROSSING_STAGE = 0, 1, 2, 3
STAGES = 4


class Packets(NamedTuple):
    """Packets in the network; a slot is used again when its packet has left. S slots."""

    way: Longs  # (S,) where to, and how: bits 1 to 37 of its flits, see `flit_word`
    flits: Ints  # (S,)
    born: Longs  # (S,) cycle of creation
    routers: Ints  # (S,) routers visited, both ends included
    free: Ints  # (S,) stack of free slots
    top: Longs  # (1,) how many are free


class State(NamedTuple):
    """Mutable arrays of a run. i is an input VC: (router·P + port)·2^shift + VC; o an output VC, numbered alike.

    After the routers' output VCs come those of the nodes, (R·P + node)·2^shift + VC, which send into the routers.
    """

    inputs: Records  # (i,) INPUT_VC
    outputs: Records  # (o,) OUTPUT_VC
    ports: Records  # (R·P,) PORT
    bound: Longs  # (R·P·2,) on a torus: of the masks `want`, who must have a VC of class BEFORE, and of AFTER
    given: Longs  # (R·P,) mask of the output ports granted to an input port in this cycle
    ready: Ints  # (i,) cycle from which its stage takes the next flit
    buffer: Longs  # (i·depth,) flits
    # Lists: an item may be written behind the last one before it is known whether it counts.
    va_ports: Ints  # (R·P + 1,) output ports with requests for virtual channels
    va_given: Longs  # (P·V,) scratch: VCs granted to each input VC
    sa_ports: Ints  # (R·P + 1,) output ports with requests for the switch
    matched: Ints  # (R·P + 1,) input ports that were granted an output port in this cycle
    winners: Ints  # (R·P,) input VCs that send a flit in this cycle,
    winners_port: Ints  # (R·P,) and their output ports
    granted: Ints  # (i,) output VCs that were given away in this cycle
    batch: Longs  # (R·STAGES,) cycle in which the batch of a stage of several cycles is through, see `join`
    blocked: Longs  # (R·P,) scratch: of the masks `switch`, who may not be served in this cycle
    line_free: Longs  # (R·P,) cycle from which an output's line is free, where the switch takes several cycles
    listed: Longs  # (3,) lengths of va_ports, sa_ports and granted
    # What is on its way, by cycle modulo the number of slots.
    slots: int
    room: int  # places of each list in a slot
    arriving: Ints  # (slots·room,) i
    flit: Longs  # (slots·room,) the flit that arrives there
    leaving: Ints  # (slots·room,) o
    last_flit: Longs  # (slots·room,) the flit that its node takes
    crediting: Ints  # (slots·room,) o
    to_va: Ints  # (slots·room,) i
    to_sa: Ints  # (slots·room,) o
    releasing: Ints  # (slots·room,) o
    pending: Longs  # (KINDS·slots,) how many of each
    counts: Longs  # (COUNTS,)


def empty_packets(fabric: Fabric) -> Packets:
    """Slots for as many packets as can be in the network: one for each slot of a buffer, and one for each node."""
    size = (fabric.routers * fabric.ports + fabric.nodes) * fabric.vcs * fabric.depth + fabric.nodes
    way, born = np.zeros(size, np.int64), np.zeros(size, np.int64)
    flits, routers = np.zeros(size, np.int32), np.zeros(size, np.int32)
    return Packets(way, flits, born, routers, np.arange(size, dtype=np.int32), np.full(1, size, np.int64))


def empty_state(fabric: Fabric) -> State:
    """No flit anywhere, all credits at hand, all round-robin pointers at 0."""
    R, P, V, N = fabric.routers, fabric.ports, fabric.vcs, fabric.nodes
    # What finds a stage at work waits for less than its cycles; a line passes what came with the same batch before.
    after, wait = fabric.switch_alloc, 2 * fabric.eject
    longest = max(
        after + max(fabric.flight, fabric.eject) + wait, after + fabric.credit, 2 * fabric.route, fabric.vc_alloc
    )
    inputs = R * P << fabric.shift
    room = (R * P + N) << fabric.shift
    slots = 1 << max(longest, fabric.inject).bit_length()

    def ints(size: int) -> Ints:
        return np.zeros(size, np.int32)

    def longs(size: int) -> Longs:
        return np.zeros(size, np.int64)

    return State(
        inputs=_records(inputs, INPUT_VC, held=-1),
        outputs=_records(room, OUTPUT_VC, credits=fabric.depth, owner=NOBODY),
        ports=_ports(fabric),
        bound=longs(R * P * 2),
        given=longs(R * P),
        ready=ints(inputs),
        buffer=longs(inputs * fabric.depth),
        va_ports=ints(R * P + 1),
        va_given=longs(P * V),
        sa_ports=ints(R * P + 1),
        matched=ints(R * P + 1),
        winners=ints(R * P),
        winners_port=ints(R * P),
        granted=ints(inputs),
        batch=longs(R * STAGES),
        blocked=longs(R * P),
        line_free=longs(R * P),
        listed=longs(3),
        slots=slots,
        room=room,
        arriving=ints(slots * room),
        flit=longs(slots * room),
        leaving=ints(slots * room),
        last_flit=longs(slots * room),
        crediting=ints(slots * room),
        to_va=ints(slots * room),
        to_sa=ints(slots * room),
        releasing=ints(slots * room),
        pending=longs(KINDS * slots),
        counts=longs(COUNTS),
    )


def _records(size: int, record: "np.dtype[Any]", **values: int) -> Records:
    """Zeros but for the fields given, from the beginning of a cache line on."""
    room = np.zeros(size * record.itemsize + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    records = room[start : start + size * record.itemsize].view(record)
    for field, value in values.items():
        records[field] = value
    return records


def _ports(f: Fabric) -> Records:
    records = _records(f.routers * f.ports, PORT, free=(1 << f.vcs) - 1)
    at = np.arange(len(records))
    records["base"] = at - at % f.ports
    records["lot"] = at % f.ports * f.vcs
    records["here"] = np.repeat(f.router_xy, f.ports)
    records["peer"] = np.where(f.channel < 0, -1, f.channel << f.shift)
    return records
