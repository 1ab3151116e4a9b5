"""What a population remembers of its calibration, so that `recode` can choose another coding without the data."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.clipping import fitted_clip, measured
from sfnhw.convert.plan import Planned
from sfnhw.convert.samples import Sample
from sfnhw.neurons import Graded

# Widths for which the least-squares clipping point is kept.
CLIP_BITS = range(1, 9)
# Quantiles of |a| kept of each channel: enough to fit any coding's clipping point within its candidates' spacing.
QUANTILES = 64


def statistics_of(
    planned: Planned, sample: Sample, theta: NDArray[np.float64] | None, one_scale: bool = False
) -> dict[str, NDArray[np.float64]]:
    """Each (channels,): `max`; `quantile` (θ as used); `clip_<b>bit` (least squares, b bits); `cap` (of a ReLU6).

    And `magnitudes` (channels, 64): |a| at the probabilities (i + 1/2)/64, zeros included. With `one_scale` all are those
    of all channels together, so that any coding chosen from them has one scale.
    """
    channels = planned.shape[0]
    if one_scale:
        sample = sample.pooled
    statistics = {"max": np.broadcast_to(np.asarray(sample.largest, float), channels).copy()}
    if theta is not None:
        statistics["quantile"] = theta
        some, many = measured(sample.magnitudes)
        for bits in CLIP_BITS:
            if bits > planned.signed:
                clip = fitted_clip(some, many, sample.largest, Graded(bits, planned.signed))
                statistics[f"clip_{bits}bit"] = np.broadcast_to(clip, channels).copy()
        statistics["magnitudes"] = np.broadcast_to(_quantiles(sample), (channels, QUANTILES)).copy()
    if planned.cap is not None:
        statistics["cap"] = np.full(channels, planned.cap)
    return statistics


def _quantiles(sample: Sample) -> NDArray[np.float64]:
    """(channels, QUANTILES) of |a|; of the value that is nearest in rank."""
    places = (np.arange(QUANTILES) + 0.5) / QUANTILES * (sample.magnitudes.shape[1] - 1)
    ranks = np.rint(places).astype(int)
    return np.sort(sample.magnitudes, axis=1)[:, ranks].astype(float)
