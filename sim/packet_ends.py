"""When the first packet of a slice is ready and the last has left, where packets hold several spikes, of any length.

Ways are those of packets of one length, or of an end marker's one flit (`sfnhw.sim.passed.way_flits`); what a longer packet
takes more is here. Lengths are the mean of the slice's packets in that frame. All is 0 with one address event a packet.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.channels import tail_cycles
from sfnhw.sim.passed import Passed, at_port, first_groups
from sfnhw.sim.tables import Fabric, SliceTable

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class Sending(NamedTuple):
    """(T, slices, samples) cycles of what slices, or parts, send in each frame.

    Attributes
    ----------
    head : until the first packet is at its destination, but for its way (`Work.way`); where there is none, the end of emission.
    lag : of them those from its first flit there to the last, and those that the port holds it.
    behind : from the end of emission until an end marker can follow the last packet; under a barrier, which has none, until
        that packet is through, but for its way.
    """

    head: Reals
    lag: Reals
    behind: Reals


class Emitted(NamedTuple):
    """What slices, or parts, send in each frame: all (T, slices, samples).

    Attributes
    ----------
    packets, flits, first, last : as of `Passed`; groups : of neurons in the walk in which any spikes.
    port : cycles of the injection port, all copies; emission : as of `Work`.
    """

    packets: Reals
    flits: Reals
    first: Ints
    last: Ints
    groups: Reals
    port: Reals
    emission: Reals


def sending_of(s: SliceTable, f: Fabric, passed: Passed, frames: NDArray[np.uint8], e: Emitted) -> Sending:
    """Return it; s : of slices, or parts, as slow as the chip's clockwork says; frames : as of `Passed`, of these."""
    update, spike, lanes = s.update_cycles[:, None], s.spike_cycles[:, None], f.threshold_lanes
    several = (s.form > 0)[:, None]
    ahead = np.ones(1)
    if several.any() and s.spike_cycles.any():
        ahead = np.where(several, passed.by_step(first_groups(s, frames, lanes)), ahead)
    ready = np.maximum((e.first // lanes + 1) * update + ahead * spike, 1)
    head = np.where(e.first < 0, e.emission, ready)
    if not several.any():
        return Sending(head, np.zeros_like(head), np.zeros_like(head))
    sends = several & (e.packets > 0)
    packets = np.maximum(e.packets, 1.0)
    flits = np.maximum(np.rint(e.flits / packets), 1.0).astype(np.int64)
    tails = np.array([tail_cycles(n, f.channels.moves, f.channels.crossing) for n in range(1, int(flits.max()) + 1)])
    tail, held = tails[flits - 1], at_port(s, f, flits.swapaxes(1, 2)).swapaxes(1, 2) - flits
    marker = (at_port(s, f, np.ones_like(s.flits)) - 1.0)[:, None]
    lag = np.where(sends, held + tail - marker, 0.0)
    # Of a core: the port has packets from the first on, and the last when the walk has come to the end of it.
    last = (e.last // lanes + 1) * update + e.groups * spike
    through = np.maximum(ready + e.port, last + e.port / packets)
    # Behind the port flits may be slower: an end marker follows the last of them.
    more = tail - flits - marker if f.barrier else np.maximum(0, tail + 1 - flits - held)
    behind = np.where(sends & ~s.is_input[:, None], np.maximum(0.0, through + more - e.emission), 0.0)
    return Sending(np.where(sends, head + lag, head), lag, behind)
