"""One pass over an activity: what the closed form's times need of it, whatever the chip's clockwork."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.copies import tree_of
from sfnhw.sim.clockwork import Clockwork
from sfnhw.sim.counts import path_packets
from sfnhw.sim.fanout import class_cycles, fan_runs, row_cycles, row_feeds
from sfnhw.sim.tables import CYCLES, SliceTable, Tables, ranges

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class LinkLoads(NamedTuple):
    """Packets over links, of all slices of one depth together.

    Attributes
    ----------
    packets : (units, T, used links, samples) of packets that hold a link for so many cycles, by `unit`.
    unit : (units,) flits times what a flit holds a link.
    owner : (owners,) slices that use any link; link, at : the used links of each, and where those of each begin.
    """

    packets: Reals
    unit: Ints
    owner: Ints
    link: Ints
    at: Ints


class Ways(NamedTuple):
    """Ways of packets from their roots to where they leave, for each exit of a packet tree.

    Attributes
    ----------
    owner : (exits,) slice; routers, rows, columns : routers passed, links along rows and columns; fixed : cycles of links
        between chips, and of flits that wait there.
    """

    owner: Ints
    routers: Ints
    rows: Ints
    columns: Ints
    fixed: Ints


class Passed(NamedTuple):
    """What an activity makes slices do, on any clock.

    Attributes
    ----------
    frames : (samples · T, neurons in slice-major order) packets.
    packets : (T, slices, samples) spike packets.
    paths : (T, trees, samples) packets that each of `NodeTable.roots` takes; copies : (T, slices, samples) of each slice.
    lookups : (rows,) of spike packets, all timesteps and samples.
    first : (T, slices, samples) place in its slice of the first neuron that sends; −1: none does.
    links, ways : see there.
    """

    frames: NDArray[np.uint8]
    packets: Reals
    paths: Reals
    copies: Reals
    lookups: Ints
    first: Ints
    links: LinkLoads | None
    ways: Ways

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, slices, samples)."""
        return self.packets.shape

    def by_step(self, sums: NDArray[np.generic]) -> Reals:
        """(T, n, samples) of (n, samples · T)."""
        T, _, samples = self.shape
        return np.ascontiguousarray(sums.reshape(len(sums), samples, T).transpose(2, 0, 1), float)


def pass_over(tables: Tables, sent: NDArray[np.uint8]) -> Passed:
    """Look at an activity once; sent is (samples, T, neurons in slice-major order) packets."""
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    samples, T, neurons = sent.shape
    frames = sent.reshape(samples * T, neurons)

    def by_step(sums: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(sums.reshape(len(sums), samples, T).transpose(2, 0, 1))

    packets = by_step(np.add.reduceat(frames, s.first_neuron[:-1], axis=1, dtype=np.int64).T).astype(float)
    paths = by_step(path_packets(n, frames)).astype(float) if f.per_neuron else packets[:, n.owner[n.roots]]
    upto = np.concatenate([np.zeros((T, 1, samples)), paths.cumsum(axis=1)], axis=1)
    lookups = packets.sum(axis=(0, 2))[r.source]
    if f.per_neuron:
        lookups = row_feeds(s, r, frames.sum(axis=0, dtype=np.int64)[None])[:, 0]
    return Passed(
        frames=frames,
        packets=packets,
        paths=paths,
        copies=upto[:, n.root_first[1:]] - upto[:, n.root_first[:-1]],
        lookups=lookups.astype(np.int64),
        first=by_step(_first(s, frames).T).astype(np.int64),
        links=_loads(tables, paths),
        ways=_ways(tables),
    )


def _first(s: SliceTable, frames: NDArray[np.uint8]) -> Ints:
    """(frames, slices) place in its slice of the first neuron that sends; −1: none."""
    out = np.full((len(frames), len(s.neurons)), -1, np.int64)
    frame, neuron = np.nonzero(frames)
    place = np.searchsorted(s.first_neuron, neuron, "right") - 1
    # The first of each (frame, slice): neurons come in order.
    key = frame * len(s.neurons) + place
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    out[frame[begins], place[begins]] = neuron[begins] - s.first_neuron[place[begins]]
    return out


def _loads(tables: Tables, paths: Reals) -> LinkLoads | None:
    s, n, f = tables.slices, tables.nodes, tables.fabric
    T, _, samples = paths.shape
    inner = np.flatnonzero((n.link >= 0) & (np.arange(len(n.link)) < n.packet_nodes))
    if not len(inner):
        return None
    owner, path = n.owner[inner], tree_of(n.link, n.roots)[inner]
    unit, kind = np.unique(s.flits[owner] * n.flit_cycles[inner], return_inverse=True)
    used, link = np.unique(s.depth[owner] * (4 * f.routers) + n.link[inner], return_inverse=True)
    packets = np.zeros((len(unit), T, len(used), samples))
    cell = ((kind * len(used) + link)[:, None] * samples + np.arange(samples)).reshape(-1)
    for t in range(T):
        sums = np.bincount(cell, paths[t, path].reshape(-1), len(unit) * len(used) * samples)
        packets[:, t] = sums.reshape(len(unit), len(used), samples)
    owners, links = np.divmod(np.unique(owner * len(used) + link), len(used))
    at = np.flatnonzero(np.diff(owners, prepend=-1))
    return LinkLoads(packets, unit, owners[at], links, at)


def _ways(tables: Tables) -> Ways:
    s, n = tables.slices, tables.nodes
    along = np.stack([n.link >= 0, (n.link >= 0) & (n.link % 4 >= 2)]).astype(np.int64)
    # Links between chips take cycles of their own; those on a chip are told by their direction.
    crossing = n.crossing
    fixed = np.where(crossing, n.link_cycles, 0) + s.flits[n.owner] * (n.flit_cycles - 1)
    steps = np.stack([np.ones_like(n.link), along[0] - along[1], along[1], fixed])
    steps[1:3, crossing] = 0
    parents = np.flatnonzero(n.link < 0)
    while len(parents):  # all routers as far from their roots at once
        many = n.child_first[parents + 1] - n.child_first[parents]
        children = n.children[ranges(n.child_first[parents], many)]
        steps[:, children] += np.repeat(steps[:, parents], many, axis=1)
        parents = children
    node = np.repeat(np.arange(n.packet_nodes), np.diff(n.exit_first[: n.packet_nodes + 1]))
    return Ways(n.owner[node], *steps[:, node])


def services(tables: Tables, passed: Passed, works: list[Clockwork]) -> list[Reals]:
    """(T, rows, samples) cycles of synapse lanes and look-ups, for each clockwork.

    A few are added up each by themselves; for more of them packets are sorted by what they cost, once.
    """
    s, r = tables.slices, tables.rows
    keys = [(w.runs.tobytes(), w.fabric.axon_cycles, w.fabric.axon_overlap) for w in works]
    known = dict.fromkeys(keys)
    some: dict[tuple[bytes, int, bool], Reals] = {}
    if len(known) <= 2:
        for key in known:
            w = works[keys.index(key)]
            costs = r.costs.copy()
            costs[:, CYCLES] = w.runs
            some[key] = passed.by_step(row_cycles(s, r._replace(costs=costs), passed.frames, w.fabric))
        return [some[key] for key in keys]
    runs = fan_runs(s, r, passed.frames)
    for key in known:
        w = works[keys.index(key)]
        out = np.zeros((len(r.source), len(passed.frames)))
        for fan in runs:
            out[fan.rows] = fan.packets @ class_cycles(fan, w.runs, w.fabric)
        some[key] = passed.by_step(out)
    return [some[key] for key in keys]


def spiking_groups(s: SliceTable, frames: NDArray[np.uint8], lanes: int) -> Ints:
    """(slices, frames) groups of `lanes` neurons of a slice in which any sends something."""
    groups = -(-s.neurons // lanes)
    upto = np.cumsum(groups) - groups
    starts = np.repeat(s.first_neuron[:-1], groups) + lanes * ranges(np.zeros_like(groups), groups)
    fired = np.logical_or.reduceat(frames > 0, starts, axis=1)
    return np.add.reduceat(fired, upto, axis=1, dtype=np.int64).T
