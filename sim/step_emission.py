"""What slices send in one timestep under a barrier, for `sfnhw.sim.step_kernel`: as the packet kernel sends it, in its order.

Slices do not hear of each other within a timestep. So only their own packets, and the ports that they share, say when each
packet leaves.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.kernel_parts import over_pins, stretch, take_turn
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


@nb.njit(**INNER)
def _later(heap: Ints, a: int, b: int) -> bool:
    """Whether entry a of the heap comes after entry b: by cycle, then in the order of entering."""
    x, y = heap[cell(a, 4, 0)], heap[cell(b, 4, 0)]
    return x > y or (x == y and heap[cell(a, 4, 1)] > heap[cell(b, 4, 1)])


@nb.njit(**INNER)
def _swap(heap: Ints, a: int, b: int) -> None:
    for k in range(4):
        heap[cell(a, 4, k)], heap[cell(b, 4, k)] = heap[cell(b, 4, k)], heap[cell(a, 4, k)]


@nb.njit(**INNER)
def _enter(heap: Ints, size: int, when: int, number: int, sender: int, before: int) -> int:
    """Put an emission to come into a binary heap; returns its size."""
    k = size
    heap[cell(k, 4, 0)], heap[cell(k, 4, 1)], heap[cell(k, 4, 2)], heap[cell(k, 4, 3)] = when, number, sender, before
    while k > 0 and _later(heap, (k - 1) >> 1, k):
        _swap(heap, (k - 1) >> 1, k)
        k = (k - 1) >> 1
    return size + 1


@nb.njit(**INNER)
def _sink(heap: Ints, size: int) -> None:
    """Let the first entry of a heap sink to its place."""
    k = 0
    while 2 * k + 1 < size:
        child = 2 * k + 1
        if child + 1 < size and _later(heap, child, child + 1):
            child += 1
        if not _later(heap, k, child):
            break
        _swap(heap, k, child)
        k = child


@nb.njit(**INNER)
def _next(sent: NDArray[np.uint8], first: int, j: int, neurons: int) -> int:
    """Return the first neuron from j on that sends something, or `neurons`."""
    while j < neurons and sent[np.uint64(first + j)] == 0:
        j += 1
    return j


@nb.njit(nogil=True, cache=True, error_model="numpy")
def _walk(sent: NDArray[np.uint8], frame: int, i: int, s: SliceTable, p: Packed, f: Fabric) -> int:
    """Cycles that the threshold unit walks over slice i, as `sfnhw.sim.kernel_parts.walk_cycles`; the frame begins there."""
    lanes, first, last, copy_first = f.threshold_lanes, s.first_neuron[i], s.first_neuron[i + 1], p.copy_first
    walk = -(-(last - first) // lanes) * s.update_cycles[i]
    groups, made = 0, 0
    if s.spike_cycles[i] > 0:
        for begin in range(first, last, lanes):
            fires = False
            for j in range(begin, min(begin + lanes, last)):
                fires |= sent[place(frame + j)] > 0
            groups += fires
    if f.waits_for_port and not s.is_input[i]:
        trees = p.root_first[i + 1] - p.root_first[i]
        for j in range(first, last):
            times = int64(sent[place(frame + j)])
            if times > 0:
                made += times * (copy_first[j + 1] - copy_first[j] if f.per_neuron else trees)
    return walk + groups * s.spike_cycles[i] + made * max(s.flits[i], f.port_cycles)


@nb.njit(nogil=True, cache=True, error_model="numpy")
def start_slices(
    looks: int, now: int, sent: NDArray[np.uint8], T: int, s: SliceTable, p: Packed, f: Fabric, state: State, out: Tally,
    heap: Ints, frame_of: Ints,
) -> int:  # fmt: skip
    """Let the slices that `state.look` names begin; returns how many there are, with their first emissions in the heap.

    frame_of : (slices,) the frame that each of them works, filled in.
    """
    of, at, neurons = state.slices, state.at, s.first_neuron[-1]
    frames, layers = out.layer_start.shape
    by_slice = out.by_slice.reshape(-1)
    layer_start, layer_end = out.layer_start.reshape(-1), out.layer_end.reshape(-1)
    begun = 0
    for k in range(looks):
        i = state.look[k]
        o = p.parts.first[i]
        g = of[cell(o, 32, NEXT_FRAME)]
        if g >= frames:
            continue
        frame_of[i], t0 = g, now
        walk = _walk(sent, g * neurons, i, s, p, f)
        if not s.is_input[i]:
            core = s.terminal[i]
            t0 = max(now, at[cell(core, 16, THRESHOLD_FREE)])
            at[cell(core, 16, THRESHOLD_FREE)] = t0 + walk
            at[cell(core, 16, THRESHOLD_BUSY)] += walk
            by_slice[cell(i * T + g % T, 6, UPDATES)] += s.neurons[i]
        end = t0 + walk
        of[cell(o, 32, PHASE_START)], of[cell(o, 32, PHASE_END)] = t0, end
        stretch(layer_start, layer_end, cell(g, layers, s.population[i]), t0, end)
        first = g * neurons + s.first_neuron[i]
        j, when = _next(sent, first, 0, s.neurons[i]), end
        if j < s.neurons[i]:
            of[cell(o, 32, LEFT)] = sent[place(first + j)]
            of[cell(o, 32, BEYOND)] = s.spike_cycles[i]
            when = t0 + (j // f.threshold_lanes + 1) * s.update_cycles[i] + s.spike_cycles[i]
        of[cell(o, 32, NEXT_NEURON)], of[cell(o, 32, NEXT_READY)] = j, when
        begun = _enter(heap, begun, when, begun, i, START)
    return begun


@nb.njit(nogil=True, cache=True, error_model="numpy")
def emit(
    begun: int, sent: NDArray[np.uint8], T: int, s: SliceTable, p: Packed, f: Fabric, state: State, out: Tally,
    heap: Ints, frame_of: Ints, emissions: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Send the packets of a timestep to the ports, in the order in which they are ready.

    emissions : flat, one record a spike.
    Returns the number of emissions, and the last cycle in which a slice had one, or ended.
    """
    of, at, neurons, layers = state.slices, state.at, s.first_neuron[-1], out.layer_start.shape[1]
    by_slice, layer_end = out.by_slice.reshape(-1), out.layer_end.reshape(-1)
    made, number, last_event = 0, begun, 0
    # Arrays of tuples under names of their own: see `sfnhw.sim.packed`.
    part_first, root_first, copy_first, s_terminal, s_neurons = p.parts.first, p.root_first, p.copy_first, s.terminal, s.neurons
    s_first_neuron, s_flits, s_frames, s_population = s.first_neuron, s.flits, s.frames, s.population
    s_update_cycles, s_spike_cycles = s.update_cycles, s.spike_cycles
    lanes, pins, per_neuron, held_up, port_cycles = f.threshold_lanes, f.cores, f.per_neuron, f.waits_for_port, f.port_cycles
    while begun > 0:
        now, i, before = heap[0], heap[2], heap[3]
        last_event = max(last_event, now)
        o, g = part_first[i], frame_of[i]
        index, terminal = of[cell(o, 32, NEXT_NEURON)], s_terminal[i]
        if index >= s_neurons[i]:
            take_turn(of, o, 0, 1, g, f.window, s_frames[i])
            begun -= 1
            _swap(heap, 0, begun)
            _sink(heap, begun)
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
            (HANDED, now), (BORN, of[cell(o, 32, NEXT_READY)]), (PORT, start), (BEFORE, before), (NEURON, index), (SENDER, i),
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
            j = _next(sent, first, j + 1, s_neurons[i])
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
        heap[0], heap[1], heap[3] = when, number, made
        number += 1
        made += 1
        _sink(heap, begun)
    return made, last_event
