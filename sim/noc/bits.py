"""Masks of up to 62 bits: the lowest bit set, and the next one of a round-robin arbiter."""

from typing import Any

import numba as nb
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from sfnhw.kernel_cache import INNER

# Nothing is kept of functions that are compiled into others: a constant of another file may have changed since.
INLINED = INNER | {"forceinline": True, "cache": False}

# Indices are cast to unsigned ones, which Numba does not check for being counted from the end.
U = np.uint64


def _trailing_zeros(_context: Any, _mask: Any) -> Any:
    """The machine's count of trailing zeros (LLVM `cttz`; undefined for 0)."""

    def code(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.true_bit)

    return types.int64(types.int64), code


_cttz: Any = intrinsic(_trailing_zeros)


@nb.njit(**INLINED)
def lowest(mask: int) -> int:
    """Index of the lowest bit of a mask that is not 0."""
    return _cttz(mask)


@nb.njit(**INLINED)
def next_bit(mask: int, start: int) -> int:
    """Index of the first bit at or after `start`, going round; `mask` is not 0, and `start` below 64.

    No branch: the mask is rotated, so that bits from `start` on come first. A pointer that has run beyond the last bit
    need not be set back.
    """
    bits, by = np.uint64(mask), np.uint64(start)
    turned = (bits >> by) | (bits << (np.uint64(0) - by & np.uint64(63)))
    return (_cttz(np.int64(turned)) + start) & 63
