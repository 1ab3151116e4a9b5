"""One pass over what a kernel has tallied, (T, places, columns), into sums of 64 bits."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.by_place import Tallied
from sfnhw.sim.words import Words

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
def add_totals(tally: Tallied, column: int, out: Ints) -> None:
    """Add a column's sums over all timesteps to (places,) counts."""
    steps, many, columns = tally.shape
    one = tally.reshape(-1)
    for t in range(steps):
        at = U(t * many * columns + column)
        for k in range(many):
            out[U(k)] += np.int64(one[at + U(k * columns)])


@nb.njit(nogil=True, cache=True)
def add_by(tally: Tallied, places: Ints, keys: Words, out: Ints) -> None:
    """Add all columns of some places to those of their keys: out (T, keys, columns)."""
    steps, many, columns = tally.shape
    size = out.shape[1]
    one, other = tally.reshape(-1), out.reshape(-1)
    for t in range(steps):
        at, to = U(t * many * columns), U(t * size * columns)
        for j in range(places.shape[0]):
            a, b = at + U(places[U(j)] * columns), to + U(keys[U(j)] * columns)
            for c in range(columns):
                other[b + U(c)] += np.int64(one[a + U(c)])


@nb.njit(nogil=True, cache=True)
def add_one_by(tally: Tallied, places: Words, keys: Words, times: Ints, out: Ints) -> None:
    """Add the one column of some places, each times its number, to that of their keys: out (T, keys, 1).

    Four timesteps at once: where neighbours have the same key, each addition waits for the one before.
    """
    steps, many, _ = tally.shape
    size = out.shape[1]
    one, other = tally.reshape(-1), out.reshape(-1)
    last = steps - steps % 4
    for t in range(0, last, 4):
        a0, a1, a2, a3 = U(t * many), U((t + 1) * many), U((t + 2) * many), U((t + 3) * many)
        b0, b1, b2, b3 = U(t * size), U((t + 1) * size), U((t + 2) * size), U((t + 3) * size)
        for j in range(places.shape[0]):
            i, k, each = U(places[U(j)]), U(keys[U(j)]), times[U(j)]
            other[b0 + k] += np.int64(one[a0 + i]) * each
            other[b1 + k] += np.int64(one[a1 + i]) * each
            other[b2 + k] += np.int64(one[a2 + i]) * each
            other[b3 + k] += np.int64(one[a3 + i]) * each
    for t in range(last, steps):
        at, to = U(t * many), U(t * size)
        for j in range(places.shape[0]):
            other[to + U(keys[U(j)])] += np.int64(one[at + U(places[U(j)])]) * times[U(j)]


@nb.njit(nogil=True, cache=True)
def add_fours_by(tally: Tallied, keys: Words, out: Ints) -> None:
    """Add the four columns of all places to those of their keys: out (T, keys, 4)."""
    steps, many, _ = tally.shape
    size = out.shape[1]
    one, other = tally.reshape(-1), out.reshape(-1)
    for t in range(steps):
        at, to = U(t * many * 4), U(t * size * 4)
        for j in range(many):
            a, b = at + U(j * 4), to + U(keys[U(j)]) * U(4)
            other[b] += np.int64(one[a])
            other[b + U(1)] += np.int64(one[a + U(1)])
            other[b + U(2)] += np.int64(one[a + U(2)])
            other[b + U(3)] += np.int64(one[a + U(3)])
