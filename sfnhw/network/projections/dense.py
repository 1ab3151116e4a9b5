"""Dense (all-to-all) projection."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.network.arrays import read_only
from sfnhw.network.block import Block, Fan, one, overlap
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Values, Weights
from sfnhw.network.projections.channel_block import ChannelBlock


@dataclass(frozen=True, eq=False)
class Dense(ChannelBlock):
    """y = W x, with x the source flattened channel-major (as `torch.flatten`).

    Attributes
    ----------
    weight : (target size, source size), or the columns of `source_channels` alone.
    """

    kind: ClassVar[str] = "dense"

    weight: Weights
    delay: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", read_only(self.weight, float))
        self._check_delay()
        self._check_finite()

    def check(self, source: Population, target: Population) -> None:
        """Weight is (target size, source size)."""
        self._check_channels(source)
        a, b = self.channels_read(source)
        self._check_shape("weight", self.weight.shape, (target.size, (b - a) * source.positions))

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """One matrix product."""
        return self.read(values, source) @ weight.T

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Rows by target channel, columns by source channel."""
        a, b = self.channels_read(source)
        return (
            self.weight
            * np.repeat(per_source[a:b], source.positions)[None, :]
            * np.repeat(per_target, target.positions)[:, None]
        )

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (target size, 1)."""
        return np.repeat(factor, target.positions)[:, None]

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """Every source neuron that is read reaches the whole target block, one run."""
        width = one(target.block_size(target_block))
        if self.source_channels is not None:
            width = width * overlap(source_block.c0, source_block.c1, *self.source_channels)
        return Fan(width, one(1), source_block.rows * source.columns)

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Return all rows of the channels that are read."""
        return Block(*self.channels_read(source), 0, source.rows)

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """Return the rows of the block."""
        return target.block_size(target_block) * self.weight.shape[1]
