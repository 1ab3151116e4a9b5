"""Events: an input that is already spikes in time (a sensor, or a spike train)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics
from sfnhw.units import bits_for


@dataclass(frozen=True)
class Events(Coding):
    """Input only: integer events over T timesteps, given by the user, each worth its integer times the scale.

    Attributes
    ----------
    steps : T.
    largest : largest event magnitude (1: unit spikes).
    signed : events of both polarities (an event camera).
    """

    kind: ClassVar[str] = "events"
    title: ClassVar[str] = "input spikes in time, as given"
    source: ClassVar[str] = "address events, e.g. an event camera"
    stands_for: ClassVar[str] = "event cameras and other spiking sensors (input only)"

    steps: int
    largest: int = 1
    signed: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "largest"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value < 2**15:
                raise InputError(field=f"events.{name}", found=value, expected="an integer from 1 to 32767")

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """Largest event magnitude."""
        return self.largest

    def payload_bits(self, numerics: Numerics) -> int:
        """⌈log2 largest⌉ and the sign: a unit spike carries nothing."""
        return bits_for(self.largest) + self.signed

    def need(self) -> ThresholdNeed:
        """No neuron: the events come from outside."""
        return ThresholdNeed("none", signed=self.signed)

    def values(self) -> Reals:
        """Return 1 .. largest."""
        return np.arange(1, self.largest + 1, dtype=float)

    def encode(self, h: Reals) -> Integers:
        """Events are integers already; raises InputError where they are not, or out of range."""
        levels = np.asarray(h)
        low = -self.largest if self.signed else 0
        if not np.array_equal(levels, np.rint(levels)) or (levels < low).any() or (levels > self.largest).any():
            raise InputError(
                "an event is out of range", field="inputs", expected=f"integers from {low} to {self.largest}"
            )
        return levels.astype(np.int64)

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """No registers."""
        return FireTable(np.zeros((len(lsb_per_unit), 0), np.int64), np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """Not a neuron: raises InputError."""
        raise InputError("events are an input, no neuron fires them", field="events")
