"""A population's blocks, so that those near a given block are found without looking at each by itself."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import Block


class Cut(NamedTuple):
    """The blocks of one population.

    Attributes
    ----------
    blocks : in slice order.
    edges : (4, blocks) c0, c1, r0, r1.
    """

    blocks: tuple[Block, ...]
    edges: NDArray[np.int64]

    def meeting(self, block: Block) -> NDArray[np.int64]:
        """Places of the blocks that share at least one neuron with `block`, in order."""
        c0, c1, r0, r1 = self.edges
        return np.flatnonzero((c0 < block.c1) & (c1 > block.c0) & (r0 < block.r1) & (r1 > block.r0))


def cut_of(blocks: Iterable[Block]) -> Cut:
    """Put blocks side by side."""
    whole = tuple(blocks)
    return Cut(whole, np.array(whole, np.int64).reshape(-1, 4).T.copy())
