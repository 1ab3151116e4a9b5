"""The statistics of one population: how likely each level is, in each group of neurons at each timestep."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError
from sfnhw.network import Population
from sfnhw.neurons import Coding

# How far the probabilities of one group may be from 1, in sum: rounding of up to some thousand doubles.
SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class PopulationRates:
    """Distributions over levels; row t·groups + g of the table is group g at timestep t.

    Attributes
    ----------
    by : what a group is (a name of `sfnhw.rates.GRANULARITIES`, or "groups").
    group : (neurons,) int32 group of each neuron.
    steps : T, or 1 where every timestep has the same distribution.
    offsets : (steps·groups + 1,) int64; row j holds the entries offsets[j] .. offsets[j + 1].
    levels : (entries,) int32; level 0 (no spike) is a level like the others, levels of probability 0 are left out.
    probability : (entries,) in (0, 1]; each row sums to 1.

    Raises
    ------
    ActivityError : arrays that do not belong together, a probability out of range, or a row that does not sum to 1.
    """

    by: str
    group: NDArray[np.int32]
    steps: int
    offsets: NDArray[np.int64]
    levels: NDArray[np.int32]
    probability: NDArray[np.float64]

    def __post_init__(self) -> None:
        kinds = {"group": np.int32, "offsets": np.int64, "levels": np.int32, "probability": np.float64}
        for name, kind in kinds.items():
            array = np.asarray(getattr(self, name))
            if array.ndim != 1 or array.dtype.kind not in ("f" if name == "probability" else "iu"):
                raise ActivityError(field=name, found=f"{array.dtype} of shape {array.shape}", expected="a flat array")
            object.__setattr__(self, name, array.astype(kind))
        rows, entries = len(self.offsets) - 1, len(self.levels)
        if not isinstance(self.steps, int) or self.steps < 1 or rows < 1 or rows % self.steps:
            raise ActivityError(field="steps", found=self.steps, expected=f"a divisor of {rows} rows")
        if self.offsets[0] != 0 or self.offsets[-1] != entries or (np.diff(self.offsets) < 1).any():
            raise ActivityError(field="offsets", expected=f"ascending from 0 to {entries}, one entry a row at least")
        if not len(self.group) or self.group.min() < 0 or self.group.max() >= self.groups:
            raise ActivityError(field="group", expected=f"a group from 0 to {self.groups - 1} for each neuron")
        p = self.probability
        if p.shape != self.levels.shape or not ((p > 0) & (p <= 1 + SUM_TOLERANCE)).all():
            raise ActivityError(field="probability", expected="numbers above 0 and up to 1, one for each level")
        sums = np.add.reduceat(p, self.offsets[:-1])
        worst = int(np.abs(sums - 1).argmax())
        if abs(sums[worst] - 1) > SUM_TOLERANCE:
            raise ActivityError(field="probability", found=float(sums[worst]), expected="a sum of 1 in each row")

    @property
    def groups(self) -> int:
        """Number of groups."""
        return (len(self.offsets) - 1) // self.steps

    @cached_property
    def rate(self) -> NDArray[np.float64]:
        """(steps, groups) probability of a spike: of any level but 0."""
        spike = np.where(self.levels != 0, self.probability, 0.0)
        return np.add.reduceat(spike, self.offsets[:-1]).reshape(self.steps, self.groups)

    @property
    def mean_rate(self) -> float:
        """Expected spikes per neuron and timestep."""
        return self._mean(self.rate)

    def mean_packets(self, coding: Coding) -> float:
        """Expected packets per neuron and timestep: spikes, or the length of bursts."""
        packets = self.probability * coding.packets(self.levels)
        return self._mean(np.add.reduceat(packets, self.offsets[:-1]).reshape(self.steps, self.groups))

    def _mean(self, by_group: NDArray[np.float64]) -> float:
        """(steps, groups) → over timesteps and neurons."""
        sizes = np.bincount(self.group, minlength=self.groups)
        return float(by_group.mean(axis=0) @ sizes / sizes.sum())

    def distribution(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return (levels (K,), probability (steps, groups, K)): the table written out."""
        values, place = np.unique(self.levels, return_inverse=True)
        table = np.zeros((len(self.offsets) - 1, len(values)))
        table[np.repeat(np.arange(len(table)), np.diff(self.offsets)), place.reshape(-1)] = self.probability
        return values.astype(np.int64), table.reshape(self.steps, self.groups, -1)

    def once(self, window: int) -> "PopulationRates":
        """The same as one distribution a neuron: at which of `window` steps it fires, as level T − t, or that it never does.

        Raises
        ------
        ActivityError : steps whose probabilities sum to more than 1, so that neurons would have to fire twice.
        """
        rows = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        signs = [np.where(which, self.probability, 0.0) for which in (self.levels < 0, self.levels > 0)]
        summed = [np.bincount(rows, p, len(self.offsets) - 1).reshape(self.steps, self.groups) for p in signs]
        negative, positive = (np.broadcast_to(p, (window, self.groups)).T for p in summed)  # (groups, window)
        spikes = (negative + positive).sum(axis=1)
        if spikes.max() > 1 + SUM_TOLERANCE:
            raise ActivityError(
                f"a neuron fires once in {window} timesteps at most, and the rates of one sum to more",
                found=float(spikes.max()),
                expected="a sum of 1 at most over the timesteps",
            )
        left = np.arange(window, 0, -1)  # in the order of time
        code = np.concatenate([[0], -left, left])
        whole = np.concatenate([np.maximum(0.0, 1 - spikes)[:, None], negative, positive], axis=1)
        whole[:, 0] = np.where(whole[:, 0] < SUM_TOLERANCE, 0.0, whole[:, 0])
        whole /= whole.sum(axis=1, keepdims=True)
        row, entry = np.nonzero(whole)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=self.groups))])
        return PopulationRates(self.by, self.group, 1, offsets, code[entry].astype(np.int32), whole[row, entry])

    def check(self, population: Population, timesteps: int) -> None:
        """Raise ActivityError where this does not fit a population of a network over `timesteps`."""
        field = f"rates[{population.name!r}]"
        if len(self.group) != population.size:
            raise ActivityError(
                "made for another network", field=field, found=len(self.group), expected=f"{population.size} neurons"
            )
        if self.steps not in (1, timesteps):
            raise ActivityError(field=f"{field}.steps", found=self.steps, expected=f"1 or T = {timesteps}")
        if is_static(population, timesteps) and self.steps != 1:
            raise ActivityError(
                "this input is the same at every timestep", field=f"{field}.steps", found=self.steps, expected="1"
            )
        check_levels(self.levels, population, field)
        if population.coding.window > 1 and population.role != "input":
            try:
                self.once(population.coding.window)
            except ActivityError as error:
                raise ActivityError(str(error), field=field) from None


def check_levels(levels: NDArray[Any], population: Population, field: str) -> None:
    """Raise ActivityError where the population's coding has no such level."""
    top = population.coding.max_level
    low = -top if population.coding.signed else 0
    beyond = levels[(levels < low) | (levels > top)]
    if len(beyond):
        sign = "signed" if population.coding.signed else "unsigned"
        raise ActivityError(
            f"a level that this {sign} {population.coding.kind} coding does not have",
            field=field,
            found=int(beyond[0]),
            expected=f"levels from {low} to {top}",
        )


def is_static(population: Population, timesteps: int) -> bool:
    """Whether an input is presented unchanged at each of several timesteps."""
    return population.role == "input" and population.coding.timesteps < timesteps
