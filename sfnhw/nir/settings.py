"""What a NIR file does not say, checked once."""

from dataclasses import dataclass

import numpy as np

from sfnhw.errors import NetworkError, nearest
from sfnhw.nir.rules import EXPORTERS

RESETS = ("subtract", "zero", "none")


@dataclass(frozen=True)
class Settings:
    """What a NIR file does not say; see `from_nir`, whose `library` is here what it says: the graph's exporter."""

    dt: float | None
    reset: str | None
    timesteps: int | None
    exporter: str | None
    input: str
    input_max: float
    input_signed: bool
    input_bits: int

    def __post_init__(self) -> None:
        for name, value, known in (
            ("reset", self.reset, RESETS),
            ("library", self.exporter, EXPORTERS),
        ):
            if value is not None and value not in known:
                expected = f"one of {', '.join(known)}{nearest(str(value), list(known))}"
                raise NetworkError(field=name, found=value, expected=expected)
        if self.dt is not None and (not isinstance(self.dt, int | float) or not 0 < self.dt < np.inf):
            raise NetworkError(field="dt", found=self.dt, expected="a number of seconds above 0, e.g. 1e-4")
        steps = self.timesteps
        if steps is not None and (not isinstance(steps, int) or isinstance(steps, bool) or steps < 1):
            raise NetworkError(field="timesteps", found=steps, expected="an integer ≥ 1")
        if self.input not in ("events", "graded"):
            raise NetworkError(field="input", found=self.input, expected="'events' or 'graded'")
        if not 0 < self.input_max < np.inf or (self.input == "events" and self.input_max != int(self.input_max)):
            expected = "the largest event, an integer" if self.input == "events" else "the largest input, above 0"
            raise NetworkError(field="input_max", found=self.input_max, expected=expected)
        if self.input == "graded" and self.timesteps is None:
            raise NetworkError(
                "a real-valued input is shown unchanged at every timestep, and does not say how many there are",
                field="timesteps",
                expected="timesteps=T (--timesteps T)",
            )
