"""Relay: sums of spikes passed on as they are, at every timestep."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics
from sfnhw.units import bits_for


@dataclass(frozen=True)
class Relay(Coding):
    """No neuron: the number of spikes in a window, at each timestep, is the payload; nothing is kept or lost.

    For average and sum pooling between spikes and the next weights, where a threshold would change the network. The
    population's scale is the real value of one spike of a window, so that the accumulator is the level.

    Attributes
    ----------
    steps : T.
    largest : largest sum: kernel positions × the source's largest level.
    signed : where the source is.
    """

    kind: ClassVar[str] = "relay"
    title: ClassVar[str] = "the number of spikes in a window, at each step"
    source: ClassVar[str] = "linear pooling between spiking layers"
    stands_for: ClassVar[str] = "pooling between the layers of a spiking network"

    steps: int
    largest: int = 4
    signed: bool = False

    def __post_init__(self) -> None:
        for name, most in (("steps", 2**31), ("largest", 2**24)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value < most:
                raise InputError(field=f"relay.{name}", found=value, expected=f"an integer from 1 to {most - 1}")

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """Largest sum."""
        return self.largest

    def payload_bits(self, numerics: Numerics) -> int:
        """⌈log2 largest⌉ (0 is never sent), and one bit for the sign."""
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

    def encode(self, h: Reals) -> Integers:
        """clip(round(h)) of each timestep by itself."""
        low = -self.largest if self.signed else 0
        return np.clip(np.rint(np.asarray(h)), low, self.largest).astype(np.int64)

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """No registers; raises InputError where one accumulator LSB is not one spike of the window."""
        if not np.allclose(lsb_per_unit, 1.0, rtol=1e-6):
            raise InputError(
                "a relay passes on sums of equal spikes, pooled from one population",
                field="relay.scale",
                found=float(lsb_per_unit[0]),
                expected="1 accumulator LSB a spike: a scale of the source's scale / kernel positions",
            )
        return FireTable(np.zeros((len(lsb_per_unit), 0), np.int64), np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """The accumulator as it stands."""
        return np.clip(membrane, -self.largest if self.signed else 0, self.largest)
