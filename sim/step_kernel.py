"""Barrier execution channel by channel: what the packet kernel finds event by event, to the cycle, in a fraction of its time.

Under a barrier nothing that arrives in a timestep changes what is sent in it. Where the channels stand in an order
(`sfnhw.sim.channel_order`) each is then worked off once a timestep: what arrives there, from a few channels that have been
worked off before, each a list in order of time, is merged and served. No event is ever looked for, and what a channel needs
stays in the processor's caches. Packets that arrive in one cycle are served in the order in which the packet kernel meets
them: its events go by cycle, then in the order in which they were entered, so by the cycle of the event before, and so on.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.channel_order import (
    CYCLES as LINK_CYCLES,
)
from sfnhw.sim.channel_order import (
    EXIT,
    EXIT_OWNER,
    FIRST_ITEM,
    FIRST_RUN,
    FLIT_CYCLES,
    FLITS,
    IS_LINK,
    MORE,
    NEXT_ITEM,
    NEXT_RUN,
    WHERE,
    Channels,
)
from sfnhw.sim.kernel_parts import any_taken, end_step, last_work, look_at_due, over_pins, shift_of, stretch
from sfnhw.sim.kernel_state import (
    AXON_BUSY,
    AXON_FREE,
    DELIVERED,
    EJECTION_FREE,
    FIRST_STEP,
    INJECTION_FREE,
    LAST_EVENT,
    LAST_STEP,
    LATENCY_BINS,
    NEXT_FRAME,
    NOW,
    PACKETS,
    STEP,
    SYNAPSE_BUSY,
    SYNAPSE_FREE,
    THRESHOLD_FREE,
    State,
    Tally,
)
from sfnhw.sim.packed import (
    CALLS,
    CALLS_END,
    COST_FIRST,
    POPULATION,
    POSITIONS,
    RUN_FIRST,
    RUN_STRIDE,
    TAPS_FIRST,
    TAPS_STRIDE,
    WHOM,
    Packed,
)
from sfnhw.sim.prefetch import prefetch
from sfnhw.sim.step_emission import (
    BEFORE,
    BORN,
    HANDED,
    NEURON,
    PATHS,
    PATHS_END,
    PORT,
    SENDER,
    START,
    emit,
    start_slices,
)
from sfnhw.sim.tables import CYCLES, STATE, SYNAPSES, WORDS, Fabric, SliceTable
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]
Words = NDArray[np.int32]

# Columns of arrivals at a channel: cycle since the timestep began; the arrival before, at the channel before (an emission e
# is −2 − e); emission; item.
WHEN, PARENT, EMISSION, ITEM = range(4)
# Cycles since the timestep began are numbers of 32 bits; more arrivals than fit in half a gibibyte are not kept at once.
MOST, ROOM = 2**31 - 1, 2**25
LOW, LAST = 2**32 - 1, 2**63 - 1


@nb.njit(nogil=True, cache=True)
def _is_before(a: int, b: int, arrivals: Words, emissions: Ints, base: int) -> bool:
    """Whether arrival a, in the same cycle as b, is entered before it."""
    while True:
        a, b = int64(arrivals[cell(a, 4, PARENT)]), int64(arrivals[cell(b, 4, PARENT)])
        while a < 0 or b < 0:
            if a < 0 and b < 0:
                return a > b  # START, then emissions in their order
            if a == START or b == START:
                return a == START
            x = emissions[cell(-2 - a, 8, HANDED)] - base if a < 0 else int64(arrivals[cell(a, 4, WHEN)])
            y = emissions[cell(-2 - b, 8, HANDED)] - base if b < 0 else int64(arrivals[cell(b, 4, WHEN)])
            if x != y:
                return x < y
            if a < 0:
                a = emissions[cell(-2 - a, 8, BEFORE)]
                a, b = (START if a == START else -2 - a), int64(arrivals[cell(b, 4, PARENT)])
            else:
                b = emissions[cell(-2 - b, 8, BEFORE)]
                a, b = int64(arrivals[cell(a, 4, PARENT)]), (START if b == START else -2 - b)
        x, y = arrivals[cell(a, 4, WHEN)], arrivals[cell(b, 4, WHEN)]
        if x != y:
            return x < y


@nb.njit(**INNER)
def _put(arrivals: Words, ends: Words, run: Any, when: Any, parent: Any, emission: Any, item: Any) -> None:
    """Add an arrival to a list."""
    e = ends[place(run)]
    ends[place(run)] = e + 1
    arrivals[cell(e, 4, WHEN)] = when
    arrivals[cell(e, 4, PARENT)] = parent
    arrivals[cell(e, 4, EMISSION)] = emission
    arrivals[cell(e, 4, ITEM)] = item


@nb.njit(nogil=True, cache=True)
def _size_lists(packets: Words, c: Channels, begins: Words) -> tuple[int, int]:
    """Find where each list begins (runs + 1,); returns how many arrivals there are, and most at any channel."""
    items, run_first, channels = c.root_of_item, c.run_first, c.channels
    total, most = 0, 0
    for k in range(channels.shape[0] // 8 - 1):
        before = total
        for run in range(channels[cell(k, 8, FIRST_RUN)], channels[cell(k + 1, 8, FIRST_RUN)]):
            begins[place(run)] = total
            for item in range(run_first[place(run)], run_first[place(run + 1)]):
                total += packets[place(items[place(item)])]
        most = max(most, total - before)
    begins[place(run_first.shape[0] - 1)] = total
    return total, most


@nb.njit(nogil=True, cache=True)
def _latest(
    now: int, spikes: int, paths: int, most: int, s: SliceTable, p: Packed, f: Fabric, c: Channels, state: State
) -> int:
    """Cycles of a timestep after which no arrival can be, if it begins now with at most so many packets at any channel."""
    V, flits, last, slowest, furthest = f.virtual_channels, s.flits.max(), now, 1, 0
    for k in range(c.channels.shape[0] // 8 - 1):
        slowest = max(slowest, int64(c.channels[cell(k, 8, FLIT_CYCLES)]))
        furthest = max(furthest, int64(c.channels[cell(k, 8, LINK_CYCLES)]))
    held = max(flits * slowest, max(f.port_cycles, over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)))
    ticks = max(held * V, max(f.hold_cycles, flits * f.credit_ticks))
    for k in range(0, state.links.shape[0], 2):
        last = max(last, state.links[k] // V + 1)
    for k in range(0, state.at.shape[0], 16):
        last = max(last, max(state.at[k + INJECTION_FREE], state.at[k + EJECTION_FREE] // V + 1))
        last = max(last, state.at[k + THRESHOLD_FREE])
    # The walk of every slice, each packet of which may hold it up, then one channel after the other.
    sends = spikes * paths * held
    walk = sends + (s.neurons * s.update_cycles).sum() + (s.neurons * s.spike_cycles).sum()
    each = f.router_cycles + furthest + f.injection_cycles + held + (most + 1) * (ticks // V + 1)
    return last - now + walk + sends + (c.levels + 1) * each


@nb.njit(nogil=True, cache=True)
def _inject(
    made: int, base: int, s: SliceTable, f: Fabric, c: Channels, emissions: Ints, arrivals: Words, ends: Words
) -> int:
    """Put every packet into the lists that lead away from its port; returns the last cycle in which one enters a router."""
    roots, more, last = c.roots, c.more, base
    for e in range(made):
        i = emissions[cell(e, 8, SENDER)]
        flits = s.flits[i]
        cycles = max(flits, f.port_cycles)
        if s.terminal[i] == f.cores:
            cycles = over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)
        when = emissions[cell(e, 8, PORT)] - flits + f.injection_cycles
        for k in range(emissions[cell(e, 8, PATHS)], emissions[cell(e, 8, PATHS_END)]):
            when += cycles
            root = c.root_of[place(k)]
            _put(arrivals, ends, roots[cell(root, 4, NEXT_RUN)], when - base, -2 - e, e, roots[cell(root, 4, NEXT_ITEM)])
            extra = int64(roots[cell(root, 4, MORE)])
            if extra >= 0:
                for q in range(extra + 1, extra + 1 + 2 * more[place(extra)], 2):
                    _put(arrivals, ends, more[place(q + 1)], when - base, -2 - e, e, more[place(q)])
        last = max(last, when)
    return last


@nb.njit(**INNER)
def _halvings(lists: int) -> int:
    """Rounds in which so many lists are merged two and two into one."""
    rounds = 0
    while lists > 1:
        lists = (lists + 1) // 2
        rounds += 1
    return rounds


@nb.njit(nogil=True, cache=True)
def _zip(x: int, nx: int, y: int, ny: int, to: int, keys: Ints, arrivals: Words, emissions: Ints, base: int) -> None:
    """Merge nx keys from place x and ny from place y of `keys`, behind each of which is one larger than all, to place `to`."""
    a, b = keys[place(x)], keys[place(y)]
    for n in range(nx + ny):
        if a >> 32 == b >> 32:
            second = not _is_before(a & LOW, b & LOW, arrivals, emissions, base)
        else:
            second = b < a
        keys[place(to + n)] = b if second else a
        x += not second
        y += second
        a, b = keys[place(x)], keys[place(y)]
    keys[place(to + nx + ny)] = LAST


@nb.njit(nogil=True, cache=True)
def _merge(
    first: int, end: int, begins: Words, ends: Words, arrivals: Words, emissions: Ints, base: int, keys: Ints
) -> tuple[int, int]:
    """Merge the lists of a channel, runs first to end, in order of time, two and two.

    keys : room for three times all of them, and as many more as there are lists: cycle · 2^32 + arrival.
    Returns where in `keys` they begin, and how many they are.
    """
    at, size, lists, to = np.empty(end - first, np.int64), np.empty(end - first, np.int64), 0, 0
    for run in range(first, end):
        low, high = int64(begins[place(run)]), int64(ends[place(run)])
        if low < high:
            at[lists], size[lists] = to, high - low
            lists += 1
            for e in range(low, high):
                keys[place(to)] = int64(arrivals[cell(e, 4, WHEN)]) << 32 | e
                to += 1
            keys[place(to)] = LAST
            to += 1
    while lists > 1:
        merged = 0
        for k in range(0, lists - 1, 2):
            _zip(at[k], size[k], at[k + 1], size[k + 1], to, keys, arrivals, emissions, base)
            at[merged], size[merged] = to, size[k] + size[k + 1]
            to += size[merged] + 1
            merged += 1
        if lists % 2:
            at[merged], size[merged] = at[lists - 1], size[lists - 1]
            merged += 1
        lists = merged
    return at[0], size[0]


@nb.njit(nogil=True, cache=True, error_model="numpy")
def _serve_link(
    channel: int, first: int, n: int, keys: Ints, base: int, f: Fabric, c: Channels, state: State, out: Tally, arrivals: Words,
    ends: Words,
) -> int:  # fmt: skip
    """Send what has arrived over a link; returns the last cycle in which a packet enters the router behind it."""
    V, shift, links, items, more = f.virtual_channels, shift_of(f.virtual_channels), state.links, c.items, c.more
    link, router_cycles, credit_ticks, hold = c.channels[cell(channel, 8, WHERE)], f.router_cycles, f.credit_ticks, f.hold_cycles
    link_cycles, flit_cycles = int64(c.channels[cell(channel, 8, LINK_CYCLES)]), int64(c.channels[cell(channel, 8, FLIT_CYCLES)])
    free, busy, waited, when = links[cell(link, 2, 0)], 0, 0, base
    for k in range(n):
        key = keys[place(first + k)]
        e = key & LOW
        item, emission = arrivals[cell(e, 4, ITEM)], arrivals[cell(e, 4, EMISSION)]
        flits = int64(items[cell(item, 4, FLITS)])
        leave = (base + (key >> 32) + router_cycles) * V
        begin, held = max(free, leave), flits * flit_cycles
        free = begin + max(held * V, max(hold, flits * credit_ticks))
        waited += begin - leave
        busy += held
        depart = (begin + V - 1) >> shift if shift >= 0 else (begin + V - 1) // V
        when = depart + link_cycles + held - flits
        _put(arrivals, ends, items[cell(item, 4, NEXT_RUN)], when - base, e, emission, items[cell(item, 4, NEXT_ITEM)])
        extra = int64(items[cell(item, 4, MORE)])
        if extra >= 0:
            for q in range(extra + 1, extra + 1 + 2 * more[place(extra)], 2):
                _put(arrivals, ends, more[place(q + 1)], when - base, e, emission, more[place(q)])
    links[cell(link, 2, 0)] = free
    links[cell(link, 2, 1)] += busy
    out.waits[0, 0] += waited
    return when


@nb.njit(nogil=True, cache=True, error_model="numpy")
def _leave(
    terminal: int, first: int, n: int, keys: Ints, base: int, f: Fabric, c: Channels, state: State, out: Tally, arrivals: Words,
    emissions: Ints, p: Packed, leaves: Ints,
) -> int:  # fmt: skip
    """Let what has arrived out of the network at a terminal; leaves : (n,) when, filled in. Returns the last cycle."""
    V, shift, at, items = f.virtual_channels, shift_of(f.virtual_channels), state.at, c.items
    histogram, pins = out.latency_histogram, terminal == f.cores
    free, waited, total, most, arrive = at[cell(terminal, 16, EJECTION_FREE)], 0, 0, 0, base
    exits = p.exits
    for k in range(n):
        key = keys[place(first + k)]
        e = key & LOW
        item, emission = arrivals[cell(e, 4, ITEM)], arrivals[cell(e, 4, EMISSION)]
        flits = int64(items[cell(item, 4, FLITS)])
        beyond, hold = flits, max(flits * V, f.hold_cycles)
        if pins:
            beyond = over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)
            hold = max(hold, V * beyond)
        leave = (base + (key >> 32) + f.router_cycles) * V
        begin = max(free, leave)
        free = begin + hold
        waited += begin - leave
        depart = (begin + V - 1) >> shift if shift >= 0 else (begin + V - 1) // V
        arrive = depart + f.ejection_cycles + beyond - 1
        leaves[place(k)] = arrive
        latency = arrive - emissions[cell(emission, 8, BORN)]
        histogram[place(min(latency, LATENCY_BINS - 1))] += 1
        total += latency
        most = max(most, latency)
        prefetch(exits, cell(items[cell(item, 4, EXIT)], 4, 0))
    at[cell(terminal, 16, EJECTION_FREE)] = free
    out.waits[0, 0] += waited
    out.latency_total[0] += total
    out.latency_total[1] = max(out.latency_total[1], most)
    return arrive


@nb.njit(nogil=True, cache=True, error_model="numpy")
def _work(
    terminal: int, first: int, n: int, keys: Ints, leaves: Ints, T: int, f: Fabric, c: Channels, state: State, out: Tally,
    arrivals: Words, emissions: Ints, frame_of: Ints, s: SliceTable, p: Packed,
) -> None:  # fmt: skip
    """Look up what has left the network at a core, and work off its synapses."""
    at, items, exits, calls, runs, taps, costs = state.at, c.items, p.exits, p.calls, p.runs, p.taps, p.costs
    by_row, n_rows, layers = out.by_row.reshape(-1), out.by_row.shape[1], out.layer_start.shape[1]
    layer_start, layer_end = out.layer_start.reshape(-1), out.layer_end.reshape(-1)
    axon_cycles, overlap, per_neuron, population = f.axon_cycles, f.axon_overlap, f.per_neuron, s.population
    axon_free, lanes_free = at[cell(terminal, 16, AXON_FREE)], at[cell(terminal, 16, SYNAPSE_FREE)]
    lookups, lanes_busy, pins = 0, 0, terminal == f.cores
    for k in range(n):
        key = keys[place(first + k)]
        e = key & LOW
        item, emission = arrivals[cell(e, 4, ITEM)], arrivals[cell(e, 4, EMISSION)]
        exit_, g = items[cell(item, 4, EXIT)], frame_of[place(items[cell(item, 4, EXIT_OWNER)])]
        index, arrive, t = emissions[cell(emission, 8, NEURON)], leaves[place(k)], g % T
        low, high = int64(exits[cell(exit_, 4, CALLS)]), int64(exits[cell(exit_, 4, CALLS_END)])
        if pins:
            layer = cell(g, layers, population[place(items[cell(item, 4, EXIT_OWNER)])])
            layer_end[layer] = max(layer_end[layer], arrive)
            continue
        for call in range(low, high):
            major, minor = index, 0
            if calls[cell(call, 16, POSITIONS)] > 1:
                divisor = np.uint32(calls[cell(call, 16, POSITIONS)])
                quotient = np.uint32(index) // divisor
                major, minor = int64(quotient), int64(np.uint32(index) - quotient * divisor)
            run = runs[place(calls[cell(call, 16, RUN_FIRST)] + major * calls[cell(call, 16, RUN_STRIDE)])]
            cost = calls[cell(call, 16, COST_FIRST)] + run
            each = int64(taps[place(calls[cell(call, 16, TAPS_FIRST)] + minor * calls[cell(call, 16, TAPS_STRIDE)])])
            cycles = each * costs[cell(cost, 4, CYCLES)]
            if per_neuron and high - low > 1 and cycles == 0:
                continue  # its neuron has no synapses there
            row = cell(t * n_rows + calls[cell(call, 16, WHOM)], 4, 0)
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


@nb.njit(nogil=True, cache=True)
def _count(
    looks: int, sent: NDArray[np.uint8], s: SliceTable, p: Packed, f: Fabric, c: Channels, state: State, frames: int,
    packets: Words,
) -> tuple[int, int]:  # fmt: skip
    """Count the packets of a timestep that enter each tree (trees,); returns spikes, and the most paths of one."""
    packets[:] = 0
    neurons, spikes, paths, per_neuron = s.first_neuron[-1], 0, 0, f.per_neuron
    copy_first, root_first, root_of, first_neuron = p.copy_first, p.root_first, c.root_of, s.first_neuron
    look, of, part_first = state.look, state.slices, p.parts.first
    for k in range(looks):
        i = look[k]
        g = of[cell(part_first[i], 32, NEXT_FRAME)]
        if g >= frames:
            continue
        first, here = g * neurons, 0
        for j in range(first_neuron[i], first_neuron[i + 1]):
            times = int64(sent[place(first + j)])
            here += times
            if times > 0 and per_neuron:
                paths = max(paths, copy_first[j + 1] - copy_first[j])
                for q in range(copy_first[j], copy_first[j + 1]):
                    packets[place(root_of[place(q)])] += times
        if not per_neuron:
            paths = max(paths, root_first[i + 1] - root_first[i])
            for q in range(root_first[i], root_first[i + 1]):
                packets[place(root_of[place(q)])] += here
        spikes += here
    return spikes, paths


@nb.njit(nogil=True, cache=True)
def _tally(packets: Words, T: int, c: Channels, owner: Ints, frame_of: Ints, out: Tally, sums: Ints) -> None:
    """Add what follows from the packets of each tree alone; sums (T, trees) are spread over nodes at the end."""
    trees, by_slice, tree, passed = packets.shape[0], out.by_slice.reshape(-1), c.tree, 0
    for r in range(trees):
        many = int64(packets[place(r)])
        if many > 0:
            i = owner[place(r)]
            t = frame_of[place(i)] % T
            sums[cell(t, trees, r)] += many
            passed += many * tree[cell(r, 2, 0)]
            by_slice[cell(i * T + t, 6, DELIVERED)] += many * tree[cell(r, 2, 1)]
    out.waits[0, 1] += passed


@nb.njit(nogil=True, cache=True)
def _spread(sums: Ints, trees: int, c: Channels, out: Tally) -> None:
    """Add the packets of each tree to those of its nodes."""
    T, nodes = out.node_packets.shape
    node_packets, root_of_node = out.node_packets.reshape(-1), c.root_of_node
    for t in range(T):
        for node in range(root_of_node.shape[0]):
            node_packets[cell(t, nodes, node)] += sums[cell(t, trees, root_of_node[place(node)])]


@nb.njit(nogil=True, cache=True)
def _fetch_items(channel: int, c: Channels) -> None:
    """Fetch the items of a channel, while the one before is worked off."""
    channels, items = c.channels, c.items
    if channel + 1 < channels.shape[0] // 8:
        for item in range(channels[cell(channel, 8, FIRST_ITEM)], channels[cell(channel + 1, 8, FIRST_ITEM)], 4):
            prefetch(items, cell(item, 4, 0))


@nb.njit(nogil=True, cache=True)
def _fetch_rows(first: int, n: int, keys: Ints, c: Channels, p: Packed, out: Tally, arrivals: Words, emissions: Ints) -> None:
    """Fetch what the look-ups at a core read, which is far apart in memory: one kind after the other."""
    items, exits, calls, runs = c.items, p.exits, p.calls, p.runs
    for k in range(first, first + n):
        prefetch(calls, cell(exits[cell(items[cell(arrivals[cell(keys[place(k)] & LOW, 4, ITEM)], 4, EXIT)], 4, CALLS)], 16, 0))
    for k in range(first, first + n):
        e = keys[place(k)] & LOW
        call = exits[cell(items[cell(arrivals[cell(e, 4, ITEM)], 4, EXIT)], 4, CALLS)]
        index = emissions[cell(arrivals[cell(e, 4, EMISSION)], 8, NEURON)]
        if calls[cell(call, 16, POSITIONS)] > 1:
            index = int64(np.uint32(index) // np.uint32(calls[cell(call, 16, POSITIONS)]))
        prefetch(runs, place(calls[cell(call, 16, RUN_FIRST)] + index * calls[cell(call, 16, RUN_STRIDE)]))


@nb.njit(nogil=True, cache=True)
def _sweep(
    base: int, T: int, s: SliceTable, p: Packed, f: Fabric, c: Channels, state: State, out: Tally, emissions: Ints,
    frame_of: Ints, arrivals: Words, begins: Words, ends: Words, keys: Ints, leaves: Ints,
) -> int:  # fmt: skip
    """Work off every channel; returns the last cycle in which a packet enters a router or leaves the chip."""
    last, channels = base, c.channels
    for k in range(channels.shape[0] // 8 - 1):
        where, first, end = channels[cell(k, 8, WHERE)], channels[cell(k, 8, FIRST_RUN)], channels[cell(k + 1, 8, FIRST_RUN)]
        if begins[place(first)] == begins[place(end)]:
            continue
        _fetch_items(k + 1, c)
        at, n = _merge(first, end, begins, ends, arrivals, emissions, base, keys)
        if channels[cell(k, 8, IS_LINK)]:
            last = max(last, _serve_link(k, at, n, keys, base, f, c, state, out, arrivals, ends))
        else:
            left = _leave(where, at, n, keys, base, f, c, state, out, arrivals, emissions, p, leaves)
            if where == f.cores:
                last = max(last, left)
            else:
                _fetch_rows(at, n, keys, c, p, out, arrivals, emissions)
            _work(where, at, n, keys, leaves, T, f, c, state, out, arrivals, emissions, frame_of, s, p)
    return last


@nb.njit(nogil=True, cache=True, error_model="numpy")
def run_steps(
    sent: NDArray[np.uint8], T: int, s: SliceTable, p: Packed, f: Fabric, c: Channels, owner: Ints, state: State, out: Tally
) -> bool:
    """Run timesteps until all are done (True), or one has too many packets for it, which the packet kernel then goes on with.

    owner : (trees,) slice. The state is that of the packet kernel between two timesteps.
    """
    frames, clock, at = out.layer_start.shape[0], state.clock, state.at
    trees, slices, runs = c.roots.shape[0] // 4, s.neurons.shape[0], c.run_first.shape[0] - 1
    packets, sums = np.zeros(trees, np.int32), np.zeros(T * trees, np.int64)
    begins, ends = np.zeros(runs + 1, np.int32), np.zeros(runs + 1, np.int32)
    heap, frame_of = np.empty(4 * (slices + 1), np.int64), np.zeros(slices, np.int64)
    emissions, arrivals = np.empty(8, np.int64), np.empty(4, np.int32)
    keys, leaves = np.empty(1, np.int64), np.empty(1, np.int64)
    now, step, last_event = clock[NOW], clock[STEP], clock[LAST_EVENT]
    rounds, done = 1, False
    for k in range(c.channels.shape[0] // 8 - 1):
        rounds = max(rounds, 2 + _halvings(c.channels[cell(k + 1, 8, FIRST_RUN)] - c.channels[cell(k, 8, FIRST_RUN)]))
    while not done:
        then = now
        if step > clock[FIRST_STEP]:
            then = last_work(at, last_event) + f.barrier_cycles
        done, looks, spikes = step > clock[LAST_STEP], 0, 0
        if not done:
            looks = look_at_due(state.look, 0, step, s.depth, s.frames, f.window, f.interval, frames)
            spikes, paths = _count(looks, sent, s, p, f, c, state, frames, packets)
            total, most = _size_lists(packets, c, begins)
            if total > ROOM or _latest(then, spikes, paths, most, s, p, f, c, state) > MOST:
                break
        if step > clock[FIRST_STEP]:
            now = then
            end_step(
                out, step - clock[FIRST_STEP], step - 1 - f.last_due, f.window, f.interval, now,
                any_taken(state.links, at, now, f.virtual_channels),
            )  # fmt: skip
        if done:
            break
        step += 1
        last_event = max(last_event, now)
        if spikes * 8 > emissions.shape[0]:
            emissions = np.empty(12 * spikes, np.int64)
        if total * 4 > arrivals.shape[0]:
            arrivals = np.empty(6 * total, np.int32)
        if most > leaves.shape[0]:
            # Of a channel's lists no merge keeps more than once what they hold, and the next one is behind it.
            keys, leaves = np.empty(2 * rounds * (most + runs), np.int64), np.empty(2 * most, np.int64)
        begun = start_slices(looks, now, sent, T, s, p, f, state, out, heap, frame_of)
        made, last = emit(begun, sent, T, s, p, f, state, out, heap, frame_of, emissions)
        last_event = max(last_event, last)
        if total > 0:
            _tally(packets, T, c, owner, frame_of, out, sums)
            ends[:] = begins
            last_event = max(last_event, _inject(made, now, s, f, c, emissions, arrivals, ends))
            last = _sweep(now, T, s, p, f, c, state, out, emissions, frame_of, arrivals, begins, ends, keys, leaves)
            last_event = max(last_event, last)
    _spread(sums, trees, c, out)
    clock[NOW], clock[STEP], clock[LAST_EVENT] = now, step, last_event
    return done
