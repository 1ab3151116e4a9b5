"""What slices send in each frame, packet by packet: the list that the packet kernel reads where packets hold several spikes.

A chip with one address event a packet needs no list: there the kernel walks the neurons itself. The sums of the closed form
(`sfnhw.sim.packet_sums`) are made without it.
"""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.parts import PartTable
from sfnhw.sim.tables import Fabric, SliceTable

Ints = NDArray[np.int64]


class Bundles(NamedTuple):
    """Packets of some frames, in the order (frame, slice, row where rows start by themselves, walk of the threshold unit).

    Attributes
    ----------
    first : (frames · slices + 1,) where the packets of each slice in each frame begin.
    part_first : (frames · parts + 1,) where those of each part of a slice (`sfnhw.sim.parts`) do.
    flits : (packets,) of each.
    ready : (packets,) cycles from the start of the part's walk until the last neuron of the bundle has been updated.
    lead : (packets,) first neuron of the bundle in walk order, by index in its slice.
    neurons : (packets,) neurons that send something, counted with the last packet of a burst.
    spikes_first : (packets + 1,) where the spikes of each begin in `spikes`: neurons of the slice, by index.
    walk : (frames · parts,) cycles of the threshold unit.
    """

    first: Ints
    part_first: Ints
    flits: NDArray[np.int32]
    ready: NDArray[np.int32]
    lead: NDArray[np.int32]
    neurons: NDArray[np.int32]
    spikes_first: Ints
    spikes: NDArray[np.int32]
    walk: Ints


def bundles_of(sent: NDArray[np.uint8], s: SliceTable, q: PartTable, f: Fabric) -> Bundles | None:
    """Return the packets of some frames, or None where each is one address event.

    sent : (frames, neurons in slice-major order) spikes of each neuron, a burst counted as long as it is.
    """
    if not s.form.any():
        return None
    frames, parts = len(sent), len(q.owner)
    part_first, walk = np.zeros(frames * parts + 1, np.int64), np.zeros(frames * parts, np.int64)
    part_first[1:], spikes = _count(sent, s, q, f)
    np.cumsum(part_first, out=part_first)
    packets = int(part_first[-1])
    first = np.append(part_first[:-1].reshape(frames, parts)[:, q.first[:-1]], packets)
    flits, ready, lead, neurons = (np.zeros(packets, np.int32) for _ in range(4))
    spikes_first = np.zeros(packets + 1, np.int64)
    out = Bundles(first, part_first, flits, ready, lead, neurons, spikes_first, np.zeros(spikes, np.int32), walk)
    _fill(sent, s, q, f, out)
    return out


class _Walk(NamedTuple):
    """How a part's neurons are walked: their number, those side by side, positions; of its slice's neurons: columns, rows."""

    neurons: int
    width: int
    positions: int
    columns: int
    rows: int
    row: int


@nb.njit(nogil=True, cache=True)
def _walk_of(k: int, s: SliceTable, q: PartTable) -> _Walk:
    """Return that of part k."""
    i = q.owner[k]
    rows = q.first[i + 1] - q.first[i]
    neurons = s.neurons[i] // rows
    return _Walk(neurons, s.width[i], neurons // s.width[i], q.columns[i], rows, k - q.first[i])


@nb.njit(nogil=True, cache=True)
def _index(w: int, x: _Walk) -> int:
    """Place in its slice, which is in channel-major order, of neuron w of a part's walk."""
    j = w % x.width * x.positions + w // x.width
    if x.rows == 1:
        return j
    return (j // x.columns * x.rows + x.row) * x.columns + j % x.columns


@nb.njit(nogil=True, cache=True)
def _ends(w: int, x: _Walk, part: int, span: int) -> bool:
    """Whether a bundle ends with neuron w of the walk."""
    c, p = w % x.width, w // x.width
    return ((c + 1) % part == 0 or c == x.width - 1) and ((p + 1) % span == 0 or p == x.positions - 1)


@nb.njit(nogil=True, cache=True)
def _count(sent: NDArray[np.uint8], s: SliceTable, q: PartTable, f: Fabric) -> tuple[Ints, int]:
    """(frames · parts,) packets, and spikes in all of them (the lists of a burst in single packets hold each one)."""
    parts = len(q.owner)
    packets, total = np.zeros(len(sent) * parts, np.int64), 0
    for g in range(len(sent)):
        for k in range(parts):
            i, x = q.owner[k], _walk_of(k, s, q)
            base, always = s.first_neuron[i], s.always[i] and g % f.window < s.frames[i]
            here = 0
            for w in range(x.neurons):
                here += sent[g, base + _index(w, x)]
                if _ends(w, x, s.part[i], s.span[i]):
                    total += here
                    if s.form[i] == 0:
                        packets[g * parts + k] += here
                    elif here > 0 or always:
                        packets[g * parts + k] += 1
                    here = 0
    return packets, total


@nb.njit(nogil=True, cache=True)
def _fill(sent: NDArray[np.uint8], s: SliceTable, q: PartTable, f: Fabric, b: Bundles) -> None:
    """Enter packets and spikes."""
    parts, lanes = len(q.owner), f.threshold_lanes
    late = np.zeros(s.neurons.max() // lanes + 1, np.int64)  # groups of lanes so far in which any neuron spikes
    n, e = 0, 0
    for g in range(len(sent)):
        for k in range(parts):
            i, x = q.owner[k], _walk_of(k, s, q)
            base, always = s.first_neuron[i], s.always[i] and g % f.window < s.frames[i]
            groups, last = 0, -1
            for w in range(x.neurons):
                if sent[g, base + _index(w, x)] > 0 and w // lanes != last:
                    last = w // lanes
                    groups += 1
                late[w // lanes] = groups
            b.walk[g * parts + k] = -(-x.neurons // lanes) * s.update_cycles[i] + groups * s.spike_cycles[i]
            start, e0, fired = 0, e, 0
            for w in range(x.neurons):
                index = _index(w, x)
                times = sent[g, base + index]
                fired += times > 0
                for _ in range(times):
                    b.spikes[e] = index
                    e += 1
                if not _ends(w, x, s.part[i], s.span[i]):
                    continue
                ready = (w // lanes + 1) * s.update_cycles[i] + late[w // lanes] * s.spike_cycles[i]
                single = s.form[i] == 0
                packets = times if single else int(e > e0 or always)
                bits = s.fixed_bits[i] + (w + 1 - start) * s.neuron_bits[i] + (e - e0) * s.spike_bits[i]
                for m in range(packets):
                    b.flits[n] = -(-bits // f.flit_bits)
                    b.ready[n] = ready
                    b.lead[n] = _index(start, x)
                    b.neurons[n] = fired if m == packets - 1 else 0
                    n += 1
                    # In single packets each spike goes by itself.
                    b.spikes_first[n] = e0 + m + 1 if single else e
                start, e0, fired = w + 1, e, 0
