"""The choices of a conversion, checked once."""

from dataclasses import dataclass, fields
from typing import Any

from sfnhw.errors import ConversionError, nearest

CHOICES: dict[str, tuple[str, ...]] = {
    "coding": ("sfn", "mtn", "if", "graded", "lif"),
    "reset": ("subtract", "zero"),
    "decode": ("mean", "midpoint", "threshold"),
    "spacing": ("uniform", "power-of-two", "density", "lloyd-max"),
    "rounding": ("floor", "nearest"),
    "theta": ("quantile", "max", "mse"),
    "theta_sharing": ("channel", "population"),
}


@dataclass(frozen=True)
class Options:
    """See `sfnhw.convert.convert` for the meaning of each."""

    coding: str = "sfn"
    thresholds: int = 8
    timesteps: int | None = None
    bits: int = 8
    quantile: float = 0.999
    theta: str | None = None
    theta_sharing: str = "channel"
    spacing: str = "uniform"
    rounding: str = "floor"
    decode: str = "mean"
    initial_potential: float = 0.5
    lam: float | None = None
    lambda_range: tuple[float, float] | None = None
    lambda_budget: int = 20
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
            if value not in known and not (name == "theta" and value is None):
                hint = nearest(str(value), list(known))
                raise ConversionError(field=name, found=value, expected=f"one of {', '.join(known)}{hint}")
        for name, low, high in (
            ("thresholds", 1, 2**15 - 1),
            ("bits", 2, 16),
            ("lambda_budget", 1, 10_000),
            ("search_samples", 1, 10**9),
            ("input_bits", 2, 16),
            ("stream_bits", 4, 16),
        ):
            self._check(name, isinstance(getattr(self, name), int), low, high, f"an integer from {low} to {high}")
        self._check("quantile", True, 0, 1, "a share above 0, at most 1", above=True)
        self._check("spike_weight", True, 0, 1e9, "a number ≥ 0")
        if not 0 <= self.initial_potential < 1:
            raise ConversionError(field="initial_potential", found=self.initial_potential, expected="0 ≤ v(0) < 1")
        in_time = self.coding in ("if", "lif")
        if in_time and (not isinstance(self.timesteps, int) or self.timesteps < 1):
            expected = f"an integer ≥ 1 with coding={self.coding!r}"
            raise ConversionError(field="timesteps", found=self.timesteps, expected=expected)
        if not in_time and self.timesteps not in (None, 1):
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

    @property
    def theta_rule(self) -> str:
        """How θ is chosen; by default a graded code spans up to the maximum, the others to the quantile."""
        return self.theta or ("max" if self.coding == "graded" else "quantile")

    @property
    def levels(self) -> int:
        """N of `sfn` and `mtn`, T of `if` and `lif`, 2^b − 1 of `graded`."""
        if self.coding == "graded":
            return 2**self.bits - 1
        return self.timesteps if self.coding in ("if", "lif") and self.timesteps else self.thresholds

    @property
    def search_range(self) -> tuple[float, float]:
        """Bounds of λ: full scale λθN from θ/4 to 4θ, and λ ≤ 1."""
        if self.lambda_range is not None:
            return float(self.lambda_range[0]), float(self.lambda_range[1])
        return 0.25 / self.thresholds, min(1.0, 4.0 / self.thresholds) if self.thresholds > 1 else 1.0


def options_from(given: dict[str, Any]) -> Options:
    """Build the options; raises ConversionError with the nearest right name for an unknown one."""
    known = [f.name for f in fields(Options)]
    for name in given:
        if name not in known:
            raise ConversionError(field=name, expected=f"one of {', '.join(known)}{nearest(name, known)}")
    return Options(**given)
