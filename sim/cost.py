"""Joules: what the counts of a result cost, in integer attojoules, so that parts add up to the whole exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import ACTION_NAMES, OFF_CHIP, PACKING, STATIC_TERMS
from sfnhw.network.population import CHIP_NAME
from sfnhw.units import joules

Ints = NDArray[np.int64]

TERMS: tuple[str, ...] = (*ACTION_NAMES, *STATIC_TERMS, OFF_CHIP, PACKING)
# Where a cost belongs to no layer (idle time of shared hardware) or to no timestep.
CHIP, NO_TIMESTEP = -1, -1
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
        links count to the first core at the router), for whom (index into `populations`, or `CHIP`), when (or `NO_TIMESTEP`).
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
        return self._grouped(np.zeros(len(self.term), np.int64), ["total"])["total"]

    def by_action(self) -> dict[str, Energy]:
        """Action or static term → energy."""
        return self._grouped(self.term, TERMS)

    def by_core(self) -> dict[str, Energy]:
        """Core number (as text) or "pins" → energy."""
        return self._grouped(self.core, [*map(str, range(self.cores)), PINS_NAME])

    def by_layer(self) -> dict[str, Energy]:
        """Population → energy; what belongs to none is under "(chip)", a name that no population can have."""
        return self._grouped(self._layer(), [*self.populations, CHIP_NAME])

    def by_timestep(self) -> dict[str, Energy]:
        """Timestep (as text) or "static" → energy."""
        steps = int(self.timestep.max(initial=0)) + 1
        key = np.where(self.timestep == NO_TIMESTEP, steps, self.timestep)
        return self._grouped(key, [*map(str, range(steps)), "static"])

    def layer_by_action(self) -> dict[str, dict[str, int]]:
        """Population → term → attojoules (non-zero ones)."""
        sums = self._layer_by_term(self.value_aj)
        return {
            name: {term: v for term, v in zip(TERMS, sums[i * len(TERMS) : (i + 1) * len(TERMS)], strict=True) if v}
            for i, name in enumerate(self._layers())
        }

    def layer_term_high_aj(self) -> tuple[list[str], NDArray[np.float64]]:
        """(names, (layers, terms)) attojoules at every row's high: within a row, layers share by their amounts."""
        sums = self._layer_by_term(self.high_aj)
        return self._layers(), np.array(sums, float).reshape(-1, len(TERMS))

    def _layers(self) -> list[str]:
        return [*self.populations, CHIP_NAME]

    def _layer_by_term(self, values: Ints) -> list[int]:
        return exact_sums(values, self._layer() * len(TERMS) + self.term, len(self._layers()) * len(TERMS))

    @property
    def static(self) -> Energy:
        """Leakage and clock."""
        of_time = np.isin(self.term, [TERMS.index(term) for term in STATIC_TERMS])
        return self._grouped(of_time.astype(np.int64), ["events", "static"])["static"]

    def _layer(self) -> Ints:
        """(cells,) index of the population; one beyond the last where a cell belongs to the chip."""
        return np.where(self.population == CHIP, len(self.populations), self.population)

    def _grouped(self, key: Ints, names: Sequence[str]) -> dict[str, Energy]:
        """Return for each name the energy of the cells whose key is its place; every cell is looked at once."""
        sums = [exact_sums(a, key, len(names)) for a in (self.value_aj, self.low_aj, self.high_aj)]
        return {name: Energy(*three) for name, *three in zip(names, *sums, strict=True)}


def exact_sum(values: Ints) -> int:
    """Sum of all values without overflow."""
    return exact_sums(values, np.zeros(len(values), np.int64), 1)[0]


def exact_sums(values: Ints, key: Ints, groups: int) -> list[int]:
    """Sums of the values of each key 0 .. groups − 1: in 64 bits where that is safe (below 4 J), else in Python's."""
    safe = float(np.abs(values.astype(float)).sum()) < 4e18
    sums = np.zeros(groups, np.int64 if safe else object)
    np.add.at(sums, key, values if safe else values.astype(object))
    return [int(v) for v in sums]
