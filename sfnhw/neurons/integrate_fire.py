"""IF: the integrate-and-fire neuron over T timesteps."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError
from sfnhw.neurons.base import FireTable, Integers, Reals, ThresholdNeed, registers
from sfnhw.neurons.unit_spikes import UnitSpikes
from sfnhw.numerics import Numerics


@dataclass(frozen=True)
class IF(UnitSpikes):
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
        super().__post_init__()
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
    def threshold(self) -> float:  # type: ignore[override]
        """α: what the membrane must reach, in units of θ."""
        return self.threshold_scale

    @property
    def start_potential(self) -> float:
        """v(0) in units of θ."""
        return self.initial_potential * self.threshold_scale

    def need(self) -> ThresholdNeed:
        """One threshold for each sign, and the membrane is kept."""
        return ThresholdNeed("bank", 1, self.signed, "uniform", keeps_residual=True)

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
        return self._fire(membrane, self.threshold_scale)

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """One register; the initial potential in accumulator LSBs, rounded to the nearest."""
        table = registers(np.full(1, float(self.threshold_scale)), lsb_per_unit, numerics.threshold_bits)
        return FireTable(table, np.rint(self.start_potential * lsb_per_unit).astype(np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """The same in integers."""
        return self._fire(membrane, table.thresholds[:, :1])

    def _fire(self, membrane: NDArray[Any], theta: Any) -> Integers:
        """Spike where the membrane reaches θ (or −θ), and take θ off there, or all."""
        spikes = (membrane >= theta).astype(np.int64)
        if self.signed:
            spikes -= membrane <= -theta
        if self.reset == "zero":
            membrane *= spikes == 0
            return spikes
        membrane -= spikes * theta
        return spikes
