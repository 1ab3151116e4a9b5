"""What a population remembers of its calibration, so that `recode` can choose another coding without the data."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.clipping import optimal_clip
from sfnhw.convert.plan import Planned
from sfnhw.convert.samples import Sample
from sfnhw.neurons import Graded

# Widths for which the least-squares clipping point is kept.
CLIP_BITS = range(1, 9)
# Quantiles of |a| kept of each channel: enough to fit any coding's clipping point within its candidates' spacing.
QUANTILES = 64


def statistics_of(
    planned: Planned, sample: Sample, theta: NDArray[np.float64] | None
) -> dict[str, NDArray[np.float64]]:
    """Each (channels,): `max`; `quantile` (θ as used); `clip_<b>bit` (least squares, b bits); `cap` (of a ReLU6).

    And `magnitudes` (channels, 64): |a| at the probabilities (i + 1/2)/64, zeros included.
    """
    channels = planned.shape[0]
    statistics = {"max": np.asarray(sample.largest, float)}
    if theta is not None:
        statistics["quantile"] = theta
        for bits in CLIP_BITS:
            if bits > planned.signed:
                coding = Graded(bits, planned.signed)
                statistics[f"clip_{bits}bit"] = optimal_clip(sample.magnitudes, sample.largest, coding)
        places = (np.arange(QUANTILES) + 0.5) / QUANTILES
        statistics["magnitudes"] = np.quantile(sample.magnitudes.astype(float), places, axis=1).T
    if planned.cap is not None:
        statistics["cap"] = np.full(channels, planned.cap)
    return statistics
