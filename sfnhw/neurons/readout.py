"""Readout: the accumulator itself leaves the chip, after the last timestep."""

from dataclasses import dataclass
from typing import ClassVar

from sfnhw.neurons.accumulator import AccumulatorCoding
from sfnhw.neurons.base import ThresholdNeed


@dataclass(frozen=True)
class Readout(AccumulatorCoding):
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

    def need(self) -> ThresholdNeed:
        """No threshold; the accumulator is kept between timesteps."""
        return ThresholdNeed("none", keeps_residual=self.steps > 1, signed=True)
