"""Sampled spikes in the place of a recording."""

import numpy as np

from sfnhw.activity import Recording
from sfnhw.network import Network
from sfnhw.rates.rates import Rates


def sampled_recording(rates: Rates, network: Network, samples: int, seed: int) -> Recording:
    """Return a recording without outputs (nothing was computed), which says what it was sampled from."""
    text = f"sampled from rates ({rates.source}), seed {seed}"
    return Recording(rates.sample(network, samples, seed), np.zeros((samples, 0)), sampled=text)
