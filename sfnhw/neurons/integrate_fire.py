"""IF: the integrate-and-fire neuron over T timesteps."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed, registers
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class IF(Coding):
    """Integrate-and-fire: v ← v + x(t); spike if v ≥ θ, then v ← v − θ (or 0). θ is the population's scale.

    Attributes
    ----------
    steps : T.
    initial_potential : v(0) in units of θ; 0.5 halves the expected conversion error ("optimised potential
        initialisation").
    reset : "subtract" (soft reset), or "zero".

    The value of the train is θ/T times its number of spikes.
    Source: arXiv 2510.23383, IF equations; soft reset: Rueckauer et al. 2017.
    """

    kind: ClassVar[str] = "if"
    title: ClassVar[str] = "unit spikes, rate over T steps"
    source: ClassVar[str] = "Rueckauer et al. 2017; arXiv 2510.23383"

    steps: int
    initial_potential: float = 0.0
    signed: bool = False
    reset: str = "subtract"

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 1:
            raise InputError(field="if.steps", found=self.steps, expected="an integer ≥ 1 (timesteps)")
        if not 0 <= self.initial_potential < 1:
            raise InputError(
                field="if.initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1, in units of θ"
            )
        if self.reset not in ("subtract", "zero"):
            raise InputError(field="if.reset", found=self.reset, expected="'subtract' or 'zero'")
        if self.signed:
            raise InputError(field="if.signed", found=True, expected="False (a signed IF is not built yet)")

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """A unit spike."""
        return 1

    def payload_bits(self, numerics: Numerics) -> int:
        """Nothing beside the address."""
        return 0

    def need(self) -> ThresholdNeed:
        """One threshold, and the membrane is kept."""
        return ThresholdNeed("bank", 1, False, "uniform", keeps_residual=True)

    def values(self) -> Reals:
        """One spike in one timestep is worth θ."""
        return np.ones(1)

    def encode(self, h: Reals) -> Integers:
        """(T, ...) normalised input of each step → (T, ...) spikes 0 or 1."""
        h = np.asarray(h, float)
        if h.shape[0] != self.steps:
            raise InputError(field="h", found=h.shape, expected=f"first axis of {self.steps} timesteps")
        v = np.full(h.shape[1:], self.initial_potential)
        out = np.zeros(h.shape, np.int64)
        for t, x in enumerate(h):
            v = v + x
            out[t] = v >= 1
            v = v - out[t] if self.reset == "subtract" else v * (1 - out[t])
        return out

    def fire_real(self, membrane: Reals) -> Integers:
        """One timestep of `encode`."""
        spikes = (membrane >= 1).astype(np.int64)
        if self.reset == "zero":
            membrane *= 1 - spikes
            return spikes
        membrane -= spikes
        return spikes

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """One register; the initial potential in accumulator LSBs, rounded to the nearest."""
        table = registers(np.ones(1), lsb_per_unit, numerics.threshold_bits)
        return FireTable(table, np.rint(self.initial_potential * lsb_per_unit).astype(np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """Spike where the membrane reaches θ, and take θ off there."""
        theta = table.thresholds[:, :1]
        spikes = (membrane >= theta).astype(np.int64)
        if self.reset == "zero":
            membrane *= 1 - spikes
            return spikes
        membrane -= spikes * theta
        return spikes
