"""Which Verilog module stands for which threshold unit, and what a circuit must answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip.threshold_unit import KINDS, update_cost
from sfnhw.neurons import MTN, ThresholdNeed
from sfnhw.neurons.base import staircase

Ints = NDArray[np.int64]
THRESHOLDS, WIDTH = (1, 2, 4, 8, 16, 32), 16
OTHER_WIDTHS, OTHER_THRESHOLDS = (8, 24, 32), (1, 8)
# Base exponent of the wired power-of-two unit, as in power_of_two.v.
BASE = 1


@dataclass(frozen=True)
class Design:
    """One circuit: a kind of threshold unit for N thresholds a polarity, W bits wide."""

    kind: str
    signed: bool
    thresholds: int
    width_bits: int

    @property
    def module(self) -> str:
        """The Verilog module; with one threshold every unsigned unit is one comparator (plain integrate-and-fire)."""
        if self.thresholds == 1 and self.kind not in ("parallel", "serial"):
            return "signed_fire" if self.signed else "parallel"
        if self.thresholds == 1 and not self.signed:
            return "parallel"
        return self.kind.replace("-", "_")

    @property
    def parameters(self) -> dict[str, int]:
        """Values of the module's parameters."""
        if self.module == "signed_fire":
            return {"W": self.width_bits}
        return {"N": self.thresholds, "W": self.width_bits, "SIGNED": int(self.signed)}

    @property
    def need(self) -> ThresholdNeed:
        """What the model is asked for."""
        spacing: Any = self.kind if self.kind in ("uniform", "power-of-two") else "free"
        return ThresholdNeed("bank", self.thresholds, self.signed, spacing)

    @property
    def cycles(self) -> int:
        """Cycles of one update, by the model; the circuit is run for as many."""
        return update_cost(self.kind, self.need).cycles


def designs(widths: bool = True, thresholds: tuple[int, ...] = THRESHOLDS) -> list[Design]:
    """Return all circuits: every N of `thresholds` at 16 bits and, with `widths`, N = 1 and 8 at 8, 24 and 32 bits."""
    sizes = [(n, WIDTH) for n in thresholds]
    if widths:
        sizes += [(n, w) for w in OTHER_WIDTHS for n in OTHER_THRESHOLDS]
    return [Design(kind, signed, n, w) for kind in KINDS for signed in (False, True) for n, w in sizes]


@dataclass(frozen=True)
class Trial:
    """Random operands of one circuit and what it must answer; one entry for each vector."""

    inputs: dict[str, list[Ints]]
    level: Ints
    negative: NDArray[np.bool_]
    residual: Ints


def trial(design: Design, vectors: int, rng: np.random.Generator) -> Trial:
    """Draw operands: membranes of all sizes, at thresholds and beside them.

    The answer comes from the codings' own reference, `sfnhw.neurons.base.staircase`, bank by bank.
    """
    top = 2 ** (design.width_bits - 1)
    above, below = _banks(design, vectors, top, rng)
    membrane = rng.integers(-top, top, vectors)
    # Half of the vectors lie on a threshold, or one beside it.
    bank = np.concatenate([above, -below] if design.signed else [above], axis=1)
    picked = bank[np.arange(vectors), rng.integers(0, bank.shape[1], vectors)] + rng.integers(-1, 2, vectors)
    near = (rng.random(vectors) < 0.5) & (np.abs(picked) < top)
    membrane = np.where(near, picked, membrane)
    state = rng.integers(-top, top, vectors)
    x = _wrapped(membrane - state, design.width_bits)
    up = _levels(membrane, above)
    down = _levels(-membrane, below) if design.signed else np.zeros(vectors, np.int64)
    value = _values(design, above, up) - _values(design, below, down)
    inputs = {
        "state": [state],
        "x": [x],
        "thresholds": list(above.T),
        "lower": list(-below.T),
        "threshold": [above[:, 0]],
    }
    return Trial(inputs, up + down, down > 0, _wrapped(membrane - value, design.width_bits))


def _banks(design: Design, vectors: int, top: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """(vectors, N) thresholds of both signs, as magnitudes; only banks with two tables have two different ones."""
    n = design.thresholds
    if design.kind == "power-of-two" and n > 1:
        bounds = MTN(min(n, 16), spacing="power-of-two", rounding="nearest").boundaries() * 2.0**BASE
        one = np.broadcast_to(bounds.astype(np.int64), (vectors, len(bounds)))
        return one, one
    if design.kind == "uniform" and n > 1:
        first = np.exp(rng.uniform(0, np.log(top - 1), vectors)).astype(np.int64)
        one = first[:, None] * np.arange(1, n + 1)
        return one, one
    # Sorted draws, moved apart by 0, 1, 2, ..: ascending without ties.
    above, below = (np.sort(rng.integers(1, top - n, (vectors, n)), axis=1) + np.arange(n) for _ in range(2))
    two_tables = design.kind in ("parallel", "serial")
    return above, below if two_tables else above


def _levels(membrane: Ints, bank: Ints) -> Ints:
    return staircase(membrane[None, :, None], bank, signed=False)[0, :, 0]


def _values(design: Design, bank: Ints, levels: Ints) -> Ints:
    """What a level takes off the membrane: its threshold, or the power of two that it stands for."""
    if design.kind == "power-of-two" and design.thresholds > 1:
        return np.where(levels > 0, 2 ** (BASE + np.maximum(levels, 1) - 1), 0)
    table = np.concatenate([np.zeros((len(bank), 1), np.int64), bank], axis=1)
    return table[np.arange(len(bank)), levels]


def _wrapped(values: Ints, bits: int) -> Ints:
    half = 1 << (bits - 1)
    return (values + half) % (2 * half) - half


# SFN's scaling step as a circuit of its own: module parameters, and the rule in integers.
ScaleRule = Callable[[Ints, Ints, Ints], Ints]
SCALES: dict[str, tuple[int, ScaleRule]] = {
    "multiply": (1, lambda v, factor, amount: (v * factor) >> 8),
    "shift": (0, lambda v, factor, amount: v >> amount),
}
