"""The clipping point of a uniform quantiser that leaves the least mean-square error."""

import numpy as np
from numpy.typing import NDArray

# Candidate clipping points, as shares of the largest magnitude. Log-spaced: the optimum moves down with fewer levels.
CANDIDATES = np.geomspace(0.05, 1.0, 40)
# Magnitudes of each channel that the error is measured on.
MEASURED = 1024


def optimal_clip(magnitudes: NDArray[np.float32], largest: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """(channels,) c that minimises Σ (a − (c/M)·clip(round(a·M/c), 0, M))² over `CANDIDATES`; M = `levels`.

    magnitudes (channels, kept), largest (channels,). The usual criterion of post-training quantisation (e.g. Banner et
    al. 2019, "Post training 4-bit quantization"), here by enumeration rather than by an assumed distribution.
    """
    sample = magnitudes[:, :: max(1, -(-magnitudes.shape[1] // MEASURED))].astype(np.float64)
    best = np.full(len(largest), np.inf)
    clip = np.asarray(largest, float).copy()
    for share in CANDIDATES[::-1]:
        step = np.where(largest > 0, share * largest / levels, 1.0)[:, None]
        error = ((sample - step * np.clip(np.rint(sample / step), 0, levels)) ** 2).sum(axis=1)
        better = error < best
        clip[better], best[better] = share * largest[better], error[better]
    return clip
