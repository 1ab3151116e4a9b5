"""IF: the integrate-and-fire neuron over T timesteps."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed, registers
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class IF(Coding):
    """Integrate-and-fire: v ← v + x(t); spike if v ≥ αθ, then v ← v − αθ (or 0). θ is the population's scale.

    Attributes
    ----------
    steps : T.
    initial_potential : v(0) in units of αθ; 0.5 halves the expected conversion error ("optimised potential
        initialisation"). 0 for a signed neuron: an offset would favour one sign.
    signed : also a spike of −1 where v ≤ −αθ, then v ← v + αθ (dual IF, for values of both signs). The sum of the
        spikes may go negative, as the value may; in an unsigned population there are no negative spikes at all.
    threshold_scale : α; the neuron fires at αθ while its spike stays worth θ, so that α < 1 makes up for what few
        steps round away. `convert` can fit it.
    reset : "subtract" (soft reset), or "zero".

    The value of the train is θ/T times its sum of spikes.
    Source: arXiv 2510.23383, IF equations; soft reset: Rueckauer et al. 2017; threshold and spike scaled apart:
    Datta & Beerel 2022, arXiv 2112.12133 (their β is 1/α, their threshold αμ is αθ here).
    """

    kind: ClassVar[str] = "if"
    title: ClassVar[str] = "unit spikes, rate over T steps"
    source: ClassVar[str] = "Rueckauer et al. 2017; arXiv 2510.23383; threshold scale: arXiv 2112.12133"
    stands_for: ClassVar[str] = (
        "IF over T steps, optimised potential initialisation, ultra-low-latency conversion, DSR, tandem learning"
    )

    steps: int
    initial_potential: float = 0.0
    signed: bool = False
    threshold_scale: float = 1.0
    reset: str = "subtract"

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 1:
            raise InputError(field="if.steps", found=self.steps, expected="an integer ≥ 1 (timesteps)")
        if not 0 <= self.initial_potential < 1:
            raise InputError(
                field="if.initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1, in units of θ"
            )
        if self.signed and self.initial_potential:
            raise InputError(
                "an initial potential would favour one sign",
                field="if.initial_potential",
                found=self.initial_potential,
                expected="0 for a signed neuron",
            )
        if not isinstance(self.threshold_scale, int | float) or not 0 < self.threshold_scale < np.inf:
            raise InputError(field="if.threshold_scale", found=self.threshold_scale, expected="a number above 0")
        if self.reset not in ("subtract", "zero"):
            raise InputError(field="if.reset", found=self.reset, expected="'subtract' or 'zero'")

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """A unit spike."""
        return 1

    @property
    def threshold(self) -> float:  # type: ignore[override]
        """α: what the membrane must reach, in units of θ."""
        return self.threshold_scale

    @property
    def start_potential(self) -> float:
        """v(0) in units of θ."""
        return self.initial_potential * self.threshold_scale

    def payload_bits(self, numerics: Numerics) -> int:
        """Nothing beside the address but the sign, where there is one."""
        return int(self.signed)

    def need(self) -> ThresholdNeed:
        """One threshold for each sign, and the membrane is kept."""
        return ThresholdNeed("bank", 1, self.signed, "uniform", keeps_residual=True)

    def values(self) -> Reals:
        """One spike in one timestep is worth θ."""
        return np.ones(1)

    def encode(self, h: Reals) -> Integers:
        """(T, ...) normalised input of each step → (T, ...) spikes 0 or 1 (or −1)."""
        h = np.asarray(h, float)
        if h.shape[0] != self.steps:
            raise InputError(field="h", found=h.shape, expected=f"first axis of {self.steps} timesteps")
        v = np.full(h.shape[1:], self.start_potential)
        out = np.zeros(h.shape, np.int64)
        for t, x in enumerate(h):
            v = np.asarray(v + x)
            out[t] = self.fire_real(v)
        return out

    def represent(self, h: Reals) -> Reals:
        """sign(h)·clip(⌊T·|h|/α + v(0)⌋, 0, T)/T with a soft reset: the train of a constant input, in closed form."""
        if self.reset == "zero":
            return super().represent(h)
        h = np.asarray(h, float)
        counts = np.floor(np.abs(h) * self.steps / self.threshold_scale + self.initial_potential)
        value = np.clip(counts, 0, self.steps) / self.steps
        return np.sign(h) * value if self.signed else np.where(h >= 0, value, 0.0)

    def fire_real(self, membrane: Reals) -> Integers:
        """One timestep of `encode`."""
        theta = self.threshold_scale
        spikes = (membrane >= theta).astype(np.int64)
        if self.signed:
            spikes -= membrane <= -theta
        if self.reset == "zero":
            membrane *= spikes == 0
            return spikes
        membrane -= spikes * theta
        return spikes

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """One register; the initial potential in accumulator LSBs, rounded to the nearest."""
        table = registers(np.full(1, float(self.threshold_scale)), lsb_per_unit, numerics.threshold_bits)
        return FireTable(table, np.rint(self.start_potential * lsb_per_unit).astype(np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """Spike where the membrane reaches θ (or −θ), and take θ off there."""
        theta = table.thresholds[:, :1]
        spikes = (membrane >= theta).astype(np.int64)
        if self.signed:
            spikes -= membrane <= -theta
        if self.reset == "zero":
            membrane *= spikes == 0
            return spikes
        membrane -= spikes * theta
        return spikes
