"""Which parts wait for which, a layer at a time: what the recurrence of `sfnhw.sim.part_recurrence` goes by in each window."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.part_work import Jobs
from sfnhw.sim.route_nodes import begins, ranges
from sfnhw.sim.tables import Tables
from sfnhw.sim.words import Words

Ints = NDArray[np.int64]
Whole = NDArray[np.integer]


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


class Coming(NamedTuple):
    """Jobs that lead into a layer, in some window.

    Attributes
    ----------
    jobs : (jobs,) which, those into each core in a row; delay, source, last : of each, timesteps, part that sends it, and
        frames of that part after the first of a window.
    target : (jobs,) slice that works it off; core : (jobs,) the first slice of the layer on the same core, whose lanes these are.
    cores, at : (cores,) those slices, and where the jobs of each begin; which : (jobs,) place of its core among them.
    streams, stays : as of `RowTable`; the places of those that stay.
    job, place, part : (edges,) job, its place above, and part that waits for it, sorted by part; parts, part_at : (parts,)
        those parts, and where the edges of each begin.
    """

    jobs: Ints
    delay: Words
    source: Words
    last: Ints
    target: Words
    core: Ints
    cores: Ints
    at: Ints
    which: Ints
    streams: NDArray[np.bool_]
    stays: Ints
    job: Ints
    place: Ints
    part: Ints
    parts: Ints
    part_at: Ints

    @classmethod
    def of(cls, tables: Tables, jobs: Jobs, edges: Edges, slices: Ints, mine: Ints) -> "Coming":
        """Return what is to know of some jobs into a layer of slices; edges : theirs, and perhaps others'."""
        r, terminal = jobs.rows, tables.slices.terminal
        first = np.zeros(tables.fabric.cores + 1, np.int64)
        first[terminal[slices[::-1]]] = slices[::-1]
        core = first[terminal[r.target[mine]]]
        order = np.lexsort((r.target[mine], core))
        mine, core = mine[order], core[order]
        target, source = r.target[mine], r.source[mine]
        at = begins(core)
        place_of = np.full(len(r.source), -1)
        place_of[mine] = np.arange(len(mine))
        some = np.flatnonzero(place_of[edges.job] >= 0)
        some = some[np.argsort(edges.part[some], kind="stable")]
        part_at = begins(edges.part[some])
        return cls(
            jobs=mine,
            delay=tables.parts.marker_delay[jobs.connection[mine]],
            source=source,
            last=jobs.slices.frames[source] - 1,
            target=target,
            core=core,
            cores=core[at],
            at=at,
            which=np.repeat(np.arange(len(at)), np.diff(np.append(at, len(target)))),
            streams=r.streams[mine],
            stays=np.flatnonzero(r.stationary[mine]) if r.streams[mine].any() else np.zeros(0, np.int64),
            job=edges.job[some],
            place=place_of[edges.job[some]],
            part=edges.part[some],
            parts=edges.part[some][part_at],
            part_at=part_at,
        )


class Readers(NamedTuple):
    """Parts that read from the parts of a layer, sorted by these.

    Attributes
    ----------
    lag : windows that a source may be ahead of what they have read out.
    source, part : (readers,) source and part that reads; sources, at : (sources,) those sources, and where the readers of each
        begin.
    at_pins : (readers, 1) whether the ready token goes over the pins.
    """

    lag: int
    source: Words
    part: Ints
    sources: Words
    at: Ints
    at_pins: NDArray[np.bool_]


class Layer(NamedTuple):
    """Slices as far from the inputs.

    Attributes
    ----------
    first, later : jobs that lead into them in the first window, without delay, and in all others.
    readers : of what they send.
    parts : (parts,) theirs, slice by slice; place, row : (parts,) place of its slice among them, and number within it.
    last : (slices,) last part of each; rows : most parts of any.
    """

    first: Coming
    later: Coming
    readers: list[Readers]
    parts: Ints
    place: Ints
    row: Ints
    last: Ints
    rows: int

    @classmethod
    def of(cls, tables: Tables, jobs: Jobs, edges: Edges, depth: int) -> "Layer":
        """Return those of one depth."""
        s, q = tables.slices, tables.parts
        slices = np.flatnonzero(s.depth == depth)
        mine = np.flatnonzero(s.depth[jobs.rows.target] == depth)
        at_once = mine[q.marker_delay[jobs.connection[mine]] == 0]
        many = q.many[slices]
        later = Coming.of(tables, jobs, edges, slices, mine)
        return cls(
            first=later if len(at_once) == len(mine) else Coming.of(tables, jobs, edges, slices, at_once),
            later=later,
            readers=_readers(tables, jobs, edges, depth),
            parts=ranges(q.first[slices], many),
            place=np.repeat(np.arange(len(slices)), many),
            row=ranges(np.zeros_like(slices), many),
            last=q.first[slices + 1] - 1,
            rows=int(many.max(initial=0)),
        )


def layers_of(tables: Tables, jobs: Jobs) -> list[Layer]:
    """Return all layers, inputs first."""
    edges = edges_of(tables, jobs)
    return [Layer.of(tables, jobs, edges, depth) for depth in np.unique(tables.slices.depth).tolist()]


def _readers(tables: Tables, jobs: Jobs, edges: Edges, depth: int) -> list[Readers]:
    s, q = tables.slices, tables.parts
    source = jobs.rows.source[edges.job]
    out = np.flatnonzero(s.depth[q.owner[source]] == depth)
    lag = q.marker_lag[jobs.connection[edges.job[out]]]
    readers = []
    for ahead in np.unique(lag).tolist():
        some = out[lag == ahead]
        some = some[np.argsort(source[some], kind="stable")]
        who, at = source[some], begins(source[some])
        over_pins = jobs.slices.is_input[who][:, None]
        readers.append(Readers(ahead, who, edges.part[some], who[at], at, over_pins))
    return readers
