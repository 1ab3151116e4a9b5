"""Drawing levels from rates: independent neurons, one stream of random numbers for each population's name."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError
from sfnhw.network import Population
from sfnhw.rates.population import PopulationRates, is_static

# Draws made together: bounds the memory beside the result to about 200 MB.
CHUNK = 2**21
# A draw is an integer of this many bits, so that probabilities 0 and 1 are exact; finer ones are rounded (1.5e-11).
DRAW_BITS = 36
ROWS_MAX = 2 ** (63 - DRAW_BITS) - 1


def sample_population(
    rates: PopulationRates, population: Population, timesteps: int, samples: int, seed: int
) -> NDArray[Any]:
    """(samples, T, neurons) levels; a static input is drawn once a sample and is a broadcast view over T.

    Inverse transform sampling (Devroye 1986, section III.2) in integers: the entries of a row divide 0 .. 2**36. Draws are
    taken in the order samples, timesteps, neurons, one 64-bit word each, so more samples leave the first ones as they were.

    Where the time of a spike is its value a neuron fires once in its window at most: its step is drawn, or that it stays
    silent, one word a neuron. Every step keeps its own probability, and the level of a spike is what its step says.
    """
    if population.coding.window > 1 and population.role != "input":
        levels = _draw(rates.once(population.coding.window), population, 1, samples, seed)
        return population.coding.in_time(levels[:, 0])
    return _draw(rates, population, timesteps, samples, seed)


def _draw(rates: PopulationRates, population: Population, timesteps: int, samples: int, seed: int) -> NDArray[Any]:
    rows = len(rates.offsets) - 1
    if rows > ROWS_MAX:
        raise ActivityError(
            field=f"rates[{population.name!r}]", found=rows, expected=f"at most {ROWS_MAX:,} groups × T"
        )
    steps = 1 if is_static(population, timesteps) else timesteps
    kind = np.int16 if population.coding.max_level < 2**15 else np.int32
    edges, levels = _edges(rates), rates.levels.astype(kind)
    neurons, total = population.size, samples * steps * population.size
    out = np.empty(total, kind)
    stream = _stream(seed, population.name)
    for first in range(0, total, CHUNK):
        place = np.arange(first, min(first + CHUNK, total))
        row = rates.group[place % neurons].astype(np.int64)
        if rates.steps > 1:
            row += place // neurons % steps * rates.groups
        draw = (stream.random_raw(len(place)) >> np.uint64(64 - DRAW_BITS)).astype(np.int64)
        out[place[0] : place[-1] + 1] = levels[np.searchsorted(edges, (row << DRAW_BITS) + draw, side="right")]
    drawn = out.reshape(samples, steps, neurons)
    return np.broadcast_to(drawn, (samples, timesteps, neurons)) if steps != timesteps else drawn


def _edges(rates: PopulationRates) -> NDArray[np.int64]:
    """(entries,) where each entry ends on one axis on which row j has the integers from j·2**36 on."""
    row = np.repeat(np.arange(len(rates.offsets) - 1), np.diff(rates.offsets))
    upto = np.cumsum(rates.probability)
    before = np.concatenate([[0.0], upto])[rates.offsets[:-1]]
    edges = np.rint((upto - before[row]) * 2.0**DRAW_BITS).astype(np.int64)
    # Whatever was lost in rounding: a row is whole, and no entry reaches into the next row.
    edges = np.minimum(edges, 1 << DRAW_BITS)
    edges[rates.offsets[1:] - 1] = 1 << DRAW_BITS
    return (row.astype(np.int64) << DRAW_BITS) + edges


def _stream(seed: int, name: str) -> np.random.PCG64:
    """A stream of its own for each (seed, name): it does not depend on other populations or on their order."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), "<u4")
    return np.random.PCG64(np.random.SeedSequence([seed, *map(int, words)]))
