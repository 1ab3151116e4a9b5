"""Nearest-neighbour upsampling by whole factors."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import NetworkError
from sfnhw.network.block import Block, Fan, overlap
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values, Weights, pair


@dataclass(frozen=True, eq=False)
class Upsample(Projection):
    """Each position is copied onto a rectangle of its own channel, as `torch.nn.Upsample(mode="nearest")`.

    Target (c, y, x) reads source (c, ⌊y / f_v⌋, ⌊x / f_h⌋) with weight 1.

    Attributes
    ----------
    factor : int or (vertical f_v, horizontal f_h), each at least 1.
    """

    kind: ClassVar[str] = "upsample"
    tensor_fields: ClassVar[tuple[str, ...]] = ()

    factor: tuple[int, int]
    delay: int = 0

    def __post_init__(self) -> None:
        both = pair(self.factor, f"{self.label}.factor")
        if min(both) < 1:
            raise NetworkError(field=f"{self.label}.factor", found=self.factor, expected="at least 1")
        object.__setattr__(self, "factor", both)
        self._check_delay()

    @property
    def weight(self) -> Weights:
        """(1,) one; broadcasts over channels."""
        return np.ones(1)

    def check(self, source: Population, target: Population) -> None:
        """(channels, height, width) → (channels, f_v·height, f_h·width)."""
        if len(source.shape) != 3:
            raise NetworkError(field=f"{self.label}.source", found=source.shape, expected="(channels, height, width)")
        expected = (source.channels, source.rows * self.factor[0], source.columns * self.factor[1])
        self._check_shape("target", target.shape, expected)

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """Return the copies × the channel's weight."""
        image = values.reshape(len(values), *source.shape) * weight[None, :, None, None]
        return image.repeat(self.factor[0], axis=2).repeat(self.factor[1], axis=3).reshape(len(values), -1)

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """One weight for each channel."""
        return self.weight * per_source * per_target

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (channels,)."""
        return np.asarray(factor)

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """The part of the position's rectangle that lies in the block, in the neuron's own channel."""
        down, across = self.factor
        row = np.arange(target_block.r0, target_block.r1) // down
        row = row[(row >= source_block.r0) & (row < source_block.r1)] - source_block.r0
        taps = np.bincount(row, minlength=source_block.rows).astype(np.int64) * across
        width = overlap(source_block.c0, source_block.c1, target_block.c0, target_block.c1)
        return Fan(width, np.repeat(taps, source.columns), source_block.rows * source.columns)

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Return the rows that are repeated in the block."""
        down = self.factor[0]
        return Block(target_block.c0, target_block.c1, target_block.r0 // down, -(-target_block.r1 // down))

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """One for each channel."""
        return target_block.channels

    def dense_macs(self, source: Population, target: Population) -> int:
        """Return 0: values are copied."""
        return 0
