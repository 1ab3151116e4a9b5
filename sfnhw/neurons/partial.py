"""Partial: a sum over some of a layer's inputs, sent to the layer as wide as the accumulator is."""

from dataclasses import dataclass
from typing import ClassVar

from sfnhw.neurons.accumulator import AccumulatorCoding
from sfnhw.neurons.base import Integers, Reals, ThresholdNeed


@dataclass(frozen=True)
class Partial(AccumulatorCoding):
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

    def need(self) -> ThresholdNeed:
        """No threshold, nothing kept."""
        return ThresholdNeed("none", signed=True)

    def fire_real(self, membrane: Reals) -> Integers:
        """The sum as it stands: real, in units of the population's scale."""
        return membrane.copy()  # type: ignore[return-value]
