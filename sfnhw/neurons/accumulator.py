"""What sends accumulators themselves has in common: no threshold, no table, a payload as wide as the accumulator."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, check_steps
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class AccumulatorCoding(Coding):
    """No spike code: a population's accumulators, over T steps.

    Attributes
    ----------
    steps : T.
    """

    sends_accumulator: ClassVar[bool] = True
    signed: ClassVar[bool] = True  # type: ignore[misc]

    steps: int = 1

    def __post_init__(self) -> None:
        check_steps(self.kind, self.steps)

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

    def value_bits(self, numerics: Numerics) -> int:
        """The accumulator's width: it may be zero."""
        return numerics.accumulator_bits

    def values(self) -> Reals:
        """Nothing to decode."""
        return np.zeros(0)

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """The payload is its own value; nothing is looked up."""
        return np.zeros(0, np.int64), 1.0

    def encode(self, h: Reals) -> Integers:
        """Not a spike code: raises InputError."""
        raise InputError("an accumulator does not encode values as spikes", field=self.kind)

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """No registers."""
        return FireTable(np.zeros((len(lsb_per_unit), 0), np.int64), np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """The accumulator as it stands."""
        return membrane.copy()
