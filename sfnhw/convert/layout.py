"""Index maps: which neuron of a population each element of a tensor is, as the module sees it.

A tensor of shape (samples, ...) comes with an integer array of the same shape that holds sample · neurons + neuron,
neurons being counted channel-major as in `sfnhw.network.Population`. What moves no value (a transposition, a reshape,
a slice, even one that mixes the sample axis with others for a while) moves the index map alone, so attention heads,
token-major transformers and flattening all come to the same few questions, answered here from the map. While a module is
traced, each question about a map is answered once (`sfnhw.convert.memo`).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.memo import once, same_memory
from sfnhw.convert.values import EXAMPLE_SAMPLES, Index, Shape, UnsupportedError
from sfnhw.convert.weights import is_hollow


@once
def plain(grid: Shape) -> Index:
    """(samples, *grid) the map of a population seen as it is; one read-only array for all populations of a shape."""
    return np.arange(EXAMPLE_SAMPLES * int(np.prod(grid)), dtype=np.int64).reshape(EXAMPLE_SAMPLES, *grid)


@once
def reshaped(index: Index, shape: Shape) -> Index:
    """The same elements in the same order, in another shape: a view where numpy has one."""
    return index.reshape(shape)


def same_map(a: Index, b: Index) -> bool:
    """Whether two maps have one shape and hold the same neurons."""
    return same_memory(a, b) or _equal(a, b)


@once
def _equal(a: Index, b: Index) -> bool:
    return np.array_equal(a, b)


@once
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


@once
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
            "let the last axis be the channels of one position (on inputs of tokens × features a linear layer must come"
            " first), or flatten everything",
        )
    return Vectors(at.channel[0].copy(), at.sample[:, 0].copy(), at.position[:, 0].copy())


@once
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
    if is_hollow(factor):  # shapes alone (`sfnhw.size_of`): any two entries may differ
        factor = np.arange(1.0, factor.size + 1).reshape(factor.shape)
    order = _entries(factor.shape, index, grid)
    if order is not None:
        found = factor.ravel()[order].astype(float, copy=False)
        if not np.isnan(found).any():
            return _shortest(found, grid[0])
    # Another entry for each sample may still hold the same number.
    size = int(np.prod(grid))
    full = np.broadcast_to(factor, index.shape)
    out = np.full(EXAMPLE_SAMPLES * size, np.nan)
    out[index.ravel()] = full.ravel()
    rows = out.reshape(EXAMPLE_SAMPLES, size)
    if np.isnan(rows).any() or (rows != rows[:1]).any():
        raise UnsupportedError(
            f"a constant of shape {factor.shape} on a part of a population of shape {grid}, or another for each sample",
            "apply it before the tensor is taken apart",
        )
    return _shortest(rows[0].copy(), grid[0])


def _shortest(values: NDArray[Any], channels: int) -> NDArray[Any]:
    """(channels,) of one value for each neuron, where all neurons of a channel have the same; else the values."""
    rows = values.reshape(channels, -1)
    return rows[:, 0].copy() if (rows == rows[:, :1]).all() else values


@once
def _entries(shape: Shape, index: Index, grid: Shape) -> Index | None:
    """(channels,) or (neurons,) which entry of an array of `shape`, broadcast over the map, each neuron meets.

    None where there is a neuron that meets none, or meets another one in each sample.
    """
    size = int(np.prod(grid))
    entries = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(shape), index.shape)
    out = np.full(EXAMPLE_SAMPLES * size, -1)
    out[index.ravel()] = entries.ravel()
    rows = out.reshape(EXAMPLE_SAMPLES, size)
    if (rows < 0).any() or (rows != rows[:1]).any():
        return None
    return _shortest(rows[0].copy(), grid[0])
