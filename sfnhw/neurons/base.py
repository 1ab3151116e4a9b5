"""What every neuron coding is: a rule that turns a value into spikes, and what that rule asks of the hardware.

A coding is dimensionless: it sees *normalised* values h = value / scale, where the scale (real value of
one unit, one for each channel) belongs to the population. So a coding is small, hashable, and the same
for all channels.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError
from sfnhw.numerics import Numerics
from sfnhw.units import bits_for

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]


def check_steps(kind: str, steps: Any) -> None:
    """Raise InputError where T is no whole number ≥ 1; kind: of the coding."""
    if not isinstance(steps, int) or steps < 1:
        raise InputError(field=f"{kind}.steps", found=steps, expected="an integer ≥ 1 (timesteps)")


@dataclass(frozen=True)
class ThresholdNeed:
    """What one neuron update asks of the threshold unit.

    Attributes
    ----------
    kind : ``bank`` compares against N thresholds; ``requantise`` multiplies and shifts; ``none`` passes on.
    thresholds : N for each polarity.
    signed : whether a negative bank exists.
    spacing : of the thresholds; `uniform` and `power-of-two` units serve only their own.
    keeps_residual : whether the membrane is written back for the next timestep (soft reset).
    leaks : words of leak multipliers, one for each decay factor; 0 where the membrane does not decay.
    """

    kind: Literal["bank", "requantise", "none"]
    thresholds: int = 0
    signed: bool = False
    spacing: Literal["free", "uniform", "power-of-two"] = "free"
    keeps_residual: bool = False
    leaks: int = 0


@dataclass(frozen=True)
class FireTable:
    """The integer contents of a population's threshold registers.

    Attributes
    ----------
    thresholds : (groups, N) int64, ascending, in accumulator LSBs; groups is 1 (shared) or channels.
    initial : (groups,) int64, membrane before the first timestep, in accumulator LSBs.
    multiplier, shift : level = (accumulator * multiplier + 2**(shift-1)) >> shift, for requantising codings; the
        same product is the membrane's decay for leaky ones.
    """

    thresholds: Integers
    initial: Integers
    multiplier: Integers | None = None
    shift: int = 0


class Coding(ABC):
    """Base of all neuron codings. Subclasses are frozen dataclasses whose fields are JSON values."""

    kind: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    # The published systems that this coding stands for.
    stands_for: ClassVar[str] = ""

    # Which spikes leave: all levels but zero, or every neuron's value whatever it is.
    sends_zero: ClassVar[bool] = False
    # Where in time: every timestep, or once, when all inputs are in.
    only_last_timestep: ClassVar[bool] = False
    # Whether a level k leaves as k packets of one unit each, so that no synapse multiplies.
    burst: ClassVar[bool] = False
    # Whether a level is the accumulator itself, of whatever magnitude, and not an index of a table.
    sends_accumulator: ClassVar[bool] = False

    signed: bool

    @property
    @abstractmethod
    def timesteps(self) -> int:
        """T: how often the population is updated in one inference."""

    @property
    @abstractmethod
    def max_level(self) -> int:
        """Largest magnitude of a level."""

    @property
    def window(self) -> int:
        """Timesteps that a receiver must have seen before it may fire: 1, or T where the time is the value."""
        return 1

    @property
    def resolution(self) -> int:
        """How many magnitudes above zero a whole inference can tell apart."""
        return self.max_level * self.timesteps

    @property
    def most_packets(self) -> int:
        """The most packets that one neuron sends in one inference."""
        return self.max_level if self.burst else self.timesteps // self.window

    @abstractmethod
    def payload_bits(self, numerics: Numerics) -> int:
        """Bits that a spike carries beside its address."""

    def value_bits(self, numerics: Numerics) -> int:
        """Bits of a neuron's level where zero is said, too: ⌈log2(levels + 1)⌉, and one for the sign."""
        return bits_for(self.max_level + 1) + self.signed

    @abstractmethod
    def need(self) -> ThresholdNeed:
        """What one neuron update asks of the threshold unit."""

    @abstractmethod
    def values(self) -> Reals:
        """(max_level,) the normalised value that each level 1, 2, .. stands for at the receiver."""

    @abstractmethod
    def encode(self, h: Reals) -> Integers:
        """Reference rule in real numbers: normalised input (T, ...) → levels (T, ...)."""

    @abstractmethod
    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """Return the integer register contents; `lsb_per_unit` (groups,) is accumulator LSBs per normalised unit."""

    @abstractmethod
    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """One update in integers: membrane (samples, channels, positions) → levels, of the same shape.

        Codings that keep a residual change `membrane` in place (soft reset).
        """

    # v(0) in units of the threshold.
    initial_potential: float = 0.0

    @property
    def start_potential(self) -> float:
        """Membrane before the first timestep, normalised; only codings that keep a residual over T have one."""
        return float(self.initial_potential) if self.need().keeps_residual and self.window == 1 else 0.0

    def packets(self, levels: NDArray[Any]) -> NDArray[np.uint8]:
        """How many packets each level makes, of the same shape: one unless it is zero, or |level| of a burst (≤ 255)."""
        if self.burst:
            return np.abs(levels).astype(np.uint8)
        return np.ones(levels.shape, np.uint8) if self.sends_zero else (levels != 0).astype(np.uint8)

    def in_time(self, levels: Integers) -> Integers:
        """Spread the levels of one update, (samples, neurons), over the window: (samples, window, neurons)."""
        return levels[:, None]

    def represent(self, h: Reals) -> Reals:
        """Value that the receiver gets for an input that is h at every timestep: the coding's staircase."""
        shares = np.asarray(h, float) / self.window
        return self.decode(self.encode(np.repeat(shares[None], self.timesteps, axis=0)))

    # Largest normalised membrane that must fit the accumulator beside the values.
    threshold: float = 1.0

    def check_channels(self, channels: int) -> None:  # noqa: B027  most codings are the same for all channels
        """Raise InputError where the coding holds one number for each channel, but not this many."""

    def fire_real(self, membrane: Reals) -> Integers:
        """One update in real numbers, for calibration: normalised membrane → levels; soft reset in place."""
        return self.encode(membrane[None])[0]

    def decode(self, levels: Integers) -> Reals:
        """Levels (T, ...) → normalised value (...), averaged over the timesteps."""
        table = np.concatenate([[0.0], self.values()])
        levels = np.asarray(levels)
        return (np.sign(levels) * table[np.abs(levels)]).mean(axis=0)

    def decode_words(self, bits: int) -> tuple[Integers, float]:
        """Decode table in integers: ((max_level,) words, normalised value of one word LSB).

        A word has `bits` bits. Where all values are multiples of 1 or of 1/2 (thresholds, midpoints) the
        words are exact; else they are rounded to the finest grid that the largest value leaves.
        """
        values, limit = self.values(), 2**bits - 1
        for lsb in (1.0, 0.5):
            words = np.rint(values / lsb)
            if words[-1] <= limit and np.allclose(words * lsb, values, rtol=0, atol=1e-12):
                return words.astype(np.int64), lsb
        lsb = float(values[-1]) / limit
        return np.maximum(1, np.rint(values / lsb)).astype(np.int64), lsb

    def config(self) -> dict[str, Any]:
        """Return the JSON form; `coding_from_config` reads it back."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


class Bank(Coding):
    """Base of codings that find a level by comparing once with ascending thresholds, without memory."""

    @abstractmethod
    def boundaries(self) -> Reals:
        """(max_level,) ascending thresholds in normalised units."""

    def encode(self, h: Reals) -> Integers:
        """sign(h)·#{k : |h| ≥ boundary k}; negative h gives 0 where unsigned."""
        h = np.asarray(h, float)
        levels = np.searchsorted(self.boundaries(), np.abs(h) if self.signed else h, side="right")
        return np.where(h < 0, -levels, levels) if self.signed else levels

    def lower(self, lsb_per_unit: Reals, numerics: Numerics) -> FireTable:
        """One register a boundary; an initial potential is in them."""
        table = registers(self.boundaries(), lsb_per_unit, numerics.threshold_bits)
        return FireTable(table, np.zeros(len(lsb_per_unit), np.int64))

    def fire(self, membrane: Integers, table: FireTable) -> Integers:
        """Compare with all thresholds."""
        return staircase(membrane, table.thresholds, self.signed)


def spacing_of(boundaries: Reals) -> Literal["free", "uniform", "power-of-two"]:
    """Name the spacing of (N,) ascending boundaries: `uniform` i·y, `power-of-two` y·2^(i−1), else `free`."""
    steps = np.asarray(boundaries, float)
    if np.allclose(np.diff(steps, prepend=0.0), steps[0]):
        return "uniform"
    return "power-of-two" if np.allclose(steps[1:], 2 * steps[:-1]) else "free"


def staircase(accumulator: Integers, thresholds: Integers, signed: bool) -> Integers:
    """Return how many of the ascending thresholds the magnitude reaches, with the sign if `signed`.

    accumulator (samples, channels, positions) int64; thresholds (groups, N) with groups 1 or channels.
    o = sign(h)·k, k = #{i : |h| ≥ θ_i}; negative h gives 0 where unsigned (this is the ReLU).
    """
    magnitude = np.abs(accumulator) if signed else accumulator
    if thresholds.shape[0] == 1:
        levels = np.searchsorted(thresholds[0], magnitude, side="right")
    else:
        levels = np.zeros(accumulator.shape, np.int64)
        for step in thresholds.T:
            levels += magnitude >= step[:, None]
    return np.where(accumulator < 0, -levels, levels) if signed else levels


def registers(boundaries: Reals, lsb_per_unit: Reals, bits: int) -> Integers:
    """Round threshold boundaries to what a register of `bits` bits can hold.

    boundaries (N,) in normalised units → (groups, N) in accumulator LSBs. acc ≥ y·u ⟺ acc ≥ ⌈y·u⌉, so the
    ceiling is exact; where the largest threshold needs more than `bits` bits, the low bits of the comparison are
    dropped: (acc >> s) ≥ register, which is the same as a threshold that is a multiple of 2**s.

    Raises
    ------
    InputError : a threshold beyond every accumulator.
    """
    # 1e-9: a boundary that is an integer up to float rounding must not be pushed to the next one.
    with np.errstate(over="ignore"):
        steps = np.ceil(np.outer(lsb_per_unit, boundaries) - 1e-9)
    if not steps.max() < 2.0**53:
        raise InputError(
            "a threshold is so many accumulator steps that no accumulator reaches it",
            field="thresholds",
            found=float(steps.max()),
            expected=f"below {2**53:,} steps; the largest is {float(np.max(boundaries)):g} units of the scale",
        )
    exact = steps.astype(np.int64)
    shift = max(0, int(exact.max()).bit_length() - bits)
    if shift:
        # Rounding up may carry into one bit more, and then there is one bit less to keep.
        shift += int(int(np.rint(exact.max() / 2**shift)).bit_length() > bits)
        exact = np.rint(exact / 2**shift).astype(np.int64) << shift
    return np.maximum(exact, 1 << shift)
