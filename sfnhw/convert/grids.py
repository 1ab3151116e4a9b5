"""Threshold spacings and decode tables of the SFN, in normalised units h = |a| / scale.

Full scale is λθN whatever the spacing, so that λ means the same for all of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

LLOYD_MAX_SWEEPS = 60
# Neighbouring thresholds are at least this far apart, relative to the largest: registers must tell them apart.
CLOSEST = 1e-4
# Largest number of magnitudes that a grid is fitted to.
FITTED_VALUES = 2**17


@dataclass(frozen=True, eq=False)
class Grid:
    """Thresholds y (N,), the values d (N,) that the levels stand for, and full scale, in normalised units."""

    boundaries: Reals
    values: Reals
    full: float


def make_grid(spacing: str, rounding: str, decode: str, count: int, magnitudes: Reals) -> Grid:
    """Return the grid of one population.

    Parameters
    ----------
    spacing : `uniform` i; `power-of-two` 2^(i−1); `density` thresholds at equal steps of the mean of the activations'
        distribution function and a uniform one; `lloyd-max` the least-squares quantiser of the activations.
    rounding : `floor` thresholds are the levels; `nearest` thresholds lie midway between the levels.
    decode : `threshold` a level stands for itself; `midpoint` for the middle of its interval; `mean` for the mean of
        the activations in it (midpoint where there are none).
    count : N.
    magnitudes : (any,) |a| / full scale, so 1 is full scale.
    """
    sample = _some(magnitudes[magnitudes > 0])
    levels = _levels(spacing, count, np.minimum(sample, 1.0))
    full = float(levels[-1]) if spacing == "power-of-two" else float(count)
    edges = levels
    if rounding == "nearest":
        below = levels / 2 if spacing == "power-of-two" else np.concatenate([[0.0], levels[:-1]])
        edges = (levels + below) / 2
    values = levels
    if decode != "threshold":
        values = _representatives(decode, edges, full, sample * full)
    return Grid(edges, values, full)


def _levels(spacing: str, count: int, shares: Reals) -> Reals:
    steps = np.arange(1, count + 1, dtype=float)
    if spacing == "power-of-two":
        return 2.0 ** (steps - 1)
    if spacing == "uniform" or not len(shares):
        return steps
    grid = _lloyd_max(shares, count) if spacing == "lloyd-max" else _density(shares, count)
    return _apart(grid) * count


def _density(shares: Reals, count: int) -> Reals:
    """Invert (F(x) + x) / 2 at k / N, F the distribution function of the non-zero activations; the last is 1."""
    x = np.linspace(0, 1, 4097)
    distribution = np.searchsorted(np.sort(shares), x, side="right") / len(shares)
    mixture = (distribution + x) / 2
    mixture[0], mixture[-1] = 0.0, 1.0
    return np.interp(np.arange(1, count + 1) / count, mixture, x)


def _lloyd_max(shares: Reals, count: int) -> Reals:
    """Lloyd's iteration with a fixed level at zero (Lloyd 1982; Max 1960): borders midway, levels at the means."""
    ordered = np.sort(shares)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    levels = np.quantile(ordered, (np.arange(count) + 0.5) / count)
    levels = _apart((levels + np.arange(1, count + 1) / count) / 2)
    for _ in range(LLOYD_MAX_SWEEPS):
        borders = (levels + np.concatenate([[0.0], levels[:-1]])) / 2
        places = np.append(np.searchsorted(ordered, borders), len(ordered))
        number = np.diff(places)
        means = np.diff(sums[places]) / np.maximum(1, number)
        levels = _apart(np.where(number > 0, means, levels))
    return levels


def _representatives(decode: str, edges: Reals, full: float, sample: Reals) -> Reals:
    """Middle of each interval (the last is as wide as the one before), or the mean of what fell into it."""
    width = edges[-1] - edges[-2] if len(edges) > 1 else edges[0]
    ends = np.append(edges[1:], edges[-1] + width)
    middle = (edges + ends) / 2
    if decode == "midpoint" or not len(sample):
        return middle
    level = np.searchsorted(edges, sample, side="right")
    number = np.bincount(level, minlength=len(edges) + 1)[1:]
    # What lies beyond full scale still counts as it is: the top level stands for all of it.
    sums = np.bincount(level, weights=sample, minlength=len(edges) + 1)[1:]
    means = np.where(number > 0, sums / np.maximum(1, number), middle)
    return _apart(means / full, top=np.inf) * full


def _apart(levels: Reals, top: float = 1.0) -> Reals:
    """Force ascending order with a least distance, and none above `top`."""
    gap = min(CLOSEST, 0.5 / len(levels))
    ramp = np.arange(1, len(levels) + 1) * gap
    rising = np.maximum(np.maximum.accumulate(np.sort(levels) - ramp), 0) + ramp
    return np.minimum(rising, top - ramp[::-1] + gap)


def _some(values: Reals) -> Reals:
    """Every k-th value, at most `FITTED_VALUES` (their order is by channel, so every channel stays in)."""
    return values[:: max(1, -(-len(values) // FITTED_VALUES))].astype(float)
