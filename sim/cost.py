"""Joules: what the counts of a result cost, in integer attojoules, so that parts add up to the whole exactly."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import ACTION_NAMES, STATIC_TERMS
from sfnhw.units import joules

Ints = NDArray[np.int64]

TERMS: tuple[str, ...] = (*ACTION_NAMES, *STATIC_TERMS)
# Where a cost belongs to no layer (idle time of shared hardware) or to no timestep.
CHIP, NO_TIMESTEP = -1, -1
CHIP_NAME = "(chip)"
PINS_NAME = "pins"


@dataclass(frozen=True)
class Energy:
    """An energy with its band, in integer attojoules.

    low and high are the sums at every row's own low and high: the envelope in which all constants are wrong the same
    way. It covers every combination of the table's rows.
    """

    value_aj: int
    low_aj: int
    high_aj: int

    def __add__(self, other: "Energy") -> "Energy":
        return Energy(self.value_aj + other.value_aj, self.low_aj + other.low_aj, self.high_aj + other.high_aj)

    def as_joules(self, samples: int = 1) -> dict[str, float]:
        """``{value, low, high}`` in J, divided by `samples`."""
        return {
            "value": joules(self.value_aj) / samples,
            "low": joules(self.low_aj) / samples,
            "high": joules(self.high_aj) / samples,
        }


@dataclass(frozen=True, eq=False)
class Cost:
    """The energy of a whole run (all samples), cell by cell.

    Attributes
    ----------
    term, core, population, timestep : (cells,) what (index into `TERMS`), where (core; `cores` = the pins; routers and
        links count to the core beside them), for whom (index into `populations`, or `CHIP`), when (or `NO_TIMESTEP`).
    value_aj, low_aj, high_aj : (cells,) int64 attojoules.
    populations : names.
    cores, samples : numbers.
    static_time : what time the static energy is for.
    """

    term: Ints
    core: Ints
    population: Ints
    timestep: Ints
    value_aj: Ints
    low_aj: Ints
    high_aj: Ints
    populations: tuple[str, ...]
    cores: int
    samples: int
    static_time: str = "one inference at a time on an empty chip: the latency, not the interval"

    @cached_property
    def total(self) -> Energy:
        """Return the sum of all cells."""
        return self._sum(np.ones(len(self.term), bool))

    def by_action(self) -> dict[str, Energy]:
        """Action or static term → energy."""
        return {name: self._sum(self.term == i) for i, name in enumerate(TERMS)}

    def by_core(self) -> dict[str, Energy]:
        """Core number (as text) or "pins" → energy."""
        names = [*map(str, range(self.cores)), PINS_NAME]
        return {name: self._sum(self.core == i) for i, name in enumerate(names)}

    def by_layer(self) -> dict[str, Energy]:
        """Population → energy; what belongs to none is under "(chip)"."""
        names = [(i, name) for i, name in enumerate(self.populations)] + [(CHIP, CHIP_NAME)]
        return {name: self._sum(self.population == i) for i, name in names}

    def by_timestep(self) -> dict[str, Energy]:
        """Timestep (as text) or "static" → energy."""
        steps = range(int(self.timestep.max(initial=0)) + 1)
        names = [(t, str(t)) for t in steps] + [(NO_TIMESTEP, "static")]
        return {name: self._sum(self.timestep == t) for t, name in names}

    def layer_by_action(self) -> dict[str, dict[str, int]]:
        """Population → term → attojoules (non-zero ones)."""
        out: dict[str, dict[str, int]] = {}
        for i, name in [*enumerate(self.populations), (CHIP, CHIP_NAME)]:
            mine = self.population == i
            sums = {term: exact_sum(self.value_aj[mine & (self.term == k)]) for k, term in enumerate(TERMS)}
            out[name] = {term: value for term, value in sums.items() if value}
        return out

    @property
    def static(self) -> Energy:
        """Leakage and clock."""
        return self._sum(self.term >= len(ACTION_NAMES))

    def core_energy_aj(self) -> list[int]:
        """(cores,) attojoules at each core, its router and the links out of it included."""
        return [e.value_aj for name, e in self.by_core().items() if name != PINS_NAME]

    def _sum(self, chosen: NDArray[np.bool_]) -> Energy:
        return Energy(*(exact_sum(a[chosen]) for a in (self.value_aj, self.low_aj, self.high_aj)))


def exact_sum(values: Ints) -> int:
    """Sum without overflow: in 64 bits where that is safe (below 4 J), else in Python integers."""
    if float(np.abs(values.astype(float)).sum()) < 4e18:
        return int(values.sum())
    return sum(map(int, values))
