"""What changes while flits move: buffers, credits, requests and what is on its way."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.noc.fabric import Fabric

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

# Which virtual channels a packet may take next: all, or one of the two classes that a torus needs (`vc_ranges`).
ANY, BEFORE, AFTER = 0, 1, 2
CLASSES = 3
# Record of a virtual channel: first what its buffer's router knows, then what the sender into it knows. One cache line.
VC = 16
FRONT, HEAD, COUNT = 13, 0, 1  # the first flit; the place of the second in the buffer; how many there are
READY = 2  # cycle from which its stage takes the next flit
OUT_PORT, OUT_VC = 3, 4  # where its packet goes, and the virtual channel that it holds there (−1: none)
ACCEPT_NEXT = 5  # round-robin pointer over output VCs
ROUTER, BIT = 6, 7  # where it is; its bit in a router's masks, port·V + VC
CREDITS, OWNER = 8, 9  # free places as known to the sender; the input VC that holds it (−1: none)
GRANT_NEXT = 10  # round-robin pointer over input VCs
CHANNEL, MASK = 11, 12  # its channel, and its bit in the channel's mask
# Record of a router's port: first three masks of input VCs that want a virtual channel of it, one for each class.
PORT = 8
SWITCH = 3  # mask of input VCs that want it of the switch
INPUT_NEXT = 4  # round-robin pointer of the output port over input ports
OUTPUT_NEXT, VC_NEXT = 5, 6  # of the input port over output ports, and over its virtual channels
# Indices of `State.counts`.
FLIT_HOPS, IN_FLIGHT, EJECTED_FLITS, LAST_EJECTION = 0, 1, 2, 3
COUNTS = 4


class Packets(NamedTuple):
    """Packets in the network; a slot is used again when its packet has left. S slots."""

    goal: Ints  # (S,) router of the destination, as Fabric.router_xy
    exit: Ints  # (S,) the destination's port there
    flits: Ints  # (S,)
    turn: Ints  # (S,) bits 0 and 1: go left, go up; on a torus, bits 2 and 3: class of virtual channels along x and y
    born: Longs  # (S,) cycle of creation
    routers: Ints  # (S,) routers visited, both ends included
    free: Ints  # (S,) stack of free slots
    top: Longs  # (1,) how many are free


class State(NamedTuple):
    """Mutable arrays of a run. c is a virtual channel of a channel; i an input VC (the c below R·P·V)."""

    inputs: int  # R·P·V
    buffer: Ints  # (R·P·V·depth,) flits: 2·packet + 1 where it is the tail
    vc: Ints  # (c·VC,) a record for each virtual channel, see above
    port: Longs  # (R·P·PORT,) a record for each port of a router, see above
    free: Longs  # (channels,) mask of virtual channels that no packet holds
    va_ports: Ints  # (R·P,) output ports with requests for virtual channels
    va_given: Longs  # (P·V,) scratch: VCs granted to each input VC
    sa_outputs: Longs  # (R,) mask of output ports with requests for the switch
    sa_routers: Ints  # (R,) routers with requests
    sa_given: Longs  # (P,) scratch: output ports granted to each input port
    granted: Ints  # (i,) input VCs that were given a VC in this cycle
    listed: Longs  # (3,) lengths of va_ports, sa_routers and granted
    # What is on its way, by cycle modulo the number of slots.
    slots: int
    room: int  # places of each list in a slot
    arriving: Ints  # (slots·room,) c
    flit: Ints  # (slots·room,) the flit that arrives there
    crediting: Ints  # (slots·room,) c
    to_va: Ints  # (slots·room,) i
    to_sa: Ints  # (slots·room,) i
    releasing: Ints  # (slots·room,) c
    pending: Longs  # (5·slots,) how many of each
    counts: Longs  # (COUNTS,)


def empty_packets(fabric: Fabric) -> Packets:
    """Slots for as many packets as can be in the network: one for each slot of a buffer, and one for each node."""
    size = (fabric.routers * fabric.ports + fabric.nodes) * fabric.vcs * fabric.depth + fabric.nodes
    goal, leave, flits, turn, routers = (np.zeros(size, np.int32) for _ in range(5))
    free = np.arange(size, dtype=np.int32)
    return Packets(goal, leave, flits, turn, np.zeros(size, np.int64), routers, free, np.full(1, size, np.int64))


def empty_state(fabric: Fabric) -> State:
    """No flit anywhere, all credits at hand, all round-robin pointers at 0."""
    R, P, V, N = fabric.routers, fabric.ports, fabric.vcs, fabric.nodes
    inputs, channels = R * P * V, R * P + N
    after = fabric.switch_alloc
    longest = max(
        after + fabric.flight, after + fabric.eject, after + fabric.credit, after + fabric.route, fabric.vc_alloc
    )
    room = max(inputs, channels)
    slots = 1 << max(longest, fabric.inject).bit_length()

    def ints(*shape: int, fill: int = 0) -> Ints:
        return np.full(shape, fill, np.int32)

    def longs(*shape: int, fill: int = 0) -> Longs:
        return np.full(shape, fill, np.int64)

    return State(
        inputs=inputs,
        buffer=ints(inputs * fabric.depth),
        vc=_vc_records(fabric),
        port=longs(R * P * PORT),
        free=longs(channels, fill=(1 << V) - 1),
        va_ports=ints(R * P),
        va_given=longs(P * V),
        sa_outputs=longs(R),
        sa_routers=ints(R),
        sa_given=longs(P),
        granted=ints(inputs),
        listed=longs(3),
        slots=slots,
        room=room,
        arriving=ints(slots * room),
        flit=ints(slots * room),
        crediting=ints(slots * room),
        to_va=ints(slots * room),
        to_sa=ints(slots * room),
        releasing=ints(slots * room),
        pending=longs(5 * slots),
        counts=longs(COUNTS),
    )


def _vc_records(f: Fabric) -> Ints:
    channels = f.routers * f.ports + f.nodes
    records = np.zeros((channels * f.vcs, VC), np.int32)
    records[:, OUT_VC] = records[:, OWNER] = -1
    records[:, CREDITS] = f.depth
    records[:, CHANNEL] = np.repeat(np.arange(channels), f.vcs)
    records[:, MASK] = np.tile(1 << np.arange(f.vcs), channels)
    here = records[: f.routers * f.ports * f.vcs]
    here[:, ROUTER], here[:, BIT] = np.divmod(np.arange(len(here)), f.ports * f.vcs)
    return records.reshape(-1)
