"""The clipping point of a uniform quantiser that leaves the least mean-square error."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

# Candidate clipping points, as shares of the largest magnitude. Log-spaced: the optimum moves down with fewer levels.
CANDIDATES = np.geomspace(0.05, 1.0, 40)
# Magnitudes of each channel that the error is measured on.
MEASURED = 1024
# Magnitudes between two looks at whether a candidate is already worse than the best.
LOOK = 64


def optimal_clip(magnitudes: NDArray[np.float32], largest: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """(channels,) c that minimises Σ (a − (c/M)·clip(round(a·M/c), 0, M))² over `CANDIDATES`; M = `levels`.

    magnitudes (channels, kept), largest (channels,). The usual criterion of post-training quantisation (e.g. Banner et
    al. 2019, "Post training 4-bit quantization"), here by enumeration rather than by an assumed distribution.
    """
    sample = np.ascontiguousarray(magnitudes[:, :: max(1, -(-magnitudes.shape[1] // MEASURED))])
    clip = np.asarray(largest, float).copy()
    _enumerate(sample, clip, CANDIDATES[::-1], float(levels))
    return clip


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _enumerate(
    sample: NDArray[np.float32], clip: NDArray[np.float64], shares: NDArray[np.float64], levels: float
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
                for a in sample[channel, start : start + LOOK]:
                    rest = a - step * min(np.rint(a / step), levels)
                    part += rest * rest
                error += part
                if error >= best:
                    break
            if error < best:
                best = error
                clip[channel] = share * largest
