"""Which samples follow one another where the interval between results is found, and in which order.

All fidelities take the same ones, so their intervals differ by fidelity alone. The choice depends on the set of samples and
not on their order in the file: a test set that is sorted by class has the interval of the same set shuffled. Up to `MOST_MEASURED`
samples are all taken. More are sorted by what they have the core do that has most to do, in synaptic operations, and cut into
strata of as many each, of each of which one is taken: heavy and light ones come as often as they do in the set. It is the one
with which the mean of those taken so far is nearest to the mean of all, in the spikes that each slice sends: what other units
have to do is about the mean as well. They follow one another in a fixed order, again and again: any so many results on end are
of each of them once. Where few samples are much heavier than all others no choice is right, and `Following.load` tells.
"""

from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.fanout import row_costs
from sfnhw.sim.tables import Tables

Ints = NDArray[np.int64]
# Samples measured: all up to MOST_MEASURED, and each again until they are USUAL; of long ones as many as come to STREAM_HOPS
# packets at routers, or so, FEWEST at least. The networks of docs/execution.md are within 1 % of the interval of all samples.
FEWEST_MEASURED, USUAL, MOST_MEASURED, STREAM_HOPS = 2, 12, 48, 2_000_000


class Following(NamedTuple):
    """Samples back to back.

    Attributes
    ----------
    order : (measured,) samples, each equally often; after the last comes the first again.
    windows : stretches of so many results that are measured, each beginning a result later; more than one where results may
        come in groups, of as many samples as a slice has sets of accumulators, and these do not go into the number measured.
    loads : (2, samples) of all samples spikes, and synaptic operations of the core that has most to do; (2, 0): not asked for.
    """

    order: Ints
    windows: int
    loads: Ints = np.zeros((2, 0), np.int64)

    @property
    def chosen(self) -> int:
        """How many different samples there are."""
        return len(np.unique(self.order))

    @property
    def load(self) -> float:
        """Mean load of the samples in order over that of all, spikes or operations, whichever is further off; 1 where all are taken."""
        if self.chosen == self.loads.shape[1] or not self.loads.any():
            return 1.0
        some = self.loads.sum(axis=1) > 0
        over = self.loads[some][:, self.order].mean(axis=1) / self.loads[some].mean(axis=1)
        return float(over[np.abs(over - 1.0).argmax()])

    @property
    def before(self) -> int:
        """Samples that fill the chip first and are not measured: a quarter, and 3 where as many as 6 are measured at all.

        With two the gap of the first results, which find an empty chip before them, was measured in some small networks.
        """
        return max(1, min(3, len(self.order) // 2), len(self.order) // 4)

    def run(self, behind: int) -> Ints:
        """(samples,) to run: before, measured, and `behind` of them that keep the chip full until these are done."""
        return np.resize(self.order, self.before + len(self.order) + self.windows - 1 + behind)

    def interval(self, finish: NDArray[Any]) -> NDArray[np.float64]:
        """(...,) cycles between results, from the cycle in which each of `run` had left; finish : (run, ...)."""
        many, at = len(self.order), self.before - 1 + np.arange(self.windows)
        return np.asarray((finish[at + many] - finish[at]).sum(axis=0) / (many * self.windows))


def following(tables: Tables, sent: NDArray[np.uint8]) -> Following:
    """Choose; sent is (samples, T, neurons in slice-major order) spikes."""
    most = _affordable(tables, sent)
    chosen, loads = _chosen(tables, sent, most)
    order = np.tile(chosen, max(1, min(-(-USUAL // len(chosen)), most // len(chosen))))
    f = tables.fabric
    return Following(order, f.banks if not f.barrier and len(order) % f.banks else 1, loads)


def _affordable(tables: Tables, sent: NDArray[np.uint8]) -> int:
    """Samples that are measured at most; fewer where there are not as many, and they do not go into it."""
    n = tables.nodes
    tree = np.bincount(n.owner[: n.packet_nodes], minlength=len(tables.slices.neurons))
    packets = np.add.reduceat(sent.sum(axis=(0, 1), dtype=np.int64), tables.slices.first_neuron[:-1])
    affordable = STREAM_HOPS * len(sent) // max(1, int(packets @ tree)) - USUAL // 4 - 1
    return min(MOST_MEASURED, max(FEWEST_MEASURED, affordable))


def _chosen(tables: Tables, sent: NDArray[np.uint8], most: int) -> tuple[Ints, Ints]:
    """(many,) different samples, one of each stratum, no more than `most`; and `Following.loads`."""
    if len(sent) == 1:
        return np.zeros(1, np.int64), np.zeros((2, 0), np.int64)
    spikes = sent[:, 0] if sent.shape[1] == 1 else sent.sum(axis=1, dtype=np.uint32)
    order, loads = _by_load(tables, sent, spikes)
    bounds = _strata(len(sent), most)
    many = len(bounds) - 1
    beyond = np.add.reduceat(spikes, tables.slices.first_neuron[:-1], axis=1, dtype=np.int64)[order].astype(float)
    beyond -= beyond.mean(axis=0)
    so_far, out = np.zeros(beyond.shape[1]), []
    # Squares of whole numbers times the golden ratio: equally distributed, and neighbours have nothing to do with one another.
    for stratum in np.argsort(np.arange(1, many + 1) ** 2 * ((5**0.5 - 1) / 2) % 1).tolist():
        low, high = bounds[stratum : stratum + 2]
        out.append(low + int(((so_far + beyond[low:high]) ** 2).sum(axis=1).argmin()))
        so_far += beyond[out[-1]]
    return np.asarray(order[out]), loads


def _strata(samples: int, most: int) -> Ints:
    """(strata + 1,) bounds: as many samples in each, no more than `most` of them, and what is left over in the middle.

    Each is measured once, so a smaller one counts for more than it should: there, where samples are like the mean.
    """
    each = -(-samples // most)
    whole, rest = divmod(samples, each)
    sizes = np.full(whole, each)
    if rest:
        sizes = np.insert(sizes, whole // 2, rest)
    return np.append(0, np.cumsum(sizes))


def _by_load(tables: Tables, sent: NDArray[np.uint8], spikes: NDArray[Any]) -> tuple[Ints, Ints]:
    """(samples,) sorted by the busiest core's synaptic operations, then by all spikes, then by what they hold; `Following.loads`.

    Nothing is left of the order that they came in. spikes : (samples, neurons) of all timesteps. (Cycles would do as well, but
    are not the same on all chips of a sweep.)
    """
    r = tables.rows
    total = row_costs(tables.slices, r, spikes.sum(axis=0, dtype=np.int64)[None])[0, :, 0]
    core = tables.slices.terminal[r.target]
    rows = np.flatnonzero(core == np.bincount(core, total, 1).argmax())
    into = r._replace(**{name: getattr(r, name)[rows] for name in r._fields if name not in ("runs", "taps", "costs")})
    work = row_costs(tables.slices, into, spikes)[0].sum(axis=0)
    loads = np.stack([spikes.sum(axis=1, dtype=np.int64), work])
    _, kind, many = np.unique(loads, axis=1, return_inverse=True, return_counts=True)
    held = np.zeros(len(sent), np.int64)
    for k in np.flatnonzero(many[kind.reshape(-1)] > 1):
        held[k] = crc32(sent[k].tobytes())
    return np.lexsort((held, *loads)), loads
