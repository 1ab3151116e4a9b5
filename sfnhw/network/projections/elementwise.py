"""Elementwise projection: a residual or skip connection."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.network.arrays import read_only
from sfnhw.network.block import Block, Fan, overlap
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values, Weights


@dataclass(frozen=True, eq=False)
class Elementwise(Projection):
    """Neuron i to neuron i, one weight for each channel.

    Attributes
    ----------
    weight : (channels,) or (1,), e.g. 1 for a residual connection.
    """

    kind: ClassVar[str] = "elementwise"

    weight: Weights
    delay: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", read_only(np.atleast_1d(self.weight), float))
        self._check_delay()
        self._check_finite()

    def check(self, source: Population, target: Population) -> None:
        """Both shapes are equal."""
        self._check_shape("target", target.shape, source.shape)
        if self.weight.shape not in ((1,), (source.channels,)):
            self._check_shape("weight", self.weight.shape, (source.channels,))

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """Scale each channel."""
        return values * np.repeat(np.broadcast_to(weight, source.channels), source.positions)[None, :]

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Return (channels,)."""
        return self.weight * per_source * per_target

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (channels,)."""
        return np.asarray(factor)

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """One synapse where the blocks overlap."""
        rows = overlap(source_block.r0, source_block.r1, target_block.r0, target_block.r1)
        width = overlap(source_block.c0, source_block.c1, target_block.c0, target_block.c1)
        return Fan(width, np.repeat(rows, source.columns), source_block.rows * source.columns)

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Return the same block."""
        return target_block

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """One for each channel."""
        return target_block.channels

    def dense_macs(self, source: Population, target: Population) -> int:
        """Return 0: frameworks count no multiply-accumulates for scaling and adding."""
        return 0
