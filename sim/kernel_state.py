"""What a run of the packet kernel counts, and where it stands."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.by_place import Tallied
from sfnhw.sim.packed import Packed
from sfnhw.sim.parts import WINDOWS
from sfnhw.sim.tables import CYCLES, Fabric, SliceTable
from sfnhw.sim.wheel import BUCKETS, NEXT, TURN_SLOTS, free_events

Ints = NDArray[np.int64]
Words = NDArray[np.int32]


LATENCY_BINS = 4096
FIRST_ROOMS = 4  # memory for events at first, in what one event or one global step pushes at most
WINDOWS_IN_FLIGHT = WINDOWS
# Columns of terminals: from when each unit is free, and for how many cycles it has worked.
AXON_FREE, SYNAPSE_FREE, THRESHOLD_FREE, INJECTION_FREE, EJECTION_FREE = 0, 1, 2, 3, 4
AXON_BUSY, SYNAPSE_BUSY, THRESHOLD_BUSY, INJECTION_BUSY = 5, 6, 7, 8
# From which tick the router takes what leaves the injection port, and ticks that packets have waited for it.
ENTRY_FREE, ENTRY_WAITED = 9, 10
# Scalars of the loop: cycle, next global step, last cycle in which anything happened; first free place for an event, events in the wheel, packets that wait at cores, slices to look at; global
# steps to begin and to end with.
NOW, STEP, LAST_EVENT, FREE, PENDING, WAITING, LOOKS, FIRST_STEP, LAST_STEP = 0, 1, 2, 3, 4, 5, 6, 7, 8
# Columns of parts. In those of a slice's first part: next frame; whether it sends; packets that the neuron at the port has
# still to send; first and last cycle of the walk; cycles that spikes have added to the walk so far; part that works next. In
# those of each: packets that wait for a stationary operand, a list in order of arrival; and for each window in flight end
# markers, those of a stationary operand, and ready tokens.
NEXT_FRAME, EMITTING, LEFT, PHASE_START, PHASE_END, BEYOND, WAITING_HEAD, WAITING_TAIL = 0, 1, 2, 3, 4, 5, 6, 7
FED_IN, OPERANDS_IN, TOKENS_IN, TURN = 8, 12, 16, 20
# At fidelity `flit`, while a slice's packet waits for the network: the next neuron that sends, and when its packet is ready.
NEXT_NEURON, NEXT_READY = 21, 22
# Kinds of event. HOP: a packet's head enters a router. EMIT: a slice's next packet is ready. FED: an end marker has
# been worked off by a slice; OPERAND: one that ends the stationary operand of a product. TOKEN: a ready token has reached
# a source. STREAM: a packet that waited at a core for the stationary operand goes on.
# ENTRY: at fidelity `flit`, a place in a core's input buffer is free again; there a HOP is a packet that leaves an exit.
HOP, EMIT, FED, TOKEN, OPERAND, STREAM, ENTRY = 0, 1, 2, 3, 4, 5, 6
# Control packets of row y have END − 2·y, or READY − 2·y, in place of a neuron.
END, READY = -1, -2
# Columns of `Tally.by_slice`; those of `by_row` are SYNAPSES, WORDS and STATE as in the table of costs, and PACKETS.
SENT, ENDS, READIES, UPDATES, SPIKES, DELIVERED = 0, 1, 2, 3, 4, 5
PACKETS = CYCLES


class Tally(NamedTuple):
    """What a run counts and measures; arrays are filled in place. T is the timestep within a sample."""

    # (slices, T, 6): spike packets sent; end markers; ready tokens; neurons taken through the threshold unit; neurons that
    # sent something (a burst counts once); spike packets handed to cores and pins.
    by_slice: Ints
    # Of connections and nodes there are many: what happens in one timestep stands together, in the processor's caches, in
    # numbers of 32 bits wherever `sfnhw.sim.stream.fits` says that they hold it.
    # (T, rows, 4): synaptic operations; spike packets looked up; weight words; state words read (and as many written).
    by_row: Tallied
    row_ends: Tallied  # (T, rows) end markers looked up; empty under a barrier
    # (T, trees) spike packets into each tree of `NodeTable.roots`, in timesteps that are run channel by channel; each passes all
    # nodes of its tree. Else (T, nodes) spike packets through each route node of `Packed`, if `by_event` is not 0.
    tree_packets: Tallied
    node_packets: Tallied
    node_control: Tallied  # (T, nodes) end markers or ready tokens; empty under a barrier
    # Of packets of several spikes alone (`sfnhw.sim.bundles`), else empty: (slices, T) spikes and flits sent; (T, rows) spikes
    # that packets brought; (T, nodes) flits of packets through a route node.
    sent_spikes: Ints
    sent_flits: Ints
    row_spikes: Tallied
    node_flits: Tallied
    busy: Ints  # (cores + 1, 4) cycles of axon look-up, synapse lanes, threshold unit, injection; last row: pins
    link_busy: Ints  # (4·routers,) cycles
    latency_histogram: Ints  # (LATENCY_BINS,) spike packets by latency, the last bin open
    latency_total: Ints  # (2,) sum and largest
    # (samples, 2) of each sample at fidelity `packet`: ticks that packets have waited for links and ports, and
    # routers that they have passed.
    waits: Ints
    layer_start: Ints  # (frames, populations) first cycle of work, −1: none
    layer_end: Ints  # (frames, populations) last cycle of work
    finish: Ints  # (frames,) cycle in which the frame's last output had left the chip, or its last step had ended
    occupied: Ints  # (samples,) cycle in which the chip was empty again; a run fills in the first
    by_event: Ints  # (1,) runs of which all, or the last timesteps, went event by event
    steps: Ints  # (1,) global steps (barrier)
    step_end: Ints  # (any number,) cycle in which each global step had ended, as many as there is room for
    carried: Ints  # (2,) global steps that ended while a port or a link was still taken; whether the last one did
    # Records of `sfnhw.sim.event_records`, end to end; empty: nothing is written down.
    log: Ints
    noted: Ints  # (1,) records so far, those that found no room included
    watch: NDArray[np.bool_]  # (slices,) whose packets, and whose threshold unit's work, are written down
    watch_row: NDArray[np.bool_]  # (rows,) connections whose look-ups and synaptic work are


class State(NamedTuple):
    """Where a run stands. Arrays of its own for what changes, so that the loop neither allocates nor renames any."""

    clock: Ints  # scalars of the loop, see NOW to LOOKS
    slices: Ints  # (parts · 32,) columns NEXT_FRAME to TURN
    look: Ints  # slices whose conditions may have become true
    # (any number · 2,) tick from which each link is free, cycles that it has worked; behind the 4·routers links ticks from
    # which virtual channels of each class are, with o1turn.
    links: Ints
    at: Ints  # (terminals · 16,) columns AXON_FREE to INJECTION_BUSY
    outputs_done: Ints  # (frames,)
    tail: Ints  # (BUCKETS,) last event of each list: those of this turn's cycles, then those of later turns
    many: Ints  # (TURN_SLOTS,) events of later turns so far
    when_born: Ints  # (size · 4,) events; the first ones stand before the first event of each bucket
    events: Words  # (size · 8,) the same memory


def room_of(slices: int, p: Packed) -> int:
    """Events that one event, or one global step, pushes at most."""
    return (
        slices + 8 + p.behind + int(np.diff(p.root_first).max(initial=0) + np.diff(p.ready_root_first).max(initial=0))
    )


def begin(frames: int, room: int, s: SliceTable, p: Packed, f: Fabric, steps: tuple[int, int] | None) -> State:
    """Return an empty chip; steps: the first and the last global step to run, where not all."""
    slices, parts = len(s.neurons), int(p.parts.first[-1])
    state = State(
        clock=np.zeros(9, np.int64),
        slices=np.zeros(parts * 32, np.int64),
        look=np.zeros(slices + 1, np.int64),
        links=np.zeros(4 * f.routers * f.channels.classes * 2, np.int64),
        at=np.zeros((f.cores + 1) * 16, np.int64),
        outputs_done=np.zeros(frames, np.int64),
        tail=np.arange(BUCKETS),
        many=np.zeros(TURN_SLOTS, np.int64),
        **free_events(BUCKETS + FIRST_ROOMS * room),
    )
    state.events.reshape(-1, 8)[:BUCKETS, NEXT] = -1
    of = state.slices.reshape(parts, 32)
    state.clock[FREE] = BUCKETS
    of[:, WAITING_HEAD] = of[:, WAITING_TAIL] = -1
    if f.barrier:
        first, last = steps or (0, global_steps(f, frames) - 1)
        state.clock[STEP], state.clock[FIRST_STEP], state.clock[LAST_STEP] = first, first, last
        of[:, NEXT_FRAME] = np.maximum(0, -(-(first - s.depth * f.window) // f.interval))
    else:
        of[:, FED_IN : FED_IN + WINDOWS] = p.parts.fed
        of[:, TOKENS_IN : TOKENS_IN + WINDOWS] = p.parts.allowed
        state.look[:slices] = np.arange(slices)
        state.clock[LOOKS] = slices
    return state


def global_steps(f: Fabric, frames: int) -> int:
    """Global steps that frames, one after the other, take under barrier execution."""
    return (frames // f.window - 1) * f.interval * f.window + f.last_due + 1 if frames else 0


def grown(state: State) -> State:
    """Return it with twice the room for events."""
    words = len(state.events)
    more = free_events(words // 4)
    more["events"][:words] = state.events
    more["events"][-8 + NEXT] = state.clock[FREE]
    state.clock[FREE] = words // 8
    return state._replace(**more)
