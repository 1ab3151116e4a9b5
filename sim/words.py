"""Numbers of 32 bits: half the memory of the tables, and of what the caches hold of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import SimulationError

Words = NDArray[np.int32]

MOST = 2**31 - 1
# An event of the packet kernel keeps a node, a call or a part with its kind, three bits, in one number.
MOST_PLACES = 2**28


def narrowed(values: NDArray[Any], what: str) -> Words:
    """Return whole numbers from −1 on in 32 bits.

    what : they are, in the plural, for the error.

    Raises
    ------
    SimulationError : one is larger than 2³¹ − 1.
    """
    if values.dtype != np.int32:
        check_most(int(values.max(initial=0)), what, MOST)
    return np.ascontiguousarray(values, np.int32)


def check_most(found: int, what: str, most: int = MOST_PLACES) -> None:
    """Raise SimulationError where there are more of something than the tables can number."""
    if found > most:
        raise SimulationError(
            "the tables of the simulation number what is on a chip with 32 bits",
            field=what,
            found=f"{found:,}",
            expected=f"{most:,} at most: a smaller network or chip",
        )
