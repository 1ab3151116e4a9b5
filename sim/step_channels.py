"""What one channel does in a timestep, for `sfnhw.sim.step_kernel`: sort what arrives, and serve it.

Packets that arrive in one cycle are served in the order in which the packet kernel meets them. Its events go by cycle, then in
the order in which they were entered: by the cycle of the event that entered them, then of the one before that, and so on back
to the spikes.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.channel_order import CALLED, CALLED_END, FLITS, MORE, NEXT_CHANNEL, NEXT_ITEM, OUT_OWNER, Channels
from sfnhw.sim.channels import ChannelTimes
from sfnhw.sim.kernel_parts import cycle_of, entered, over_pins, parts_of, runs_of, share_of, stretch, tail_of
from sfnhw.sim.kernel_state import (
    AXON_BUSY,
    AXON_FREE,
    EJECTION_FREE,
    LATENCY_BINS,
    PACKETS,
    SYNAPSE_BUSY,
    SYNAPSE_FREE,
)
from sfnhw.sim.packed import (
    POPULATION,
    POSITIONS,
    RUN_FIRST,
    RUN_STRIDE,
    WHOM,
    Packed,
)
from sfnhw.sim.prefetch import prefetch
from sfnhw.sim.step_emission import BEFORE, BORN, HANDED, NEURON, PATHS, PATHS_END, PORT, SENDER
from sfnhw.sim.step_senders import FRAME, START, TIMESTEP, WIDTH
from sfnhw.sim.tables import CYCLES, STATE, SYNAPSES, WORDS, Fabric, SliceTable
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]
Words = NDArray[np.int32]

# Columns of arrivals at a channel: cycle since the timestep began; the arrival before, at the channel before (an emission e
# is −2 − e); emission; item. A key is cycle · 2^32 + arrival.
WHEN, PARENT, EMISSION, ITEM = range(4)
LOW = 2**32 - 1
FINEST = 4  # buckets for each arrival, at most


@nb.njit(**INNER)
def is_before(a: int, b: int, arrivals: Words, emissions: Words) -> bool:
    """Whether arrival a, in the same cycle as b, is entered before it."""
    while True:
        a, b = int64(arrivals[cell(a, 4, PARENT)]), int64(arrivals[cell(b, 4, PARENT)])
        while a < 0 or b < 0:
            if a < 0 and b < 0:
                return a > b  # START, then emissions in their order
            if a == START or b == START:
                return a == START
            x = int64(emissions[cell(-2 - a, 8, HANDED)]) if a < 0 else int64(arrivals[cell(a, 4, WHEN)])
            y = int64(emissions[cell(-2 - b, 8, HANDED)]) if b < 0 else int64(arrivals[cell(b, 4, WHEN)])
            if x != y:
                return x < y
            if a < 0:
                a = int64(emissions[cell(-2 - a, 8, BEFORE)])
                a, b = (START if a == START else -2 - a), int64(arrivals[cell(b, 4, PARENT)])
            else:
                b = int64(emissions[cell(-2 - b, 8, BEFORE)])
                a, b = int64(arrivals[cell(a, 4, PARENT)]), (START if b == START else -2 - b)
        if arrivals[cell(a, 4, WHEN)] != arrivals[cell(b, 4, WHEN)]:
            return arrivals[cell(a, 4, WHEN)] < arrivals[cell(b, 4, WHEN)]


@nb.njit(**INNER)
def _put(arrivals: Words, ends: Words, channel: Any, when: Any, parent: Any, emission: Any, item: Any) -> None:
    """Add an arrival at a channel."""
    e = ends[place(channel)]
    ends[place(channel)] = e + 1
    arrivals[cell(e, 4, WHEN)] = when
    arrivals[cell(e, 4, PARENT)] = parent
    arrivals[cell(e, 4, EMISSION)] = emission
    arrivals[cell(e, 4, ITEM)] = item


@nb.njit(**INNER)
def inject(
    made: int,
    base: int,
    s: SliceTable,
    p: Packed,
    f: Fabric,
    c: Channels,
    shift: int,
    at: Ints,
    emissions: Words,
    arrivals: Words,
    ends: Words,
) -> int:
    """Have every packet arrive at the channels that lead away from its port; returns the last cycle in which one does.

    shift : of `sfnhw.sim.kernel_parts.shift_of` of the ticks of a cycle.
    """
    roots, more, starts, tree_of, last = c.roots, c.more, p.roots, c.tree_of_node, base
    s_flits, s_terminal, ch, pins, port_cycles, injection_cycles = (
        s.flits,
        s.terminal,
        f.channels,
        f.cores,
        f.port_cycles,
        f.injection_cycles,
    )
    for e in range(made):
        i = emissions[cell(e, 8, SENDER)]
        flits, terminal = s_flits[i], s_terminal[i]
        cycles = max(flits, port_cycles)
        if terminal == pins:
            cycles = over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)
        start = base + emissions[cell(e, 8, PORT)] - flits
        for k in range(emissions[cell(e, 8, PATHS)], emissions[cell(e, 8, PATHS_END)]):
            start += cycles
            when = entered(at, terminal, start, flits, ch, shift) + injection_cycles - base
            root = tree_of[place(starts[place(k)])]
            _put(arrivals, ends, roots[cell(root, 4, NEXT_CHANNEL)], when, -2 - e, e, roots[cell(root, 4, NEXT_ITEM)])
            extra = int64(roots[cell(root, 4, MORE)])
            if extra >= 0:
                for q in range(extra + 1, extra + 1 + 2 * more[place(extra)], 2):
                    _put(arrivals, ends, more[place(q + 1)], when, -2 - e, e, more[place(q)])
            last = max(last, when + base)
    return last


@nb.njit(**INNER)
def arrange(first: int, n: int, arrivals: Words, emissions: Words, keys: Ints, buckets: Words) -> None:
    """Sort the n arrivals from `first` on into keys (n,): into buckets by cycle, and what is still out of order by hand.

    buckets : room for `FINEST` · n, and as many more.
    """
    earliest, latest = int64(arrivals[cell(first, 4, WHEN)]), int64(arrivals[cell(first, 4, WHEN)])
    for e in range(first, first + n):
        when = int64(arrivals[cell(e, 4, WHEN)])
        earliest, latest = min(earliest, when), max(latest, when)
    shift = 0
    while (latest - earliest) >> shift > FINEST * n:
        shift += 1
    many = ((latest - earliest) >> shift) + 1
    for k in range(many + 1):
        buckets[place(k)] = 0
    for e in range(first, first + n):
        buckets[place(((arrivals[cell(e, 4, WHEN)] - earliest) >> shift) + 1)] += 1
    before = np.int32(0)
    for k in range(many):
        before += buckets[place(k)]
        buckets[place(k)] = before
    for e in range(first, first + n):
        when = int64(arrivals[cell(e, 4, WHEN)])
        bucket = place((when - earliest) >> shift)
        k = buckets[bucket]
        buckets[bucket] = k + 1
        keys[place(k)] = when << 32 | e
    for k in range(1, n):
        key = keys[place(k)]
        if keys[place(k - 1)] >> 32 < key >> 32:
            continue
        hole = k
        while hole > 0:
            other = keys[place(hole - 1)]
            if other >> 32 < key >> 32:
                break
            if other >> 32 == key >> 32 and is_before(other & LOW, key & LOW, arrivals, emissions):
                break
            keys[place(hole)] = other
            hole -= 1
        keys[place(hole)] = key


# Compiled once for trees that may take any virtual channel, and once for those that have a class of them.
@nb.njit(**INNER)
def serve_link(
    n: int, keys: Ints, base: int, router_cycles: int, ch: ChannelTimes, shift: int, link_cycles: int, flit_cycles: int,
    links: Ints, link: int, vc_class: Any, items: Words, more: Words, arrivals: Words, ends: Words,
) -> tuple[int, int]:  # fmt: skip
    """Send what has arrived over a link; returns the last cycle in which a packet enters the router behind it, and waits.

    vc_class : of `Channels`, or None.
    """
    V, free, busy, waited, when = ch.ticks, links[cell(link, 2, 0)], 0, 0, base
    # Of a packet of F flits the link is taken for F · each ticks, and its virtual channels for `parts_taken`.
    each, once, serial = max(flit_cycles, ch.moves) * V, ch.share * ch.link.packet, ch.share * ch.link.serial
    if vc_class is None:
        each = max(each, ch.share * ch.link.flit)
    else:
        lanes = links.shape[0] // 6  # behind the links there are as many places for each of two classes
    for k in range(n):
        key = keys[place(k)]
        e = key & LOW
        item, emission = arrivals[cell(e, 4, ITEM)], arrivals[cell(e, 4, EMISSION)]
        flits = int64(items[cell(item, 4, FLITS)])
        leaves = (base + (key >> 32) + router_cycles) * V
        begin, held = max(free, leaves), flits * each
        if vc_class is None:
            free = begin + max(held, once + flits * serial)
        else:
            own = cell(link + vc_class[place(item)] * lanes, 2, 0)
            begin = max(begin, links[own])
            free = begin + held
            links[own] = begin + max(held, share_of(ch, vc_class[place(item)]) * parts_of(ch.link, flits))
        waited += begin - leaves
        busy += flits * flit_cycles
        when = cycle_of(begin, V, shift) + link_cycles + flits * (flit_cycles - 1) - base
        _put(arrivals, ends, items[cell(item, 4, NEXT_CHANNEL)], when, e, emission, items[cell(item, 4, NEXT_ITEM)])
        extra = int64(items[cell(item, 4, MORE)])
        if extra >= 0:
            for q in range(extra + 1, extra + 1 + 2 * more[place(extra)], 2):
                _put(arrivals, ends, more[place(q + 1)], when, e, emission, more[place(q)])
    links[cell(link, 2, 0)] = free
    links[cell(link, 2, 1)] += busy
    return base + when, waited


@nb.njit(**INNER)
def leave(
    n: int, keys: Ints, base: int, router_cycles: int, ch: ChannelTimes, shift: int, ejection_cycles: int, num: int, den: int,
    at: Ints, terminal: int, items: Words, calls: Words, arrivals: Words, emissions: Words, histogram: Ints, leaves: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """Let what has arrived at a terminal out of the network.

    num, den : cycles a flit takes beyond it, as a fraction. leaves : (n,) cycles in which packets are out, filled in.
    Returns waits, the sum of the latencies and the largest.
    """
    V, free, waited, total, most = ch.ticks, at[cell(terminal, 16, EJECTION_FREE)], 0, 0, 0
    length, hold, beyond = 0, 0, 0  # of the packet before: most are as long
    for k in range(n):
        key = keys[place(k)]
        e = key & LOW
        item, emission = arrivals[cell(e, 4, ITEM)], arrivals[cell(e, 4, EMISSION)]
        flits = int64(items[cell(item, 4, FLITS)])
        if flits != length:
            length, out = flits, over_pins(flits, num, den)
            hold = max(ch.share * parts_of(ch.exit, flits), V * out)
            beyond = max(1 + tail_of(flits, ch.moves, ch.crossing), out)
        leaves_at = (base + (key >> 32) + router_cycles) * V
        begin = max(free, leaves_at)
        free = begin + hold
        waited += begin - leaves_at
        arrive = cycle_of(begin, V, shift) + ejection_cycles + beyond - 1
        leaves[place(k)] = arrive
        latency = arrive - base - emissions[cell(emission, 8, BORN)]
        histogram[place(min(latency, LATENCY_BINS - 1))] += 1
        total += latency
        most = max(most, latency)
        prefetch(calls, cell(items[cell(item, 4, CALLED)], 16, 0))
    at[cell(terminal, 16, EJECTION_FREE)] = free
    return waited, total, most


@nb.njit(**INNER)
def reach_pins(
    n: int, keys: Ints, leaves: Ints, arrivals: Words, items: Words, works: Ints, population: Ints, layer_end: Ints,
    layers: int, last: int,
) -> int:  # fmt: skip
    """Have the layers end with the packets that leave the chip; returns the last cycle in which one does, `last` at least."""
    for k in range(n):
        owner = items[cell(arrivals[cell(keys[place(k)] & LOW, 4, ITEM)], 4, OUT_OWNER)]
        layer = cell(works[cell(owner, WIDTH, FRAME)], layers, population[place(owner)])
        layer_end[layer] = max(layer_end[layer], leaves[place(k)])
        last = max(last, leaves[place(k)])
    return last


@nb.njit(**INNER)
def fetch_rows(
    n: int, keys: Ints, items: Words, calls: Words, runs: Any, by_row: Any, rows: int, arrivals: Words,
    emissions: Words, works: Ints,
) -> None:  # fmt: skip
    """Fetch what the look-ups at a core read, which is far apart in memory; `leave` has fetched their calls."""
    for k in range(n):
        e = keys[place(k)] & LOW
        item = arrivals[cell(e, 4, ITEM)]
        call, t = (
            items[cell(item, 4, CALLED)],
            works[cell(items[cell(item, 4, OUT_OWNER)], WIDTH, TIMESTEP)],
        )
        prefetch(by_row, cell(t * rows + calls[cell(call, 16, WHOM)], 4, 0))
        index = int64(emissions[cell(arrivals[cell(e, 4, EMISSION)], 8, NEURON)])
        if calls[cell(call, 16, POSITIONS)] > 1:
            index = int64(np.uint32(index) // np.uint32(calls[cell(call, 16, POSITIONS)]))
        prefetch(runs, place(calls[cell(call, 16, RUN_FIRST)] + index * calls[cell(call, 16, RUN_STRIDE)]))


@nb.njit(**INNER)
def work(
    n: int, keys: Ints, leaves: Ints, terminal: int, axon_cycles: int, overlap: bool, per_neuron: bool, at: Ints,
    items: Words, calls: Words, runs: Any, taps: Words, costs: Ints, by_row: Any, rows: int, layer_start: Ints,
    layer_end: Ints, layers: int, arrivals: Words, emissions: Words, works: Ints,
) -> None:  # fmt: skip
    """Look up what has left the network at a core, and work off its synapses."""
    axon_free, lanes_free = at[cell(terminal, 16, AXON_FREE)], at[cell(terminal, 16, SYNAPSE_FREE)]
    lookups, lanes_busy = 0, 0
    for k in range(n):
        e = keys[place(k)] & LOW
        item, emission = arrivals[cell(e, 4, ITEM)], arrivals[cell(e, 4, EMISSION)]
        low, high, owner = (
            int64(items[cell(item, 4, CALLED)]),
            int64(items[cell(item, 4, CALLED_END)]),
            items[cell(item, 4, OUT_OWNER)],
        )
        g, t = works[cell(owner, WIDTH, FRAME)], works[cell(owner, WIDTH, TIMESTEP)]
        index, arrive = int64(emissions[cell(emission, 8, NEURON)]), leaves[place(k)]
        for call in range(low, high):
            cost, each = runs_of(calls, runs, taps, call, index)
            cycles = each * costs[cell(cost, 4, CYCLES)]
            if per_neuron and high - low > 1 and cycles == 0:
                continue  # its neuron has no synapses there
            row = cell(t * rows + calls[cell(call, 16, WHOM)], 4, 0)
            looked_up = max(arrive, axon_free)
            axon_free = looked_up + axon_cycles
            lookups += 1
            by_row[row + place(PACKETS)] += 1
            lanes_free = max(axon_free, lanes_free) + cycles
            if not overlap:
                axon_free = lanes_free
            lanes_busy += cycles
            by_row[row + place(SYNAPSES)] += each * costs[cell(cost, 4, SYNAPSES)]
            by_row[row + place(WORDS)] += each * costs[cell(cost, 4, WORDS)]
            by_row[row + place(STATE)] += each * costs[cell(cost, 4, STATE)]
            stretch(layer_start, layer_end, cell(g, layers, calls[cell(call, 16, POPULATION)]), looked_up, lanes_free)
    at[cell(terminal, 16, AXON_FREE)], at[cell(terminal, 16, SYNAPSE_FREE)] = axon_free, lanes_free
    at[cell(terminal, 16, AXON_BUSY)] += lookups * axon_cycles
    at[cell(terminal, 16, SYNAPSE_BUSY)] += lanes_busy
