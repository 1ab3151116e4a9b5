"""Graded: the quantised activation itself is the payload (the ANN side)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, FireTable, Integers, Reals, ThresholdNeed
from sfnhw.numerics import Numerics

# Bits of the fixed-point requantisation multiplier. 16 bits keep the rounding of an 8-bit result within 0.002 levels.
MULTIPLIER_BITS = 16


@dataclass(frozen=True)
class Graded(Coding):
    """b-bit linear quantisation: level = clip(round(h), 0 or −M, M); the population's scale is one step.

    M = 2**bits − 1 unsigned, 2**(bits−1) − 1 signed (symmetric). Zero is not sent (event-driven zero skipping).
    Stands for the int8 network and for graded spikes as on Loihi 2. On the chip: level = (acc·m + half) >> s.
    """

    kind: ClassVar[str] = "graded"
    title: ClassVar[str] = "the b-bit activation itself, T = 1"
    source: ClassVar[str] = "integer quantisation as in Jacob et al. 2018"
    stands_for: ClassVar[str] = "the quantised network (int8, or the bits of N levels), graded spikes, hybrid SNN-ANN"

    bits: int = 8
    signed: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int) or not 1 + self.signed <= self.bits <= 16:
            raise InputError(field="graded.bits", found=self.bits, expected=f"an integer from {1 + self.signed} to 16")

    @property
    def timesteps(self) -> int:
        """1; as an input of a network over T steps it is presented T times."""
        return 1

    @property
    def max_level(self) -> int:
        """M."""
        return 2 ** (self.bits - self.signed) - 1

    def payload_bits(self, numerics: Numerics) -> int:
        """The value, as wide as it is."""
        return self.bits

    def need(self) -> ThresholdNeed:
        """One multiply and shift for each neuron, no comparison."""
        return ThresholdNeed("requantise", signed=self.signed)

    def values(self) -> Reals:
        """Return 1 .. M."""
        return np.arange(1, self.max_level + 1, dtype=float)

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """The level is its own value; a graded payload is never looked up, whatever the table width."""
        return np.arange(1, self.max_level + 1, dtype=np.int64), 1.0

    def encode(self, h: Reals) -> Integers:
        """clip(⌊h + ½⌋, ...)."""
        low = -self.max_level if self.signed else 0
        return np.clip(np.floor(np.asarray(h) + 0.5), low, self.max_level).astype(np.int64)

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """Fixed-point reciprocal of `lsb_per_unit` in `MULTIPLIER_BITS` bits, one common shift."""
        # Where one LSB is worth more than all levels, any more is the same: the result saturates.
        reciprocal = np.minimum(1.0 / lsb_per_unit, self.max_level + 1.0)
        shift = max(1, MULTIPLIER_BITS - 1 - int(np.floor(np.log2(reciprocal.max()))))
        # acc·m must stay inside 64 bits in this reference: 48-bit accumulators leave 15.
        multiplier = np.maximum(1, np.rint(reciprocal * 2.0**shift)).astype(np.int64)
        zero = np.zeros(len(lsb_per_unit), np.int64)
        return FireTable(np.zeros((len(lsb_per_unit), 0), np.int64), zero, multiplier, shift)

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """(acc·m + 2**(s−1)) >> s, clipped."""
        assert table.multiplier is not None
        low = -self.max_level if self.signed else 0
        # Beyond this the level is clipped in any case, and the product stays inside 64 bits.
        enough = ((self.max_level + 1) << table.shift) // table.multiplier[:, None] + 1
        membrane = np.clip(membrane, -enough, enough)
        levels = (membrane * table.multiplier[:, None] + (1 << (table.shift - 1))) >> table.shift
        return np.clip(levels, low, self.max_level)
