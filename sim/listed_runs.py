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
    rows = np.flatnonzero(listed)
    costs = {k: _by_slice(mapping, p) for k, p in enumerate(network.projections) if isinstance(p, Sparse)}
    none = np.zeros(0, np.int64)
    if not len(rows):
        return ListedRuns(none, Scattered(none, none), first, none)
    # Width, words and cycles of a run as one number.
    most_words, most_cycles = (1 + max(int(cost[i].max(initial=0)) for _, cost in costs.values()) for i in (1, 2))
    parts: list[Ints] = []
    size = 0
    for k in np.unique(c.projection[rows]).tolist():
        place, (width, words, cycles) = costs.pop(k)
        cost = (width * most_words + words) * most_cycles + cycles
        source = network[network.projections[k].source]
        mine = rows[c.projection[rows] == k]
        # Connections stand source by source: those of one source are looked up together.
        for of in np.split(mine, np.flatnonzero(np.diff(c.source[mine])) + 1):
            block = mapping.slices[c.source[of[0]]].block
            own = cost[place[c.target[of]][:, None], source.indices(block)]
            first[of] = size + np.arange(len(of)) * own.shape[1]
            size += own.size
            parts.append(own.reshape(-1))
    found, kind = _kinds(np.concatenate(parts))
    width, rest = np.divmod(found, most_words * most_cycles)
    return ListedRuns(width, Scattered(*np.divmod(rest, most_cycles)), first, kind)


def _kinds(values: Ints) -> tuple[Ints, Ints]:
    """Distinct values, ascending, and the place of each value among them; of small numbers without sorting them."""
    most = int(values.max()) + 1
    if most > max(2**16, len(values)):
        found, kind = np.unique(values, return_inverse=True)
        return found, kind.reshape(-1)
    known = np.zeros(most, np.bool_)
    known[values] = True
    return np.flatnonzero(known), (np.cumsum(known) - 1)[values]


def _by_slice(mapping: Mapping, p: Sparse) -> tuple[Ints, Ints]:
    """(slices,) places of the target's slices, and (3, places, source neurons) width, words and cycles of each run."""
    from sfnhw.mapping.bank_kernel import by_slice  # Numba, only where synapses are listed

    source, target = mapping.network[p.source], mapping.network[p.target]
    slices = mapping.slices_of(p.target)
    place = np.full(len(mapping.slices), -1, np.int64)
    place[[s.index for s in slices]] = np.arange(len(slices))
    home, local = np.zeros(target.size, np.int64), np.zeros(target.size, np.int64)
    for s in slices:
        held = target.indices(s.block)
        home[held], local[held] = place[s.index], np.arange(s.neurons)
    first, listed = np.zeros(len(slices) * source.size + 1, np.int64), np.empty(len(p.targets), np.int64)
    by_slice(np.asarray(p.offsets, np.int64), np.asarray(p.targets, np.int64), home, local, first, listed)
    cost = scattered(first, listed, mapping.chip)
    return place, np.stack([np.diff(first), cost.words, cost.cycles]).reshape(3, len(slices), source.size)
