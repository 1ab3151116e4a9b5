"""What of the flits and bits of spike packets is there because spikes carry a level."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.run import Run
from sfnhw.sim.packet_sums import sums_of
from sfnhw.sim.tables import SliceTable, packings, sent_neurons

Ints = NDArray[np.int64]


class LevelBits(NamedTuple):
    """(slices,) sums over the packets that each slice sends, and over the same packets if spikes carried no level."""

    flits: Ints
    flits_without: Ints
    bits: Ints
    bits_without: Ints


def without_levels(run: Run, carriers: set[str]) -> SliceTable:
    """Return the slices of the mapping with packets in which the spikes of these populations carry no level."""
    formats = {name: choice.format for name, choice in run.result.formats.items()}
    return _own_slices(run)._replace(**packings(run.mapping, formats, bare=carriers))


def level_bits(run: Run, carriers: set[str]) -> LevelBits:
    """Count flits and bits with and without the levels of these populations, all samples."""
    tables = run.result.tables
    sent = sent_neurons(run.mapping, run.recording.activity)
    frames = sent.reshape(-1, sent.shape[2])
    out: list[Ints] = []
    for s in (_own_slices(run), without_levels(run, carriers)):
        flits = sums_of(s, tables.fabric, frames).flits.sum(axis=1)
        one_bit = sums_of(s._replace(flits=s.fixed_bits), tables.fabric._replace(flit_bits=1), frames)
        out += [flits, one_bit.flits.sum(axis=1)]
    return LevelBits(out[0], out[2], out[1], out[3])


def _own_slices(run: Run) -> SliceTable:
    """Behind the mapping's slices stand those that rounds replay: copies of them, left out here."""
    s, n = run.result.tables.slices, len(run.mapping.slices)
    columns = {name: values[:n] for name, values in s._asdict().items() if name != "first_neuron"}
    return SliceTable(**columns, first_neuron=s.first_neuron[: n + 1])
