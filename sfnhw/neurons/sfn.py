"""SFN: the Scale-and-Fire Neuron, one timestep, many thresholds."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed, registers, spacing_of, staircase
from sfnhw.numerics import Numerics
from sfnhw.units import bits_for


@dataclass(frozen=True)
class SFN(Coding):
    """Scale-and-Fire Neuron.

    o = λθ·G(h / λθ): the spike carries the level k (and a sign), the largest index with |h| ≥ λ·θ·y_k; the
    receiving synapse applies the value λ·θ·d_k. λ·θ is the population's scale, y and d are this coding's.

    Attributes
    ----------
    boundaries : (N,) y_k, ascending, > 0: normalised thresholds.
    decode_values : (N,) d_k, ascending, > 0: the normalised value that level k stands for: its threshold, the
        midpoint of its interval, or the calibrated mean of the activations that fell into it.
    signed : a negative branch with the same thresholds (dual neuron).

    Source: Chen et al., "One-Timestep is Enough", arXiv 2510.23383 (adaptive fire function); the decode table is
    ours: it costs table words at the receiver, nothing on the wire.
    """

    kind: ClassVar[str] = "sfn"
    title: ClassVar[str] = "scale-and-fire: level among N thresholds, T = 1"
    source: ClassVar[str] = "arXiv 2510.23383"
    stands_for: ClassVar[str] = 'SFN and SFormer ("One-Timestep is Enough")'

    boundaries: tuple[float, ...]
    decode_values: tuple[float, ...]
    signed: bool = False

    def __post_init__(self) -> None:
        for name in ("boundaries", "decode_values"):
            steps = getattr(self, name)
            if not steps or not np.all(np.isfinite(steps)) or steps[0] <= 0 or np.any(np.diff(steps) <= 0):
                raise InputError(field=f"sfn.{name}", found=steps, expected="ascending positive finite numbers")
        if len(self.boundaries) != len(self.decode_values):
            raise InputError(
                field="sfn.decode_values", found=len(self.decode_values), expected=f"{len(self.boundaries)} values"
            )

    @classmethod
    def uniform(cls, thresholds: int, signed: bool = False) -> "SFN":
        """Thresholds and values 1, 2, .. N: floor rounding."""
        steps = tuple(float(k) for k in range(1, thresholds + 1))
        return cls(steps, steps, signed)

    @property
    def timesteps(self) -> int:
        """Always 1."""
        return 1

    @property
    def max_level(self) -> int:
        """N."""
        return len(self.boundaries)

    def payload_bits(self, numerics: Numerics) -> int:
        """⌈log2 N⌉ (level 0 is never sent), and one bit for the sign."""
        return bits_for(self.max_level) + self.signed

    def need(self) -> ThresholdNeed:
        """N thresholds, uniform or power-of-two where they happen to be."""
        return ThresholdNeed("bank", self.max_level, self.signed, spacing_of(np.asarray(self.boundaries)))

    def values(self) -> Reals:
        """Return d_k."""
        return np.asarray(self.decode_values, float)

    def encode(self, h: Reals) -> Integers:
        """sign(h)·#{k : |h| ≥ y_k}."""
        magnitude = np.abs(h) if self.signed else np.asarray(h)
        levels = np.searchsorted(self.boundaries, magnitude, side="right")
        return np.where(np.asarray(h) < 0, -levels, levels) if self.signed else levels

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """N registers, no initial potential."""
        table = registers(np.asarray(self.boundaries), lsb_per_unit, numerics.threshold_bits)
        return FireTable(table, np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """Compare with all thresholds."""
        return staircase(membrane, table.thresholds, self.signed)
