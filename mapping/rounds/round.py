"""One round: a part of a network, mapped by itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Round:
    """What is on the chip at once.

    Attributes
    ----------
    mapping : of the part of the network (`sfnhw.network.part`); its pins are as wide as the memory behind them allows.
    home : (slices of `mapping`,) their indices in the whole mapping.
    projections : (projections of the part,) their indices in the whole network.
    replayed : (slices,) whether its spikes are read from the memory off the chip.
    saved : (slices,) whether what it sends (or, of an input, what comes in) is written there for a later round.
    """

    mapping: "Mapping"
    home: Ints
    projections: Ints
    replayed: NDArray[np.bool_]
    saved: NDArray[np.bool_]

    @property
    def on_cores(self) -> Ints:
        """Indices of the slices of `mapping` that are on cores."""
        return np.flatnonzero(self.mapping.terminals != self.mapping.io)
