"""LIF: the leaky integrate-and-fire neuron over T timesteps."""

from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError
from sfnhw.neurons.base import FireTable, Integers, Reals, ThresholdNeed, registers
from sfnhw.neurons.unit_spikes import UnitSpikes
from sfnhw.numerics import Numerics

# Bits of the fixed-point leak: β ≈ m / 2**16 with an integer m, so β is off by at most 2**-17.
LEAK_BITS = 16
RESETS = ("subtract", "zero", "none")


@dataclass(frozen=True)
class LIF(UnitSpikes):
    """Leaky integrate-and-fire: v ← v + x(t); spike where v reaches θ; reset; v ← βv for the next timestep.

    The order of leak and reset is what libraries differ in; with s the spike (0 or 1) the membrane that waits for
    the next input is

        reset "subtract"                     β(v − θs)      SpikingJelly's soft reset; β = 1 is `IF`
        reset "subtract", delayed_reset      βv − θs        snnTorch: taken off one step late, undecayed
        reset "zero", delayed or not         βv(1 − s)      the same train either way
        reset "none"                         βv

    On the chip v ← (v·m + 2**15) >> 16 with m = round(β·2**16): one action `leak` for each neuron and timestep; none
    where every β is 0 or 1.

    Attributes
    ----------
    steps : T.
    beta : β of one timestep, 0 to 1; one number, or (channels,) numbers.
    threshold : θ in units of the scale, which is what a spike is worth.
    reset, delayed_reset : see above.
    strict : spike where v > θ (snnTorch, NIR) instead of v ≥ θ (SpikingJelly, IF).
    initial_potential : what the membrane holds when the first input arrives, in units of the scale.

    Sources: `snntorch._neurons.leaky.Leaky` (version 1.0); `spikingjelly.activation_based.neuron.LIFNode`.
    """

    kind: ClassVar[str] = "lif"
    title: ClassVar[str] = "unit spikes of a leaky membrane over T steps"
    source: ClassVar[str] = "snnTorch 1.0 Leaky; SpikingJelly LIFNode"
    stands_for: ClassVar[str] = (
        "hybrid conversion and spike-timing backpropagation, snnTorch and SpikingJelly networks, control policies"
    )

    steps: int
    beta: float | tuple[float, ...] = 0.9
    threshold: float = 1.0
    reset: str = "subtract"
    delayed_reset: bool = False
    strict: bool = False
    initial_potential: float = 0.0
    signed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        betas = self.beta if isinstance(self.beta, tuple) else (self.beta,)
        if not betas or not all(_number(b) and 0 <= b <= 1 for b in betas):
            raise InputError(field="lif.beta", found=self.beta, expected="0 ≤ β ≤ 1, or one for each channel")
        if not _number(self.threshold) or self.threshold <= 0:
            raise InputError(field="lif.threshold", found=self.threshold, expected="a number above 0")
        if self.reset not in RESETS:
            raise InputError(field="lif.reset", found=self.reset, expected="'subtract', 'zero' or 'none'")
        if not _number(self.initial_potential) or not 0 <= self.initial_potential < self.threshold:
            raise InputError(
                field="lif.initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < θ, in units of scale"
            )
        for name in ("delayed_reset", "strict"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(field=f"lif.{name}", found=getattr(self, name), expected="True or False")
        if self.signed:
            raise InputError(field="lif.signed", found=True, expected="False (a LIF neuron sends positive spikes)")

    def check_channels(self, channels: int) -> None:
        """Raise InputError where there is one β for each channel, but not this many."""
        if isinstance(self.beta, tuple) and len(self.beta) != channels:
            raise InputError(field="lif.beta", found=len(self.beta), expected=f"one number, or {channels} (channels)")

    def need(self) -> ThresholdNeed:
        """One threshold; a leak multiplier (one word for each β) where some β is neither 0 nor 1."""
        betas = np.atleast_1d(self.beta)
        leaks = 0 if np.isin(betas, (0.0, 1.0)).all() else len(betas)
        late = self.reset == "subtract" and self.delayed_reset
        keeps = bool(betas.any()) or late or self.initial_potential > 0
        return ThresholdNeed("bank", 1, False, "uniform", keeps_residual=keeps, leaks=leaks)

    def fire_real(self, membrane: Reals) -> Integers:
        """One timestep: membrane (samples, channels, positions) with its input → spikes; reset and leak in place."""
        spikes = (membrane > self.threshold if self.strict else membrane >= self.threshold).astype(np.int64)
        beta = np.asarray(self.beta)[:, None] if isinstance(self.beta, tuple) else self.beta
        membrane[...] = self._after(membrane, spikes, self.threshold, lambda v: v * beta)
        return spikes

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """One register and the leak multiplier m; the initial potential in accumulator LSBs, rounded to the nearest."""
        table = registers(np.array([self.threshold]), lsb_per_unit, numerics.threshold_bits)
        if self.strict:  # acc > θ ⟺ acc > ⌊θ⌋, where the register has the bits for it
            below = np.floor(self.threshold * lsb_per_unit + 1e-9).astype(np.int64)[:, None]
            table = np.where(table == below + 1, below, table)
        multiplier = np.rint(np.atleast_1d(self.beta) * 2.0**LEAK_BITS).astype(np.int64)
        initial = np.rint(self.initial_potential * lsb_per_unit).astype(np.int64)
        return FireTable(table, initial, multiplier, LEAK_BITS)

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """As `fire_real`, in integers."""
        assert table.multiplier is not None
        theta, m = table.thresholds[:, :1], table.multiplier[:, None]
        spikes = (membrane > theta if self.strict else membrane >= theta).astype(np.int64)
        # m = 2**16 (β = 1) gives v back exactly; |v| < 2**47, so the product stays inside 64 bits.
        half = 1 << (table.shift - 1)
        membrane[...] = self._after(membrane, spikes, theta, lambda v: (v * m + half) >> table.shift)
        return spikes

    def _after(self, v: NDArray[Any], spikes: Integers, theta: Any, leak: Any) -> NDArray[Any]:
        """The membrane that waits for the next input; see the table above."""
        if self.reset == "zero":
            return np.asarray(leak(v * (1 - spikes)))
        if self.reset == "none":
            return np.asarray(leak(v))
        return np.asarray(leak(v) - theta * spikes if self.delayed_reset else leak(v - theta * spikes))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
