"""Readout: the accumulator itself leaves the chip, after the last timestep."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class Readout(Coding):
    """The output of a network: accumulates over T steps, fires nothing, and sends every neuron's value once.

    Attributes
    ----------
    steps : T; the value is the mean over the steps.
    """

    kind: ClassVar[str] = "readout"
    title: ClassVar[str] = "the accumulator itself, once, after step T"
    source: ClassVar[str] = "usual in conversion: logits are membrane potentials"
    stands_for: ClassVar[str] = "the output of every converted network (output only)"
    sends_zero: ClassVar[bool] = True
    only_last_timestep: ClassVar[bool] = True
    sends_accumulator: ClassVar[bool] = True
    signed: ClassVar[bool] = True  # type: ignore[misc]

    steps: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 1:
            raise InputError(field="readout.steps", found=self.steps, expected="an integer ≥ 1 (timesteps)")

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
        """No threshold; the accumulator is kept between timesteps."""
        return ThresholdNeed("none", keeps_residual=self.steps > 1, signed=True)

    def values(self) -> Reals:
        """Nothing to decode."""
        return np.zeros(0)

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """Nothing to decode."""
        return np.zeros(0, np.int64), 1.0

    def encode(self, h: Reals) -> Integers:
        """Not a spike code: raises InputError."""
        raise InputError("a readout does not encode values as spikes", field="readout")

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """No registers."""
        return FireTable(np.zeros((len(lsb_per_unit), 0), np.int64), np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """The accumulator as it stands."""
        return membrane.copy()
