"""The choices of a conversion, checked once."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sfnhw.errors import ConversionError, nearest

CHOICES: dict[str, tuple[str, ...]] = {
    "coding": ("sfn", "mtn", "if", "lif", "polarity", "ttfs", "graded"),
    "reset": ("subtract", "zero"),
    "decode": ("mean", "midpoint", "threshold"),
    "spacing": ("uniform", "power-of-two", "density", "lloyd-max", "free"),
    "rounding": ("floor", "nearest"),
    "theta": ("quantile", "max", "mse"),
    "theta_sharing": ("channel", "population"),
}

# Spacings of each coding with a choice; the others are uniform.
SPACINGS = {
    "sfn": ("uniform", "power-of-two", "density", "lloyd-max"),
    "mtn": ("uniform", "power-of-two", "free"),
}
OVER_TIME = ("if", "lif", "ttfs")  # codings that need `timesteps`
POTENTIAL = ("mtn", "if", "lif", "polarity", "ttfs")  # codings with an initial potential


@dataclass(frozen=True)
class Options:
    """See `sfnhw.convert.convert` for the meaning of each."""

    coding: str = "sfn"
    thresholds: int | tuple[float, ...] = 8
    timesteps: int | None = None
    bits: int = 8
    quantile: float = 0.999
    theta: str | None = None
    theta_sharing: str = "channel"
    spacing: str = "uniform"
    rounding: str | None = None
    decode: str = "mean"
    initial_potential: float | None = None
    threshold_scale: float | str | None = None
    lam: float | None = None
    lambda_range: tuple[float, float] | None = None
    lambda_budget: int | None = None
    spike_weight: float = 0.01
    search_samples: int = 512
    input_bits: int = 8
    stream_bits: int = 16
    seed: int = 0
    beta: float | None = None
    reset: str = "subtract"

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known and not (name in ("theta", "rounding") and value is None):
                hint = nearest(str(value), list(known))
                raise ConversionError(field=name, found=value, expected=f"one of {', '.join(known)}{hint}")
        for name, low, high in (
            ("bits", 2, 16),
            ("search_samples", 1, 10**9),
            ("input_bits", 2, 16),
            ("stream_bits", 4, 16),
        ):
            self._check(name, isinstance(getattr(self, name), int), low, high, f"an integer from {low} to {high}")
        self._check("quantile", True, 0, 1, "a share above 0, at most 1", above=True)
        if self.lambda_budget is not None:
            number = isinstance(self.lambda_budget, int)
            self._check("lambda_budget", number, 1, 10_000, "an integer from 1 to 10000")
        self._check("spike_weight", True, 0, 1e9, "a number ≥ 0")
        self._check_thresholds()
        self._check_neuron()
        if self.coding in OVER_TIME and (not isinstance(self.timesteps, int) or self.timesteps < 1):
            raise ConversionError(
                field="timesteps", found=self.timesteps, expected=f"an integer ≥ 1 with coding={self.coding!r}"
            )
        if self.coding not in OVER_TIME and self.timesteps not in (None, 1):
            raise ConversionError(field="timesteps", found=self.timesteps, expected=f"1 with coding={self.coding!r}")
        if self.coding == "lif":
            self._check("beta", True, 0, 1, "a decay factor of one timestep, above 0, at most 1", above=True)
        elif self.beta is not None or self.reset != "subtract":
            field = "beta" if self.beta is not None else "reset"
            raise ConversionError(
                "only a leaky neuron has it", field=field, found=getattr(self, field), expected="coding='lif'"
            )
        if self.lam is not None:
            self._check("lam", True, 0, 1e6, "a number above 0", above=True)
        bounds = self.search_range
        if not 0 < bounds[0] < bounds[1]:
            raise ConversionError(field="lambda_range", found=self.lambda_range, expected="(low, high), 0 < low < high")

    def _check(self, name: str, ok: bool, low: float, high: float, expected: str, *, above: bool = False) -> None:
        value: Any = getattr(self, name)
        ok = ok and not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high
        if not ok or (above and value == low):
            raise ConversionError(field=name, found=value, expected=expected)

    def _check_thresholds(self) -> None:
        allowed = SPACINGS.get(self.coding, ("uniform",))
        if self.spacing not in allowed:
            raise ConversionError(
                field="spacing", found=self.spacing, expected=f"{' or '.join(allowed)} with coding={self.coding!r}"
            )
        if self.spacing != "free":
            ok = isinstance(self.thresholds, int)
            self._check("thresholds", ok, 1, 2**15 - 1, f"an integer from 1 to {2**15 - 1}")
        elif not isinstance(self.thresholds, tuple | list):
            raise ConversionError(
                field="thresholds",
                found=self.thresholds,
                expected="a tuple of ascending thresholds with spacing='free'",
            )
        else:
            object.__setattr__(
                self, "thresholds", tuple(float(y) if isinstance(y, np.number) else y for y in self.thresholds)
            )

    def _check_neuron(self) -> None:
        """Options that belong to some codings only: given to another one they are an error, not ignored."""
        rounds = self.coding == "sfn" or (self.coding == "mtn" and self.spacing == "power-of-two")
        starts = self.coding in POTENTIAL and self.spacing == "uniform"
        for name, applies in (
            ("rounding", rounds),
            ("initial_potential", starts),
            ("threshold_scale", self.coding == "if"),
        ):
            if getattr(self, name) is not None and not applies:
                raise ConversionError(
                    f"does not apply to coding={self.coding!r} with {self.spacing} thresholds",
                    field=name,
                    found=getattr(self, name),
                )
        if self.initial_potential is not None and not 0 <= self.initial_potential < 1:
            raise ConversionError(field="initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1")
        if self.threshold_scale not in (None, "mse"):
            self._check("threshold_scale", True, 0, 1e6, "'mse' or a number above 0", above=True)

    @property
    def count(self) -> int:
        """N of `sfn`, `mtn` and `polarity`."""
        return len(self.thresholds) if isinstance(self.thresholds, tuple) else self.thresholds

    @property
    def rounding_rule(self) -> str:
        """How `sfn` (default floor) and power-of-two `mtn` (default nearest) round."""
        return self.rounding or ("nearest" if self.coding == "mtn" else "floor")

    @property
    def potential(self) -> float:
        """v(0) of unsigned neurons; one half rounds to the nearest level."""
        return 0.5 if self.initial_potential is None else float(self.initial_potential)

    @property
    def theta_rule(self) -> str:
        """How θ is chosen; by default a graded code spans up to the maximum, the others to the quantile."""
        return self.theta or ("max" if self.coding == "graded" else "quantile")

    @property
    def search_range(self) -> tuple[float, float]:
        """Bounds of λ: full scale λθN from θ/4 to 4θ, and λ ≤ 1."""
        if self.lambda_range is not None:
            return float(self.lambda_range[0]), float(self.lambda_range[1])
        return 0.25 / self.count, min(1.0, 4.0 / self.count) if self.count > 1 else 1.0


def options_from(given: dict[str, Any]) -> Options:
    """Build the options; raises ConversionError with the nearest right name for an unknown one."""
    known = [f.name for f in fields(Options)]
    for name in given:
        if name not in known:
            raise ConversionError(field=name, expected=f"one of {', '.join(known)}{nearest(name, known)}")
    return Options(**given)
