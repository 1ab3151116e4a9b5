"""MTN: the multi-threshold neuron, one timestep: uniform, power-of-two or free thresholds."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError, nearest
from sfnhw.neurons.base import Bank, Integers, Reals, ThresholdNeed, spacing_of
from sfnhw.numerics import Numerics
from sfnhw.units import bits_for

SPACINGS = ("uniform", "power-of-two", "free")
ROUNDINGS = ("floor", "nearest")
# Levels of a power-of-two code, 2^0 .. 2^(N−1): more than a 24-bit accumulator holds beside its weights is no use.
MOST_POWERS = 16


@dataclass(frozen=True)
class MTN(Bank):
    """Multi-threshold neuron: one of N levels, ± where signed, in one timestep.

    In units of the population's scale u:

    - ``uniform``: o = u · clip(⌊h + v(0)⌋, 0, N). Chen et al., arXiv 2510.23383, Theorem 1: with u = θ_M = θ/T, N = T
      and v_M(0) = v(0)/T it answers in one step what an IF neuron gives over T steps, for inputs within [0, θ].
    - ``power-of-two``: level k stands for 2^(k−1)·u, so that with u = θ·2^(1−N) the levels are θ·2^(1−k), k = 1 .. N.
      ``nearest``: the nearest level, boundary at 1.5 times the lower neighbour, 0 below the smallest level (the
      multi-threshold neuron of ECMT and differential coding); ``floor``: the largest level that is reached.
    - ``free``: any ascending thresholds; level k stands for its threshold (floor).

    Attributes
    ----------
    thresholds : N; for ``free`` the tuple of thresholds, in units of u.
    initial_potential : of ``uniform``: v(0) in units of u, from 0 (floor) to below 1; 0.5 rounds to the nearest
        level. It is folded into the thresholds: h + v(0) ≥ k ⟺ h ≥ k − v(0).
    signed : a negative branch with the same thresholds (dual neuron, Theorem 3).
    spacing : of the thresholds, which the threshold unit must serve.
    rounding : of ``power-of-two``; uniform thresholds round by `initial_potential`, free ones are what they are.
    """

    kind: ClassVar[str] = "mtn"
    title: ClassVar[str] = "level among N thresholds (uniform, power of two or free)"
    source: ClassVar[str] = "arXiv 2510.23383, Theorem 1; power of two: ECMT, differential coding"
    stands_for: ClassVar[str] = "MTN of the equivalence theory, MT-SNN, signed-power-of-two transformers (ECMT)"

    thresholds: int | tuple[float, ...]
    initial_potential: float = 0.0
    signed: bool = False
    spacing: str = "uniform"
    rounding: str = "floor"

    def __post_init__(self) -> None:
        for name, known in (("spacing", SPACINGS), ("rounding", ROUNDINGS)):
            value = getattr(self, name)
            if value not in known:
                hint = nearest(str(value), list(known))
                raise InputError(field=f"mtn.{name}", found=value, expected=f"one of {', '.join(known)}{hint}")
        self._check_thresholds()
        if not 0 <= self.initial_potential < 1:
            raise InputError(
                field="mtn.initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1, in units of θ_M"
            )
        if self.spacing != "uniform" and self.initial_potential:
            raise InputError(
                f"{self.spacing} thresholds take no initial potential",
                field="mtn.initial_potential",
                found=self.initial_potential,
                expected="0",
            )
        if self.spacing != "power-of-two" and self.rounding != "floor":
            how = "initial_potential=0.5" if self.spacing == "uniform" else "thresholds midway between the levels"
            raise InputError(
                f"{self.spacing} thresholds round to the nearest by {how}",
                field="mtn.rounding",
                found=self.rounding,
                expected="'floor'",
            )

    def _check_thresholds(self) -> None:
        given = self.thresholds
        if self.spacing == "free":
            ok = (
                isinstance(given, tuple)
                and len(given) > 0
                and all(isinstance(y, int | float) and not isinstance(y, bool) for y in given)
            )
            if not ok or not np.isfinite(given).all() or given[0] <= 0 or np.any(np.diff(given) <= 0):  # type: ignore[index]
                raise InputError(
                    field="mtn.thresholds", found=given, expected="a tuple of ascending positive finite numbers"
                )
            return
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            raise InputError(field="mtn.thresholds", found=given, expected="an integer ≥ 1")
        if self.spacing == "power-of-two" and given > MOST_POWERS:
            raise InputError(field="mtn.thresholds", found=given, expected=f"at most {MOST_POWERS} powers of two")

    @property
    def timesteps(self) -> int:
        """Always 1."""
        return 1

    @property
    def max_level(self) -> int:
        """N."""
        return len(self.thresholds) if isinstance(self.thresholds, tuple) else self.thresholds

    def payload_bits(self, numerics: Numerics) -> int:
        """⌈log2 N⌉ (level 0 is never sent), and one bit for the sign."""
        return bits_for(self.max_level) + self.signed

    def need(self) -> ThresholdNeed:
        """N thresholds of the coding's spacing (free ones of what they happen to be)."""
        # uniform: with an initial potential the first step is shorter; a divider still serves, it adds v(0) first.
        # power-of-two, nearest: the leading one and the bit behind it say which neighbour is nearer.
        spacing = spacing_of(self.boundaries()) if self.spacing == "free" else self.spacing
        return ThresholdNeed("bank", self.max_level, self.signed, spacing)  # type: ignore[arg-type]

    def values(self) -> Reals:
        """1 .. N; 1, 2, 4 .. 2^(N−1); or the free thresholds."""
        if isinstance(self.thresholds, tuple):
            return np.asarray(self.thresholds, float)
        steps = np.arange(1, self.thresholds + 1, dtype=float)
        return 2.0 ** (steps - 1) if self.spacing == "power-of-two" else steps

    def boundaries(self) -> Reals:
        """(N,) where each level begins, in units of the scale."""
        values = self.values()
        if self.rounding == "nearest":
            return np.concatenate([values[:1], 1.5 * values[:-1]])
        return values - self.initial_potential

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """The words of free thresholds alone have a width; a uniform level is its own value, a power of two its exponent."""
        if self.spacing == "free":
            return super().decode_words(bits)
        return self.values().astype(np.int64), 1.0
