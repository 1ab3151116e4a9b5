"""What slices send in one timestep under a barrier, for `sfnhw.sim.step_kernel`: as the packet kernel sends it, in its order.

Slices do not hear of each other within a timestep. So only their own packets, and the ports that they share, say when each
packet leaves.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.channel_order import MOST_SLICES, SLICE_BITS
from sfnhw.sim.kernel_parts import next_sender, over_pins, spiking_groups, stretch, take_turn
from sfnhw.sim.kernel_state import (
    BEYOND,
    INJECTION_BUSY,
    INJECTION_FREE,
    LEFT,
    NEXT_FRAME,
    NEXT_NEURON,
    NEXT_READY,
    PHASE_END,
    PHASE_START,
    SENT,
    SPIKES,
    THRESHOLD_BUSY,
    THRESHOLD_FREE,
    UPDATES,
    State,
    Tally,
)
from sfnhw.sim.packed import Packed
from sfnhw.sim.tables import Fabric, SliceTable
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]

# Columns of emissions: cycle in which a spike's packets are handed to the port; when they were ready; cycle in which the port
# begins with the first; the slice's emission before (START: none); neuron; slice; first and last of the paths.
HANDED, BORN, PORT, BEFORE, NEURON, SENDER, PATHS, PATHS_END = range(8)
START = -1


# The heap of what is to come has two words an entry: cycle, then its number above the bits of its slice.
@nb.njit(**INNER)
def _rise(heap: Ints, size: int, when: int, what: int) -> int:
    """Put an emission to come into a binary heap; returns its size."""
    k = size
    while k > 0:
        above = (k - 1) >> 1
        x, y = heap[cell(above, 2, 0)], heap[cell(above, 2, 1)]
        if x < when or (x == when and y < what):
            break
        heap[cell(k, 2, 0)], heap[cell(k, 2, 1)] = x, y
        k = above
    heap[cell(k, 2, 0)], heap[cell(k, 2, 1)] = when, what
    return size + 1


@nb.njit(**INNER)
def _sink(heap: Ints, size: int, when: int, what: int) -> None:
    """Put an emission to come in place of the first one of the heap."""
    k = 0
    while 2 * k + 1 < size:
        child = 2 * k + 1
        x, y = heap[cell(child, 2, 0)], heap[cell(child, 2, 1)]
        if child + 1 < size:
            v, w = heap[cell(child + 1, 2, 0)], heap[cell(child + 1, 2, 1)]
            if v < x or (v == x and w < y):
                child, x, y = child + 1, v, w
        if when < x or (when == x and what < y):
            break
        heap[cell(k, 2, 0)], heap[cell(k, 2, 1)] = x, y
        k = child
    heap[cell(k, 2, 0)], heap[cell(k, 2, 1)] = when, what


@nb.njit(nogil=True, cache=True, error_model="numpy")
def start_slices(
    looks: int, now: int, sent: NDArray[np.uint8], T: int, s: SliceTable, p: Packed, f: Fabric, state: State, out: Tally,
    heap: Ints, frame_of: Ints, timestep_of: Ints, before: Ints,
) -> int:  # fmt: skip
    """Let the slices that `state.look` names begin; returns how many there are, with their first emissions in the heap.

    frame_of, timestep_of : (slices,) the frame that each of them works, and its timestep; before : (slices,) its last
    emission, START; all filled in.
    """
    of, at, neurons = state.slices, state.at, s.first_neuron[-1]
    frames, layers = out.layer_start.shape
    by_slice = out.by_slice.reshape(-1)
    layer_start, layer_end = out.layer_start.reshape(-1), out.layer_end.reshape(-1)
    look, part_first, s_terminal, s_neurons, s_first_neuron = (
        state.look,
        p.parts.first,
        s.terminal,
        s.neurons,
        s.first_neuron,
    )
    s_is_input, s_population, s_update_cycles, s_spike_cycles = (
        s.is_input,
        s.population,
        s.update_cycles,
        s.spike_cycles,
    )
    s_flits, root_first, copy_first, lanes, held_up = (
        s.flits,
        p.root_first,
        p.copy_first,
        f.threshold_lanes,
        f.waits_for_port,
    )
    per_neuron, port_cycles, begun = f.per_neuron, f.port_cycles, 0
    for k in range(looks):
        i = look[k]
        o = part_first[i]
        g = of[cell(o, 32, NEXT_FRAME)]
        if g >= frames:
            continue
        frame_of[i], timestep_of[i], before[i], t0, first = g, g % T, START, now, g * neurons
        low, high = s_first_neuron[i], s_first_neuron[i + 1]
        walk = -(-(high - low) // lanes) * s_update_cycles[i]
        if s_spike_cycles[i] > 0:
            walk += s_spike_cycles[i] * spiking_groups(sent, first + low, high - low, lanes, 1, 0)
        if held_up and not s_is_input[i]:
            made = 0
            for j in range(low, high):
                times = int64(sent[place(first + j)])
                if times > 0:
                    made += times * (
                        copy_first[j + 1] - copy_first[j] if per_neuron else root_first[i + 1] - root_first[i]
                    )
            walk += made * max(s_flits[i], port_cycles)
        if not s_is_input[i]:
            core = s_terminal[i]
            t0 = max(now, at[cell(core, 16, THRESHOLD_FREE)])
            at[cell(core, 16, THRESHOLD_FREE)] = t0 + walk
            at[cell(core, 16, THRESHOLD_BUSY)] += walk
            by_slice[cell(i * T + g % T, 6, UPDATES)] += s_neurons[i]
        end = t0 + walk
        of[cell(o, 32, PHASE_START)], of[cell(o, 32, PHASE_END)] = t0, end
        stretch(layer_start, layer_end, cell(g, layers, s_population[i]), t0, end)
        j, when = next_sender(sent, first + low, 0, high - low, 1, 0), end
        if j < high - low:
            of[cell(o, 32, LEFT)] = sent[place(first + low + j)]
            of[cell(o, 32, BEYOND)] = s_spike_cycles[i]
            when = t0 + (j // lanes + 1) * s_update_cycles[i] + s_spike_cycles[i]
        of[cell(o, 32, NEXT_NEURON)], of[cell(o, 32, NEXT_READY)] = j, when
        begun = _rise(heap, begun, when, begun << SLICE_BITS | i)
    return begun


@nb.njit(nogil=True, cache=True, error_model="numpy")
def emit(
    begun: int, sent: NDArray[np.uint8], T: int, s: SliceTable, p: Packed, f: Fabric, state: State, out: Tally,
    heap: Ints, frame_of: Ints, before: Ints, emissions: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Send the packets of a timestep to the ports, in the order in which they are ready.

    emissions : flat, one record a spike.
    Returns the number of emissions, and the last cycle in which a slice had one, or ended.
    """
    of, at, neurons, layers = state.slices, state.at, s.first_neuron[-1], out.layer_start.shape[1]
    by_slice, layer_end = out.by_slice.reshape(-1), out.layer_end.reshape(-1)
    made, number, last_event = 0, begun, 0
    # Arrays of tuples under names of their own: see `sfnhw.sim.packed`.
    part_first, root_first, copy_first, s_terminal, s_neurons = (
        p.parts.first,
        p.root_first,
        p.copy_first,
        s.terminal,
        s.neurons,
    )
    s_first_neuron, s_flits, s_frames, s_population = s.first_neuron, s.flits, s.frames, s.population
    s_update_cycles, s_spike_cycles = s.update_cycles, s.spike_cycles
    lanes, pins, per_neuron, held_up, port_cycles = (
        f.threshold_lanes,
        f.cores,
        f.per_neuron,
        f.waits_for_port,
        f.port_cycles,
    )
    while begun > 0:
        now, i = heap[0], heap[1] & (MOST_SLICES - 1)
        last_event = max(last_event, now)
        o, g = part_first[i], frame_of[i]
        index, terminal = of[cell(o, 32, NEXT_NEURON)], s_terminal[i]
        if index >= s_neurons[i]:
            take_turn(of, o, 0, 1, g, f.window, s_frames[i])
            begun -= 1
            _sink(heap, begun, heap[cell(begun, 2, 0)], heap[cell(begun, 2, 1)])
            continue
        low, high = root_first[i], root_first[i + 1]
        if per_neuron:
            low, high = copy_first[s_first_neuron[i] + index], copy_first[s_first_neuron[i] + index + 1]
        by_slice[cell(i * T + g % T, 6, SENT)] += 1
        flits = s_flits[i]
        cycles = max(flits, port_cycles)
        if terminal == pins:
            cycles = over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)
        start = max(now, at[cell(terminal, 16, INJECTION_FREE)])
        for column, value in (
            (HANDED, now), (BORN, of[cell(o, 32, NEXT_READY)]), (PORT, start), (BEFORE, before[i]), (NEURON, index), (SENDER, i),
            (PATHS, low), (PATHS_END, high),
        ):  # fmt: skip
            emissions[cell(made, 8, column)] = value
        leaves = now
        if high > low:
            leaves = start + cycles * (high - low)
            at[cell(terminal, 16, INJECTION_FREE)] = leaves
            at[cell(terminal, 16, INJECTION_BUSY)] += cycles * (high - low)
            leaves -= flits
        # The next packet: when the threshold unit has it, and not before this one is in the network.
        j, ready = index, of[cell(o, 32, PHASE_END)]
        of[cell(o, 32, BEYOND)] += cycles * (high - low) * (held_up and terminal != pins)
        of[cell(o, 32, LEFT)] -= 1
        if of[cell(o, 32, LEFT)] == 0:
            by_slice[cell(i * T + g % T, 6, SPIKES)] += 1
            first = g * neurons + s_first_neuron[i]
            j = next_sender(sent, first, j + 1, s_neurons[i], 1, 0)
            if j < s_neurons[i]:
                of[cell(o, 32, LEFT)] = sent[place(first + j)]
                if j // lanes != index // lanes:
                    of[cell(o, 32, BEYOND)] += s_spike_cycles[i]
        if j < s_neurons[i]:
            ready = of[cell(o, 32, PHASE_START)] + (j // lanes + 1) * s_update_cycles[i]
            ready += of[cell(o, 32, BEYOND)]
        when = max(ready, max(now, leaves))
        of[cell(o, 32, NEXT_NEURON)], of[cell(o, 32, NEXT_READY)] = j, ready
        layer = cell(g, layers, s_population[i])
        layer_end[layer] = max(layer_end[layer], when)
        _sink(heap, begun, when, number << SLICE_BITS | i)
        before[i] = made
        number += 1
        made += 1
    return made, last_event
