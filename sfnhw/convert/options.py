"""The choices of a conversion, checked once."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from sfnhw.errors import ConversionError, InputError, nearest
from sfnhw.neurons import MTN, Polarity

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


class Applies(NamedTuple):
    """Where an option has a meaning: for some codings, and there perhaps under a condition, in words too."""

    codings: tuple[str, ...]
    words: str = ""
    condition: "Callable[[Options], bool]" = lambda _: True


# Options that only some conversions have; given to another one they are an error. The others always apply.
APPLIES: dict[str, Applies] = {
    "thresholds": Applies(("sfn", "mtn", "polarity")),
    "timesteps": Applies(OVER_TIME),
    "bits": Applies(("graded",)),
    "quantile": Applies(CHOICES["coding"], "theta='quantile'", lambda o: o.theta_rule == "quantile"),
    "spacing": Applies(tuple(SPACINGS)),
    "rounding": Applies(
        ("sfn", "mtn"),
        "and, for mtn, spacing='power-of-two'",
        lambda o: o.coding == "sfn" or o.spacing == "power-of-two",
    ),
    "decode": Applies(("sfn",)),
    "initial_potential": Applies(POTENTIAL, "and spacing='uniform'", lambda o: o.spacing == "uniform"),
    "threshold_scale": Applies(("if",)),
    "lambda_range": Applies(("sfn",), "and no lam: λ is searched", lambda o: o.lam is None),
    "lambda_budget": Applies(("sfn",), "and no lam: λ is searched", lambda o: o.lam is None),
    "spike_weight": Applies(("sfn",), "and no lam: λ is searched", lambda o: o.lam is None),
    "search_samples": Applies(("sfn",), "and no lam: λ is searched", lambda o: o.lam is None),
    "beta": Applies(("lif",)),
    "reset": Applies(("lif",)),
}


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
            ("seed", 0, 2**63 - 1),
        ):
            self._check(name, isinstance(getattr(self, name), int), low, high, f"an integer from {low} to {high}")
        self._check("quantile", True, 0, 1, "a share above 0, at most 1", above=True)
        if self.lambda_budget is not None:
            number = isinstance(self.lambda_budget, int)
            self._check("lambda_budget", number, 1, 10_000, "an integer from 1 to 10000")
        self._check("spike_weight", True, 0, 1e9, "a number ≥ 0")
        self._check_thresholds()
        if self.initial_potential is not None:
            self._check("initial_potential", True, 0, 1 - 2**-53, "0 ≤ v(0) < 1")
        if self.threshold_scale not in (None, "mse"):
            self._check("threshold_scale", True, 0, 1e6, "'mse' or a number above 0", above=True)
        if self.coding in OVER_TIME and (not isinstance(self.timesteps, int) or self.timesteps < 1):
            raise ConversionError(
                "is needed" if self.timesteps is None else "",
                field="timesteps",
                found=self.timesteps,
                expected=f"an integer ≥ 1 with coding={self.coding!r}",
            )
        if self.coding not in OVER_TIME and self.timesteps not in (None, 1):
            raise ConversionError(field="timesteps", found=self.timesteps, expected=f"1 with coding={self.coding!r}")
        if self.coding == "lif":
            self._check("beta", True, 0, 1, "a decay factor of one timestep, above 0, at most 1", above=True)
        if self.lam is not None:
            self._check("lam", True, 0, 1e6, "a number above 0", above=True)
        if self.lambda_range is not None:
            self._check_range(self.lambda_range)

    def _check(self, name: str, ok: bool, low: float, high: float, expected: str, *, above: bool = False) -> None:
        value: Any = getattr(self, name)
        ok = ok and not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high
        if not ok or (above and value == low):
            raise ConversionError("is needed" if value is None else "", field=name, found=value, expected=expected)

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
                expected="ascending thresholds, such as (0.1, 0.4, 1), with spacing='free'",
            )
        else:
            object.__setattr__(
                self, "thresholds", tuple(float(y) if isinstance(y, np.number) else y for y in self.thresholds)
            )
        try:  # what the coding itself says of them, before anything is traced
            if self.coding == "mtn":
                MTN(self.thresholds, spacing=self.spacing)
            elif self.coding == "polarity":
                Polarity(self.count)
        except InputError as error:
            raise ConversionError(field="thresholds", found=error.found, expected=error.expected) from None

    @staticmethod
    def _check_range(bounds: Any) -> None:
        pair = isinstance(bounds, tuple | list) and len(bounds) == 2
        if (
            not pair
            or not all(isinstance(x, int | float) for x in bounds)
            or not 0 < bounds[0] < bounds[1] < float("inf")
        ):
            raise ConversionError(field="lambda_range", found=bounds, expected="(low, high), 0 < low < high")

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
    """Build the options, of those that were given.

    Raises
    ------
    ConversionError : an unknown option (with the nearest right name), a value out of range, or an option that the chosen
        coding does not have. None is a default where it says that nothing was chosen, and T = 1 is every coding's.
    """
    known = {f.name: f.default for f in fields(Options)}
    for name in given:
        if name not in known:
            raise ConversionError(field=name, expected=f"one of {', '.join(known)}{nearest(name, list(known))}")
    options = Options(**given)
    for name, value in given.items():
        left = value is None or (name == "timesteps" and value == 1)
        if not left and name in APPLIES:
            _check_applies(options, name, APPLIES[name])
    return options


def _check_applies(options: Options, name: str, applies: Applies) -> None:
    if options.coding in applies.codings and applies.condition(options):
        return
    chosen = f"coding={options.coding!r}"
    if options.coding in SPACINGS:
        chosen += f" with {options.spacing} thresholds"
    every = applies.codings == CHOICES["coding"]
    codings = "" if every else "coding " + " or ".join(repr(c) for c in applies.codings)
    raise ConversionError(
        f"does not apply to {chosen}",
        field=name,
        found=getattr(options, name),
        expected=" ".join(part for part in (codings, applies.words) if part),
    )
