"""When slices work, from how much they have to do: the recurrences of `sfnhw.sim.analytic`, a layer at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.following import Following
from sfnhw.sim.tables import Tables
from sfnhw.sim.words import Words

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class Work(NamedTuple):
    """Cycles of each frame. A column is a sample; several clockworks stand side by side, each with all samples."""

    packets: Reals  # (T, slices, columns)
    service: Reals  # (T, rows, columns) synapse lanes and axon look-ups
    emission: Reals  # (T, slices, columns)
    until: Reals  # (T, slices, columns) walk of the threshold unit, longer where it waits for the port
    head: Reals  # (T, slices, columns) until the first packet is ready; where there is none, the end of emission
    tree_delay: Reals  # (slices, columns) longest way from a slice to its destinations, alone
    way: Reals  # (rows, columns) way of a packet from source to target slice, alone
    axon: Reals  # (columns,) one look-up
    synchronise: Reals  # (columns,) the end of a global step


def joined(parts: Sequence[Work]) -> Work:
    """Put several side by side."""
    if len(parts) == 1:
        return parts[0]
    return Work(*(np.concatenate(values, axis=-1) for values in zip(*parts, strict=True)))


def chosen(work: Work, columns: Ints) -> Work:
    """Return some of the columns."""
    return Work(*(values[..., columns] for values in work))


class Times(NamedTuple):
    """Cycles; infinite where a slice does not work in a frame."""

    start: Reals  # (T, slices, columns)
    end: Reals  # (T, slices, columns)
    first: Reals  # (T, slices, columns) first packet, in the first frame of a window
    finish: Reals  # (columns,)
    occupied: Reals  # (columns,) when all work is done and all ready words have come, not before `finish`
    results: Reals  # (windows, columns) when each window's results have left (dataflow)


def empty_times(packets: Reals, windows: int = 0) -> Times:
    """Return times of nothing: no part has started; packets: (T, parts, columns)."""
    shape = packets.shape
    finish, occupied, results = np.zeros(shape[2]), np.zeros(shape[2]), np.zeros((windows, shape[2]))
    return Times(np.full(shape, np.inf), np.zeros(shape), np.full(shape, np.inf), finish, occupied, results)


def stream(tables: Tables, work: Work, samples: int, follow: Following) -> Reals:
    """(clockworks,) cycles between results in dataflow, samples back to back."""
    T, _, columns = work.packets.shape
    order = follow.run(0)  # what comes later holds up nobody here
    length = len(order)

    def in_a_row(values: Reals) -> Reals:
        parts = values.reshape(T, -1, columns // samples, samples)[..., order]
        return parts.transpose(3, 0, 1, 2).reshape(length * T, parts.shape[1], -1)

    timed = {name: in_a_row(getattr(work, name)) for name in ("packets", "service", "emission", "until", "head")}
    once = {name: getattr(work, name)[..., ::samples] for name in ("tree_delay", "way", "axon", "synchronise")}
    results = dataflow(tables, Work(**timed, **once)).results
    return follow.interval(results.reshape(length, -1, results.shape[1]).max(axis=1))


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
    times = empty_times(work.packets, len(work.packets) // f.window)
    start, end, _, finish, occupied, results = times
    layers = _layers(tables)
    tree = work.tree_delay
    worked = np.zeros(start.shape[1:])  # when a slice's lanes have done all that came so far
    for t0 in range(0, len(start), f.window):
        service = work.service[t0 : t0 + f.window].sum(axis=0)
        for layer in layers:
            begin = np.zeros(start.shape[1:])
            if len(layer.fed):
                begin[layer.fed] = _inputs_in(tables, work, times, layer, service, worked, t0)
            if t0:
                before = end[t0 - f.window + s.frames[layer.slices] - 1, layer.slices]
                begin[layer.slices] = np.maximum(begin[layer.slices], before)
            if t0 >= f.banks * f.window and len(layer.senders):
                read = _read_out(tables, work, times, layer, t0 - f.banks * f.window)
                begin[layer.senders] = np.maximum(begin[layer.senders], read)
            for t in range(t0, t0 + f.window):
                mine = layer.slices[s.frames[layer.slices] > t - t0]
                start[t, mine], end[t, mine] = begin[mine], begin[mine] + work.emission[t, mine]
                begin[mine] = end[t, mine]
            ends = layer.slices[s.is_output[layer.slices]]
            left = (begin[ends] + tree[ends]).max(axis=0, initial=0.0)
            results[t0 // f.window] = np.maximum(results[t0 // f.window], left)
    finish[:] = results.max(axis=0, initial=0.0)
    # Whoever sends to others has done so before these begin: beside results what ends last is a slice that nobody hears.
    occupied[:] = np.maximum(finish, end[:, ~s.is_input].max(axis=(0, 1), initial=0.0))
    for layer in layers:
        if len(layer.senders):
            told = _read_out(tables, work, times, layer, len(start) - f.window).max(axis=0)
            np.maximum(occupied, told, out=occupied)
    return times


def _read_out(tables: Tables, work: Work, times: Times, layer: _Layer, t0: int) -> Reals:
    """(senders, columns) when the last consumer has told a slice that it has read out the window from frame t0 on."""
    c = layer.consumers
    last = t0 + tables.slices.frames[c] - 1
    read = np.maximum.reduceat(times.start[last, c] + work.until[last, c], layer.consumers_at, axis=0)
    return np.asarray(read + work.tree_delay[layer.senders])


def _inputs_in(
    tables: Tables, work: Work, times: Times, layer: _Layer, service: Reals, worked: Reals, t0: int
) -> Reals:
    """(fed, columns) when everything of a window from frame t0 on has come and is worked off.

    Fills `times.first`, and `worked` (slices, columns), when the lanes of the slices are done.
    """
    s, r = tables.slices, tables.rows
    start, end, first, _, _, _ = times
    rows, at = layer.rows, layer.rows_at
    a = r.source[rows]
    way = work.way[rows]
    head = start[t0, a] + work.head[t0, a] + way
    sends = work.packets[t0, a] > 0
    first[t0, layer.fed] = np.minimum.reduceat(np.where(sends, head, np.inf), at, axis=0)
    lanes = np.minimum.reduceat(head, at, axis=0) + work.axon
    last = np.maximum.reduceat(end[t0 + s.frames[a] - 1, a] + way + work.axon, at, axis=0)
    begin = np.maximum(_worked_off(head + work.axon, service[rows], at), last)
    # The lanes take what comes in one window after what came in the window before.
    begin = np.maximum(begin, worked[layer.fed] + np.add.reduceat(service[rows], at, axis=0))
    product = tables.parts.operands[tables.parts.first[layer.fed]] > 0
    if product.any():
        # The stream's synapses begin when the last of the stationary operand is written. Products are at T = 1.
        held = r.stationary[rows][:, None]
        written = lanes + np.add.reduceat(np.where(held, service[rows], 0.0), at, axis=0)
        complete = np.maximum.reduceat(np.where(held, end[t0, a] + way + work.axon, 0.0), at, axis=0)
        stream = np.add.reduceat(np.where(held, 0.0, service[rows]), at, axis=0)
        both = np.maximum(begin, np.maximum(written, complete) + stream)
        begin = np.where(product[:, None], both, begin)
    worked[layer.fed] = begin
    return begin


def _worked_off(heads: Reals, work: Reals, at: Ints) -> Reals:
    """(targets, columns) when lanes are done that serve in order of arrival: all that comes from some head on takes its time.

    heads, work : (rows, columns) first arrival and cycles of each connection; at : where the rows of each target begin. The
    sets looked at are those of the connections in the order of their heads, from each on; any set is a bound.
    """
    many = np.diff(np.append(at, len(heads)))
    target = np.repeat(np.arange(len(at)), many)[:, None]
    apart = heads.max(axis=0) + 1.0
    order = np.argsort(target * apart + heads, axis=0, kind="stable")
    heads, work = np.take_along_axis(heads, order, 0), np.take_along_axis(work, order, 0)
    upto = work.cumsum(axis=0)
    rest = upto[np.repeat(at + many - 1, many)] - upto + work
    return np.maximum.reduceat(heads + rest, at, axis=0)


class _Cores(NamedTuple):
    """Connections in the order of the cores that they lead into."""

    rows: Ints
    source: Words
    at: Ints  # where those of each core begin

    @classmethod
    def of(cls, tables: Tables) -> "_Cores":
        core = tables.slices.terminal[tables.rows.target]
        rows = np.argsort(core, kind="stable")
        return cls(rows, tables.rows.source[rows], np.flatnonzero(np.diff(core[rows], prepend=-1)))


def _step(work: Work, cores: _Cores, active: NDArray[np.bool_], frame: Ints, column: Ints) -> Reals:
    """(columns,) cycles of a global step: until its slowest slice has sent, and its slowest core has worked everything off.

    active, frame : (slices,) who works, on which frame; column : (slices, columns) of which sample, 0 where none is active.
    """
    slices = np.arange(len(frame))[:, None]
    which = (frame[:, None], slices, column)
    emission = work.emission[which]
    sends = active[:, None] & (work.packets[which] > 0)
    sent = np.where(active[:, None], emission + np.where(sends, work.tree_delay, 0.0), 0.0)
    until = sent.max(axis=0, initial=0.0)
    if len(cores.rows):
        a, rows = cores.source, cores.rows[:, None]
        service = np.where(active[a][:, None], work.service[frame[a][:, None], rows, column[a]], 0.0)
        head = np.where(sends[a], work.head[which][a] + work.way[cores.rows] + work.axon, 0.0)
        until = np.maximum(until, _worked_off(head, service, cores.at).max(axis=0))
    return until + work.synchronise


def barrier(tables: Tables, work: Work) -> tuple[Times, list[Reals]]:
    """Samples alone, step by step; returns the cycles of each step (columns,) too."""
    s, f = tables.slices, tables.fabric
    times = empty_times(work.packets, 0)
    start, end, _, finish, occupied, _ = times
    T, slices, columns = start.shape
    cores, column = _Cores.of(tables), np.broadcast_to(np.arange(columns), (slices, columns))
    steps: list[Reals] = []
    for step in range((T // f.window - 1) * f.interval + f.last_due + 1):
        window, within = np.divmod(step - s.depth * f.window, f.interval * f.window)
        active = (window >= 0) & (within < s.frames) & (window * f.window < T)
        frame = np.where(active, window * f.window + within, 0)
        j = np.flatnonzero(active)
        start[frame[j], j], end[frame[j], j] = finish, finish + work.emission[frame[j], j]
        steps.append(_step(work, cores, active, frame, column))
        finish[:] = finish + steps[-1]
    occupied[:] = finish
    return times, steps


def barrier_interval(tables: Tables, work: Work, samples: int, alone: list[Reals]) -> Reals:
    """(columns,) cycles from one result to the next, samples back to back: of the steps that begin with each sample.

    In every step all layers work, each on the frame, and the sample, that its depth makes it; after the last sample comes
    the first again. From the step on in which the last layer has come to the sample these are the steps of the sample alone.

    alone : of `barrier`.
    """
    s, f = tables.slices, tables.fabric
    T, _, columns = work.packets.shape
    cores, windows = _Cores.of(tables), T // f.window
    every = np.arange(columns)
    total = np.zeros(columns)
    for step in range(windows * f.interval * f.window):
        if s.depth.max() * f.window <= step < len(alone):
            total += alone[step]
            continue
        window, within = np.divmod(step - s.depth * f.window, f.interval * f.window)
        active = within < s.frames
        before, window = np.divmod(window, windows)
        frame = np.where(active, window * f.window + within, 0)
        own = (every + before[:, None]) % samples + every // samples * samples
        total += _step(work, cores, active, frame, own)
    return total
