"""MTN: the multi-threshold neuron of the equivalence theory, uniform thresholds, one timestep."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed, registers, staircase
from sfnhw.numerics import Numerics
from sfnhw.units import bits_for


@dataclass(frozen=True)
class MTN(Coding):
    """Multi-threshold neuron: o = θ_M · clip(⌊(h + v(0)) / θ_M⌋, 0, N), one timestep; θ_M is the population's scale.

    Attributes
    ----------
    thresholds : N.
    initial_potential : v(0) in units of θ_M, from 0 (floor) to below 1; 0.5 rounds to the nearest level. It is
        folded into the thresholds: h + v(0) ≥ k·θ_M ⟺ h ≥ (k − v(0)/θ_M)·θ_M.
    signed : a negative branch with the same thresholds (dual neuron, Theorem 3).

    Source: Chen et al., arXiv 2510.23383, Theorem 1: with θ_M = θ/T, N = T and v_M(0) = v(0)/T it answers in one
    step what an IF neuron gives over T steps, for inputs within [0, θ] at every step.
    """

    kind: ClassVar[str] = "mtn"
    title: ClassVar[str] = "level among N uniform thresholds, T = 1"
    source: ClassVar[str] = "arXiv 2510.23383, Theorem 1"

    thresholds: int
    initial_potential: float = 0.0
    signed: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.thresholds, int) or self.thresholds < 1:
            raise InputError(field="mtn.thresholds", found=self.thresholds, expected="an integer ≥ 1")
        if not 0 <= self.initial_potential < 1:
            raise InputError(
                field="mtn.initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1, in units of θ_M"
            )

    @property
    def timesteps(self) -> int:
        """Always 1."""
        return 1

    @property
    def max_level(self) -> int:
        """N."""
        return self.thresholds

    def payload_bits(self, numerics: Numerics) -> int:
        """⌈log2 N⌉ (level 0 is never sent), and one bit for the sign."""
        return bits_for(self.thresholds) + self.signed

    def need(self) -> ThresholdNeed:
        """N uniform thresholds."""
        # With an initial potential the first step is shorter: a divider still serves, it adds v(0) first.
        return ThresholdNeed("bank", self.thresholds, self.signed, "uniform")

    def values(self) -> Reals:
        """Return 1 .. N."""
        return np.arange(1, self.thresholds + 1, dtype=float)

    def boundaries(self) -> Reals:
        """(N,) k − v(0)."""
        return self.values() - self.initial_potential

    def encode(self, h: Reals) -> Integers:
        """clip(⌊h + v(0)⌋, 0, N), mirrored for negative h where signed."""
        h = np.asarray(h)
        magnitude = np.abs(h) if self.signed else h
        levels = np.searchsorted(self.boundaries(), magnitude, side="right")
        return np.where(h < 0, -levels, levels) if self.signed else levels

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """N registers; the initial potential is in them."""
        table = registers(self.boundaries(), lsb_per_unit, numerics.threshold_bits)
        return FireTable(table, np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """Compare with all thresholds."""
        return staircase(membrane, table.thresholds, self.signed)
