"""The widths at which a chip computes."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sfnhw.errors import InputError


@dataclass(frozen=True)
class Numerics:
    """Integer widths of the data path; `load_chip(...).numerics` gives a chip's own.

    Attributes
    ----------
    weight_bits : signed weight, two's complement, symmetric range ±(2**(bits-1) - 1). [bits]
    decode_bits : unsigned magnitude of one decode-table word (what a level stands for). [bits]
    threshold_bits : unsigned magnitude of one threshold register. [bits]
    accumulator_bits : signed accumulator (membrane). [bits]
    overflow : what the accumulator does beyond its range.
    """

    weight_bits: int = 8
    decode_bits: int = 8
    threshold_bits: int = 16
    accumulator_bits: int = 24
    overflow: Literal["saturate", "wrap"] = "saturate"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("weight_bits", 2, 16),
            ("decode_bits", 1, 16),
            ("threshold_bits", 2, 32),
            ("accumulator_bits", 8, 48),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise InputError(field=name, found=value, expected=f"an integer from {low} to {high} (bits)")
        if self.overflow not in ("saturate", "wrap"):
            raise InputError(field="overflow", found=self.overflow, expected="'saturate' or 'wrap'")

    @property
    def weight_max(self) -> int:
        """Largest weight magnitude."""
        return 2 ** (self.weight_bits - 1) - 1

    @property
    def accumulator_max(self) -> int:
        """Largest accumulator value; the smallest is −max − 1."""
        return 2 ** (self.accumulator_bits - 1) - 1

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)
