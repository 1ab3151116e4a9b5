"""Polarity multi-spike: a value becomes a signed burst of unit spikes within one timestep."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Bank, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics

# The simulator keeps the number of packets of a neuron in one byte.
LONGEST_BURST = 255


@dataclass(frozen=True)
class Polarity(Bank):
    """A burst of k = clip(⌊h + v(0)⌋, 0, N) unit spikes in one timestep, of the sign of h where signed.

    Every spike is a packet of its own and carries no level, only its sign; every synapse adds ±w once for each.
    The same values as a uniform `mtn`, with other costs: k packets and k additions in place of one packet and a
    multiplication. One unit of the burst is worth the population's scale.

    What its threshold unit does: one pass through a uniform bank finds k, as for `mtn`; then the packet port sends
    the address k times (k packet actions, k turns at the injection port). An IF neuron that fires, subtracts θ and
    is read and written again for each spike would count the same comparisons as a serial unit and a state access a
    spike more; one pass is what the units of this model do, so a burst is neither free nor charged twice.

    Attributes
    ----------
    spikes : N, the longest burst.
    initial_potential : v(0) in units of the scale, 0 ≤ v(0) < 1; 0.5 rounds to the nearest.
    signed : bursts of both polarities.

    Source: polarity multi-spike mapping, arXiv 2508.14520.
    """

    kind: ClassVar[str] = "polarity"
    title: ClassVar[str] = "a burst of up to N unit spikes, with a sign"
    source: ClassVar[str] = "arXiv 2508.14520"
    stands_for: ClassVar[str] = "polarity multi-spike mapping"
    burst: ClassVar[bool] = True

    spikes: int
    initial_potential: float = 0.0
    signed: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.spikes, int) or isinstance(self.spikes, bool) or not 1 <= self.spikes <= LONGEST_BURST:
            raise InputError(
                field="polarity.spikes", found=self.spikes, expected=f"an integer from 1 to {LONGEST_BURST}"
            )
        if not 0 <= self.initial_potential < 1:
            raise InputError(
                field="polarity.initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1, in spikes"
            )

    @property
    def timesteps(self) -> int:
        """Always 1."""
        return 1

    @property
    def max_level(self) -> int:
        """N: a level is the length of a burst."""
        return self.spikes

    def payload_bits(self, numerics: Numerics) -> int:
        """The sign, where there is one."""
        return int(self.signed)

    def need(self) -> ThresholdNeed:
        """N uniform thresholds, passed once."""
        return ThresholdNeed("bank", self.spikes, self.signed, "uniform")

    def values(self) -> Reals:
        """Return 1 .. N."""
        return np.arange(1, self.spikes + 1, dtype=float)

    def boundaries(self) -> Reals:
        """(N,) k − v(0)."""
        return self.values() - self.initial_potential

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """k unit spikes add up to k; nothing is looked up."""
        return np.arange(1, self.spikes + 1, dtype=np.int64), 1.0
