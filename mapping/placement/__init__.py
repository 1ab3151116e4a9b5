"""Placement: which core holds which group of slices. A new placer is one file here and one line in `PLACERS`."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.placement.hilbert import hilbert
from sfnhw.mapping.placement.sequential import sequential

# A placer takes the mesh (columns, rows) and gives all cores in the order in which groups of slices are to fill them.
Placer = Callable[[int, int], NDArray[np.int64]]

PLACERS: dict[str, Placer] = {"hilbert": hilbert, "sequential": sequential}

__all__ = ["PLACERS", "Placer", "hilbert", "sequential"]
