"""Sums over fan-outs: what the packets of each source slice cost at each slice they reach, without a walk over packets.

Neuron i = (c, p) of a source slice has tap[p] runs of cost[c] behind a connection, so a connection's sum is
Σ_c cost[c] Σ_p sent[c, p]·tap[p]: two matrix products for all connections of a slice. Sums are whole numbers far below
2**53, so products in floating point are exact and their order does not matter.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.blas import blas_for
from sfnhw.sim.tables import CYCLES, STATE, SYNAPSES, WORDS, Fabric, RowTable, SliceTable

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

# Entries of a block of activity in floating point: bounds the memory beside the result to a few times 32 MB.
BLOCK = 2**22


class _Fan(NamedTuple):
    """Connections of one source slice with as many positions."""

    rows: Ints
    first: int  # neurons of the source
    last: int
    positions: int
    taps: Reals  # (positions, kinds of taps)
    kind: Ints  # (rows,) which of them
    cost: Ints  # (channels, rows) places in `RowTable.costs`


def row_costs(s: SliceTable, r: RowTable, sent: NDArray[np.integer]) -> Ints:
    """(3, rows, frames) synaptic operations, weight words and state words of each connection; sent is (frames, neurons)."""
    out = np.zeros((3, len(r.source), len(sent)), np.int64)
    costs = r.costs[:, (SYNAPSES, WORDS, STATE)].astype(float)
    for fan, part, block in _blocks(s, r, sent):
        sums = _sums(block, fan.taps, fan.kind, costs[fan.cost])
        out[:, fan.rows, part] = np.rint(sums.transpose(2, 1, 0))
    return out


def row_feeds(s: SliceTable, r: RowTable, sent: NDArray[np.integer]) -> Ints:
    """(rows, frames) packets of neurons that have a synapse through each connection; sent is (frames, neurons)."""
    out = np.zeros((len(r.source), len(sent)), np.int64)
    for fan, part, block in _blocks(s, r, sent):
        feeds = (r.costs[fan.cost, CYCLES] > 0)[..., None].astype(float)
        out[fan.rows, part] = np.rint(_sums(block, (fan.taps > 0).astype(float), fan.kind, feeds)[..., 0]).T
    return out


class FanRuns(NamedTuple):
    """Packets of one source slice by what they cost behind its connections.

    Attributes
    ----------
    rows : (rows,) connections.
    packets : (rows, frames, classes) of each class.
    kind, taps : (classes,) place in `RowTable.costs` of one run, and number of runs.
    """

    rows: Ints
    packets: Reals
    kind: Ints
    taps: Ints


def fan_runs(s: SliceTable, r: RowTable, sent: NDArray[np.integer]) -> list[FanRuns]:
    """Sort packets into classes that cost the same, whatever one run costs; sent is (frames, neurons)."""
    out: list[FanRuns] = []
    for fan, part, block in _blocks(s, r, sent):
        if part.start == 0:
            pairs = [(k, t) for k in np.unique(fan.cost).tolist() for t in np.unique(fan.taps).astype(int).tolist()]
            kind, taps = np.array(pairs, np.int64).T
            out.append(FanRuns(fan.rows, np.zeros((len(fan.rows), len(sent), len(pairs))), kind, taps))
        runs = out[-1]
        for c, (kind_, taps_) in enumerate(zip(runs.kind, runs.taps, strict=True)):
            of_kind = (fan.cost == kind_)[..., None].astype(float)
            sums = _sums(block, (fan.taps == taps_).astype(float), fan.kind, of_kind)
            runs.packets[:, part, c] = sums[..., 0].T
    return out


def class_cycles(runs: FanRuns, cycles: Ints, f: Fabric) -> Reals:
    """(classes,) cycles that a packet of each class takes; cycles: of one run of each kind."""
    lanes = runs.taps * cycles[runs.kind]
    both = np.maximum(lanes, f.axon_cycles) if f.axon_overlap else lanes + f.axon_cycles
    return (np.where(lanes > 0, both, 0) if f.per_neuron else both).astype(float)


def row_cycles(s: SliceTable, r: RowTable, sent: NDArray[np.integer], f: Fabric) -> Reals:
    """(rows, frames) cycles of lanes and look-ups: each packet takes the longer of both, or both; sent is (frames, neurons)."""
    out = np.zeros((len(r.source), len(sent)))
    for fan, part, block in _blocks(s, r, sent):
        cycles = r.costs[fan.cost, CYCLES]
        sums = _sums(block, fan.taps, fan.kind, cycles[..., None].astype(float))
        # max(a, b) = a + max(0, b − a): what the look-up takes beyond the lanes, for each number of cycles up to it.
        short = np.minimum(cycles, f.axon_cycles)
        for level in np.unique(short):
            beyond = np.maximum(0.0, f.axon_cycles - fan.taps * level * f.axon_overlap)
            if f.per_neuron:  # what has no synapse here sends no packet here
                beyond *= fan.taps * level > 0
            if beyond.any():
                sums += _sums(block, beyond, fan.kind, (short == level)[..., None].astype(float))
        out[fan.rows, part] = sums[..., 0].T
    return out


def _blocks(s: SliceTable, r: RowTable, sent: NDArray[np.integer]) -> Iterator[tuple[_Fan, slice, Reals]]:
    """Yield the fans, and for each the (frames, channels, positions) packets of its source, some frames at a time."""
    slices = len(s.neurons)
    multiplications = len(sent) * sent.shape[1] / slices * 3 * len(r.source) / slices
    with blas_for(multiplications):
        yield from _blocks_of(_fans(s, r), sent)


def _blocks_of(fans: Iterator[_Fan], sent: NDArray[np.integer]) -> Iterator[tuple[_Fan, slice, Reals]]:
    for fan in fans:
        neurons = fan.last - fan.first
        step = max(1, BLOCK // neurons)
        for low in range(0, len(sent), step):
            part = slice(low, min(low + step, len(sent)))
            block = sent[part, fan.first : fan.last].astype(float)
            yield fan, part, block.reshape(len(block), neurons // fan.positions, fan.positions)


def _fans(s: SliceTable, r: RowTable) -> Iterator[_Fan]:
    order = np.lexsort((r.positions, r.source))
    same = (np.diff(r.source[order]) == 0) & (np.diff(r.positions[order]) == 0)
    for rows in np.split(order, np.flatnonzero(~same) + 1) if len(order) else ():
        source, positions = r.source[rows[0]], int(r.positions[rows[0]])
        first, last = (int(v) for v in s.first_neuron[source : source + 2])
        channel, position = np.arange((last - first) // positions)[:, None], np.arange(positions)[:, None]
        # Connections with the same taps, all 1 for most, share a product.
        at = r.taps_first[rows].astype(np.int64) * 2 + r.taps_stride[rows]
        kind = np.zeros(len(rows), np.int64)
        if (at == at[0]).all():
            at = at[:1]
        else:
            at, kind = np.unique(at, return_inverse=True)
        cost = r.cost_first[rows].astype(np.int64) + r.runs[r.run_first[rows] + channel * r.run_stride[rows]]
        yield _Fan(rows, first, last, positions, r.taps[at // 2 + position * (at % 2)].astype(float), kind, cost)


def _sums(sent: Reals, taps: Reals, kind: Ints, cost: Reals) -> Reals:
    """(frames, rows, m) Σ_c cost[c, row] Σ_p sent[c, p]·taps[p, kind of row], of cost (channels, rows, m)."""
    frames, channels, _ = sent.shape
    rows, m = cost.shape[1:]
    tapped = sent @ taps
    if taps.shape[1] == 1:
        return (tapped[..., 0] @ cost.reshape(channels, -1)).reshape(frames, rows, m)
    out = np.empty((frames, rows, m))
    constant = (cost == cost[:1]).all(axis=(0, 2))
    out[:, constant] = tapped.sum(axis=1)[:, kind[constant], None] * cost[0, constant]
    for one in np.unique(kind[~constant]):
        mine = np.flatnonzero(~constant & (kind == one))
        out[:, mine] = (tapped[..., one] @ cost[:, mine].reshape(channels, -1)).reshape(frames, len(mine), m)
    return out
