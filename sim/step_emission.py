"""What slices send in one timestep under a barrier, for `sfnhw.sim.step_kernel`: as the packet kernel sends it, in its order.

Slices do not hear of each other within a timestep. So only their own packets, and the ports that they share, say when each
packet leaves. What comes next of each slice stands in a wheel of cycles, a list for each, in which later turns have the same
lists (Varghese and Lauck 1987, "Hashed and hierarchical timing wheels", scheme 6): a list is in the order of entry, as events
of one cycle are.
"""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.kernel_parts import take_turn
from sfnhw.sim.kernel_state import INJECTION_BUSY, INJECTION_FREE, State, Tally
from sfnhw.sim.noc.bits import lowest
from sfnhw.sim.packed import Packed
from sfnhw.sim.step_senders import (
    BEYOND,
    DUE,
    FRAME,
    HOLDS,
    HOLDS_UP,
    LAST_EMISSION,
    LEFT,
    READY,
    SENDER_AT,
    SENDERS_END,
    TIMES,
    WALK,
    WALK_END,
    WHO,
    WIDTH,
    group_of,
)
from sfnhw.sim.tables import Fabric, SliceTable
from sfnhw.sim.wheel import cell, int64, place

Ints = NDArray[np.int64]
Words = NDArray[np.int32]

# Columns of emissions, in cycles since the timestep began: when a spike's packets are handed to the port; when they were ready;
# when the port begins with the first. The slice's emission before (START: none); neuron; slice; first and last of the paths.
HANDED, BORN, PORT, BEFORE, NEURON, SENDER, PATHS, PATHS_END = range(8)
# Lists of the wheel, and words of 64 bits that say which are not empty.
LISTS, MARKS = 1024, 16
NEVER = 2**62


class Wheel(NamedTuple):
    """Slices whose next spike is to come, by cycle; empty between timesteps.

    Attributes
    ----------
    heads, tails : (LISTS,) first and last slice of each list; −1: none. following : (slices,) the next one.
    marks : (MARKS,) which lists are not empty, a bit each.
    """

    heads: Words
    tails: Words
    following: Words
    marks: Ints


@nb.njit(nogil=True, cache=True)
def empty_wheel(slices: int) -> Wheel:
    """Return a wheel in which nothing is to come."""
    none = np.int32(-1)
    return Wheel(
        np.full(LISTS, none, np.int32),
        np.full(LISTS, none, np.int32),
        np.empty(slices, np.int32),
        np.zeros(MARKS, np.int64),
    )


@nb.njit(**INNER)
def _line_up(heads: Words, tails: Words, following: Words, marks: Ints, i: int, when: int) -> None:
    """Put a slice at the end of the list of a cycle."""
    slot = when & (LISTS - 1)
    following[place(i)] = -1
    if heads[place(slot)] < 0:
        heads[place(slot)] = i
        marks[place(slot >> 6)] |= 1 << (slot & 63)
    else:
        following[place(tails[place(slot)])] = i
    tails[place(slot)] = i


@nb.njit(**INNER)
def _take_out(heads: Words, tails: Words, following: Words, slot: int, before: int, i: int) -> None:
    """Take a slice, which comes behind another one (−1: is the first), out of a list."""
    after = following[place(i)]
    if before < 0:
        heads[place(slot)] = after
    else:
        following[place(before)] = after
    if after < 0:
        tails[place(slot)] = before


@nb.njit(**INNER)
def _until_next(marks: Ints, slot: int) -> int:
    """Cycles until the next list that is not empty, of which there must be one: 1 to LISTS."""
    first = (slot + 1) & (LISTS - 1)
    word, bit = first >> 6, first & 63
    mask, cycles = np.int64(np.uint64(marks[place(word)]) >> np.uint64(bit)), 1
    if mask == 0:
        cycles += 64 - bit
        word = (word + 1) & (MARKS - 1)
        while marks[place(word)] == 0:
            cycles += 64
            word = (word + 1) & (MARKS - 1)
        mask = marks[place(word)]
    return cycles + lowest(mask)


@nb.njit(**INNER)
def _earliest(looks: int, look: Ints, works: Ints) -> int:
    """Cycle of the next spike to come, of which there must be one."""
    when = NEVER
    for k in range(looks):
        if works[cell(look[k], WIDTH, LEFT)] > 0:
            when = min(when, works[cell(look[k], WIDTH, DUE)])
    return when


@nb.njit(**INNER)
def _send(
    now: int, base: int, i: int, low: int, high: int, flits: int, terminal: int, lanes: int, updates: int, spikes: int, at: Ints,
    senders: Words, works: Ints, emissions: Words, made: int,
) -> int:  # fmt: skip
    """Hand the next spike of slice i, by paths [low, high), to the port; returns the cycle of the one after, or of the walk's end.

    updates, spikes : cycles of the walk, as in `SliceTable`.
    """
    w = i * WIDTH
    n, holds = works[place(w + SENDER_AT)], works[place(w + HOLDS)]
    index = int64(senders[cell(n, 2, WHO)])
    start = max(now, at[cell(terminal, 16, INJECTION_FREE)])
    emissions[cell(made, 8, HANDED)], emissions[cell(made, 8, BORN)] = now - base, works[place(w + READY)] - base
    emissions[cell(made, 8, PORT)], emissions[cell(made, 8, BEFORE)] = start - base, works[place(w + LAST_EMISSION)]
    emissions[cell(made, 8, NEURON)], emissions[cell(made, 8, SENDER)] = index, i
    emissions[cell(made, 8, PATHS)], emissions[cell(made, 8, PATHS_END)] = low, high
    works[place(w + LAST_EMISSION)] = made
    leaves = now
    if high > low:
        leaves = start + holds * (high - low)
        at[cell(terminal, 16, INJECTION_FREE)] = leaves
        at[cell(terminal, 16, INJECTION_BUSY)] += holds * (high - low)
        leaves -= flits
    # The next packet: when the threshold unit has it, and not before this one is in the network.
    beyond, left = works[place(w + BEYOND)] + works[place(w + HOLDS_UP)] * (high - low), works[place(w + LEFT)] - 1
    j = index
    if left == 0:
        n += 1
        works[place(w + SENDER_AT)] = n
        if n < works[place(w + SENDERS_END)]:
            j, left = int64(senders[cell(n, 2, WHO)]), int64(senders[cell(n, 2, TIMES)])
            beyond += spikes * (group_of(j, lanes) != group_of(index, lanes))
    works[place(w + LEFT)], works[place(w + BEYOND)] = left, beyond
    ready = works[place(w + WALK_END)]
    if left > 0:
        ready = works[place(w + WALK)] + (group_of(j, lanes) + 1) * updates + beyond
    works[place(w + READY)] = ready
    when = max(ready, max(now, leaves))
    works[place(w + DUE)] = when
    return when


@nb.njit(**INNER)
def emit(
    looks: int, base: int, s: SliceTable, p: Packed, f: Fabric, state: State, out: Tally, senders: Words, works: Ints,
    wheel: Wheel, emissions: Words,
) -> tuple[int, int]:  # fmt: skip
    """Send the packets of a timestep, which begins in cycle `base`, to the ports, in the order in which they are ready.

    emissions : flat, one record a spike.
    Returns the number of emissions, and the last cycle in which a slice had one, or ended.
    """
    of, at, look, part_first, root_first, copy_first = (
        state.slices, state.at, state.look, p.parts.first, p.root_first, p.copy_first,
    )  # fmt: skip
    first_neuron, terminals, flits, population, updates, spikes = (
        s.first_neuron, s.terminal, s.flits, s.population, s.update_cycles, s.spike_cycles,
    )  # fmt: skip
    heads, tails, following, marks = wheel.heads, wheel.tails, wheel.following, wheel.marks
    lanes, per_neuron, made, waiting, now = f.threshold_lanes, f.per_neuron, 0, 0, NEVER
    for k in range(looks):
        i = look[k]
        if works[cell(i, WIDTH, LEFT)] > 0:
            due = works[cell(i, WIDTH, DUE)]
            _line_up(heads, tails, following, marks, i, due)
            waiting, now = waiting + 1, min(now, due)
    latest = now
    while waiting > 0:
        slot, before = now & (LISTS - 1), -1
        i = int64(heads[place(slot)])
        while i >= 0:
            if works[cell(i, WIDTH, DUE)] == now:
                _take_out(heads, tails, following, slot, before, i)
                low, high = root_first[i], root_first[i + 1]
                if per_neuron:
                    j = first_neuron[i] + senders[cell(works[cell(i, WIDTH, SENDER_AT)], 2, WHO)]
                    low, high = copy_first[place(j)], copy_first[place(j + 1)]
                when = _send(
                    now, base, i, low, high, flits[i], terminals[i], lanes, updates[i], spikes[i], at, senders, works, emissions, made
                )  # fmt: skip
                made, latest = made + 1, now
                if works[cell(i, WIDTH, LEFT)] > 0:
                    _line_up(heads, tails, following, marks, i, when)
                else:
                    waiting -= 1
            else:
                before = i
            i = int64(heads[place(slot)] if before < 0 else following[place(before)])
        if heads[place(slot)] < 0:
            marks[place(slot >> 6)] &= ~(1 << (slot & 63))
        if waiting > 0:
            now += _until_next(marks, slot)
            if now - latest > LISTS:  # all lists have been looked at in vain: what comes next is some turns away
                now = latest = _earliest(looks, look, works)
    last_event, window, layers = 0, f.window, out.layer_start.shape[1]
    layer_end, frames = out.layer_end.reshape(-1), s.frames
    for k in range(looks):
        i = look[k]
        end, g = works[cell(i, WIDTH, DUE)], works[cell(i, WIDTH, FRAME)]
        last_event = max(last_event, end)
        layer = cell(g, layers, population[i])
        layer_end[layer] = max(layer_end[layer], end)
        take_turn(of, part_first[i], 0, 1, g, window, frames[i])
    return made, last_event
