"""Events: an input that is already spikes in time (a sensor, or a spike train)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import FireTable, Integers, Reals
from sfnhw.neurons.counts import Counts
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class Events(Counts):
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

    steps_below: ClassVar[int] = 2**15
    largest_below: ClassVar[int] = 2**15

    steps: int
    largest: int = 1
    signed: bool = False

    def encode(self, h: Reals) -> Integers:
        """Events are integers already; raises InputError where they are not, or out of range."""
        levels = np.asarray(h)
        if not np.array_equal(levels, np.rint(levels)) or (levels < self.least).any() or (levels > self.largest).any():
            raise InputError(
                "an event is out of range", field="inputs", expected=f"integers from {self.least} to {self.largest}"
            )
        return levels.astype(np.int64)

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """No registers."""
        return FireTable(np.zeros((len(lsb_per_unit), 0), np.int64), np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """Not a neuron: raises InputError."""
        raise InputError("events are an input, no neuron fires them", field="events")
