"""What slices send in each frame, packet by packet: the list that the packet kernel reads where packets hold several spikes.

A chip with one address event a packet needs no list: there the kernel walks the neurons itself. The sums of the closed form
(`sfnhw.sim.packet_sums`) are made without it.
"""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.tables import Fabric, SliceTable

Ints = NDArray[np.int64]


class Bundles(NamedTuple):
    """Packets of some frames, in the order (frame, slice, walk of the threshold unit).

    Attributes
    ----------
    first : (frames · slices + 1,) where the packets of each slice in each frame begin.
    flits : (packets,) of each.
    ready : (packets,) cycles from the start of the walk until the last neuron of the bundle has been updated.
    lead : (packets,) first neuron of the bundle in walk order, by index.
    neurons : (packets,) neurons that send something, counted with the last packet of a burst.
    spikes_first : (packets + 1,) where the spikes of each begin in `spikes`: neurons of the slice, by index.
    walk : (frames · slices,) cycles of the threshold unit.
    """

    first: Ints
    flits: NDArray[np.int32]
    ready: NDArray[np.int32]
    lead: NDArray[np.int32]
    neurons: NDArray[np.int32]
    spikes_first: Ints
    spikes: NDArray[np.int32]
    walk: Ints


def bundles_of(sent: NDArray[np.uint8], s: SliceTable, f: Fabric) -> Bundles | None:
    """Return the packets of some frames, or None where each is one address event.

    sent : (frames, neurons in slice-major order) spikes of each neuron, a burst counted as long as it is.
    """
    if not s.form.any():
        return None
    frames, slices = len(sent), len(s.neurons)
    first, walk = np.zeros(frames * slices + 1, np.int64), np.zeros(frames * slices, np.int64)
    first[1:], spikes = _count(sent, s, f)
    np.cumsum(first, out=first)
    packets = int(first[-1])
    flits, ready, lead, neurons = (np.zeros(packets, np.int32) for _ in range(4))
    out = Bundles(first, flits, ready, lead, neurons, np.zeros(packets + 1, np.int64), np.zeros(spikes, np.int32), walk)
    _fill(sent, s, f, out)
    return out


@nb.njit(nogil=True, cache=True)
def _ends(w: int, width: int, part: int, span: int, positions: int) -> bool:
    """Whether a bundle ends with neuron w of the walk."""
    c, p = w % width, w // width
    return ((c + 1) % part == 0 or c == width - 1) and ((p + 1) % span == 0 or p == positions - 1)


@nb.njit(nogil=True, cache=True)
def _count(sent: NDArray[np.uint8], s: SliceTable, f: Fabric) -> tuple[Ints, int]:
    """(frames · slices,) packets, and spikes in all of them (the lists of a burst in single packets hold each one)."""
    slices = len(s.neurons)
    packets, total = np.zeros(len(sent) * slices, np.int64), 0
    for g in range(len(sent)):
        for i in range(slices):
            base, width = s.first_neuron[i], s.width[i]
            positions = s.neurons[i] // width
            always = s.always[i] and g % f.window < s.frames[i]
            here = 0
            for w in range(s.neurons[i]):
                here += sent[g, base + w % width * positions + w // width]
                if _ends(w, width, s.part[i], s.span[i], positions):
                    total += here
                    if s.form[i] == 0:
                        packets[g * slices + i] += here
                    elif here > 0 or always:
                        packets[g * slices + i] += 1
                    here = 0
    return packets, total


@nb.njit(nogil=True, cache=True)
def _fill(sent: NDArray[np.uint8], s: SliceTable, f: Fabric, b: Bundles) -> None:
    """Enter packets and spikes."""
    slices, lanes = len(s.neurons), f.threshold_lanes
    late = np.zeros(s.neurons.max() // lanes + 1, np.int64)  # groups of lanes so far in which any neuron spikes
    k, q = 0, 0
    for g in range(len(sent)):
        for i in range(slices):
            base, width = s.first_neuron[i], s.width[i]
            positions = s.neurons[i] // width
            always = s.always[i] and g % f.window < s.frames[i]
            groups, last = 0, -1
            for w in range(s.neurons[i]):
                if sent[g, base + w % width * positions + w // width] > 0 and w // lanes != last:
                    last = w // lanes
                    groups += 1
                late[w // lanes] = groups
            b.walk[g * slices + i] = -(-s.neurons[i] // lanes) * s.update_cycles[i] + groups * s.spike_cycles[i]
            start, q0, fired = 0, q, 0
            for w in range(s.neurons[i]):
                index = w % width * positions + w // width
                times = sent[g, base + index]
                fired += times > 0
                for _ in range(times):
                    b.spikes[q] = index
                    q += 1
                if not _ends(w, width, s.part[i], s.span[i], positions):
                    continue
                ready = (w // lanes + 1) * s.update_cycles[i] + late[w // lanes] * s.spike_cycles[i]
                single = s.form[i] == 0
                packets = times if single else int(q > q0 or always)
                bits = s.fixed_bits[i] + (w + 1 - start) * s.neuron_bits[i] + (q - q0) * s.spike_bits[i]
                for n in range(packets):
                    b.flits[k] = -(-bits // f.flit_bits)
                    b.ready[k] = ready
                    b.lead[k] = start % width * positions + start // width
                    b.neurons[k] = fired if n == packets - 1 else 0
                    k += 1
                    # In single packets each spike goes by itself.
                    b.spikes_first[k] = q0 + n + 1 if single else q
                start, q0, fired = w + 1, q, 0
