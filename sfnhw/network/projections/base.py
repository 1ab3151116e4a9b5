"""What every projection is: a linear map with a geometry."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import NetworkError
from sfnhw.network.block import Block, Fan
from sfnhw.network.population import Population

Weights = NDArray[np.float64]
Values = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Projection(ABC):
    """The synapses from one population to another.

    Attributes
    ----------
    source, target : names of populations.
    delay : 0, or 1: spikes of timestep t arrive in timestep t + 1. Only delayed projections may close a cycle.
    """

    kind: ClassVar[str]
    # Names of the fields that are tensors; the first is the weight.
    tensor_fields: ClassVar[tuple[str, ...]] = ("weight",)
    # Bits of synapse index that each stored weight carries (explicit synapses only).
    has_indices: ClassVar[bool] = False

    source: str
    target: str

    if (
        TYPE_CHECKING
    ):  # a field or a property of each subclass; an abstract property here would become the field's default

        @property
        def weight(self) -> Weights:
            """The real-valued weights, in the shape they are stored in."""
            raise NotImplementedError

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.kind} projection {self.source!r} → {self.target!r}"

    @abstractmethod
    def check(self, source: Population, target: Population) -> None:
        """Raise NetworkError where the shapes do not fit."""

    @abstractmethod
    def apply(self, values: Values, weight: Values, source: Population, target: Population) -> Values:
        """(samples, source size) → (samples, target size) with `weight` in place of the real-valued weights."""

    @abstractmethod
    def scaled(self, per_source: Weights, per_target: Weights, source: Population, target: Population) -> Weights:
        """Return weights × per_source[channel of the source] × per_target[channel of the target]."""

    @abstractmethod
    def by_target(self, factor: Values, weight: Values, target: Population) -> Values:
        """Broadcast `factor` (target channels,) to the shape of `weight`."""

    @abstractmethod
    def fan(self, source: Population, target: Population, source_block: Block, target_block: Block) -> Fan:
        """Fan-out of each neuron of `source_block` into `target_block`."""

    def reach(self, source: Population, target: Population, target_block: Block) -> Block:
        """Return a block of the source outside which no neuron has a synapse in `target_block`: where to look."""
        return source.block

    @abstractmethod
    def stored_weights(self, source: Population, target: Population, target_block: Block) -> int:
        """Weights that a slice with `target_block` must hold: shared ones once."""

    def macs(self, source: Population, target: Population) -> int:
        """Synapses: multiply-accumulates of one timestep if every neuron spiked. Padding makes none."""
        return self.fan(source, target, source.block, target.block).total(source.size)

    def dense_macs(self, source: Population, target: Population) -> int:
        """Dense MACs, as frameworks count them: products with padding count, pooling and copies do not.

        The rule is that of `torch.utils.flop_counter` (FLOPs / 2). Where nothing is padded or pooled this is `macs`.
        """
        return self.macs(source, target)

    def config(self) -> dict[str, Any]:
        """Return the JSON form, without the tensors."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.init and f.name not in self.tensor_fields}
        return {"kind": self.kind, **plain}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by field name."""
        return {name: np.asarray(getattr(self, name)) for name in self.tensor_fields}

    def _check_delay(self) -> None:
        delay = getattr(self, "delay", 0)
        if delay not in (0, 1) or isinstance(delay, bool):
            raise NetworkError(field=f"{self.label}.delay", found=delay, expected="0 or 1 timestep")

    def _check_finite(self) -> None:
        # An array without strides is one number seen many times (`sfnhw.convert.size_of`).
        weight = self.weight if any(self.weight.strides) else self.weight.flat[:1]
        if not np.isfinite(weight).all():
            raise NetworkError("NaN or infinite", field=f"{self.label}.weight", expected="finite numbers")

    def _check_shape(self, what: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
        if tuple(found) != tuple(expected):
            raise NetworkError(field=f"{self.label}.{what}", found=tuple(found), expected=f"shape {tuple(expected)}")


def pair(value: Any, name: str) -> tuple[int, int]:
    """Read an int or a pair of ints as (vertical, horizontal)."""
    both = (value, value) if isinstance(value, int) else tuple(int(v) for v in value)
    if len(both) != 2:
        raise NetworkError(field=name, found=value, expected="an integer or a pair of integers")
    return both


def tap(image: Values, first: tuple[int, int], stride: tuple[int, int], size: tuple[int, int]) -> Values:
    """View of the pixels that one kernel tap sees at every output position: (samples, channels, *size)."""
    (y, x), (sh, sw), (rows, columns) = first, stride, size
    return image[:, :, y : y + (rows - 1) * sh + 1 : sh, x : x + (columns - 1) * sw + 1 : sw]
