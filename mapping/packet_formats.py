"""How a slice's spikes are put into packets: which neurons share one, how long it is, what is looked up for it.

A *bundle* is a run of neurons of one slice in walk order, position by position (a position's channels, or a token's
features, side by side): the channels of one position, a part of them where they are more than `packet.bundle_neurons`,
or, with `packet.bundle: run`, as many whole positions as fit. Where rows (tokens) start by themselves
(`execution.granularity: row`) a bundle is of positions of one row. Bits of a packet with s spikes of a bundle of n neurons:

    aer      header + ⌈log2 N⌉ + payload                      one packet a spike, of one of the slice's N neurons
    bundled  header + address + count + s · (index + payload)  none where s = 0
    bitmap   header + address + n + s · payload                none where s = 0
    dense    header + address + n · value                      always

with address = ⌈log2 bundles of the slice⌉, index = ⌈log2 neurons of a full bundle⌉, count = ⌈log2 most spikes of a
bundle⌉ (s ≥ 1), payload = `Coding.payload_bits`, value = `Coding.value_bits` (zero is a value). Packets are whole flits.
The layouts are this model's own; bundles by position are those of SENECA's simulator SENSIM ([row, column] header, several
[channel, value] pairs) and of ELSA (arXiv 2605.20802), whose field widths are not published.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.errors import InputError
from sfnhw.network import Block, Population
from sfnhw.units import bits_for, ceil_div

Ints = NDArray[np.int64]

AER, AUTO = "aer", "auto"
FORMATS = (AER, "bundled", "bitmap", "dense")


class Load(NamedTuple):
    """(frames,) packets of a slice, their bits, their flits, and the cycles that they take at a port."""

    packets: Ints
    bits: Ints
    flits: Ints
    port: Ints


@dataclass(frozen=True)
class Packing:
    """How one slice's neurons are put into packets.

    Attributes
    ----------
    format : one of `FORMATS`.
    neurons : of the slice.
    width : neurons of one position, side by side in walk order; with `aer` 1: the walk is in the order of indices.
    part : of them in a bundle at most. span : positions of a bundle at most; 1 where `part` < `width`.
    row : positions of a row (token) where rows start by themselves, else of the slice: bundles end with it; with `aer` 1.
    header, address, count : bits in front of the neurons.
    index, payload, value : bits of a neuron's place in its bundle, of a spike's level, of a level that may be zero.
    always : whether a bundle is sent without a spike, too.
    """

    format: str
    neurons: int
    width: int
    part: int
    span: int
    row: int
    header: int
    address: int
    count: int
    index: int
    payload: int
    value: int
    always: bool

    @property
    def fixed_bits(self) -> int:
        """Bits of a packet whatever is in it."""
        return self.header + self.address + self.count + (self.payload if self.format == AER else 0)

    @property
    def neuron_bits(self) -> int:
        """Bits for each neuron of the bundle."""
        return {"bitmap": 1, "dense": self.value}.get(self.format, 0)

    @property
    def spike_bits(self) -> int:
        """Bits for each spike in the packet."""
        return {"bundled": self.index + self.payload, "bitmap": self.payload}.get(self.format, 0)

    def bits(self, neurons: int, spikes: int) -> int:
        """Bits of one packet of a bundle of so many neurons with so many spikes."""
        return self.fixed_bits + neurons * self.neuron_bits + spikes * self.spike_bits

    @property
    def full(self) -> int:
        """Neurons of a full bundle."""
        return self.part * self.span

    def edges(self) -> Ints:
        """(bundles + 1,) where each bundle begins in walk order."""
        return bundle_edges(self.neurons, self.width, self.part, self.span, self.row)

    def load(
        self,
        sent: NDArray[np.integer],
        works: NDArray[np.bool_],
        flit_bits: int,
        port: Callable[[Ints], Ints] = lambda flits: flits,
    ) -> Load:
        """Packets of some frames.

        Parameters
        ----------
        sent : (frames, neurons) spikes of each neuron, in the order of indices.
        works : (frames,) whether the slice works in them: only then is a `dense` bundle without spikes sent.
        port : cycles that packets of so many flits take at a port, elementwise.
        """
        if self.format == AER:
            packets = sent.sum(axis=1, dtype=np.int64)
            flits = np.array(ceil_div(self.fixed_bits, flit_bits))
            return Load(packets, packets * self.fixed_bits, packets * flits, packets * port(flits))
        edges = self.edges()
        spikes = spikes_of_bundles(sent, self.width, edges)
        goes = (spikes > 0) | (self.always & works[:, None])
        bits = np.where(goes, self.fixed_bits + np.diff(edges) * self.neuron_bits + spikes * self.spike_bits, 0)
        flits = -(-bits // flit_bits)
        cycles = np.where(goes, port(flits), 0)
        return Load(*(part.sum(axis=1, dtype=np.int64) for part in (goes, bits, flits, cycles)))

    def break_even(self, single: "Packing") -> float:
        """Spikes of each neuron at which a full bundle takes as many bits as its spikes do, each in a packet by itself.

        From n · r · a = fixed + n · neuron_bits + n · r · spike_bits, with a the bits of one such packet (`single`, in format
        ``aer``): r = (fixed / n + neuron_bits) / (a − spike_bits). Above it the bundle is shorter; beyond 1 it never is (unless
        neurons send bursts). Whole flits, headers of bundles that are not full and empty bundles are left out.
        """
        saved = single.bits(1, 1) - self.spike_bits
        return (self.fixed_bits / self.full + self.neuron_bits) / saved if saved > 0 else float("inf")


def bundle_edges(neurons: int, width: int, part: int, span: int, row: int) -> Ints:
    """(bundles + 1,) where each bundle of a slice begins in walk order; the arguments are those of `Packing`."""
    position = np.arange(0, neurons // width, row)[:, None] + np.arange(0, row, span)
    first = position.reshape(-1, 1) * width + np.arange(0, width, part)
    return np.append(first.reshape(-1), neurons).astype(np.int64)


def spikes_of_bundles(sent: NDArray[np.integer], width: int, edges: Ints) -> Ints:
    """(frames, bundles) spikes of each bundle; sent is (frames, neurons) in the order of indices.

    In walk order channel c of position p, whose index is c · positions + p, comes at p · width + c.
    """
    walk = sent.reshape(len(sent), width, -1).transpose(0, 2, 1).reshape(len(sent), -1)
    return np.asarray(np.add.reduceat(walk, edges[:-1], axis=1, dtype=np.int64))


def packing(population: Population, block: Block, chip: Chip, form: str, payload: bool = True) -> Packing:
    """Return how the packets of a slice, a block of a population, are laid out.

    Parameters
    ----------
    form : one of `FORMATS`.
    payload : False: as if spikes carried no level, to see what levels cost.
    """
    coding, most, neurons = population.coding, chip.packet.bundle_neurons, population.block_size(block)
    carried = coding.payload_bits(chip.numerics) if payload else 0
    header = chip.noc.header_bits
    if form == AER:
        return Packing(form, neurons, 1, 1, 1, 1, header, bits_for(neurons), 0, 0, carried, 0, False)
    width = block.channels
    positions = neurons // width
    row = population.columns if chip.execution.granularity == "row" else positions
    part = min(width, most)
    span = min(row, max(1, most // width)) if chip.packet.bundle == "run" else 1
    bundles = positions // row * ceil_div(row, span) * ceil_div(width, part)
    burst = coding.max_level if coding.burst else 1
    return Packing(
        format=form,
        neurons=neurons,
        width=width,
        part=part,
        span=span,
        row=row,
        header=header,
        address=bits_for(bundles),
        count=bits_for(part * span * burst) if form == "bundled" else 0,
        index=bits_for(part * span),
        payload=carried,
        value=coding.value_bits(chip.numerics) if payload else 1,
        # What sends every value when it is due, and nothing before (a readout), is never empty.
        always=form == "dense" and not coding.sends_zero,
    )


def formats_for(population: Population, chip: Chip) -> tuple[str, ...]:
    """Return the formats that a population's spikes may have on a chip: the chip's own, or with `auto` all that it can.

    A burst (`polarity`) is several spikes of one neuron: a pair each in `bundled`, but `bitmap` and `dense` have one place
    for each neuron.

    Raises
    ------
    InputError : the chip's format has no room for bursts.
    """
    allowed = FORMATS[:2] if population.coding.burst else FORMATS
    if chip.packet.format == AUTO:
        return allowed
    if chip.packet.format not in allowed:
        raise InputError(
            f"layer {population.name!r} sends bursts, several spikes of a neuron at once, and such a packet has one place for "
            "each neuron",
            field="packet.format",
            found=chip.packet.format,
            expected="aer, bundled or auto",
        )
    return (chip.packet.format,)
