"""Small functions of the packet kernel."""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.sim.bundles import Bundles
from sfnhw.sim.channels import ANY, ROWS_FIRST, ChannelTimes, parts_taken, tail_cycles
from sfnhw.sim.event_records import BEGIN, END, FRAME, INDEX, KIND, MORE, WHERE, WHO, WIDTH
from sfnhw.sim.kernel_state import (
    AXON_FREE,
    EJECTION_FREE,
    EMITTING,
    ENTRY_FREE,
    ENTRY_WAITED,
    FED,
    INJECTION_FREE,
    NEXT_FRAME,
    OPERAND,
    STREAM,
    SYNAPSE_FREE,
    THRESHOLD_FREE,
    TOKEN,
    TURN,
    WAITING_HEAD,
    WAITING_TAIL,
    State,
    Tally,
)
from sfnhw.sim.packed import (
    COST_FIRST,
    FEEDS,
    LATER,
    POSITIONS,
    RUN_FIRST,
    RUN_STRIDE,
    STAYS,
    TAPS_FIRST,
    TAPS_STRIDE,
    TARGET,
    WHOM,
    Packed,
)
from sfnhw.sim.packed import KIND as CALL_KIND
from sfnhw.sim.parts import PartTable
from sfnhw.sim.tables import CYCLES, Fabric, SliceTable
from sfnhw.sim.wheel import BORN, NEXT, WHAT, WHEEL, WHEN, append, cell, int64, place, push
from sfnhw.sim.wheel import FRAME as OF_FRAME
from sfnhw.sim.wheel import INDEX as OF_INDEX

Ints = NDArray[np.int64]
Words = NDArray[np.int32]


@nb.njit(**INNER)
def any_taken(links: Ints, at: Ints, now: int, V: int) -> bool:
    """Whether any link or port is taken beyond a cycle; V : ticks of a cycle."""
    taken = False
    for k in range(0, links.shape[0], 2):
        taken |= links[k] > now * V
    for k in range(0, at.shape[0], 16):
        taken |= at[k + INJECTION_FREE] > now or at[k + ENTRY_FREE] > now * V or at[k + EJECTION_FREE] > now * V
    return taken


@nb.njit(**INNER)
def last_work(at: Ints, last: int) -> int:
    """Cycle in which every unit of every core is free, and not before `last`."""
    for k in range(0, at.shape[0], 16):
        last = max(last, max(at[k + AXON_FREE], max(at[k + SYNAPSE_FREE], at[k + THRESHOLD_FREE])))
    return last


# Without a branch: −1 as an unsigned number is the largest.
@nb.njit(**INNER)
def stretch(starts: Ints, ends: Ints, k: Any, begin: int, end: int) -> None:
    """Have cycles [begin, end) in a layer's span, place k of starts (−1: none yet) and ends."""
    starts[k] = np.int64(min(np.uint64(starts[k]), np.uint64(begin)))
    ends[k] = max(ends[k], end)


@nb.njit(**INNER)
def add_waits(out: Tally, latency_sum: int, latency_max: int, waited: int, passed: int) -> None:
    """Add latencies of packets, and what packets have waited for links and ports at so many routers."""
    out.latency_total[0] += latency_sum
    out.latency_total[1] = max(out.latency_total[1], latency_max)
    out.waits[0, 0] += waited
    out.waits[0, 1] += passed


@nb.njit(**INNER)
def shift_of(V: int) -> int:
    """Return k where V is 2^k below 65,536, and −1 elsewhere."""
    for k in range(16):
        if 1 << k == V:
            return k
    return -1


@nb.njit(**INNER)
def over_pins(flits: int, num: int, den: int) -> int:
    """Cycles that a packet takes over the pins, num / den a flit: at least one a flit."""
    return max(flits, -(-flits * num // den))


@nb.njit(**INNER)
def cycle_of(tick: int, ticks: int, shift: int) -> int:
    """First whole cycle from a tick on; ticks : of a cycle, 2^shift where that is not −1."""
    return (tick + ticks - 1) >> shift if shift >= 0 else (tick + ticks - 1) // ticks


parts_of = nb.njit(**INNER)(parts_taken)


@nb.njit(**INNER)
def share_of(ch: ChannelTimes, vc_class: int) -> int:
    """Return one of `ChannelTimes.shares`."""
    if vc_class == ANY:
        return ch.share
    return ch.share_rows_first if vc_class == ROWS_FIRST else ch.share_columns_first


@nb.njit(**INNER)
def entered(at: Ints, terminal: int, now: int, flits: int, ch: ChannelTimes, shift: int) -> int:
    """Cycle in which the router begins to take a packet that is at the end of a port from cycle `now` on."""
    begin = max(now * ch.ticks, at[cell(terminal, 16, ENTRY_FREE)])
    at[cell(terminal, 16, ENTRY_FREE)] = begin + ch.share * parts_of(ch.entry, flits)
    at[cell(terminal, 16, ENTRY_WAITED)] += begin - now * ch.ticks
    return cycle_of(begin, ch.ticks, shift)


tail_of = nb.njit(**INNER)(tail_cycles)


@nb.njit(**INNER)
def next_sender(sent: NDArray[np.uint8], first: int, j: int, neurons: int, columns: int, apart: int) -> int:
    """Return the first neuron of a part from j on that sends something, or `neurons`.

    first : where the part's frame begins in `sent`; its neurons are side by side, but for `apart` others after each `columns`.
    """
    if apart == 0:
        while j < neurons and sent[np.uint64(first + j)] == 0:
            j += 1
        return j
    while j < neurons and sent[np.uint64(first + j + j // columns * apart)] == 0:
        j += 1
    return j


@nb.njit(**INNER)
def spiking_groups(sent: NDArray[np.uint8], first: int, neurons: int, lanes: int, columns: int, apart: int) -> int:
    """Groups of `lanes` neurons of a part in which any sends something; arguments as of `next_sender`."""
    groups = 0
    for begin in range(0, neurons, lanes):
        fires = False
        for j in range(begin, min(begin + lanes, neurons)):
            beyond = j // columns * apart if apart else 0  # rows alone divide
            fires |= sent[place(first + j + beyond)] > 0
        groups += fires
    return groups


# What has no room goes over the last record.
@nb.njit(**INNER)
def note(
    log: Ints, noted: int, kind: int, begin: int, end: int, where: int, who: int, index: int, frame: int, more: int
) -> int:
    """Write a record; returns how many there are, those that found no room included."""
    k = min(noted, log.shape[0] // WIDTH - 1)
    log[cell(k, WIDTH, KIND)] = kind
    log[cell(k, WIDTH, BEGIN)] = begin
    log[cell(k, WIDTH, END)] = end
    log[cell(k, WIDTH, WHERE)] = where
    log[cell(k, WIDTH, WHO)] = who
    log[cell(k, WIDTH, INDEX)] = index
    log[cell(k, WIDTH, FRAME)] = frame
    log[cell(k, WIDTH, MORE)] = more
    return noted + 1


@nb.njit(**INNER)
def walk_cycles(
    sent: NDArray[np.uint8],
    g: int,
    i: int,
    y: int,
    base: int,
    neurons: int,
    columns: int,
    apart: int,
    s: SliceTable,
    p: Packed,
    f: Fabric,
    b: Bundles | None,
) -> int:
    """Cycles that the threshold unit walks over part y of slice i in frame g; the part's neurons begin at `base`.

    Columns and apart as of `next_sender`; b as of the kernel.
    """
    part = g * p.parts.owner.shape[0] + p.parts.first[i] + y
    if b is not None:
        walk = b.walk[part]
    else:
        walk = -(-neurons // f.threshold_lanes) * s.update_cycles[i]
        if s.spike_cycles[i] > 0:
            first = g * s.first_neuron[-1] + base
            walk += s.spike_cycles[i] * spiking_groups(sent, first, neurons, f.threshold_lanes, columns, apart)
    if not f.waits_for_port or s.is_input[i]:
        return walk
    # It is held up while packets leave: each as often as its slice has paths, or its own neuron (`Packed.copy_first`).
    trees = p.root_first[i + 1] - p.root_first[i]
    if b is not None:
        for k in range(b.part_first[part], b.part_first[part + 1]):
            walk += max(int64(b.flits[k]), f.port_cycles) * trees
        return walk
    made = 0
    for k in range(neurons):
        j = base + k + k // columns * apart
        times = sent[g * s.first_neuron[-1] + j]
        if times > 0:
            made += times * (p.copy_first[j + 1] - p.copy_first[j] if f.per_neuron else trees)
    return walk + made * max(s.flits[i], f.port_cycles)


@nb.njit(**INNER)
def take_turn(of: Ints, o: int, y: int, parts: int, g: int, window: int, frames: int) -> None:
    """Go on to what a slice works next: the part's next frame of the window, the next part's first, those of the next window.

    o : the slice's first part; y : that worked frame g, of so many; frames : of each window.
    """
    of[cell(o, 32, EMITTING)] = 0
    if g % window < frames - 1:
        of[cell(o, 32, NEXT_FRAME)] = g + 1
    elif y + 1 < parts:
        of[cell(o, 32, NEXT_FRAME)], of[cell(o, 32, TURN)] = g // window * window, y + 1
    else:
        of[cell(o, 32, NEXT_FRAME)], of[cell(o, 32, TURN)] = (g // window + 1) * window, 0


@nb.njit(**INNER)
def runs_of(calls: Words, runs: Any, taps: Words, k: Any, index: int) -> tuple[int, int]:
    """Return what one run of a neuron costs behind a call, as a place among the costs, and how many runs it has."""
    major, minor = index, 0
    if calls[cell(k, 16, POSITIONS)] > 1:
        divisor = np.uint32(calls[cell(k, 16, POSITIONS)])
        quotient = np.uint32(index) // divisor
        major, minor = int64(quotient), int64(np.uint32(index) - quotient * divisor)
    run = runs[place(calls[cell(k, 16, RUN_FIRST)] + major * calls[cell(k, 16, RUN_STRIDE)])]
    each = int64(taps[place(calls[cell(k, 16, TAPS_FIRST)] + minor * calls[cell(k, 16, TAPS_STRIDE)])])
    return int64(calls[cell(k, 16, COST_FIRST)] + run), each


@nb.njit(**INNER)
def has_synapses(p: Packed, k: int, index: int) -> bool:
    """Whether a neuron has synapses through the connection of a call."""
    cost, each = runs_of(p.calls, p.runs, p.taps, k, index)
    return each * p.costs[cell(cost, 4, CYCLES)] > 0


@nb.njit(**INNER)
def wake(
    state: State,
    free: int,
    now: int,
    when: int,
    born: int,
    calls: Words,
    q: PartTable,
    k: int,
    y: int,
    g: int,
    kind: int,
) -> Any:
    """Tell the parts that row y feeds by call k, in cycle `when`: that it is over for frame g (FED), or that it has room (TOKEN).

    Returns the next free record, and how many parts are told.
    """
    to = int64(calls[cell(k, 16, WHOM if kind == TOKEN else TARGET)])
    if kind == FED and calls[cell(k, 16, CALL_KIND)] == STAYS:
        kind = OPERAND
    row, later = int64(calls[cell(k, 16, FEEDS)]) + y, int64(calls[cell(k, 16, LATER)])
    when_born, events, tail, many = state.when_born, state.events, state.tail, state.many
    first, last = q.feed_first[place(row)], q.feed_first[place(row + 1)]
    for d in range(first, last):
        what = (to + q.feeds[place(d)]) << 3 | kind
        free = push(when_born, events, tail, many, free, now, when, born, what, later, g)
    return free, last - first


@nb.njit(**INNER)
def release(when_born: Ints, events: Words, of: Ints, tail: Ints, where: int, g: int, now: int) -> int:
    """Let the packets of frame g go on now that wait at part `where`, in order; returns how many these are."""
    e, last, freed = of[cell(where, 32, WAITING_HEAD)], -1, 0
    while e >= 0:
        after = int64(events[cell(e, 8, NEXT)])
        if events[cell(e, 8, OF_FRAME)] == g:
            if last < 0:
                of[cell(where, 32, WAITING_HEAD)] = after
            else:
                events[cell(last, 8, NEXT)] = after
            if after < 0:
                of[cell(where, 32, WAITING_TAIL)] = last
            when_born[cell(e, 4, WHEN)] = now
            append(events, tail, e, now & (WHEEL - 1))
            freed += 1
        else:
            last = e
        e = after
    return freed


@nb.njit(**INNER)
def look_at_due(
    look: Ints, looks: int, step: int, depth: Ints, worked: Ints, window: int, interval: int, frames: int
) -> int:
    """Note the slices that work in a global step; returns how many slices there are to look at."""
    for i in range(len(depth)):
        due = step - depth[i] * window
        within = due % (interval * window)
        if due >= 0 and within < worked[i] and due // (interval * window) < frames // window:
            look[looks] = i
            looks += 1
    return looks


@nb.njit(**INNER)
def park(when_born: Ints, events: Words, of: Ints, target: int, e: int, k: int, index: int, g: int, born: int) -> Any:
    """Have a packet wait, in record `e`, at part `target` for its stationary operand; returns the next free record."""
    free = int64(events[cell(e, 8, NEXT)])
    when_born[cell(e, 4, BORN)] = born
    events[cell(e, 8, WHAT)], events[cell(e, 8, OF_INDEX)] = k << 3 | STREAM, index
    events[cell(e, 8, OF_FRAME)], events[cell(e, 8, NEXT)] = g, -1
    if of[cell(target, 32, WAITING_TAIL)] >= 0:
        events[cell(of[cell(target, 32, WAITING_TAIL)], 8, NEXT)] = e
    else:
        of[cell(target, 32, WAITING_HEAD)] = e
    of[cell(target, 32, WAITING_TAIL)] = e
    return free


@nb.njit(**INNER)
def end_step(out: Tally, done: int, due: int, window: int, interval: int, now: int, taken: bool) -> None:
    """Count a global step that ends now, the done-th; a window that was due to end with it is finished."""
    out.steps[0] += 1
    if done <= out.step_end.shape[0]:
        out.step_end[done - 1] = now
    out.carried[0] += taken
    out.carried[1] = taken
    for g in range(0, out.layer_start.shape[0], window):
        # A window is finished with the step in which the last population was updated.
        if g * interval == due:
            out.finish[g] = now
