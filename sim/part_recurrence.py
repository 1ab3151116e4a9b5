"""When parts of slices work, from how much they have to do: the recurrence of `sfnhw.sim.analytic` with rows and delays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.part_work import Jobs, PartWork
from sfnhw.sim.pins import Comes, Leaving
from sfnhw.sim.recurrence import ROUNDS, Times, empty_times
from sfnhw.sim.route_nodes import ranges
from sfnhw.sim.tables import Tables
from sfnhw.sim.words import Words

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class Edges(NamedTuple):
    """Which job each part waits for, sorted by job; all (edges,)."""

    job: Ints
    part: Ints


def edges_of(tables: Tables, jobs: Jobs) -> Edges:
    """Return them."""
    q = tables.parts
    at = q.marker_feeds[jobs.connection] + jobs.row
    first, many = q.feed_first[at], q.feed_first[at + 1] - q.feed_first[at]
    job = np.repeat(np.arange(len(at)), many)
    return Edges(job, q.first[jobs.rows.target[job]] + q.feeds[ranges(first, many)])


def by_parts(tables: Tables, jobs: Jobs, work: PartWork, leaving: Leaving) -> Times:
    """Parts work when what they need is complete and what needs them has room, those of a slice one after the other.

    work : of parts and jobs; leaving : of parts. Returns times of parts. Ready tokens at narrow pins: as
    `sfnhw.sim.recurrence.dataflow`.
    """
    s, f = tables.slices, tables.fabric
    edges, many = edges_of(tables, jobs), len(work.packets) // f.window
    layers = [_Layer.of(tables, jobs, edges, depth) for depth in np.unique(s.depth)]
    late = np.zeros((many, *work.emission.shape[1:]))
    late[:, leaving.tellers] = (leaving.tokens * work.word - 1.0)[:, None]
    for again in range(ROUNDS):
        times, done = _in_layers(tables, jobs, work, layers, late)
        told = _over_pins(tables, jobs, work, leaving, times)
        if many == 1 or again == ROUNDS - 1 or work.word <= 1:
            break
        late[:, leaving.tellers] = told
    late[:, leaving.tellers] = told
    _empty(tables, jobs, work, times, done, layers, late)
    return times


def _in_layers(tables: Tables, jobs: Jobs, work: PartWork, layers: list["_Layer"], late: Reals) -> tuple[Times, Reals]:
    """When parts start and end, and (T, jobs, samples) when jobs are done; late : (windows, parts, samples) as of slices."""
    q, f, s = tables.parts, tables.fabric, tables.slices
    times = empty_times(work.packets, len(work.packets) // f.window)
    T, _, samples = times.start.shape
    done = np.zeros((T, len(jobs.connection), samples))
    lanes_free = np.zeros((len(s.neurons), samples))
    for t0 in range(0, T, f.window):
        for layer in layers:
            fed = np.zeros((len(q.owner), samples))
            if len(layer.jobs):
                _work_off(tables, jobs, work, times, done, lanes_free, layer, t0)
                came = t0 - layer.delay >= 0
                job, part = layer.edges.job[came[layer.place]], layer.edges.part[came[layer.place]]
                np.maximum.at(fed, part, done[t0 - q.marker_delay[jobs.connection[job]], job])
            for lag, source, reader in layer.readers:
                if t0 >= lag * f.window:
                    read = _read_out(tables, jobs, work, times, source, reader, late, t0 - lag * f.window)
                    np.maximum.at(fed, source, read)
            _in_turn(tables, jobs, work, times, layer.slices, fed, t0)
    return times, done


def _over_pins(tables: Tables, jobs: Jobs, work: PartWork, leaving: Leaving, times: Times) -> Reals:
    """Fill in when results have left; returns (windows, tellers, samples) how long the ready tokens for the inputs take there."""
    W, o, c = tables.fabric.window, leaving.outputs, leaving.tellers
    windows = np.arange(len(times.start) // W) * W
    start, to_pins = times.start[:, o], work.to_pins[:, None]
    worked = np.isfinite(start)
    last = windows[:, None] + jobs.slices.frames[c] - 1
    words = times.start[last, c] + work.walk[last, c] + work.back[jobs.slices.is_input].max(initial=0.0)
    ends = np.where(worked, times.end[:, o], np.inf) + to_pins
    heads, word = start + work.head[:, o] + to_pins, np.full(start.shape[2], work.word)
    left, told = Comes(heads, work.results, ends, words, leaving.tokens, word).left()
    left = np.where(worked, left, 0.0)
    times.results[:] = left.reshape(len(windows), -1, left.shape[2]).max(axis=1, initial=0.0)
    np.maximum.at(times.left, o, left.max(axis=0, initial=0.0))
    times.finish[:] = times.results.max(axis=0, initial=0.0)
    return told - words


def _read_out(
    tables: Tables, jobs: Jobs, work: PartWork, times: Times, source: Words, reader: Ints, late: Reals, t0: int
) -> Reals:
    """(readers, samples) when each has told its source that it has read out the window from frame t0 on."""
    last = t0 + jobs.slices.frames[reader] - 1
    at_pins = jobs.slices.is_input[source][:, None]
    told = times.start[last, reader] + work.walk[last, reader] + work.back[source][:, None]
    return np.asarray(told + np.where(at_pins, late[t0 // tables.fabric.window, reader], 0.0))


def _empty(
    tables: Tables, jobs: Jobs, work: PartWork, times: Times, done: Reals, layers: list["_Layer"], late: Reals
) -> None:
    """Fill in when all work is done and all ready words have come."""
    t0 = len(times.start) - tables.fabric.window
    times.occupied[:] = np.maximum(times.finish, times.end[:, ~jobs.slices.is_input].max(axis=(0, 1), initial=0.0))
    np.maximum(times.occupied, done.max(axis=(0, 1), initial=0.0), out=times.occupied)
    for layer in layers:
        for _, source, reader in layer.readers:
            told = _read_out(tables, jobs, work, times, source, reader, late, t0).max(axis=0, initial=0.0)
            np.maximum(times.occupied, told, out=times.occupied)


class _Layer(NamedTuple):
    """Slices as far from the inputs, with the jobs that lead into them and the parts that read from them."""

    depth: int
    slices: Ints
    jobs: Ints
    delay: Words  # of each of these
    edges: Edges
    place: Ints  # of each edge's job among them
    readers: list[tuple[int, Words, Ints]]  # windows that a source may be ahead, sources, parts that read from them

    @classmethod
    def of(cls, tables: Tables, jobs: Jobs, edges: Edges, depth: int) -> "_Layer":
        s, q = tables.slices, tables.parts
        mine = np.flatnonzero(s.depth[jobs.rows.target] == depth)
        into = s.depth[jobs.rows.target[edges.job]] == depth
        chosen = Edges(edges.job[into], edges.part[into])
        out = np.flatnonzero(s.depth[q.owner[jobs.rows.source[edges.job]]] == depth)
        readers = []
        lag = q.marker_lag[jobs.connection[edges.job[out]]]
        for ahead in np.unique(lag):
            some = out[lag == ahead]
            readers.append((int(ahead), jobs.rows.source[edges.job[some]], edges.part[some]))
        delay = q.marker_delay[jobs.connection[mine]]
        return cls(
            int(depth),
            np.flatnonzero(s.depth == depth),
            mine,
            delay,
            chosen,
            np.searchsorted(mine, chosen.job),
            readers,
        )


def _work_off(
    tables: Tables,
    jobs: Jobs,
    work: PartWork,
    times: Times,
    done: Reals,
    lanes_free: Reals,
    layer: _Layer,
    t0: int,
) -> None:
    """Fill `done` of a layer's jobs for the window from frame t0 on, and first arrivals at its parts; move `lanes_free`.

    Lanes serve in order of arrival, taken as that of the jobs' mean first packets. A job that is early by a delay is booked
    in its own frame.
    """
    r, f, q = jobs.rows, tables.fabric, tables.parts
    came = t0 - layer.delay >= 0
    mine, frame = layer.jobs[came], (t0 - layer.delay)[came]
    if not len(mine):
        return
    a, way = r.source[mine], work.way[mine][:, None]
    head = times.start[frame, a] + work.head[frame, a] + way
    last = times.end[frame + jobs.slices.frames[a] - 1, a] + way + f.axon_cycles
    many = f.window if f.window > 1 else 1
    service = np.add.reduce([work.service[frame + t, mine] for t in range(many)])
    streams = r.streams[mine]
    slice_of = r.target[mine]
    if streams.any():
        stays = np.flatnonzero(r.stationary[mine])
        written = np.maximum(_in_order(head[stays], service[stays], slice_of[stays]) + f.axon_cycles, last[stays])
        complete = np.zeros((len(tables.slices.neurons), head.shape[1]))
        np.maximum.at(complete, slice_of[stays], written)
        held = np.where(streams[:, None], complete[slice_of], 0.0)
        head, last = np.maximum(head, held), np.maximum(last, held)
    # What came for the window before is worked off first.
    worked = _in_order(np.maximum(head + f.axon_cycles, lanes_free[slice_of]), service, slice_of)
    np.maximum.at(lanes_free, slice_of, worked)
    done[frame, mine] = np.maximum(worked, last)
    begun = np.full((len(q.owner), head.shape[1]), np.inf)
    here = came[layer.place]
    place = (np.cumsum(came) - 1)[layer.place[here]]
    np.minimum.at(begun, layer.edges.part[here], head[place])
    some = np.unique(layer.edges.part[here])
    times.first[t0, some] = begun[some]


def _in_order(heads: Reals, work: Reals, target: Words) -> Reals:
    """(jobs, samples) when each is worked off by the lanes of its target, which take one after the other."""
    order = np.lexsort((heads.mean(axis=1), target))
    begins = np.flatnonzero(np.diff(target[order], prepend=-1))
    which = np.cumsum(np.diff(target[order], prepend=-1) != 0) - 1
    upto = work[order].cumsum(axis=0)
    before = upto - work[order]
    # Most that any head is later than the work before it, so far: targets are kept apart by more than any head.
    late = heads[order] - (before - before[begins][which])
    apart = (np.abs(late).max(initial=0.0) + 1.0) * 2.0 * which[:, None]
    wait = np.maximum.accumulate(late + apart, axis=0) - apart
    out = np.empty_like(heads)
    out[order] = wait + upto - before[begins][which]
    return out


def _in_turn(tables: Tables, jobs: Jobs, work: PartWork, times: Times, slices: Ints, fed: Reals, t0: int) -> None:
    """Start the parts of slices one after the other, each when it is fed and the one before has sent."""
    q, f = tables.parts, tables.fabric
    frames = jobs.slices.frames
    last = q.first[slices + 1] - 1
    free = np.zeros((len(slices), fed.shape[1]))
    if t0:
        free = times.end[t0 - f.window + frames[last] - 1, last] + work.gap[last][:, None]
    for y in range(int(q.many[slices].max(initial=0))):
        here = q.many[slices] > y
        part = q.first[slices[here]] + y
        begin = np.maximum(fed[part], free[here])
        for t in range(t0, t0 + f.window):
            works = frames[part] > t - t0
            times.start[t, part[works]] = begin[works]
            begin[works] += work.emission[t, part[works]]
            times.end[t, part[works]] = begin[works]
            begin[works] += work.gap[part[works]][:, None]
        free[here] = begin


def part_interval(tables: Tables, jobs: Jobs, work: PartWork, times: Times) -> float:
    """Cycles from a sample to the next that parts, their readers and loops need at least, beside the busiest unit."""
    q, f = tables.parts, tables.fabric
    T = len(times.start)
    edges = edges_of(tables, jobs)
    turn = np.bincount(q.owner, work.emission.sum(axis=0).mean(axis=1))
    bound = float(turn.max(initial=0.0))
    if not len(edges.job):
        return bound
    a, c = jobs.rows.source[edges.job], edges.part
    t0 = T - f.window
    if t0:
        # Windows of a sample follow one another as those of the next one do.
        whole = np.flatnonzero(np.isfinite(times.start[0]).all(axis=1) & np.isfinite(times.start[t0]).all(axis=1))
        all_, last = (times.start[t0, whole] - times.start[t, whole] for t in (0, t0 - f.window))
        apart = np.minimum(all_ / (t0 // f.window), last).mean(axis=1)
        bound = max(bound, float(apart.max(initial=0.0)) * (T // f.window))
    last = t0 + jobs.slices.frames[c] - 1
    read = times.start[last, c] + work.walk[last, c] + work.tree_delay[a][:, None]
    lag = q.marker_lag[jobs.connection[edges.job]]
    before = work.walk[:t0].sum(axis=0).mean(axis=1)[a]
    bound = max(bound, float(((read - times.start[t0, a]).mean(axis=1) / lag + before).max()))
    late = q.marker_delay[jobs.connection[edges.job]] > 0
    if late.any():
        # The next sample's first timestep waits for what this one's last sends on.
        come = times.end[t0, a[late]] + work.way[edges.job[late]][:, None] + f.axon_cycles
        loop = come - times.start[0, c[late]]
        bound = max(bound, float(loop.mean(axis=1).max()))
    return bound
