"""Relay: sums of spikes passed on as they are, at every timestep."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import FireTable, Integers, Reals
from sfnhw.neurons.counts import Counts
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class Relay(Counts):
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

    steps_below: ClassVar[int] = 2**31
    largest_below: ClassVar[int] = 2**24

    steps: int
    largest: int = 4
    signed: bool = False

    def encode(self, h: Reals) -> Integers:
        """clip(round(h)) of each timestep by itself."""
        return np.clip(np.rint(np.asarray(h)), self.least, self.largest).astype(np.int64)

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
        return np.clip(membrane, self.least, self.largest)
