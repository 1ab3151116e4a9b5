"""Who sends in a timestep under a barrier, and when each slice begins, for `sfnhw.sim.step_kernel`: as in the packet kernel."""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.channel_order import Channels
from sfnhw.sim.kernel_parts import over_pins, stretch
from sfnhw.sim.kernel_state import NEXT_FRAME, SENT, SPIKES, THRESHOLD_BUSY, THRESHOLD_FREE, UPDATES, State, Tally
from sfnhw.sim.packed import Packed
from sfnhw.sim.tables import Fabric, SliceTable
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]
Words = NDArray[np.int32]

# Columns of senders: neuron of its slice, spikes that it sends.
WHO, TIMES = range(2)
# Columns of what a slice works in a timestep: its frame, and timestep of the sample; where its senders begin (and then, the one
# at the port), and end; spikes and packets that all of them send; first and last cycle of its walk.
FRAME, TIMESTEP, SENDER_AT, SENDERS_END, SPIKES_SENT, PACKETS_SENT, WALK, WALK_END = range(8)
# When the next spike's packets are handed to the port, and when they are ready; spikes that the neuron at the port has still
# to send; cycles that spikes have added to the walk so far; the emission before (START: none); cycles that a packet takes the
# port, and that it adds to the walk.
DUE, READY, LEFT, BEYOND, LAST_EMISSION, HOLDS, HOLDS_UP = range(8, 15)
WIDTH = 16
START = -1


@nb.njit(**INNER)
def list_senders(
    looks: int, sent: NDArray[np.uint8], T: int, s: SliceTable, p: Packed, state: State, senders: Words, works: Ints
) -> int:
    """Find the neurons that send something, of the slices that `state.look` names; returns how many spikes they send.

    senders : (neurons + 1, 2) flat; works : (slices, 16) flat; both are filled in.
    """
    first_neuron, look, of, part_first = s.first_neuron, state.look, state.slices, p.parts.first
    neurons, many, spikes = first_neuron[-1], 0, 0
    for k in range(looks):
        i = look[k]
        g = of[cell(part_first[i], 32, NEXT_FRAME)]
        works[cell(i, WIDTH, FRAME)], works[cell(i, WIDTH, TIMESTEP)] = g, g % T
        works[cell(i, WIDTH, SENDER_AT)] = many
        here, first = 0, g * neurons + first_neuron[i]
        # Without a branch: which neurons send cannot be foretold.
        for j in range(first_neuron[i + 1] - first_neuron[i]):
            times = int64(sent[place(first + j)])
            senders[cell(many, 2, WHO)], senders[cell(many, 2, TIMES)] = j, times
            many += int64(times > 0)
            here += times
        works[cell(i, WIDTH, SENDERS_END)], works[cell(i, WIDTH, SPIKES_SENT)] = many, here
        spikes += here
    return spikes


@nb.njit(**INNER)
def count_packets(
    looks: int, s: SliceTable, p: Packed, f: Fabric, c: Channels, state: State, senders: Words, works: Ints, packets: Words,
    entered: Words, before: int,
) -> tuple[int, int]:  # fmt: skip
    """Count the packets of a timestep that enter each tree (trees,); returns the most paths of one spike, and trees entered.

    entered : (trees + 1,) which these are; at first the `before` ones of the timestep before.
    """
    for k in range(before):
        packets[place(entered[place(k)])] = 0
    copy_first, root_first, starts, tree_of = p.copy_first, p.root_first, p.roots, c.tree_of_node
    look, first_neuron, paths, many, per_neuron = state.look, s.first_neuron, 0, 0, f.per_neuron
    for k in range(looks):
        i = look[k]
        spikes, copies = works[cell(i, WIDTH, SPIKES_SENT)], 0
        if per_neuron:
            for n in range(works[cell(i, WIDTH, SENDER_AT)], works[cell(i, WIDTH, SENDERS_END)]):
                j, times = first_neuron[i] + senders[cell(n, 2, WHO)], int64(senders[cell(n, 2, TIMES)])
                low, high = copy_first[place(j)], copy_first[place(j + 1)]
                paths, copies = max(paths, high - low), copies + times * (high - low)
                for q in range(low, high):
                    many = _enter(packets, entered, many, tree_of[place(starts[place(q)])], times)
        elif spikes > 0:
            low, high = root_first[i], root_first[i + 1]
            paths, copies = max(paths, high - low), spikes * (high - low)
            for q in range(low, high):
                many = _enter(packets, entered, many, tree_of[place(starts[place(q)])], spikes)
        works[cell(i, WIDTH, PACKETS_SENT)] = copies
    return paths, many


# Without a branch: which tree is new cannot be foretold.
@nb.njit(**INNER)
def _enter(packets: Words, entered: Words, many: int, tree: Any, more: int) -> int:
    """Have more packets, at least one, enter a tree; returns how many trees packets have entered."""
    here = packets[place(tree)]
    packets[place(tree)] = here + more
    entered[place(many)] = tree
    return many + int64(here == 0)


@nb.njit(**INNER)
def start_slices(
    looks: int,
    now: int,
    T: int,
    s: SliceTable,
    p: Packed,
    f: Fabric,
    state: State,
    out: Tally,
    senders: Words,
    works: Ints,
) -> None:
    """Let the slices that `state.look` names begin their walks; fills in the rest of `works`."""
    at, look, layers, lanes = state.at, state.look, out.layer_start.shape[1], f.threshold_lanes
    by_slice, layer_start, layer_end = out.by_slice.reshape(-1), out.layer_start.reshape(-1), out.layer_end.reshape(-1)
    terminals, neurons, is_input, population, flits = s.terminal, s.neurons, s.is_input, s.population, s.flits
    update_cycles, spike_cycles = s.update_cycles, s.spike_cycles
    held_up, pins, port_cycles = f.waits_for_port, f.cores, f.port_cycles
    for k in range(looks):
        i = look[k]
        w, core, t0 = i * WIDTH, terminals[i], now
        counts = (i * T + works[place(w + TIMESTEP)]) * 6
        low, high = works[cell(i, WIDTH, SENDER_AT)], works[cell(i, WIDTH, SENDERS_END)]
        holds = max(flits[i], port_cycles)
        if core == pins:
            holds = over_pins(flits[i], f.io_flit_cycles_num, f.io_flit_cycles_den)
        walk = -(-neurons[i] // lanes) * update_cycles[i]
        if spike_cycles[i] > 0:
            walk += spike_cycles[i] * _groups(senders, low, high, lanes)
        if held_up and not is_input[i]:
            walk += works[place(w + PACKETS_SENT)] * max(flits[i], port_cycles)
        if not is_input[i]:
            t0 = max(now, at[cell(core, 16, THRESHOLD_FREE)])
            at[cell(core, 16, THRESHOLD_FREE)] = t0 + walk
            at[cell(core, 16, THRESHOLD_BUSY)] += walk
            by_slice[place(counts + UPDATES)] += neurons[i]
        by_slice[place(counts + SENT)] += works[place(w + SPIKES_SENT)]
        by_slice[place(counts + SPIKES)] += high - low
        works[place(w + WALK)], works[place(w + WALK_END)] = t0, t0 + walk
        works[place(w + HOLDS)], works[place(w + HOLDS_UP)] = holds, holds * (held_up and core != pins)
        works[place(w + LAST_EMISSION)], works[place(w + DUE)] = START, t0 + walk
        stretch(layer_start, layer_end, cell(works[place(w + FRAME)], layers, population[i]), t0, t0 + walk)
        works[place(w + LEFT)] = 0
        if low < high:
            works[place(w + LEFT)], works[place(w + BEYOND)] = senders[cell(low, 2, TIMES)], spike_cycles[i]
            first = t0 + (group_of(int64(senders[cell(low, 2, WHO)]), lanes) + 1) * update_cycles[i] + spike_cycles[i]
            works[place(w + DUE)], works[place(w + READY)] = first, first


@nb.njit(**INNER)
def group_of(index: int, lanes: int) -> int:
    """Return which group of `lanes` neurons one is in; a processor's division is slow, and most threshold units have one lane."""
    return index if lanes == 1 else index // lanes


@nb.njit(**INNER)
def _groups(senders: Words, low: int, high: int, lanes: int) -> int:
    """Groups of `lanes` neurons of a slice in which any sends something."""
    groups, before = 0, -1
    for n in range(low, high):
        group = group_of(int64(senders[cell(n, 2, WHO)]), lanes)
        groups += int64(group != before)
        before = group
    return groups
