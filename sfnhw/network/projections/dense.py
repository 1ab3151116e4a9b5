"""Dense (all-to-all) projection."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.network.block import Block, Fan, one
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values, Weights


@dataclass(frozen=True, eq=False)
class Dense(Projection):
    """y = W x, with x the source flattened channel-major (as `torch.flatten`).

    Attributes
    ----------
    weight : (target size, source size).
    """

    kind: ClassVar[str] = "dense"

    weight: Weights
    delay: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", np.asarray(self.weight, float))
        self._check_delay()
        self._check_finite()

    def check(self, source: Population, target: Population) -> None:
        """Weight is (target size, source size)."""
        self._check_shape("weight", self.weight.shape, (target.size, source.size))

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """One matrix product."""
        return values @ weight.T

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Rows by target channel, columns by source channel."""
        return (
            self.weight
            * np.repeat(per_source, source.positions)[None, :]
            * np.repeat(per_target, target.positions)[:, None]
        )

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (target size, 1)."""
        return np.repeat(factor, target.positions)[:, None]

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """Every source neuron reaches the whole target block, one run."""
        return Fan(one(target.block_size(target_block)), one(1), source_block.rows * source.columns)

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """Return the rows of the block."""
        return target.block_size(target_block) * source.size
