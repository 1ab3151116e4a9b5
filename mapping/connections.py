"""Which slice feeds which: the fan-out of every source slice into every target slice, as flat arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.cuts import cut_of
from sfnhw.mapping.slices import Slice
from sfnhw.network import Network


@dataclass(frozen=True, eq=False)
class Connections:
    """One row for each (source slice, target slice, projection) that share at least one synapse, sorted by source.

    A neuron with local index i of the source slice has
    ``taps[taps_first + (i % positions)·taps_stride]`` runs of ``width[width_first + (i // positions)·width_stride]``
    synapses each in the target slice (strides are 0 or 1; see `sfnhw.network.Fan`).

    Attributes
    ----------
    source, target, projection : (n,) int32 indices into the mapping's slices and the network's projections.
    width_first, width_stride, taps_first, taps_stride, positions : (n,) int32.
    width, taps : pools, int32.
    first : (slices + 1,) int64, rows of each source slice.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    projection: NDArray[np.int32]
    width_first: NDArray[np.int32]
    width_stride: NDArray[np.int32]
    taps_first: NDArray[np.int32]
    taps_stride: NDArray[np.int32]
    positions: NDArray[np.int32]
    width: NDArray[np.int32]
    taps: NDArray[np.int32]
    first: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)

    def synapses(self, row: int, neurons: int) -> NDArray[np.int64]:
        """(neurons,) synapses of each source neuron through one connection."""
        return self.runs(row, neurons) * self.widths(row, neurons)

    def widths(self, row: int, neurons: int) -> NDArray[np.int64]:
        """(neurons,) synapses in a run."""
        i = np.arange(neurons) // self.positions[row]
        return self.width[self.width_first[row] + i * self.width_stride[row]].astype(np.int64)

    def runs(self, row: int, neurons: int) -> NDArray[np.int64]:
        """(neurons,) runs."""
        i = np.arange(neurons) % self.positions[row]
        return self.taps[self.taps_first[row] + i * self.taps_stride[row]].astype(np.int64)


class _Pool:
    """Arrays laid end to end; equal ones are kept once."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.int64]] = []
        self.size = 0
        self.known: dict[bytes, int] = {}

    def add(self, array: NDArray[np.int64]) -> tuple[int, int]:
        key = array.tobytes()
        if key not in self.known:
            self.known[key] = self.size
            self.parts.append(array)
            self.size += len(array)
        return self.known[key], int(len(array) > 1)

    def array(self) -> NDArray[np.int32]:
        return (np.concatenate(self.parts) if self.parts else np.zeros(0)).astype(np.int32)


def connect(network: Network, slices: tuple[Slice, ...]) -> Connections:
    """Derive the connections of a sliced network."""
    of: dict[str, list[Slice]] = {}
    for s in slices:
        of.setdefault(s.population, []).append(s)
    cuts = {name: cut_of(s.block for s in mine) for name, mine in of.items()}
    width, taps = _Pool(), _Pool()
    rows: list[tuple[int, ...]] = []
    for k, p in enumerate(network.projections):
        source, target = network[p.source], network[p.target]
        sources, cut = of[p.source], cuts[p.source]
        for b in of[p.target]:
            for place in cut.meeting(p.reach(source, target, b.block)):
                a = sources[place]
                fan = p.fan(source, target, a.block, b.block)
                if fan.any:
                    rows.append((a.index, b.index, k, *width.add(fan.width), *taps.add(fan.taps), fan.positions))
    rows.sort()
    table = np.array(rows, np.int32).reshape(-1, 8).T
    first = np.searchsorted(table[0], np.arange(len(slices) + 1)).astype(np.int64)
    a_index, b_index, projection, w_first, w_stride, t_first, t_stride, positions = (
        np.ascontiguousarray(c) for c in table
    )
    return Connections(
        a_index,
        b_index,
        projection,
        w_first,
        w_stride,
        t_first,
        t_stride,
        positions,
        width.array(),
        taps.array(),
        first,
    )
