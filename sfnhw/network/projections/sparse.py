"""Explicit synapses, one by one (CSR by source neuron)."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sfnhw.errors import NetworkError
from sfnhw.network.arrays import read_only
from sfnhw.network.block import Block, Fan, one
from sfnhw.network.population import Population
from sfnhw.network.projections.base import Projection, Values, Weights


@dataclass(frozen=True, eq=False)
class Sparse(Projection):
    """Any synapses: source neuron i reaches targets[offsets[i]:offsets[i + 1]]. Parallel synapses are kept apart.

    Attributes
    ----------
    weight : (synapses,).
    offsets : (source size + 1,) int64, ascending from 0.
    targets : (synapses,) int64, target neuron of each synapse.
    """

    kind: ClassVar[str] = "sparse"
    tensor_fields: ClassVar[tuple[str, ...]] = ("weight", "offsets", "targets")
    has_indices: ClassVar[bool] = True

    weight: Weights
    offsets: NDArray[np.int64]
    targets: NDArray[np.int64]
    delay: int = 0
    _known: dict[Block, NDArray[np.int64]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", read_only(self.weight, float))
        object.__setattr__(self, "offsets", read_only(self.offsets, np.int64))
        object.__setattr__(self, "targets", read_only(self.targets, np.int64))
        self._check_delay()
        self._check_finite()

    def check(self, source: Population, target: Population) -> None:
        """CSR is well formed and stays inside both populations."""
        self._check_shape("offsets", self.offsets.shape, (source.size + 1,))
        self._check_shape("targets", self.targets.shape, self.weight.shape)
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.weight) or (np.diff(self.offsets) < 0).any():
            raise NetworkError(
                "not a CSR index",
                field=f"{self.label}.offsets",
                expected=f"ascending numbers from 0 to {len(self.weight)} synapses",
            )
        if len(self.targets) and (self.targets.min() < 0 or self.targets.max() >= target.size):
            bad = int(self.targets.min() if self.targets.min() < 0 else self.targets.max())
            raise NetworkError(
                "no such neuron", field=f"{self.label}.targets", found=bad, expected=f"0 to {target.size - 1}"
            )

    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """One sparse product (parallel synapses add up)."""
        matrix = csr_array((weight, self.targets, self.offsets), shape=(source.size, target.size))
        return values @ matrix

    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Return (synapses,)."""
        neuron = np.repeat(np.arange(source.size), np.diff(self.offsets))
        return self.weight * per_source[neuron // source.positions] * per_target[self.targets // target.positions]

    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Return (synapses,)."""
        return np.asarray(factor)[self.targets // target.positions]

    def _counts(self, target: Population, block: Block) -> NDArray[np.int64]:
        """(source size,) synapses of each source neuron into the block; kept, since slices are asked about in pairs."""
        if block not in self._known:
            channel, position = np.divmod(self.targets, target.positions)
            row = position // target.columns
            inside = (channel >= block.c0) & (channel < block.c1) & (row >= block.r0) & (row < block.r1)
            running = np.concatenate([[0], np.cumsum(inside)])
            if len(self._known) >= 1024:
                self._known.clear()
            self._known[block] = running[self.offsets[1:]] - running[self.offsets[:-1]]
        return self._known[block]

    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """Return the synapses of each source neuron into the block, one run each."""
        return Fan(self._counts(target, target_block)[source.indices(source_block)], one(1), 1)

    def local_targets(self, target: Population, target_block: Block) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (first, targets), CSR by source neuron: targets within the block, channel-major, in the order of the synapses."""
        counts = self._counts(target, target_block)
        channel, position = np.divmod(self.targets, target.positions)
        row = position // target.columns
        b = target_block
        inside = (channel >= b.c0) & (channel < b.c1) & (row >= b.r0) & (row < b.r1)
        local = (channel[inside] - b.c0) * b.rows * target.columns + position[inside] - b.r0 * target.columns
        return np.concatenate([[0], np.cumsum(counts)]), local

    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """Return the synapses that end in the block."""
        return int(self._counts(target, target_block).sum())
