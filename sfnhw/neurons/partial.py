"""Partial: a sum over some of a layer's inputs, sent to the layer as wide as the accumulator is."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class Partial(Coding):
    """No neuron: the accumulator of each timestep is the payload, and starts from 0 again; a sum of 0 is not sent.

    For layers whose inputs are cut (`sfnhw.mapping.partial_sums`): the layer adds what its parts send, in its own
    accumulator steps, so nothing is rounded. Only such a layer can read it.

    Attributes
    ----------
    steps : T.
    """

    kind: ClassVar[str] = "partial"
    title: ClassVar[str] = "a partial sum: the accumulator itself, at each step"
    source: ClassVar[str] = "partial sums of a layer cut over its inputs"
    stands_for: ClassVar[str] = "a layer's inputs on several cores"
    sends_accumulator: ClassVar[bool] = True
    signed: ClassVar[bool] = True  # type: ignore[misc]

    steps: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 1:
            raise InputError(field="partial.steps", found=self.steps, expected="an integer ≥ 1 (timesteps)")

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """Whatever the accumulator holds; no table."""
        return 0

    def payload_bits(self, numerics: Numerics) -> int:
        """The accumulator's width."""
        return numerics.accumulator_bits

    def need(self) -> ThresholdNeed:
        """No threshold, nothing kept."""
        return ThresholdNeed("none", signed=True)

    def values(self) -> Reals:
        """Nothing to decode."""
        return np.zeros(0)

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """The payload is its own value; nothing is looked up."""
        return np.zeros(0, np.int64), 1.0

    def encode(self, h: Reals) -> Integers:
        """Not a spike code: raises InputError."""
        raise InputError("a partial sum does not encode values as spikes", field="partial")

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """No registers."""
        return FireTable(np.zeros((len(lsb_per_unit), 0), np.int64), np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """The accumulator as it stands."""
        return membrane.copy()

    def fire_real(self, membrane: Reals) -> Integers:
        """The sum as it stands: real, in units of the population's scale."""
        return membrane.copy()  # type: ignore[return-value]
