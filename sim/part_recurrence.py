"""When parts of slices work, from how much they have to do: the recurrence of `sfnhw.sim.analytic` with rows and delays."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.following import Following
from sfnhw.sim.part_layers import Coming, Layer, Readers, edges_of
from sfnhw.sim.part_work import Jobs, PartWork
from sfnhw.sim.pins import Comes, Leaving
from sfnhw.sim.recurrence import ROUNDS, Times, empty_times, last_packet
from sfnhw.sim.route_nodes import begins
from sfnhw.sim.tables import Tables

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Whole = NDArray[np.integer]

# Windows of samples back to back that an interval is found from, samples at least, and rows of them side by side at most.
STREAM_WINDOWS, FEWEST, STREAMS = 16, 4, 4
# What of `PartWork` is of one timestep.
_TIMED = ("packets", "service", "emission", "head", "lag", "behind", "walk", "results")


def by_parts(tables: Tables, jobs: Jobs, layers: list[Layer], work: PartWork, leaving: Leaving) -> Times:
    """Parts work when what they need is complete and what needs them has room, those of a slice one after the other.

    layers : of them all, inputs first; work : of parts and jobs; leaving : of parts. Returns times of parts. Ready tokens at
    narrow pins: as `sfnhw.sim.recurrence.dataflow`.
    """
    many = len(work.packets) // tables.fabric.window
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


def _in_layers(tables: Tables, jobs: Jobs, work: PartWork, layers: list[Layer], late: Reals) -> tuple[Times, Reals]:
    """When parts start and end, and (T, jobs, samples) when jobs are done; late : (windows, parts, samples) as of slices."""
    q, f = tables.parts, tables.fabric
    times = empty_times(work.packets, len(work.packets) // f.window)
    T, _, samples = times.start.shape
    done = np.zeros((T, len(jobs.connection), samples))
    lanes_free = np.zeros((len(tables.slices.neurons), samples))
    for t0 in range(0, T, f.window):
        fed = np.zeros((len(q.owner), samples))
        for layer in layers:
            coming = layer.later if t0 else layer.first
            if len(coming.jobs):
                _work_off(tables, work, times, done, lanes_free, coming, t0)
                ended = done[t0 - coming.delay[coming.place], coming.job]
                fed[coming.parts] = np.maximum.reduceat(ended, coming.part_at, axis=0)
            for readers in layer.readers:
                if t0 >= readers.lag * f.window:
                    read = _read_out(tables, jobs, work, times, readers, late, t0 - readers.lag * f.window)
                    told = np.maximum.reduceat(read, readers.at, axis=0)
                    fed[readers.sources] = np.maximum(fed[readers.sources], told)
            _in_turn(tables, jobs, work, times, layer, fed, t0)
    return times, done


def _over_pins(tables: Tables, jobs: Jobs, work: PartWork, leaving: Leaving, times: Times) -> Reals:
    """Fill in when results have left; returns (windows, tellers, samples) how long the ready tokens for the inputs take there."""
    W, o, c = tables.fabric.window, leaving.outputs, leaving.tellers
    windows = np.arange(len(times.start) // W) * W
    start, to_pins = times.start[:, o], work.to_pins[:, None]
    worked = np.isfinite(start)
    last = windows[:, None] + jobs.slices.frames[c] - 1
    words = times.start[last, c] + work.walk[last, c] + work.back[jobs.slices.is_input].max(initial=0.0)
    ends = np.where(worked, times.end[:, o] + work.behind[:, o], np.inf) + to_pins
    heads, word = start + (work.head[:, o] - work.lag[:, o]) + to_pins, np.full(start.shape[2], work.word)
    left, told = Comes(heads, work.results, ends, words, leaving.tokens, word).left()
    left = np.where(worked, left, 0.0)
    times.results[:] = left.reshape(len(windows), -1, left.shape[2]).max(axis=1, initial=0.0)
    np.maximum.at(times.left, o, left.max(axis=0, initial=0.0))
    times.finish[:] = times.results.max(axis=0, initial=0.0)
    return told - words


def _read_out(
    tables: Tables, jobs: Jobs, work: PartWork, times: Times, readers: Readers, late: Reals, t0: int
) -> Reals:
    """(readers, samples) when each has told its source that it has read out the window from frame t0 on."""
    last = t0 + jobs.slices.frames[readers.part] - 1
    told = times.start[last, readers.part] + work.walk[last, readers.part] + work.back[readers.source][:, None]
    return np.asarray(told + np.where(readers.at_pins, late[t0 // tables.fabric.window, readers.part], 0.0))


def _empty(
    tables: Tables, jobs: Jobs, work: PartWork, times: Times, done: Reals, layers: list[Layer], late: Reals
) -> None:
    """Fill in when all work is done and all ready words have come."""
    t0 = len(times.start) - tables.fabric.window
    times.occupied[:] = np.maximum(times.finish, times.end[:, ~jobs.slices.is_input].max(axis=(0, 1), initial=0.0))
    np.maximum(times.occupied, done.max(axis=(0, 1), initial=0.0), out=times.occupied)
    for layer in layers:
        for readers in layer.readers:
            told = _read_out(tables, jobs, work, times, readers, late, t0).max(axis=0, initial=0.0)
            np.maximum(times.occupied, told, out=times.occupied)


def _work_off(
    tables: Tables, work: PartWork, times: Times, done: Reals, lanes_free: Reals, coming: Coming, t0: int
) -> None:
    """Fill `done` of a layer's jobs for the window from frame t0 on, and first arrivals at its parts; move `lanes_free`.

    Lanes serve in order of arrival, taken as that of the jobs' mean first packets, all slices of the layer on their core. A job
    that is early by a delay is booked in its own frame.
    """
    f, c = tables.fabric, coming
    mine, frame, a, way = c.jobs, t0 - c.delay, c.source, work.way[c.jobs][:, None]
    head = times.start[frame, a] + work.head[frame, a] + way
    last = times.end[frame + c.last, a] + work.behind[frame + c.last, a] + way + f.axon_cycles
    service = work.service[frame, mine]
    for t in range(1, f.window):
        service = service + work.service[frame + t, mine]
    several = tables.slices.form[tables.parts.owner[a]] > 0
    if several.any():
        packets = np.sum([work.packets[frame + t, a] for t in range(f.window)], axis=0)
        ahead = np.maximum(work.gap[a][:, None], 1.0) + (0 if f.axon_overlap else f.axon_cycles)
        last += last_packet(several, packets, service, ahead)
    if len(c.stays):
        stays, at = c.stays, begins(c.which[c.stays])
        which = np.cumsum(np.diff(c.which[stays], prepend=-1) != 0) - 1
        written = _in_order(head[stays], service[stays], c.core[stays], at, which) + f.axon_cycles
        complete = np.zeros_like(lanes_free)
        np.maximum.at(complete, c.target[stays], np.maximum(written, last[stays]))
        held = np.where(c.streams[:, None], complete[c.target], 0.0)
        head, last = np.maximum(head, held), np.maximum(last, held)
    # What came for the window before is worked off first.
    comes = np.maximum(head + f.axon_cycles, lanes_free[c.core])
    worked = _in_order(comes, service, c.core, c.at, c.which)
    lanes_free[c.cores] = np.maximum(lanes_free[c.cores], np.maximum.reduceat(worked, c.at, axis=0))
    done[frame, mine] = np.maximum(worked, last)
    times.first[t0, c.parts] = np.minimum.reduceat(head[c.place], c.part_at, axis=0)


def _in_order(heads: Reals, work: Reals, core: Whole, at: Ints, which: Ints) -> Reals:
    """(jobs, samples) when each is worked off by the lanes of its core, which take one after the other.

    core : (jobs,) sorted; at : where the jobs of each begin; which : (jobs,) place of its core among them.
    """
    order = np.lexsort((heads.sum(axis=1), core))
    mine = work[order]
    upto = mine.cumsum(axis=0)
    before = upto - mine
    ahead = before[at][which]  # of other cores
    # Most that any head is later than the work before it, so far: cores are kept apart by more than any head.
    late = heads[order] - (before - ahead)
    apart = (np.abs(late).max(initial=0.0) + 1.0) * 2.0 * which[:, None]
    wait = np.maximum.accumulate(late + apart, axis=0) - apart
    out = np.empty_like(heads)
    out[order] = wait + upto - ahead
    return out


def _in_turn(tables: Tables, jobs: Jobs, work: PartWork, times: Times, layer: Layer, fed: Reals, t0: int) -> None:
    """Start the parts of slices one after the other, each when it is fed and the one before has sent."""
    W, p, gap = tables.fabric.window, layer.parts, work.gap[layer.parts][:, None]
    frames = jobs.slices.frames[p]
    begin = fed[p]
    free = np.zeros((len(layer.last), fed.shape[1]))
    if t0:
        last = layer.last
        free = times.end[t0 - W + jobs.slices.frames[last] - 1, last] + work.gap[last][:, None]
    if layer.rows == 1:
        begin = np.maximum(begin, free)
    else:
        # The latest of any part before that was fed late, and the work from there on.
        takes = np.zeros((len(free), layer.rows, fed.shape[1]))
        at = (layer.place, layer.row)
        takes[at] = work.emission[t0, p] + gap
        for t in range(1, W):
            takes[at] += np.where(frames[:, None] > t, work.emission[t0 + t, p] + gap, 0.0)
        before = takes.cumsum(axis=1) - takes
        late = np.full_like(takes, -np.inf)
        late[at] = begin
        late[:, 0] = np.maximum(late[:, 0], free)
        begin = (np.maximum.accumulate(late - before, axis=1) + before)[at]
    times.start[t0, p] = begin
    times.end[t0, p] = end = begin + work.emission[t0, p]
    for t in range(1, W):
        works = frames > t
        begin = end[works] + gap[works]
        times.start[t0 + t, p[works]] = begin
        end[works] = begin + work.emission[t0 + t, p[works]]
        times.end[t0 + t, p[works]] = end[works]


def part_interval(tables: Tables, jobs: Jobs, work: PartWork, times: Times) -> float:
    """Cycles from a sample to the next that parts, and loops of parts, need at least, beside the busiest unit.

    Samples are of one window, and nothing is delayed: what turns of parts, and parts with those that read from them, take.
    times : of `by_parts`.
    """
    q = tables.parts
    edges = edges_of(tables, jobs)
    turn = np.bincount(q.owner, work.emission.sum(axis=0).mean(axis=1))
    bound = float(turn.max(initial=0.0))
    if not len(edges.job):
        return bound
    a, c = jobs.rows.source[edges.job], edges.part
    last = jobs.slices.frames[c] - 1
    read = times.start[last, c] + work.walk[last, c] + work.tree_delay[a][:, None]
    lag = q.marker_lag[jobs.connection[edges.job]]
    return max(bound, float(((read - times.start[0, a]).mean(axis=1) / lag).max()))


def part_stream(
    tables: Tables, jobs: Jobs, layers: list[Layer], work: PartWork, leaving: Leaving, follow: Following
) -> tuple[float, Following]:
    """Cycles between results, samples back to back, and which these are: as `sfnhw.sim.recurrence.stream`.

    Rows of samples go side by side, since a short one shows the pace: `STREAM_WINDOWS`. leaving : of parts.
    """
    T = len(work.packets)
    length = max(FEWEST, -(-STREAM_WINDOWS * tables.fabric.window // T))
    rows = min(STREAMS, -(-follow.chosen // length))
    # Row after row, and again from the first where there are fewer.
    order = np.resize(follow.order, (rows, length)).T

    def in_a_row(values: Reals) -> Reals:
        return values[..., order].transpose(2, 0, 1, 3).reshape(length * T, values.shape[1], rows)

    timed = {name: in_a_row(getattr(work, name)) for name in _TIMED}
    results = by_parts(tables, jobs, layers, PartWork(**{**work._asdict(), **timed}), leaving).results
    finish = results.reshape(length, -1, rows).max(axis=1)
    first = length // 4
    return float((finish[-1] - finish[first - 1]).mean() / (length - first)), follow._replace(order=np.unique(order))
