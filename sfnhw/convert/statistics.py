"""What a population remembers of its calibration, so that `recode` can choose another coding without the data."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.clipping import optimal_clip
from sfnhw.convert.plan import Planned
from sfnhw.convert.samples import Sample

# Widths for which the least-squares clipping point is kept.
CLIP_BITS = range(1, 9)


def statistics_of(
    planned: Planned, sample: Sample, theta: NDArray[np.float64] | None, one_scale: bool = False
) -> dict[str, NDArray[np.float64]]:
    """Each (channels,): `max`; `quantile` (θ as used); `clip_<b>bit` (least squares, b bits); `cap` (of a ReLU6).

    With `one_scale` they are those of all channels together, so that any coding chosen from them has one scale.
    """
    channels = planned.shape[0]
    if one_scale:
        sample = sample.pooled
    statistics = {"max": np.broadcast_to(np.asarray(sample.largest, float), channels).copy()}
    if theta is not None:
        statistics["quantile"] = theta
        for bits in CLIP_BITS:
            levels = 2 ** (bits - planned.signed) - 1
            if levels >= 1:
                clip = optimal_clip(sample.magnitudes, sample.largest, levels)
                statistics[f"clip_{bits}bit"] = np.broadcast_to(clip, channels).copy()
    if planned.cap is not None:
        statistics["cap"] = np.full(channels, planned.cap)
    return statistics
