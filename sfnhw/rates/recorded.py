"""Rates from a recorded activity: counts of each level, divided by how many neurons and samples could have sent it."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import Population
from sfnhw.rates.groups import group_index
from sfnhw.rates.population import PopulationRates, is_static

# Levels looked at together: bounds the memory of counting to about 100 MB.
CHUNK = 2**21

Levels = NDArray[Any]


def count_levels(
    population: Population, timesteps: int, levels: Levels, name: str, by: "str | Levels"
) -> PopulationRates:
    """Count levels (samples, T, neurons) of one population: p = count / (samples · neurons of the group).

    This is the maximum-likelihood estimate of a categorical distribution. `name` is what the granularity is called.
    """
    group = group_index(population, by)
    if is_static(population, timesteps):
        levels = levels[:, :1]
    samples, steps, _ = levels.shape
    size = np.bincount(group)
    groups, top = len(size), int(population.coding.max_level)
    order, ends = np.argsort(group, kind="stable"), np.cumsum(size)
    # Consecutive groups are counted together, as many as CHUNK levels hold; a larger group is counted alone.
    first = np.unique((ends - 1) * samples // CHUNK, return_index=True)[1]
    blocks = list(pairwise([*first.tolist(), groups]))
    rows, found, counts = [], [], []
    for t in range(steps):
        for g0, g1 in blocks:
            neurons = order[ends[g0] - size[g0] : ends[g1 - 1]]
            key, count = _tally(levels[:, t], neurons, group[neurons], top)
            rows.append(t * groups + key // (2 * top + 1))
            found.append((key % (2 * top + 1) - top).astype(np.int32))
            counts.append(count)
    row = np.concatenate(rows)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=steps * groups))])
    probability = np.concatenate(counts) / (samples * size[row % groups])
    return PopulationRates(name, group, steps, offsets, np.concatenate(found), probability)


def _tally(
    levels: Levels, neurons: NDArray[np.int64], group: NDArray[np.int32], top: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (keys, counts) over the samples of (samples, all neurons) levels; key = group · (2·top + 1) + level + top."""
    base = group.astype(np.int64) * (2 * top + 1) + top
    step = max(1, CHUNK // len(neurons))
    parts = [
        np.unique(base + levels[first : first + step, neurons], return_counts=True)
        for first in range(0, len(levels), step)
    ]
    if len(parts) == 1:
        return parts[0][0], parts[0][1].astype(float)
    key, place = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)
    weights = np.concatenate([counts for _, counts in parts])
    return key.astype(np.int64), np.bincount(place.reshape(-1), weights=weights).astype(float)
