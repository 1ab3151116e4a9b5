"""When slices work, from how much they have to do: the recurrences of `sfnhw.sim.analytic`, a layer at a time.

What leaves over the pins is put in order when all slices have been gone through (`sfnhw.sim.pins`): it is seldom that ready tokens
which wait there hold up the inputs, and where they may the slices are gone through again.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.following import Following
from sfnhw.sim.pins import Comes, Leaving
from sfnhw.sim.route_nodes import begins
from sfnhw.sim.tables import Tables
from sfnhw.sim.words import Words

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

# Times at most that all is worked out, each time with ready tokens as late at narrow pins as the last one found them.
ROUNDS = 3


class Work(NamedTuple):
    """Cycles of each frame. A column is a sample; several clockworks stand side by side, each with all samples."""

    packets: Reals  # (T, slices, columns)
    service: Reals  # (T, rows, columns) synapse lanes and axon look-ups
    emission: Reals  # (T, slices, columns)
    until: Reals  # (T, slices, columns) walk of the threshold unit, longer where it waits for the port
    # Of `sfnhw.sim.packet_ends.Sending`, (T, slices, columns): until the first packet, but for its way, and what is between the last
    # one and the end of emission.
    head: Reals
    lag: Reals
    behind: Reals
    tree_delay: Reals  # (slices, columns) longest way from a slice to its destinations, alone
    way: Reals  # (rows, columns) way from source to target slice, alone, of a packet (where these are of any length, of one flit)
    # Dataflow, and the pins (`sfnhw.sim.pins`):
    results: Reals  # (T, results, columns) cycles of their output port for the packets of each of `Leaving.outputs`
    to_pins: Reals  # (results, columns) way to it, alone
    word: Reals  # (columns,) a control packet takes it
    gap: Reals  # (slices, columns) end marker of an input, behind which its next packets come
    back: Reals  # (slices, columns) longest way of a ready token back to a slice, alone
    axon: Reals  # (columns,) one look-up
    own_axon: Reals  # (columns,) that of a packet which is part of `service`: 0 where it is made beside the synapses of the one before
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
    left: Reals  # (slices, columns) when the last results of each have left (dataflow)


def empty_times(packets: Reals, windows: int = 0) -> Times:
    """Return times of nothing: no part has started; packets: (T, parts, columns)."""
    shape = packets.shape
    finish, occupied, results = np.zeros(shape[2]), np.zeros(shape[2]), np.zeros((windows, shape[2]))
    left = np.zeros(shape[1:])
    return Times(np.full(shape, np.inf), np.zeros(shape), np.full(shape, np.inf), finish, occupied, results, left)


# What of `Work` is of one timestep.
_TIMED = ("packets", "service", "emission", "until", "head", "lag", "behind", "results")


def stream(tables: Tables, work: Work, leaving: Leaving, samples: int, follow: Following) -> Reals:
    """(clockworks,) cycles between results in dataflow, samples back to back."""
    T, _, columns = work.packets.shape
    order = follow.run(0)  # what comes later holds up nobody here
    length, works = len(order), columns // samples

    def in_a_row(values: Reals) -> Reals:
        parts = values.reshape(T, values.shape[1], works, samples)[..., order]
        return parts.transpose(3, 0, 1, 2).reshape(length * T, values.shape[1], works)

    timed = {name: in_a_row(getattr(work, name)) for name in _TIMED}
    once = {name: getattr(work, name)[..., ::samples] for name in Work._fields if name not in _TIMED}
    results = dataflow(tables, Work(**timed, **once), leaving).results
    return follow.interval(results.reshape(length, -1, results.shape[1]).max(axis=1))


class _Layer(NamedTuple):
    """Slices as far from the inputs, with what leads into them and out; `…_at` is where that of each slice begins."""

    slices: Ints
    fed: Ints  # those of them that anything leads into
    rows: Ints  # connections into them, core by core
    rows_at: Ints
    cores_at: Ints  # where the connections of each core begin
    fed_at: Ints  # where the slices of each core begin among `fed`
    core_of: Ints  # place among these cores of each of `fed`
    senders: Ints  # those of them that lead anywhere
    consumers: Ints  # their target slices
    over_pins: NDArray[np.bool_]  # of each whether its ready token goes to the pins
    consumers_at: Ints


def _layers(tables: Tables) -> list[_Layer]:
    s, r = tables.slices, tables.rows
    core = s.terminal[r.target]
    by_target = np.lexsort((r.target, core))
    pairs = np.unique(np.stack([r.source, r.target]), axis=1)
    out = []
    for depth in np.unique(s.depth):
        here = s.depth == depth
        rows = by_target[here[r.target[by_target]]]
        rows_at = begins(r.target[rows])
        cores_at = begins(core[rows])
        fed, fed_at = r.target[rows][rows_at].astype(np.int64), np.searchsorted(rows_at, cores_at)
        core_of = np.repeat(np.arange(len(fed_at)), np.diff(np.append(fed_at, len(fed))))
        sources, consumers = pairs[:, here[pairs[0]]]
        senders, consumers_at = np.unique(sources, return_index=True)
        over_pins = s.is_input[sources]
        into = (fed, rows, rows_at, cores_at, fed_at, core_of)
        out.append(_Layer(np.flatnonzero(here), *into, senders, consumers, over_pins, consumers_at))
    return out


def dataflow(tables: Tables, work: Work, leaving: Leaving) -> Times:
    """Slices work when their inputs are complete and their consumers have room: the equations of `sfnhw.sim.analytic`.

    Ready tokens for the inputs wait at the pins for results, and these for them; where pins are narrow that holds up the inputs
    in turn, and all is done again, with tokens as late as they were found to be.
    """
    s, f = tables.slices, tables.fabric
    layers, many = _layers(tables), len(work.packets) // f.window
    late = np.zeros((many, *work.emission.shape[1:]))
    late[:, leaving.tellers] = leaving.tokens[:, None] * work.word - 1.0
    for again in range(ROUNDS):
        times = _in_layers(tables, work, layers, late)
        told = _over_pins(tables, work, leaving, times)
        if many == 1 or again == ROUNDS - 1 or (work.word <= 1).all():
            break
        late[:, leaving.tellers] = told
    start, end, _, finish, occupied, results, _ = times
    finish[:] = results.max(axis=0, initial=0.0)
    # Whoever sends to others has done so before these begin: beside results what ends last is a slice that nobody hears.
    occupied[:] = np.maximum(finish, end[:, ~s.is_input].max(axis=(0, 1), initial=0.0))
    late[:, leaving.tellers] = told
    for layer in layers:
        if len(layer.senders):
            told = _read_out(tables, work, times, layer, late, len(start) - f.window).max(axis=0)
            np.maximum(occupied, told, out=occupied)
    return times


def _in_layers(tables: Tables, work: Work, layers: list["_Layer"], late: Reals) -> Times:
    """When slices start and end; late : (windows, slices, columns) as long ready tokens take at the pins."""
    s, f = tables.slices, tables.fabric
    times = empty_times(work.packets, len(work.packets) // f.window)
    start, end = times.start, times.end
    worked = np.zeros(start.shape[1:])  # when a slice's lanes have done all that came so far
    for t0 in range(0, len(start), f.window):
        service = work.service[t0 : t0 + f.window].sum(axis=0)
        for layer in layers:
            begin = np.zeros(start.shape[1:])
            if len(layer.fed):
                begin[layer.fed] = _inputs_in(tables, work, times, layer, service, worked, t0)
            if t0:
                before = end[t0 - f.window + s.frames[layer.slices] - 1, layer.slices] + work.gap[layer.slices]
                begin[layer.slices] = np.maximum(begin[layer.slices], before)
            if t0 >= f.banks * f.window and len(layer.senders):
                read = _read_out(tables, work, times, layer, late, t0 - f.banks * f.window)
                begin[layer.senders] = np.maximum(begin[layer.senders], read)
            for t in range(t0, t0 + f.window):
                mine = layer.slices[s.frames[layer.slices] > t - t0]
                start[t, mine], end[t, mine] = begin[mine], begin[mine] + work.emission[t, mine]
                begin[mine] = end[t, mine] + work.gap[mine]
    return times


def _over_pins(tables: Tables, work: Work, leaving: Leaving, times: Times) -> Reals:
    """Fill in when results have left; returns (windows, tellers, columns) how long the ready tokens for the inputs take there."""
    s, W, o, c = tables.slices, tables.fabric.window, leaving.outputs, leaving.tellers
    windows = np.arange(len(times.start) // W) * W
    start = times.start[:, o]
    worked = np.isfinite(start)
    last = windows[:, None] + s.frames[c] - 1
    words = times.start[last, c] + work.until[last, c] + work.back[s.is_input].max(axis=0, initial=0.0)
    ends = np.where(worked, times.end[:, o] + work.behind[:, o], np.inf)
    heads = start + (work.head[:, o] - work.lag[:, o]) + work.to_pins
    left, told = Comes(heads, work.results, ends + work.to_pins, words, leaving.tokens, work.word).left()
    left = np.where(worked, left, 0.0)
    times.results[:] = left.reshape(len(windows), -1, *left.shape[2:]).max(axis=1, initial=0.0)
    np.maximum.at(times.left, o, left.max(axis=0, initial=0.0))
    return told - words


def _read_out(tables: Tables, work: Work, times: Times, layer: _Layer, late: Reals, t0: int) -> Reals:
    """(senders, columns) when the last consumer has told a slice that it has read out the window from frame t0 on."""
    c, W = layer.consumers, tables.fabric.window
    last = t0 + tables.slices.frames[c] - 1
    told = times.start[last, c] + work.until[last, c]
    if layer.over_pins.any():
        told += np.where(layer.over_pins[:, None], late[t0 // W, c], 0.0)
    return np.asarray(np.maximum.reduceat(told, layer.consumers_at, axis=0) + work.back[layer.senders])


def _inputs_in(
    tables: Tables, work: Work, times: Times, layer: _Layer, service: Reals, worked: Reals, t0: int
) -> Reals:
    """(fed, columns) when everything of a window from frame t0 on has come and is worked off.

    Slices of a layer that share a core are worked off together: a packet is for all of them that hear its sender. Fills
    `times.first`, and `worked` (slices, columns), when the lanes of the slices are done.
    """
    s, r, f = tables.slices, tables.rows, tables.fabric
    start, end, first = times[:3]
    rows, at = layer.rows, layer.rows_at
    a = r.source[rows]
    way = work.way[rows]
    head = start[t0, a] + work.head[t0, a] + way
    sends = work.packets[t0, a] > 0
    first[t0, layer.fed] = np.minimum.reduceat(np.where(sends, head, np.inf), at, axis=0)
    lanes = np.minimum.reduceat(head, at, axis=0) + work.axon
    ending = t0 + s.frames[a] - 1
    ends = end[ending, a] + work.behind[ending, a]
    comes, several = ends + way + work.axon, s.form[a] > 0
    if several.any():
        packets = work.packets[t0 : t0 + f.window, a].sum(axis=0)
        comes += last_packet(several, packets, service[rows], np.maximum(work.gap[a], 1.0) + work.own_axon)
    last = np.maximum.reduceat(comes, at, axis=0)
    done = _worked_off(head + work.axon, service[rows], layer.cores_at)
    # The lanes take what comes in one window after what came in the window before.
    free = np.maximum.reduceat(worked[layer.fed], layer.fed_at, axis=0)
    done = np.maximum(done, free + np.add.reduceat(service[rows], layer.cores_at, axis=0))
    begin = np.maximum(done[layer.core_of], last)
    product = tables.parts.operands[tables.parts.first[layer.fed]] > 0
    if product.any():
        # The stream's synapses begin when the last of the stationary operand is written. Products are at T = 1.
        held = r.stationary[rows][:, None]
        written = lanes + np.add.reduceat(np.where(held, service[rows], 0.0), at, axis=0)
        complete = np.maximum.reduceat(np.where(held, ends + way + work.axon, 0.0), at, axis=0)
        stream = np.add.reduceat(np.where(held, 0.0, service[rows]), at, axis=0)
        both = np.maximum(begin, np.maximum(written, complete) + stream)
        begin = np.where(product[:, None], both, begin)
    worked[layer.fed] = begin
    return begin


def last_packet(several: NDArray[np.bool_], packets: Reals, service: Reals, ahead: Reals | float) -> Reals:
    """(rows, columns) cycles that lanes take for the last packet of several spikes after its end marker, which comes `ahead` later.

    It is taken to be as much as the others. An address event is soon worked off: 0.
    """
    own = service / np.maximum(packets, 1.0) - ahead
    return np.where(several[:, None] & (packets > 0), np.maximum(own, 0.0), 0.0)


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
    several: NDArray[np.bool_]  # whether packets hold several spikes

    @classmethod
    def of(cls, tables: Tables) -> "_Cores":
        core = tables.slices.terminal[tables.rows.target]
        rows = np.argsort(core, kind="stable")
        source = tables.rows.source[rows]
        at = begins(core[rows])
        return cls(rows, source, at, tables.slices.form[source] > 0)


def _step(work: Work, cores: _Cores, active: NDArray[np.bool_], frame: Ints, column: Ints) -> Reals:
    """(columns,) cycles of a global step: until its slowest slice has sent, and its slowest core has worked everything off.

    active, frame : (slices,) who works, on which frame; column : (slices, columns) of which sample, 0 where none is active.
    """
    slices = np.arange(len(frame))[:, None]
    which = (frame[:, None], slices, column)
    emission = work.emission[which]
    sends = active[:, None] & (work.packets[which] > 0)
    sent = np.where(active[:, None], emission + np.where(sends, work.tree_delay + work.behind[which], 0.0), 0.0)
    until = sent.max(axis=0, initial=0.0)
    if len(cores.rows):
        a, rows = cores.source, cores.rows[:, None]
        service = np.where(active[a][:, None], work.service[frame[a][:, None], rows, column[a]], 0.0)
        head = np.where(sends[a], work.head[which][a] + work.way[cores.rows] + work.axon, 0.0)
        until = np.maximum(until, _worked_off(head, service, cores.at).max(axis=0))
        if cores.several.any():
            comes = sent[a] - work.tree_delay[a] + work.way[cores.rows] + work.axon
            own = last_packet(cores.several, work.packets[which][a], service, work.own_axon)
            until = np.maximum(until, np.where(own > 0, comes + own, 0.0).max(axis=0))
    return until + work.synchronise


def barrier(tables: Tables, work: Work) -> tuple[Times, list[Reals]]:
    """Samples alone, step by step; returns the cycles of each step (columns,) too."""
    s, f = tables.slices, tables.fabric
    times = empty_times(work.packets, 0)
    start, end, _, finish, occupied = times[:5]
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
