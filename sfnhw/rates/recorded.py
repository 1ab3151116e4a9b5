"""Rates from a recorded activity: counts of each level, divided by how many neurons and samples could have sent it."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import Population
from sfnhw.rates.groups import group_index
from sfnhw.rates.population import PopulationRates, is_static

# Levels looked at together: bounds the memory of counting to about 100 MB.
CHUNK = 2**21


def count_levels(
    population: Population, timesteps: int, levels: NDArray[np.integer], name: str, by: "str | NDArray[np.integer]"
) -> PopulationRates:
    """Count levels (samples, T, neurons) of one population: p = count / (samples · neurons of the group).

    This is the maximum-likelihood estimate of a categorical distribution. `name` is what the granularity is called.
    """
    group = group_index(population, by)
    if is_static(population, timesteps):
        levels = levels[:, :1]
    samples, steps, neurons = levels.shape
    groups = int(group.max()) + 1
    top = int(population.coding.max_level)
    span = 2 * top + 1
    row = (np.arange(steps)[:, None] * groups + group).astype(np.int64)
    keys, counts = [], []
    step = max(1, CHUNK // (steps * neurons))
    for first in range(0, samples, step):
        key = row * span + (levels[first : first + step].astype(np.int64) + top)
        found, often = np.unique(key, return_counts=True)
        keys.append(found)
        counts.append(often)
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    count = np.bincount(place.reshape(-1), weights=np.concatenate(counts))
    which = key // span
    size = np.bincount(group, minlength=groups)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(which, minlength=steps * groups))])
    probability = count / (samples * size[which % groups])
    return PopulationRates(name, group, steps, offsets, (key % span - top).astype(np.int32), probability)
