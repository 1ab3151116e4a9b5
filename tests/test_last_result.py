"""An inference ends with its last result at the pins, whichever packet overtakes which."""

import numpy as np
import pytest

from sfnhw.activity import Activity
from sfnhw.mapping import map_network
from sfnhw.sim import simulate
from tests.networks import chain
from tests.test_simulation import REFERENCE


@pytest.mark.parametrize("fidelity", ["packet", "flit"])
def test_results_behind_their_end_marker_are_waited_for_by_hand(fidelity):
    """Eight results of 39 bits are two flits each of 8 cycles over pins of 4 bits: 128 cycles in all.

    The slice starts when the hidden layer's last spike is worked off, at 60 or so, and at `flit` its end marker gets past the
    results in another of the eight virtual channels: it leaves after half of that time.
    """
    chip = {"noc.columns": 2, "noc.rows": 1, "noc.virtual_channels": 8, "io.bits_per_cycle": 4}
    network = chain([4, 4, 8])
    mapping = map_network(network, REFERENCE.replace(chip))
    activity = Activity({p.name: np.ones((1, 1, p.size), np.int16) for p in network.populations})
    timing = simulate(mapping, activity, fidelity=fidelity).timing
    start = timing.layer_start[0, -1]
    assert timing.latency[0] == timing.layer_end[0, -1] <= timing.occupied[0]
    assert start + 128 <= timing.latency[0] <= start + 128 + 60
