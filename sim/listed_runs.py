"""Runs of synapses that are listed one by one: what each neuron's run takes of state memory, connection by connection."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping import Mapping
from sfnhw.mapping.memory_banks import Scattered, scattered
from sfnhw.network import Sparse

Ints = NDArray[np.int64]


class ListedRuns(NamedTuple):
    """Kinds of listed runs, and the kind of each neuron's.

    Attributes
    ----------
    width : (kinds,) synapses.
    cost : of each kind.
    first : (connections,) where the kinds of the connection's neurons begin in `kind`; −1: its synapses are not listed.
    kind : pool.
    """

    width: Ints
    cost: Scattered
    first: Ints
    kind: Ints


def listed_runs(mapping: Mapping) -> ListedRuns:
    """Return the runs of all connections whose synapses are listed."""
    network, c = mapping.network, mapping.connections
    first = np.full(len(c), -1, np.int64)
    listed = np.array([isinstance(p, Sparse) for p in network.projections], np.bool_)[c.projection]
    parts: list[Ints] = []
    size = 0
    rows = np.flatnonzero(listed)
    for k in np.unique(c.projection[rows]).tolist():
        p = network.projections[k]
        assert isinstance(p, Sparse)
        source = network[p.source]
        place, whole = _by_slice(mapping, p)
        for row in rows[c.projection[rows] == k].tolist():
            own = whole[:, place[c.target[row]], source.indices(mapping.slices[c.source[row]].block)]
            first[row] = size
            size += own.shape[1]
            parts.append(own)
    if not parts:
        none = np.zeros(0, np.int64)
        return ListedRuns(none, Scattered(none, none), first, none)
    width, words, cycles = np.concatenate(parts, axis=1)
    most_words, most_cycles = int(words.max()) + 1, int(cycles.max()) + 1
    found, kind = np.unique((width * most_words + words) * most_cycles + cycles, return_inverse=True)
    width, rest = np.divmod(found, most_words * most_cycles)
    return ListedRuns(width, Scattered(*np.divmod(rest, most_cycles)), first, kind.reshape(-1))


def _by_slice(mapping: Mapping, p: Sparse) -> tuple[Ints, Ints]:
    """(slices,) places of the target's slices, and (3, places, source neurons) width, words and cycles of each run."""
    source, target = mapping.network[p.source], mapping.network[p.target]
    slices = mapping.slices_of(p.target)
    place = np.full(len(mapping.slices), -1, np.int64)
    place[[s.index for s in slices]] = np.arange(len(slices))
    home, local = np.zeros(target.size, np.int64), np.zeros(target.size, np.int64)
    for s in slices:
        held = target.indices(s.block)
        home[held], local[held] = place[s.index], np.arange(s.neurons)
    neuron = np.repeat(np.arange(source.size), np.diff(p.offsets))
    run = home[p.targets] * source.size + neuron
    order = np.argsort(run, kind="stable")
    width = np.bincount(run, minlength=len(slices) * source.size)
    cost = scattered(np.concatenate([[0], np.cumsum(width)]), local[p.targets[order]], mapping.chip)
    return place, np.stack([width, cost.words, cost.cycles]).reshape(3, len(slices), source.size)
