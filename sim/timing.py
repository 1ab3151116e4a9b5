"""When things happened, in cycles."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Timing:
    """When things happened, in cycles.

    Attributes
    ----------
    latency : (samples,) from the first input at the pins (in rounds: from the request for the first weights) to the last
        result at the pins, on an empty chip.
    occupied : (samples,) from the same cycle until the chip is empty again, never before `latency`: every unit of every core
        has done its work, that for slices whose spikes nobody needs included, and no packet is on its way, nor a ready word;
        under barrier execution the last global step has ended. What a chip is loaded with next waits for it.
    interval : cycles between results when samples follow each other, and no less than the busiest unit, link or pin works for a
        sample in the mean over all. Measured with some of them, chosen by load (`sfnhw.sim.following`: the same at each fidelity,
        and whatever the order of the samples); in rounds, and at fidelity `analytic` where slices work a row at a time and a sample is
        one window, it is of all.
    streamed : different samples that it is of; streamed_load : their mean load over that of all (`sfnhw.sim.following.Following`).
    layer_start, layer_end : (samples, populations) first and last cycle of work.
    busy : (cores + 1, 4) busy cycles of axon look-up, synapse lanes, threshold unit, injection port, over all samples;
        the last row is the pins.
    link_busy : (4·routers,) busy cycles of each link.
    pins_busy : cycles that the pins' output port is taken by results, their end markers and ready tokens for the inputs, over
        all samples: of whole packets, but where packets of several spikes take no whole cycles a flit, of all their flits.
    packet_latency : (bins,) spike packets by latency in cycles (the last bin is open), or None where not simulated.
    packet_latency_sum, packet_latency_max : of the same packets.
    congestion : (samples,) at fidelity `packet`, mean time of packets in the network over that of an empty one; else None.
    stream_congestion : the same of the samples back to back; else None.
    """

    latency: Ints
    occupied: Ints
    interval: float
    layer_start: Ints
    layer_end: Ints
    busy: Ints
    link_busy: Ints
    pins_busy: int
    packet_latency: Ints | None
    packet_latency_sum: int
    packet_latency_max: int
    congestion: NDArray[np.float64] | None = None
    stream_congestion: float | None = None
    streamed: int = 0
    streamed_load: float = 1.0


def no_faster_than(busy: Ints, links: NDArray[Any], pins: float, samples: int, axon_overlap: bool) -> float:
    """Cycles an inference that the busiest unit, link or pin is taken in the mean over all samples: results come no faster.

    busy : as of `Timing`; links : (links,) cycles of each, over all samples; pins : of their output port. axon_overlap : whether a
        core looks a packet up while its lanes work; else they take turns, and count as one unit.
    """
    units = busy if axon_overlap else np.column_stack([busy, busy[:, 0] + busy[:, 1]])
    return max(float(units.max()), float(links.max(initial=0)), float(pins)) / samples
