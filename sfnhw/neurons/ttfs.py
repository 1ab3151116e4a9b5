"""TTFS: one spike, its time is the value."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Bank, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class TTFS(Bank):
    """Time to first spike: level k = clip(⌊h + v(0)⌋, 0, T) fires once, at step t = T − k; level 0 stays silent.

    The population's scale is one level, θ/T, so k = clip(⌊h·T/θ + v(0)⌋, 0, T) for h in the network's units, and
    t = ⌈T·(1 − h/θ)⌉ with v(0) = 0: the largest value fires first. A spike at step t is worth what is left of the
    window, (T − t)/T·θ.

    A neuron must know its whole input before the first step of its own window, so layers work in successive windows
    of T steps, one window apart; within its window the membrane is compared, each step, with one threshold that falls
    from θ to θ/T, and a neuron that has fired is out. That is one comparison, one threshold read and one turn of the
    membrane through memory for each neuron and step: an IF neuron's work, T times.

    The receiving synapse multiplies by the step counter T − t, which end markers (or the global step) keep for each
    source: ⌈log2(T + 1)⌉ bits of value, no payload, no decode table.

    Attributes
    ----------
    steps : T.
    initial_potential : v(0) in units of one level, 0 ≤ v(0) < 1; 0.5 rounds to the nearest.
    signed : a negative branch; the spike then carries its sign.

    Source: "You Only Spike Once", arXiv 2006.09982; layers in successive windows and a falling threshold: LC-TTFS,
    arXiv 2310.14978.
    """

    kind: ClassVar[str] = "ttfs"
    title: ClassVar[str] = "one spike, the earlier the larger, T steps a layer"
    source: ClassVar[str] = "arXiv 2006.09982; arXiv 2310.14978"
    stands_for: ClassVar[str] = "You Only Spike Once, LC-TTFS"

    steps: int
    initial_potential: float = 0.0
    signed: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or isinstance(self.steps, bool) or not 1 <= self.steps < 2**15:
            raise InputError(
                field="ttfs.steps", found=self.steps, expected="an integer from 1 to 32767 (timesteps of a window)"
            )
        if not 0 <= self.initial_potential < 1:
            raise InputError(
                field="ttfs.initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1, in units of θ/T"
            )

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def window(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """T: what a spike in the first step stands for."""
        return self.steps

    @property
    def resolution(self) -> int:
        """T."""
        return self.steps

    def payload_bits(self, numerics: Numerics) -> int:
        """Nothing but the sign, where there is one: the time says the rest."""
        return int(self.signed)

    def value_bits(self, numerics: Numerics) -> int:
        """Whether it spikes now, and the sign."""
        return 1 + self.signed

    def need(self) -> ThresholdNeed:
        """One threshold a step, and the membrane is kept."""
        return ThresholdNeed("bank", 1, self.signed, "uniform", keeps_residual=True)

    def values(self) -> Reals:
        """Return 1 .. T."""
        return np.arange(1, self.steps + 1, dtype=float)

    def boundaries(self) -> Reals:
        """(T,) k − v(0): the falling threshold, read from its end."""
        return self.values() - self.initial_potential

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """The step counter is the value; nothing is looked up."""
        return np.arange(1, self.steps + 1, dtype=np.int64), 1.0

    def in_time(self, levels: Integers) -> Integers:
        """Levels (samples, neurons) → (samples, T, neurons): level k at step T − k, zeros elsewhere."""
        levels = np.asarray(levels)
        step = self.steps - np.abs(levels)
        out = np.zeros((len(levels), self.steps, levels.shape[1]), levels.dtype)
        sample, neuron = np.nonzero(levels)
        out[sample, step[sample, neuron], neuron] = levels[sample, neuron]
        return out

    def encode(self, h: Reals) -> Integers:
        """(T, ...) what comes in at each step of the window before → (T, ...) the spike at its step, as T − t."""
        h = np.asarray(h, float)
        if h.shape[0] != self.steps:
            raise InputError(field="h", found=h.shape, expected=f"first axis of {self.steps} timesteps")
        levels = super().encode(h.sum(axis=0))
        return self.in_time(levels.reshape(1, -1))[0].reshape(h.shape)

    def fire_real(self, membrane: Reals) -> Integers:
        """The level for a complete input; `in_time` says when it fires."""
        return super().encode(membrane)

    def decode(self, levels: Integers) -> Reals:
        """(T, ...) → normalised value (...): what was left of the window at the spike."""
        return np.asarray(levels).sum(axis=0).astype(float)

    def represent(self, h: Reals) -> Reals:
        """Value for a complete input h."""
        return super().encode(h).astype(float)
