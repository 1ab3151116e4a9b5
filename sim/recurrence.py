"""When slices work, from how much they have to do: the recurrences of `sfnhw.sim.analytic`, a layer at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.tables import Tables

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class Work(NamedTuple):
    """Cycles of each frame, of all samples."""

    packets: Reals  # (T, slices, samples) number
    flits: Reals  # (T, slices, samples) number
    port: Reals  # (T, slices, samples) cycles at the injection port, or the pins, of one copy of each packet
    spikes: Reals  # (T, slices, samples) number
    service: Reals  # (T, rows, samples) synapse lanes and axon look-ups
    emission: Reals  # (T, slices, samples)
    walk: Reals  # (T, slices, samples)
    tree_delay: Reals  # (slices,) longest way from a slice to its destinations, alone
    way: Reals  # (rows,) way of a packet from source to target slice, alone


class Times(NamedTuple):
    """Cycles; infinite where a slice does not work in a frame."""

    start: Reals  # (T, slices, samples)
    end: Reals  # (T, slices, samples)
    first: Reals  # (T, slices, samples) first packet, in the first frame of a window
    finish: Reals  # (samples,)


def empty_times(work: Work) -> Times:
    """Return times of nothing: no part has started."""
    shape = work.packets.shape
    return Times(np.full(shape, np.inf), np.zeros(shape), np.full(shape, np.inf), np.zeros(shape[2]))


class _Layer(NamedTuple):
    """Slices as far from the inputs, with what leads into them and out; `…_at` is where that of each slice begins."""

    slices: Ints
    fed: Ints  # those of them that anything leads into
    rows: Ints  # connections into them
    rows_at: Ints
    senders: Ints  # those of them that lead anywhere
    consumers: Ints  # their target slices
    consumers_at: Ints


def _layers(tables: Tables) -> list[_Layer]:
    s, r = tables.slices, tables.rows
    by_target = np.argsort(r.target, kind="stable")
    pairs = np.unique(np.stack([r.source, r.target]), axis=1)
    out = []
    for depth in np.unique(s.depth):
        here = s.depth == depth
        rows = by_target[here[r.target[by_target]]]
        fed, rows_at = np.unique(r.target[rows], return_index=True)
        sources, consumers = pairs[:, here[pairs[0]]]
        senders, consumers_at = np.unique(sources, return_index=True)
        out.append(_Layer(np.flatnonzero(here), fed, rows, rows_at, senders, consumers, consumers_at))
    return out


def dataflow(tables: Tables, work: Work) -> Times:
    """Slices work when their inputs are complete and their consumers have room: the equations of `sfnhw.sim.analytic`."""
    s, f = tables.slices, tables.fabric
    times = empty_times(work)
    start, end, _, finish = times
    layers = _layers(tables)
    tree = work.tree_delay[:, None]
    for t0 in range(0, len(start), f.window):
        service = work.service[t0 : t0 + f.window].sum(axis=0)
        for layer in layers:
            begin = np.zeros(start.shape[1:])
            if len(layer.fed):
                begin[layer.fed] = _inputs_in(tables, work, times, layer, service, t0)
            if t0:
                before = end[t0 - f.window + s.frames[layer.slices] - 1, layer.slices]
                begin[layer.slices] = np.maximum(begin[layer.slices], before)
            if t0 >= f.banks * f.window and len(layer.senders):
                c = layer.consumers
                last = t0 - f.banks * f.window + s.frames[c] - 1
                read = np.maximum.reduceat(start[last, c] + work.walk[last, c], layer.consumers_at, axis=0)
                begin[layer.senders] = np.maximum(begin[layer.senders], read + tree[layer.senders])
            for t in range(t0, t0 + f.window):
                mine = layer.slices[s.frames[layer.slices] > t - t0]
                start[t, mine], end[t, mine] = begin[mine], begin[mine] + work.emission[t, mine]
                begin[mine] = end[t, mine]
            ends = layer.slices[s.is_output[layer.slices]]
            np.maximum(finish, (begin[ends] + tree[ends]).max(axis=0, initial=0.0), out=finish)
    return times


def _inputs_in(tables: Tables, work: Work, times: Times, layer: _Layer, service: Reals, t0: int) -> Reals:
    """(fed, samples) when everything of a window from frame t0 on has come and is worked off; fills `times.first`."""
    s, r, f = tables.slices, tables.rows, tables.fabric
    start, end, first, _ = times
    rows, at = layer.rows, layer.rows_at
    a, way = r.source[rows], work.way[rows][:, None]
    # The first packet waits for the last neuron of its bundle.
    groups = -(-np.minimum(s.part * s.span, s.neurons) // f.threshold_lanes)
    first_spike = np.maximum(groups * (s.update_cycles + s.spike_cycles), 1)
    head = start[t0, a] + first_spike[a][:, None] + way
    first[t0, layer.fed] = np.minimum.reduceat(head, at, axis=0)
    lanes = first[t0, layer.fed] + f.axon_cycles
    last = np.maximum.reduceat(end[t0 + s.frames[a] - 1, a] + way + f.axon_cycles, at, axis=0)
    begin = np.maximum(_worked_off(head + f.axon_cycles, service[rows], at), last)
    product = tables.parts.operands[tables.parts.first[layer.fed]] > 0
    if product.any():
        # The stream's synapses begin when the last of the stationary operand is written. Products are at T = 1.
        held = r.stationary[rows][:, None]
        written = lanes + np.add.reduceat(np.where(held, service[rows], 0.0), at, axis=0)
        complete = np.maximum.reduceat(np.where(held, end[t0, a] + way + f.axon_cycles, 0.0), at, axis=0)
        stream = np.add.reduceat(np.where(held, 0.0, service[rows]), at, axis=0)
        both = np.maximum(begin, np.maximum(written, complete) + stream)
        begin = np.where(product[:, None], both, begin)
    return begin


def _worked_off(heads: Reals, work: Reals, at: Ints) -> Reals:
    """(targets, samples) when lanes are done that serve in order of arrival: all that comes from some head on takes its time.

    heads, work : (rows, samples) first arrival and cycles of each connection; at : where the rows of each target begin. The
    sets looked at are those of the connections in the order of their mean heads, from each on; any set is a bound.
    """
    many = np.diff(np.append(at, len(heads)))
    target = np.repeat(np.arange(len(at)), many)
    order = np.lexsort((heads.mean(axis=1), target))
    heads, work = heads[order], work[order]
    upto = work.cumsum(axis=0)
    rest = upto[np.repeat(at + many - 1, many)] - upto + work
    # Least head from each on to the last of the same target: later targets are kept apart by more than any head.
    apart = (heads.max() + 1.0) * (len(at) - target)[:, None]
    least = np.minimum.accumulate((heads - apart)[::-1], axis=0)[::-1] + apart
    return np.maximum.reduceat(least + rest, at, axis=0)


def barrier(tables: Tables, work: Work) -> Times:
    """A step lasts until its slowest slice has sent, and its slowest receiver has worked everything off."""
    s, r, f = tables.slices, tables.rows, tables.fabric
    times = empty_times(work)
    start, end, _, finish = times
    T = len(start)
    # Packets of a step are worked off at a core in the order of their sources.
    core = s.terminal[r.target]
    rows = np.argsort(core, kind="stable")
    source = r.source[rows]
    at = np.flatnonzero(np.diff(core[rows], prepend=-1))
    many = np.diff(np.append(at, len(rows)))
    way, update, spike = work.way[rows][:, None], s.update_cycles[source][:, None], s.spike_cycles[source][:, None]
    for step in range((T // f.window - 1) * f.interval + f.last_due + 1):
        window, within = np.divmod(step - s.depth * f.window, f.interval * f.window)
        active = (window >= 0) & (within < s.frames) & (window * f.window < T)
        frame = np.where(active, window * f.window + within, 0)
        j = np.flatnonzero(active)
        t = frame[j]
        sends = work.packets[t, j] > 0
        sent = finish + work.emission[t, j]
        start[t, j], end[t, j] = finish, sent
        until = np.where(sends, sent + work.tree_delay[j][:, None], sent).max(axis=0, initial=0.0)
        if len(rows):
            worked = np.where(active[source][:, None], work.service[frame[source], rows], 0.0).cumsum(axis=0)
            before = np.concatenate([np.zeros((1, worked.shape[1])), worked])[at]
            receive = worked - np.repeat(before, many, axis=0)
            done = finish + way + update + spike + receive + f.axon_cycles
            sends = active[source][:, None] & (work.packets[frame[source], source] > 0)
            until = np.maximum(until, np.where(sends, done, 0.0).max(axis=0))
        finish[:] = np.maximum(finish, until) + f.barrier_cycles
    return times
