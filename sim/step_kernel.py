"""Barrier execution channel by channel: what the packet kernel finds event by event, to the cycle, in a fraction of its time.

Under a barrier nothing that arrives in a timestep changes what is sent in it. Where the channels stand in an order
(`sfnhw.sim.channel_order`) each is then worked off once a timestep: what arrives there, all of it from channels that have been
worked off before, is sorted by time and served (`sfnhw.sim.step_channels`). No event is ever looked for, and what a channel
needs stays in the processor's caches.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.channel_order import CYCLES, FIRST_ITEM, FLIT_CYCLES, IS_LINK, WHERE, Channels
from sfnhw.sim.kernel_parts import any_taken, end_step, last_work, look_at_due, over_pins, parts_of, shift_of, tail_of
from sfnhw.sim.kernel_state import (
    DELIVERED,
    EJECTION_FREE,
    ENTRY_FREE,
    FIRST_STEP,
    INJECTION_FREE,
    LAST_EVENT,
    LAST_STEP,
    NOW,
    STEP,
    THRESHOLD_FREE,
    State,
    Tally,
)
from sfnhw.sim.packed import Packed
from sfnhw.sim.step_channels import arrange, fetch_rows, inject, leave, reach_pins, serve_link, work
from sfnhw.sim.step_emission import emit, empty_wheel
from sfnhw.sim.step_senders import TIMESTEP, WIDTH, count_packets, list_senders, start_slices
from sfnhw.sim.tables import Fabric, SliceTable
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]
Words = NDArray[np.int32]

# Cycles since the timestep began are numbers of 32 bits.
MOST = 2**31 - 1


@nb.njit(nogil=True, cache=True, error_model="numpy")
def run_steps(
    sent: NDArray[np.uint8],
    T: int,
    s: SliceTable,
    p: Packed,
    f: Fabric,
    c: Channels,
    state: State,
    out: Tally,
    room: int,
) -> bool:
    """Run timesteps until all are done (True), or one has too many packets for it, which the packet kernel then goes on with.

    The state is that of the packet kernel between two timesteps. room : arrivals at channels, of one timestep, at most.
    """
    frames, clock, at = out.layer_start.shape[0], state.clock, state.at
    trees, slices, channels = c.roots.shape[0] // 4, s.neurons.shape[0], c.channels.shape[0] // 8
    packets, entered, many = np.zeros(trees, np.int32), np.zeros(trees + 1, np.int32), 0
    begins, ends = np.zeros(channels, np.int32), np.zeros(channels, np.int32)
    senders, works, wheel = (
        np.empty(2 * s.first_neuron[-1] + 2, np.int32),
        np.zeros(slices * WIDTH, np.int64),
        empty_wheel(slices),
    )
    emissions, arrivals = np.empty(8, np.int32), np.empty(4, np.int32)
    keys, leaves, buckets = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32)
    now, step, last_event = clock[NOW], clock[STEP], clock[LAST_EVENT]
    longest, ticks, done = _at_most(s, f, c), f.channels.ticks, False
    shift = shift_of(ticks)
    while not done:
        then = now
        if step > clock[FIRST_STEP]:
            then = last_work(at, last_event) + f.barrier_cycles
        done, looks, spikes, total, most = step > clock[LAST_STEP], 0, 0, 0, 0
        if not done:
            looks = look_at_due(state.look, 0, step, s.depth, s.frames, f.window, f.interval, frames)
            spikes = list_senders(looks, sent, T, s, p, state, senders, works)
            paths, many = count_packets(looks, s, p, f, c, state, senders, works, packets, entered, many)
            total, most = _size_blocks(packets, c, begins)
            if total > room or _latest(then, spikes * paths, most, longest, c.levels, ticks, state) > MOST:
                break
        if step > clock[FIRST_STEP]:
            now = then
            taken = any_taken(state.links, at, now, ticks)
            end_step(out, step - clock[FIRST_STEP], step - 1 - f.last_due, f.window, f.interval, now, taken)
        if done:
            break
        step += 1
        last_event = max(last_event, now)
        if spikes * 8 > emissions.shape[0]:
            emissions = np.empty(12 * spikes, np.int32)
        if total * 4 > arrivals.shape[0]:
            arrivals = np.empty(6 * total, np.int32)
        if most > leaves.shape[0]:
            keys, leaves, buckets = (
                np.empty(2 * most, np.int64),
                np.empty(2 * most, np.int64),
                np.empty(12 * most, np.int32),
            )
        start_slices(looks, now, T, s, p, f, state, out, senders, works)
        made, last = emit(looks, now, s, p, f, state, out, senders, works, wheel, emissions)
        last_event = max(last_event, last)
        if total > 0:
            _tally(packets, entered, many, T, c, works, out)
            ends[:] = begins
            last_event = max(last_event, inject(made, now, s, p, f, c, shift, at, emissions, arrivals, ends))
            last = _sweep(
                now, s, p, f, c, shift, state, out, emissions, works, arrivals, begins, ends, keys, leaves, buckets,
            )  # fmt: skip
            last_event = max(last_event, last)
    clock[NOW], clock[STEP], clock[LAST_EVENT] = now, step, last_event
    return done


@nb.njit(**INNER)
def _size_blocks(packets: Words, c: Channels, begins: Words) -> tuple[int, int]:
    """Find where the arrivals at each channel begin; returns how many there are, and most at any channel."""
    tree_of_item, channels = c.tree_of_item, c.channels
    total, most = 0, 0
    for k in range(channels.shape[0] // 8 - 1):
        begins[place(k)] = total
        here = 0
        for item in range(channels[cell(k, 8, FIRST_ITEM)], channels[cell(k + 1, 8, FIRST_ITEM)]):
            here += int64(packets[place(tree_of_item[place(item)])])
        total += here
        most = max(most, here)
    begins[-1] = total
    return total, most


@nb.njit(nogil=True, cache=True)  # its sums allocate
def _at_most(s: SliceTable, f: Fabric, c: Channels) -> tuple[int, int, int, int]:
    """Cycles at most: that a port is taken by a packet, and the router's end of it; that a channel is; that a packet passes one
    in; that all walks take.
    """
    channels, flits, ch, slowest, furthest = c.channels, s.flits.max(), f.channels, 1, 0
    for k in range(channels.shape[0] // 8 - 1):
        slowest = max(slowest, int64(channels[cell(k, 8, FLIT_CYCLES)]))
        furthest = max(furthest, int64(channels[cell(k, 8, CYCLES)]))
    held = max(flits * max(slowest, ch.moves), over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den))
    share = max(ch.share, max(ch.share_rows_first, ch.share_columns_first))
    ticks = max(held * ch.ticks, share * max(parts_of(ch.link, flits), parts_of(ch.exit, flits)))
    port = max(held, f.port_cycles) + ch.share * parts_of(ch.entry, flits) // ch.ticks + 1
    walks = (s.neurons * s.update_cycles).sum() + (s.neurons * s.spike_cycles).sum()
    passed = f.router_cycles + furthest + f.injection_cycles + held + tail_of(flits, ch.moves, ch.crossing)
    return port, ticks // ch.ticks + 1, passed, walks


@nb.njit(**INNER)
def _latest(
    now: int, sends: int, most: int, longest: tuple[int, int, int, int], levels: int, ticks: int, state: State
) -> int:
    """Cycles of a timestep after which no arrival can be, if it begins now with at most so many packets at any channel.

    sends : packets that enter the network; longest : of `_at_most`; ticks : of a cycle.
    """
    links, at, last = state.links, state.at, now
    port, taken, passed, walks = longest
    for k in range(0, links.shape[0], 2):
        last = max(last, links[k] // ticks + 1)
    for k in range(0, at.shape[0], 16):
        last = max(last, max(at[k + ENTRY_FREE], at[k + EJECTION_FREE]) // ticks + 1)
        last = max(last, max(at[k + INJECTION_FREE], at[k + THRESHOLD_FREE]))
    # The walk of every slice, each packet of which may hold it up, the ports, then one channel after the other.
    return last - now + walks + 2 * sends * port + (levels + 1) * (passed + (most + 1) * taken)


@nb.njit(**INNER)
def _tally(packets: Words, entered: Words, many: int, T: int, c: Channels, works: Ints, out: Tally) -> None:
    """Add what follows from the packets of each tree alone."""
    tree_packets = out.tree_packets.reshape(-1)
    trees, by_slice, tree, owner, passed = packets.shape[0], out.by_slice.reshape(-1), c.tree, c.owner, 0
    for k in range(many):
        r = entered[place(k)]
        here, i = int64(packets[place(r)]), owner[place(r)]
        t = works[cell(i, WIDTH, TIMESTEP)]
        tree_packets[cell(t, trees, r)] += here
        passed += here * tree[cell(r, 2, 0)]
        by_slice[cell(i * T + t, 6, DELIVERED)] += here * tree[cell(r, 2, 1)]
    out.waits[0, 1] += passed


@nb.njit(**INNER)
def _sweep(
    base: int, s: SliceTable, p: Packed, f: Fabric, c: Channels, shift: int, state: State, out: Tally, emissions: Words,
    works: Ints, arrivals: Words, begins: Words, ends: Words, keys: Ints, leaves: Ints, buckets: Words,
) -> int:  # fmt: skip
    """Work off every channel; returns the last cycle in which a packet enters a router or leaves the chip."""
    channels, items, more, links, at, histogram = (
        c.channels,
        c.items,
        c.more,
        state.links,
        state.at,
        out.latency_histogram,
    )
    calls, runs, taps, costs, by_row = p.calls, p.runs, p.taps, p.costs, out.by_row.reshape(-1)
    layer_start, layer_end, population = out.layer_start.reshape(-1), out.layer_end.reshape(-1), s.population
    vc_class = c.vc_class
    rows, layers, ch = out.by_row.shape[1], out.layer_start.shape[1], f.channels
    pins, overlap, per_neuron = f.cores, f.axon_overlap, f.per_neuron
    last, waited, total, largest = base, 0, 0, out.latency_total[1]
    for k in range(channels.shape[0] // 8 - 1):
        first, n, where = (
            int64(begins[place(k)]),
            int64(begins[place(k + 1)] - begins[place(k)]),
            channels[cell(k, 8, WHERE)],
        )
        if n == 0:
            continue
        arrange(first, n, arrivals, emissions, keys, buckets)
        if channels[cell(k, 8, IS_LINK)]:
            far, slow = int64(channels[cell(k, 8, CYCLES)]), int64(channels[cell(k, 8, FLIT_CYCLES)])
            if vc_class.shape[0] > 0:
                when, waits = serve_link(
                    n, keys, base, f.router_cycles, ch, shift, far, slow, links, int64(where), vc_class, items, more, arrivals,
                    ends,
                )  # fmt: skip
            else:
                when, waits = serve_link(
                    n, keys, base, f.router_cycles, ch, shift, far, slow, links, int64(where), None, items, more, arrivals, ends
                )  # fmt: skip
            last, waited = max(last, when), waited + waits
            continue
        num, den = (f.io_flit_cycles_num, f.io_flit_cycles_den) if where == pins else (1, 1)
        waits, latency, most = leave(
            n, keys, base, f.router_cycles, ch, shift, f.ejection_cycles, num, den, at, int64(where), items, calls, arrivals,
            emissions, histogram, leaves,
        )  # fmt: skip
        waited, total, largest = waited + waits, total + latency, max(largest, most)
        if where == pins:
            last = reach_pins(n, keys, leaves, arrivals, items, works, population, layer_end, layers, last)
            continue
        fetch_rows(n, keys, items, calls, runs, by_row, rows, arrivals, emissions, works)
        work(
            n, keys, leaves, int64(where), f.axon_cycles, overlap, per_neuron, at, items, calls, runs, taps, costs,
            by_row, rows, layer_start, layer_end, layers, arrivals, emissions, works,
        )  # fmt: skip
    out.waits[0, 0] += waited
    out.latency_total[0] += total
    out.latency_total[1] = largest
    return last
