"""What slices work by themselves: whole, or a row (of a feature map; a token of a sequence) after the other.

A part is what starts by itself: it waits for the end markers of the parts that it needs, and for the ready tokens of those
that need it. A slice works its parts in order, one at a time; trees, packets and fan-outs are the slice's own. A marker, and
a token, names its row where a spike packet has the index of its neuron.

With B sets of accumulators in a slice, a source whose spikes come d timesteps later may send step t once the slice has read
out step t + d − B: a token for step u allows step u + B − d, and those before are allowed from the start (`allowed`), as
the markers of delayed spikes that nobody has sent are taken to be in (`fed`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping import Mapping
from sfnhw.mapping.slices import parts_of, state_banks
from sfnhw.mapping.unit_cycles import frames_of
from sfnhw.network import Block, Network, Projection, Stationary
from sfnhw.sim.words import Words, check_most, narrowed

Ints = NDArray[np.int64]
Needs = NDArray[np.bool_]

# Windows of one part that can be open at once: one fewer than the counters that it has for them.
WINDOWS = 4


class PartTable(NamedTuple):
    """Parts of slices, in slice order, and who waits for whom.

    Attributes
    ----------
    first : (slices + 1,) parts of each slice.
    owner : (parts,) slice.
    columns : (slices,) neurons of one channel in a row; of neurons in channel-major order.
    inputs : (parts,) end markers to wait for in each window: of each part that it needs, through each projection, one for
        each timestep in which that one works.
    operands : (parts,) those of them that bring the stationary operand of a product: streams wait for them.
    consumers : (parts,) parts that need it: ready tokens to wait for.
    fed, allowed : (parts, WINDOWS) end markers, and tokens, that are in from the start for the first windows.
    feed_first, feeds : pool, CSR: rows of a slice, counted within it.
    marker_feeds : (connections,) where the pool has the rows of the target that row 0 of the source feeds; row y: y behind.
    marker_delay : (connections,) timesteps later in which they need it.
    marker_lag : (connections,) windows that the source may be ahead of what its target has read out, B − d.
    token_feeds, token_delay : (items of token trees,) the same from a row of the target back to rows of the source: which
        wait for its token, and how many windows later it allows.
    """

    first: Ints
    owner: Ints
    columns: Ints
    inputs: Ints
    operands: Ints
    consumers: Ints
    fed: Ints
    allowed: Ints
    feed_first: Ints
    feeds: Ints
    marker_feeds: Words
    marker_delay: Words
    marker_lag: Words
    token_feeds: Words
    token_delay: Words

    @property
    def many(self) -> Ints:
        """(slices,) parts of each slice."""
        return np.diff(self.first)


class _Pool:
    """Rows that rows feed, CSR; the same lists are kept once."""

    def __init__(self) -> None:
        self.first, self.feeds, self.known = [np.zeros(1, np.int64)], [np.zeros(0, np.int64)], dict[bytes, int]()
        self.pointers, self.size = 1, 0

    def add(self, feeds: Needs) -> int:
        """feeds (rows that feed, rows that are fed); returns where the first of them is."""
        key = repr(feeds.shape).encode() + feeds.tobytes()
        if key not in self.known:
            # A list of pointers begins with where the one before has ended.
            self.known[key] = self.pointers - 1
            rows, fed = np.nonzero(feeds)
            ends = self.size + np.cumsum(np.bincount(rows, minlength=len(feeds)))
            self.first.append(ends.astype(np.int64))
            self.feeds.append(fed.astype(np.int64))
            self.pointers, self.size = self.pointers + len(feeds), self.size + len(fed)
        return self.known[key]


def rows_needed(network: Network, p: Projection) -> Needs:
    """(rows of the target, rows of the source) whether any neuron of the one has a synapse from any of the other."""
    source, target = network[p.source], network[p.target]
    out = np.zeros((target.rows, source.rows), np.bool_)
    for row in range(target.rows):
        block = Block(0, target.channels, row, row + 1)
        reach = p.reach(source, target, block)
        if reach.channels < 1 or reach.rows < 1:
            continue
        each = p.fan(source, target, reach, block).per_neuron(source.block_size(reach))
        out[row, reach.r0 : reach.r1] = each.reshape(reach.channels, reach.rows, -1).any(axis=(0, 2))
    return out


def build_parts(mapping: Mapping, token_owner: Ints, token_source: Ints) -> PartTable:
    """Derive the parts; token_owner, token_source : (items of token trees,) slice that sends the token, and slice it is for."""
    network, slices, c = mapping.network, mapping.slices, mapping.connections
    many = np.array([parts_of(s.block, mapping.chip) for s in slices], np.int64)
    first = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
    check_most(int(first[-1]), "parts of slices")
    source, target = c.source.astype(np.int64), c.target.astype(np.int64)
    delay = np.array([getattr(p, "delay", 0) for p in network.projections], np.int64)[c.projection]
    sets = np.array([state_banks(network, network[s.population], mapping.chip) for s in slices], np.int64)
    pool = _Pool()
    needs, kind = _needs(mapping)
    inputs, operands, fed, marker_feeds = _markers(mapping, first, needs, kind, pool)
    pairs, groups, of_pair = _pairs(source, target, kind)
    lag = np.full(len(pairs), WINDOWS, np.int64)
    np.minimum.at(lag, of_pair, sets[target] - delay)
    consumers, allowed = np.zeros(first[-1], np.int64), np.zeros((first[-1], WINDOWS), np.int64)
    pair_feeds = np.zeros(len(pairs), np.int64)
    for some, kinds in groups:
        either = np.logical_or.reduce([needs[k][1] for k in kinds])
        pair_feeds[some] = pool.add(either)
        at = first[pairs[some, 0], None] + np.arange(either.shape[1])
        readers = either.sum(axis=0)
        consumers += _summed(at, readers, first[-1])
        for window in range(WINDOWS):
            allowed[:, window] += _summed(at, readers * (lag[some, None] > window), first[-1])
    item = np.searchsorted(pairs[:, 0] * len(slices) + pairs[:, 1], token_source * len(slices) + token_owner)
    return PartTable(
        first=first,
        owner=np.repeat(np.arange(len(slices)), many),
        columns=np.array([network[s.population].columns for s in slices], np.int64),
        inputs=inputs,
        operands=operands,
        consumers=consumers,
        fed=fed,
        allowed=allowed,
        feed_first=np.concatenate(pool.first),
        feeds=np.concatenate(pool.feeds),
        marker_feeds=narrowed(marker_feeds, "rows that rows feed"),
        marker_delay=narrowed(delay, "timesteps of a delay"),
        marker_lag=lag[of_pair].astype(np.int32),
        token_feeds=narrowed(pair_feeds[item], "rows that rows feed"),
        token_delay=lag[item].astype(np.int32),
    )


def _markers(
    mapping: Mapping, first: Ints, needs: list[tuple[int, Needs]], kind: Ints, pool: _Pool
) -> tuple[Ints, Ints, Ints, Ints]:
    """`inputs`, `operands`, `fed` and `marker_feeds` of the parts."""
    network, c, parts = mapping.network, mapping.connections, int(first[-1])
    frames = np.array([frames_of(network, network[s.population]) for s in mapping.slices], np.int64)
    inputs, operands, fed = np.zeros(parts, np.int64), np.zeros(parts, np.int64), np.zeros((parts, WINDOWS), np.int64)
    marker_feeds = np.zeros(len(c), np.int64)
    for k, (projection, need) in enumerate(needs):
        p, rows = network.projections[projection], np.flatnonzero(kind == k)
        marker_feeds[rows] = pool.add(need.T)
        at = first[c.target[rows], None] + np.arange(len(need))
        markers = _summed(at, frames[c.source[rows], None] * need.sum(axis=1), parts)
        inputs += markers
        if isinstance(p, Stationary):
            operands += markers
        fed[:, : getattr(p, "delay", 0)] += markers[:, None]
    return inputs, operands, fed, marker_feeds


def _summed(at: Ints, values: Ints, size: int) -> Ints:
    """(size,) sums of whole numbers, broadcast to `at`, over places."""
    weights = np.broadcast_to(values, at.shape).reshape(-1)
    return np.bincount(at.reshape(-1), weights, size).astype(np.int64)


def _needs(mapping: Mapping) -> tuple[list[tuple[int, Needs]], Ints]:
    """Kinds of connections, (projection, (parts of the target, parts of the source) which needs which); (connections,) kind."""
    network, c = mapping.network, mapping.connections
    whole = mapping.chip.execution.granularity == "layer"
    edges = np.array([(s.block.r0, s.block.r1) for s in mapping.slices], np.int64)
    columns = [c.projection.astype(np.int64)]
    if not whole:
        columns += [edges[c.source, 0], edges[c.source, 1], edges[c.target, 0], edges[c.target, 1]]
    one, kind = alike(*columns)
    keys = np.stack(columns)[:, one]
    every: dict[int, Needs] = {}
    out = []
    for key in keys.T.tolist():
        if whole:
            out.append((key[0], np.ones((1, 1), np.bool_)))
            continue
        k, r0, r1, z0, z1 = key
        if k not in every:
            every[k] = rows_needed(network, network.projections[k])
        need = every[k][z0:z1, r0:r1]
        if isinstance(network.projections[k], Stationary):
            # What stays is written once for the whole slice, and any stream may meet any of it.
            need = np.broadcast_to(need.any(axis=0), need.shape)
        out.append((k, need))
    return out, kind


def _pairs(source: Ints, target: Ints, kind: Ints) -> tuple[Ints, list[tuple[Ints, list[int]]], Ints]:
    """(pairs, 2) slices that are connected, sorted; which pairs are connected by the same kinds; (connections,) pair."""
    one, of_pair = alike(source, target)
    pairs = np.stack([source[one], target[one]], axis=1)
    order = np.lexsort((kind, of_pair))
    many = np.bincount(of_pair, minlength=len(pairs))
    place = np.arange(len(kind)) - np.repeat(np.cumsum(many) - many, many)
    kinds = np.full((len(pairs), int(many.max(initial=1))), -1, np.int64)
    kinds[of_pair[order], place] = kind[order]
    one, which = alike(*(kinds.T + 1))
    groups = [(np.flatnonzero(which == k), kinds[i][kinds[i] >= 0].tolist()) for k, i in enumerate(one.tolist())]
    return pairs, groups, of_pair


def alike(*columns: Ints) -> tuple[Ints, Ints]:
    """(kinds,) a place of each kind of row of columns of numbers ≥ 0, in ascending order; (rows,) which kind it is."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, code = np.unique(code * (int(column.max(initial=0)) + 1) + column, return_inverse=True)
    return np.unique(code, return_index=True)[1], code
