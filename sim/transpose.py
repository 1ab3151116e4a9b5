"""Turn tallies of timesteps into counts by place: a large array is turned block by block, which caches can hold."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

BLOCK = 32
U = np.uint64


def by_place(tally: Ints) -> Ints:
    """(n, T) of (T, n); not copied where T is 1."""
    if len(tally) == 1:
        return tally.reshape(-1, 1)
    out = np.empty(tally.shape[::-1], np.int64)
    _turn(np.ascontiguousarray(tally), out)
    return out


@nb.njit(nogil=True, cache=True)
def _turn(tally: Ints, out: Ints) -> None:
    rows, columns = tally.shape
    one, other = tally.reshape(-1), out.reshape(-1)
    for column in range(0, columns, BLOCK):
        for row in range(0, rows, BLOCK):
            for i in range(column, min(column + BLOCK, columns)):
                for j in range(row, min(row + BLOCK, rows)):
                    # Unsigned: no index is looked at for being negative.
                    other[U(i * rows + j)] = one[U(j * columns + i)]
