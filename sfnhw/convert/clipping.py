"""Where a coding should saturate, and at what an IF neuron should fire, for the least mean-square error."""

from dataclasses import replace
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.neurons import IF, Coding, Graded

# Candidate clipping points, as shares of the largest magnitude. Log-spaced: the optimum moves down with fewer levels.
CANDIDATES = np.geomspace(0.05, 1.0, 40)
# Candidate threshold scales of an IF neuron, 1/4 to 2; 1 is one of them, so that a fit is never worse than none.
SCALES = 2.0 ** (np.arange(-32, 17) / 16)
# Magnitudes of each channel that the error is measured on.
MEASURED = 1024
# Magnitudes between two looks at whether a candidate is already worse than the best.
LOOK = 64


def optimal_clip(magnitudes: NDArray[Any], largest: NDArray[np.float64], coding: Coding) -> NDArray[np.float64]:
    """(channels,) c that minimises Σ (a − u·D(a/u))² over `CANDIDATES`, u = c / top level.

    D is the staircase of the coding itself (`Coding.represent`): its own levels, rounding and number of steps.
    magnitudes (channels, kept) of |a|, largest (channels,). The usual criterion of post-training quantisation (e.g.
    Banner et al. 2019, "Post training 4-bit quantization"), here by enumeration rather than by an assumed distribution.
    """
    return fitted_clip(*measured(magnitudes), largest, coding)


def fitted_clip(
    sample: NDArray[Any], weight: NDArray[np.float64], largest: NDArray[np.float64], coding: Coding
) -> NDArray[np.float64]:
    """As `optimal_clip`, on what `measured` gives."""
    clip = np.asarray(largest, float).copy()
    if isinstance(coding, Graded):
        # The common case, and of large networks: the same in one pass, without the error of every candidate.
        _enumerate(sample, weight, clip, CANDIDATES[::-1], float(coding.max_level))
        return clip
    values, top = sample.astype(np.float64), float(coding.values()[-1])
    best = np.full(len(largest), np.inf)
    for share in CANDIDATES[::-1]:
        unit = np.where(largest > 0, share * largest / top, 1.0)[:, None]
        error = (weight * (values - unit * coding.represent(values / unit)) ** 2).sum(axis=1)
        better = error < best
        clip[better], best[better] = share * largest[better], error[better]
    return clip


def measured(magnitudes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """(channels, n) ascending magnitudes that stand for all, and (n,) for how many each does.

    Up to `MEASURED` all are taken. Else the largest half of that many are, each for itself: what a clipping point cuts off is
    a few large values, which decide at 8 bits; and as many of the others, evenly by rank, each for its neighbours.
    """
    kept, half = magnitudes.shape[1], MEASURED // 2
    ordered = np.sort(magnitudes, axis=1)
    if kept <= MEASURED:
        return ordered, np.ones(kept)
    others = kept - half
    places = np.rint((np.arange(half) + 0.5) / half * (others - 1)).astype(int)
    weight = np.concatenate([np.full(half, others / half), np.ones(half)])
    return np.ascontiguousarray(np.concatenate([ordered[:, places], ordered[:, others:]], axis=1)), weight


def optimal_threshold_scale(magnitudes: NDArray[Any], theta: NDArray[np.float64], coding: IF) -> float:
    """α of one population's IF neurons: Σ over channels of (a − θ·D_α(a/θ))² is least, over `SCALES`.

    D_α is the staircase of T steps with the threshold at αθ and the spike worth θ; inputs are taken to be constant over
    the steps. magnitudes (channels, kept) of |a|, theta (channels,). After Datta & Beerel 2022, arXiv 2112.12133, who
    fit threshold and spike to the distribution of the activations, for the number of steps at hand.
    """
    sample, many = measured(magnitudes)
    shares = sample / theta[:, None]
    weight = many * theta[:, None] ** 2

    def error(scale: float) -> float:
        return float((weight * (shares - replace(coding, threshold_scale=scale).represent(shares)) ** 2).sum())

    # From the middle outwards: of equal errors the scale nearest to 1 wins.
    ordered = sorted(map(float, SCALES), key=lambda scale: abs(np.log(scale)))
    return min(ordered, key=error)


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _enumerate(
    sample: NDArray[Any],
    weight: NDArray[np.float64],
    clip: NDArray[np.float64],
    shares: NDArray[np.float64],
    levels: float,
) -> None:
    """Replace each channel's largest magnitude in `clip` by the best share of it; the first of equals wins."""
    kept = sample.shape[1]
    for channel in range(len(sample)):
        largest = clip[channel]
        if largest <= 0:
            continue
        best = np.inf
        for share in shares:
            step = share * largest / levels
            error = 0.0
            for start in range(0, kept, LOOK):
                part = 0.0
                for i in range(start, min(start + LOOK, kept)):
                    a = sample[channel, i]
                    rest = a - step * min(np.rint(a / step), levels)
                    part += weight[i] * rest * rest
                error += part
                if error >= best:
                    break
            if error < best:
                best = error
                clip[channel] = share * largest
