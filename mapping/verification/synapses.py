"""Every synapse of a projection, from its definition alone.

All but explicit synapses are a product: channels of the source pair with channels of the target, positions with
positions, and a synapse is one pair of each. So all synapses are listed by two short lists. Nothing here is shared
with `Projection.fan`, which the mapper uses.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import Block, Network, Population, Projection

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs (source, target) along one axis: listed, or all with all where `source` is None.

    Attributes
    ----------
    sources, targets : size of the axis at either end.
    source, target : (pairs,).
    """

    sources: int
    targets: int
    source: Ints | None = None
    target: Ints | None = None
    _known: dict[tuple[int, int], Ints] = field(default_factory=dict, init=False, repr=False)

    def counts(self, low: int, high: int) -> Ints:
        """(sources,) how many pairs of each source end in [low, high)."""
        if (low, high) not in self._known:
            if self.source is None or self.target is None:
                found = np.full(self.sources, high - low, np.int64)
            else:
                inside = (self.target >= low) & (self.target < high)
                found = np.bincount(self.source[inside], minlength=self.sources).astype(np.int64)
            self._known[low, high] = found
        return self._known[low, high]


@dataclass(frozen=True, eq=False)
class Into:
    """Synapses of each source neuron into one target block: (channels,) × (positions,), or (neurons,) where explicit."""

    channels: Ints
    positions: Ints
    explicit: Ints | None = None

    def of(self, source: Population, block: Block) -> Ints:
        """(block's neurons,) synapses of each neuron of a source block, channel-major."""
        if self.explicit is not None:
            grid = self.explicit.reshape(source.channels, source.rows, source.columns)
            return np.ascontiguousarray(grid[block.c0 : block.c1, block.r0 : block.r1]).ravel()
        across = self.positions[block.r0 * source.columns : block.r1 * source.columns]
        return np.outer(self.channels[block.c0 : block.c1], across).ravel()

    def totals(self, source: Population, edges: Ints) -> Ints:
        """(blocks,) synapses from each of the source's blocks; edges : (4, blocks) c0, c1, r0, r1."""
        c0, c1, r0, r1 = edges
        if self.explicit is not None:
            grid = self.explicit.reshape(source.channels, source.rows, source.columns).sum(axis=2)
            sums = np.pad(grid.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
            return np.asarray(sums[c1, r1] - sums[c0, r1] - sums[c1, r0] + sums[c0, r0])
        down = np.concatenate([[0], self.channels.cumsum()])
        across = np.concatenate([[0], self.positions.cumsum()])
        return np.asarray((down[c1] - down[c0]) * (across[r1 * source.columns] - across[r0 * source.columns]))


class Synapses:
    """The synapses of one projection."""

    def __init__(self, projection: Projection, network: Network) -> None:
        self.projection = projection
        self.source, self.target = network[projection.source], network[projection.target]
        self.explicit = projection.kind == "sparse"
        if not self.explicit:
            self.channels, self.positions = _axes(projection, self.source, self.target)

    def into(self, block: Block) -> Into:
        """Synapses of every source neuron into one block of the target; of a stationary operand: 1 where there are any."""
        if self.explicit:
            p: Any = self.projection
            channel, row = np.divmod(p.targets // self.target.columns, self.target.rows)
            inside = (channel >= block.c0) & (channel < block.c1) & (row >= block.r0) & (row < block.r1)
            neuron = np.repeat(np.arange(self.source.size), np.diff(p.offsets))[inside]
            return Into(np.zeros(0, np.int64), np.zeros(0, np.int64), np.bincount(neuron, minlength=self.source.size))
        columns = self.target.columns
        channels = self.channels.counts(block.c0, block.c1)
        positions = self.positions.counts(block.r0 * columns, block.r1 * columns)
        if self.projection.kind == "stationary":  # written once into the slice, whatever meets it there
            return Into(np.minimum(channels, 1), np.minimum(positions, 1))
        return Into(channels, positions)


def _axes(p: Any, source: Population, target: Population) -> tuple[Pairs, Pairs]:
    """Channel pairs and position pairs, by the definition of each kind."""
    every_channel = Pairs(source.channels, target.channels)
    read = getattr(p, "source_channels", None)
    if read is not None:  # a block of the source's channels with every channel of the target
        heard, hearing = np.divmod(np.arange((read[1] - read[0]) * target.channels), target.channels)
        every_channel = Pairs(source.channels, target.channels, heard + read[0], hearing)
    every_position = Pairs(source.positions, target.positions)
    same = np.arange(source.channels)
    same_channel = Pairs(source.channels, target.channels, same, same)
    if p.kind == "dense":
        return every_channel, every_position
    if p.kind == "elementwise":
        place = np.arange(source.positions)
        return same_channel, Pairs(source.positions, target.positions, place, place)
    if p.kind == "upsample":
        lines = [(np.arange(n) // f, np.arange(n)) for n, f in zip(_size(target), p.factor, strict=True)]
        return same_channel, _grid(lines, source, target.columns, target.positions)
    if p.kind in ("average_pool", "max_pool"):
        return same_channel, _grid(_windows(p, p.kernel, (1, 1), source), source, target.columns, target.positions)
    if p.kind == "conv2d":
        per_in, per_out = source.channels // p.groups, target.channels // p.groups
        out = np.repeat(np.arange(target.channels), per_in)
        into = out // per_out * per_in + np.tile(np.arange(per_in), target.channels)
        channels = every_channel if p.groups == 1 else Pairs(source.channels, target.channels, into, out)
        lines = _windows(p, p.weight.shape[2:], p.dilation, source)
        if p.first_row is None:
            return channels, _grid(lines, source, target.columns, target.positions)
        width = (source.columns + 2 * p.padding[1] - p.dilation[1] * (p.weight.shape[3] - 1) - 1) // p.stride[1] + 1
        return channels, _grid(lines, source, width, target.positions, first=p.first_row)
    if p.kind == "transposed_conv2d":
        per_in, per_out = source.channels // p.groups, target.channels // p.groups
        into = np.repeat(same, per_out)
        out = into // per_in * per_out + np.tile(np.arange(per_out), source.channels)
        lines = []
        for axis, (n, m) in enumerate(zip(_size(source), _size(target), strict=True)):
            lands = (
                np.arange(n)[:, None] * p.stride[axis]
                - p.padding[axis]
                + np.arange(p.weight.shape[2 + axis])[None, :] * p.dilation[axis]
            )
            keep = (lands >= 0) & (lands < m)
            lines.append((np.nonzero(keep)[0], lands[keep]))
        return Pairs(source.channels, target.channels, into, out), _grid(
            lines, source, target.columns, target.positions
        )
    if p.kind in ("product", "stationary"):
        return _product_axes(p, source, target)
    raise NotImplementedError(p.kind)


def _size(population: Population) -> tuple[int, int]:
    return population.rows, population.columns


def _windows(p: Any, kernel: Any, dilation: Any, source: Population) -> list[tuple[Ints, Ints]]:
    """For rows and for columns: (input, output) of every kernel tap that does not fall into the padding."""
    lines = []
    for axis, n in enumerate(_size(source)):
        outputs = (n + 2 * p.padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // p.stride[axis] + 1
        o, k = np.arange(outputs)[:, None], np.arange(kernel[axis])[None, :]
        read = o * p.stride[axis] + k * dilation[axis] - p.padding[axis]
        keep = (read >= 0) & (read < n)
        lines.append((read[keep], np.nonzero(keep)[0]))
    return lines


def _grid(lines: list[tuple[Ints, Ints]], source: Population, columns: int, targets: int, first: int = 0) -> Pairs:
    """Position pairs from row pairs × column pairs; `columns` of the grid of outputs, which starts at position `first`."""
    (row_in, row_out), (column_in, column_out) = lines
    into = np.add.outer(row_in * source.columns, column_in).ravel()
    out = np.add.outer(row_out * columns + first, column_out).ravel()
    return Pairs(source.positions, targets, into, out)


def _product_axes(p: Any, source: Population, target: Population) -> tuple[Pairs, Pairs]:
    """scores: target (h, i, j) meets left (hD + d, i) and right (hD + d, j); mix: (hE + e, i) meets (h, i, j), (hE + e, j)."""
    channel = np.arange(source.channels)
    if p.form == "scores":
        i, j = np.divmod(np.arange(target.positions), target.columns)
        met = i if p.side == "left" else j
        heads = Pairs(source.channels, target.channels, channel, channel // (source.channels // p.heads))
        return heads, Pairs(source.positions, target.positions, met, np.arange(target.positions))
    if p.side == "right":
        return Pairs(source.channels, target.channels, channel, channel), Pairs(source.positions, target.positions)
    out = np.arange(target.channels)
    place = np.arange(source.positions)
    return (
        Pairs(source.channels, target.channels, out // (target.channels // p.heads), out),
        Pairs(source.positions, target.positions, place, place // source.columns),
    )
