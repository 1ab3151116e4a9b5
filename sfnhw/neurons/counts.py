"""What `events` and `relay` have in common: a level is a number of spikes, and its own payload."""

from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics
from sfnhw.units import bits_for


class Counts(Coding):
    """Base of codings whose levels 0 .. `largest` (± where signed) are counts at each of `steps` timesteps.

    There is no neuron: nothing is compared, kept or looked up.
    """

    # What `steps` and `largest` must stay below.
    steps_below: ClassVar[int]
    largest_below: ClassVar[int]

    steps: int
    largest: int

    def __post_init__(self) -> None:
        for name, below in (("steps", self.steps_below), ("largest", self.largest_below)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value < below:
                expected = f"an integer from 1 to {below - 1}"
                raise InputError(field=f"{self.kind}.{name}", found=value, expected=expected)

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """The largest count."""
        return self.largest

    @property
    def least(self) -> int:
        """The smallest level: −`largest` where signed, else 0."""
        return -self.largest if self.signed else 0

    def payload_bits(self, numerics: Numerics) -> int:
        """⌈log2 largest⌉ (0 is never sent, a unit spike carries nothing), and one bit for the sign."""
        return bits_for(self.largest) + self.signed

    def need(self) -> ThresholdNeed:
        """No threshold, nothing kept."""
        return ThresholdNeed("none", signed=self.signed)

    def values(self) -> Reals:
        """Return 1 .. largest."""
        return np.arange(1, self.largest + 1, dtype=float)

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """The payload is its own value; nothing is looked up, whatever the table width."""
        return np.arange(1, self.largest + 1, dtype=np.int64), 1.0
