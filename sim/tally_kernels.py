"""One pass over what a kernel has tallied, (T, places, columns), into sums of 64 bits."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.by_place import Tallied

Ints = NDArray[np.int64]

BLOCK = 32
U = np.uint64


@nb.njit(nogil=True, cache=True)
def add_turned(tally: Tallied, column: int, times: Ints, out: Ints) -> None:
    """Add a column, times `times` where not empty, to (places, T) counts: block by block, which caches can hold."""
    steps, many, columns = tally.shape
    one, other, size = tally.reshape(-1), out.reshape(-1), out.shape[1]
    for low in range(0, many, BLOCK):
        for first in range(0, steps, BLOCK):
            for k in range(low, min(low + BLOCK, many)):
                factor = times[U(k)] if times.shape[0] else 1
                for t in range(first, min(first + BLOCK, steps)):
                    # Unsigned: no index is looked at for being negative.
                    other[U(k * size + t)] += np.int64(one[U((t * many + k) * columns + column)]) * factor


@nb.njit(nogil=True, cache=True)
def add_totals(tally: Tallied, column: int, times: Ints, out: Ints) -> None:
    """Add a column's sums over all timesteps to (places,) counts."""
    steps, many, columns = tally.shape
    one = tally.reshape(-1)
    for t in range(steps):
        for k in range(many):
            factor = times[U(k)] if times.shape[0] else 1
            out[U(k)] += np.int64(one[U((t * many + k) * columns + column)]) * factor


@nb.njit(nogil=True, cache=True)
def add_by(tally: Tallied, places: Ints, keys: Ints, out: Ints) -> None:
    """Add all columns of some places to those of their keys: out (T, keys, columns)."""
    steps, many, columns = tally.shape
    size = out.shape[1]
    one, other = tally.reshape(-1), out.reshape(-1)
    for t in range(steps):
        for j in range(places.shape[0]):
            at, to = (t * many + places[U(j)]) * columns, (t * size + keys[U(j)]) * columns
            for c in range(columns):
                other[U(to + c)] += np.int64(one[U(at + c)])


@nb.njit(nogil=True, cache=True)
def add_by_times(tally: Tallied, column: int, times: Ints, places: Ints, keys: Ints, out: Ints) -> None:
    """Add a column of some places, each times its number, to that of their keys: out (T, keys, 1)."""
    steps, many, columns = tally.shape
    size = out.shape[1]
    one, other = tally.reshape(-1), out.reshape(-1)
    for t in range(steps):
        for j in range(places.shape[0]):
            k = places[U(j)]
            value = np.int64(one[U((t * many + k) * columns + column)]) * times[U(k)]
            other[U(t * size + keys[U(j)])] += value
