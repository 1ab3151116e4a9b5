"""A sum of which only some channels are used: one part of a fused query, key and value layer, say."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.layout import is_plain, places
from sfnhw.convert.memo import once
from sfnhw.convert.values import Index, Shape, Sum, UnsupportedError
from sfnhw.network import Conv2d, Dense, Projection


def narrowed(value: Sum) -> Sum:
    """The same sum with only those channels that the tensor holds (of a fused query, key and value, say)."""
    if is_plain(value.index, value.grid):
        return value
    found = _used(value.index, value.grid)
    if found is None:
        return value
    used, index = found
    grid = (used.size, *value.grid[1:])
    terms = tuple(_some_channels(term, used, value.grid) for term in value.terms)
    bias = value.bias.reshape(value.grid[0], -1)[used].ravel()
    return replace(value, terms=terms, bias=bias, grid=grid, index=index)


@once
def _used(index: Index, grid: Shape) -> tuple[Index, Index] | None:
    """Channels that a map holds, and the same map of a population of these alone; None where it holds all of them."""
    at = places(index, grid)
    used = np.flatnonzero(np.bincount(at.channel.ravel(), minlength=grid[0]))
    if used.size == grid[0]:
        return None
    positions = int(np.prod(grid[1:]))
    return used, (at.sample * used.size + np.searchsorted(used, at.channel)) * positions + at.position


def _some_channels(term: Projection, used: NDArray[np.int64], grid: Shape) -> Projection:
    if isinstance(term, Dense):
        rows = term.weight.reshape(grid[0], -1, term.weight.shape[1])[used]
        return replace(term, weight=rows.reshape(-1, term.weight.shape[1]))
    if isinstance(term, Conv2d) and term.groups == 1:
        return replace(term, weight=term.weight[used])
    raise UnsupportedError(f"some channels of a {term.kind} projection", "use a layer of its own for each part")
