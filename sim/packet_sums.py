"""What slices send in each frame, in closed form: sums of packets, of flits and of spikes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.packet_formats import bundle_edges, spikes_of_bundles
from sfnhw.sim.tables import Fabric, SliceTable

Ints = NDArray[np.int64]


class Sums(NamedTuple):
    """(slices, frames) packets, their flits, and the spikes in them."""

    packets: Ints
    flits: Ints
    spikes: Ints


def sums_of(
    s: SliceTable, f: Fabric, sent: NDArray[np.uint8], port: Callable[[int, Ints], Ints] = lambda _, flits: flits
) -> Sums:
    """Packets of each slice in each frame.

    Parameters
    ----------
    sent : (frames, neurons in slice-major order) spikes of each neuron, a burst counted as long as it is.
    port : (slice, flits of bundles) → what to add up in place of these flits, elementwise.
    """
    spikes = np.add.reduceat(sent, s.first_neuron[:-1], axis=1, dtype=np.int64).T
    packets, flits = spikes.copy(), spikes * s.flits[:, None]
    within = np.arange(len(sent)) % f.window
    for i in np.flatnonzero(s.form).tolist():
        edges = bundle_edges(int(s.neurons[i]), int(s.width[i]), int(s.part[i]), int(s.span[i]), int(s.row[i]))
        inside = spikes_of_bundles(sent[:, s.first_neuron[i] : s.first_neuron[i + 1]], int(s.width[i]), edges)
        goes = (inside > 0) | (s.always[i] & (within < s.frames[i]))[:, None]
        bits = s.fixed_bits[i] + np.diff(edges) * s.neuron_bits[i] + inside * s.spike_bits[i]
        packets[i] = goes.sum(axis=1)
        flits[i] = np.where(goes, port(i, -(-bits // f.flit_bits)), 0).sum(axis=1)
    return Sums(packets, flits, spikes)


def in_walk_order(s: SliceTable, sent: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Sort the neurons of each slice as its threshold unit walks them: position by position, where bundles are sent."""
    if not (s.width > 1).any():
        return sent
    out = sent.copy()
    for i in np.flatnonzero(s.width > 1):
        mine = slice(int(s.first_neuron[i]), int(s.first_neuron[i + 1]))
        block = sent[:, mine].reshape(len(sent), int(s.width[i]), -1)
        out[:, mine] = block.transpose(0, 2, 1).reshape(len(sent), -1)
    return out
