"""Index maps: which neuron of a population each element of a tensor is, as the module sees it.

A tensor of shape (samples, ...) comes with an integer array of the same shape that holds sample · neurons + neuron,
neurons being counted channel-major as in `sfnhw.network.Population`. What moves no value (a transposition, a reshape,
a slice, even one that mixes the sample axis with others for a while) moves the index map alone, so attention heads,
token-major transformers and flattening all come to the same few questions, answered here from the map.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.values import EXAMPLE_SAMPLES, Index, Shape, UnsupportedError


@lru_cache(maxsize=64)
def plain(grid: Shape) -> Index:
    """(samples, *grid) the map of a population seen as it is; one read-only array for all populations of a shape."""
    index = np.arange(EXAMPLE_SAMPLES * int(np.prod(grid)), dtype=np.int64).reshape(EXAMPLE_SAMPLES, *grid)
    index.setflags(write=False)
    return index


def is_plain(index: Index, grid: Shape) -> bool:
    """Whether the elements are all neurons of all samples in their own order, whatever the shape."""
    size = EXAMPLE_SAMPLES * int(np.prod(grid))
    return index.size == size and np.array_equal(index.ravel(), np.arange(size))


class Places(NamedTuple):
    """Sample, channel and position of each element; each of the map's shape."""

    sample: NDArray[Any]
    channel: NDArray[Any]
    position: NDArray[Any]


def places(index: Index, grid: Shape) -> Places:
    """Take a map apart."""
    positions = int(np.prod(grid[1:]))
    # Division is what takes the time, and 32 bits halve it; far from 2**31, since maps of larger grids are made of these.
    narrow = index.astype(np.int32) if EXAMPLE_SAMPLES * grid[0] * positions < 2**26 else index
    sample, neuron = np.divmod(narrow, grid[0] * positions)
    return Places(sample, *np.divmod(neuron, positions))


class Vectors(NamedTuple):
    """A tensor as one vector of channels for each sample and position.

    Attributes
    ----------
    channel : (features,) channel of each element of a vector.
    sample, position : (vectors,) where each vector sits.
    """

    channel: NDArray[Any]
    sample: NDArray[Any]
    position: NDArray[Any]


def vectors(index: Index, grid: Shape) -> Vectors:
    """Read the last axis as channels.

    Raises
    ------
    UnsupportedError : the last axis runs over several positions, or over other channels at other positions.
    """
    at = places(index.reshape(-1, index.shape[-1]), grid)
    if (
        (at.channel != at.channel[:1]).any()
        or (at.sample != at.sample[:, :1]).any()
        or (at.position != at.position[:, :1]).any()
    ):
        raise UnsupportedError(
            f"its last axis of {index.shape[-1]} mixes channels and positions of a population of shape {grid}",
            "let the last axis be the channels of one position, or flatten everything",
        )
    return Vectors(at.channel[0], at.sample[:, 0], at.position[:, 0])


def merged(grid: Shape, kept: Vectors) -> Index:
    """(vectors, channels) the map of a population of shape `grid` whose channels replace those of `kept`."""
    positions = int(np.prod(grid[1:]))
    base = kept.sample * grid[0] * positions + kept.position
    return base[:, None] + np.arange(grid[0])[None, :] * positions


def per_neuron(factor: NDArray[np.float64], index: Index, grid: Shape) -> NDArray[np.float64]:
    """Bring a constant that torch broadcasts over a tensor into the order of neurons.

    factor : broadcastable to the map's shape. Returns (1,), (channels,) or (neurons,), the shortest that says it.

    Raises
    ------
    UnsupportedError : neurons that the tensor does not hold, or a factor that differs between samples.
    """
    if factor.size == 1:
        return factor.reshape(1)
    size, channels = int(np.prod(grid)), grid[0]
    if not any(factor.strides):  # shapes alone (`sfnhw.size_of`): any two entries may differ
        factor = np.arange(1.0, factor.size + 1).reshape(factor.shape)
    full = np.broadcast_to(factor, index.shape)
    out = np.full(EXAMPLE_SAMPLES * size, np.nan)
    out[index.ravel()] = full.ravel()
    rows = out.reshape(EXAMPLE_SAMPLES, size)
    if np.isnan(rows).any() or (rows != rows[:1]).any():
        raise UnsupportedError(
            f"a constant of shape {factor.shape} on a part of a population of shape {grid}, or another for each sample",
            "apply it before the tensor is taken apart",
        )
    grid_values = rows[0].reshape(channels, -1)
    return grid_values[:, 0].copy() if (grid_values == grid_values[:, :1]).all() else rows[0].copy()
