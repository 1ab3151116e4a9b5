"""What the blocks of one layer take of their cores, for any cut: cycles of each unit, words of memory, packets.

All numbers are exact sums over the samples, and equal what the simulation counts (`busy` of `sfnhw.sim.Timing`). None
of them depends on how the layers before and after are cut; what does (axon look-ups, end markers) is in
`sfnhw.mapping.objectives.model`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping.cuts import Cut, cut_of
from sfnhw.mapping.memory_banks import Scattered, scattered
from sfnhw.mapping.objectives.packets import Packets
from sfnhw.mapping.packet_choice import Sent, planned_formats
from sfnhw.mapping.packet_formats import AER, formats_for, packing
from sfnhw.mapping.slices import Slice, bias_words, capacity, demand, parts_of
from sfnhw.mapping.slicing import Parts, axon_entries, cut, smallest_parts
from sfnhw.mapping.unit_cycles import frames_of, port_cycles, run_cost, synapse_bits, update_cycles
from sfnhw.network import Block, Network, Population, Projection, Sparse, Stationary
from sfnhw.units import ceil_div

Ints = NDArray[np.int64]

# How many times as many slices the next cut of a layer has, where there are too many cuts to look at all.
APART = (1.0, 1.125, 1.25, 1.5, 2.0)
NONE = np.zeros(0, np.int64)


class CutWork(NamedTuple):
    """One cut of a layer; sums over all samples.

    Attributes
    ----------
    parts : of channels, of rows; (0, 0) where the blocks are no grid.
    cut : the blocks.
    synapse : (projections into the layer, blocks) cycles of the synapse lanes.
    words, state : (projections,) words of weight memory, and of state memory read (as many are written), of all blocks.
    threshold : (blocks,) cycles of the threshold unit.
    spikes, packets, flits : (blocks,) spikes that a block sends, the packets that they are in, and flits of all of these.
    port : (blocks,) cycles of these at the injection port, a multicast each.
    update_words, bias_words : words of state memory read in each frame (as many are written), of weight memory in each
        window, of all blocks.
    starts : (blocks,) parts of a block that start by themselves in each window: 1, or its rows.
    """

    parts: Parts
    cut: Cut
    synapse: Ints
    words: Ints
    state: Ints
    threshold: Ints
    spikes: Ints
    packets: Ints
    flits: Ints
    port: Ints
    update_words: int
    bias_words: int
    starts: Ints

    @property
    def slices(self) -> int:
        """Number of blocks."""
        return len(self.cut.blocks)


class LayerWork:
    """The work of one layer, cut by cut and block by block, remembered."""

    def __init__(
        self,
        network: Network,
        population: Population,
        chip: Chip,
        packets: Packets,
        units: list[bool],
        form: str | None = None,
    ):
        """Prepare.

        units : `unit_weights` of the network. form : of the layer's packets; None: what is expected of it, uncut.
        """
        self.network, self.population, self.chip, self.packets = network, population, chip, packets
        self.sent = Sent(network, packets.activity)
        self.form = form or self._expected_format()
        self.into = network.into(population.name)
        unit_of = {id(p): unit for p, unit in zip(network.projections, units, strict=True)}
        self.units = [unit_of[id(p)] for p in self.into]
        self.update = update_cycles(chip, population)
        self.frames = packets.samples * network.updates * frames_of(network, population)
        self.spike_cycles = 0 if population.role == "input" else chip.core.threshold_unit.spike_cycles
        self._cuts: dict[Parts, CutWork] = {}
        self._sums: dict[tuple[int, Block, int, int, bool], tuple[Ints, Ints]] = {}
        self._fits: dict[Parts, bool] = {}
        self._pointers: dict[Parts, Ints] = {}

    def _expected_format(self) -> str:
        allowed = formats_for(self.population, self.chip)
        if len(allowed) == 1:
            return allowed[0]
        p = self.population
        return planned_formats(self.network, [Slice(0, p.name, p.block, p.size)], self.chip, self.packets.activity)[
            p.name
        ]

    def cut(self, parts: Parts) -> CutWork:
        """Work of a cut."""
        if parts not in self._cuts:
            p = self.population
            self._cuts[parts] = self.of([p.block] if p.role == "input" else cut(p, *parts), parts)
        return self._cuts[parts]

    def of(self, blocks: list[Block], parts: Parts = (0, 0)) -> CutWork:
        """Work of any blocks of the layer."""
        p, chip, core = self.population, self.chip, self.chip.core
        sizes = [p.block_size(b) for b in blocks]
        costs = [self._synapses(k, blocks, max(sizes)) for k in range(len(self.into))]
        synapse = np.array([c[0] for c in costs], np.int64).reshape(len(costs), len(blocks))
        threshold = [self._walk(b, n) for b, n in zip(blocks, sizes, strict=True)]
        loads = [self._load(b, n) for b, n in zip(blocks, sizes, strict=True)]
        parted = [parts_of(b, chip) for b in blocks]
        update = [
            m * ceil_div(n // m * core.accumulator_bits, core.state_memory.word_bits)
            for n, m in zip(sizes, parted, strict=True)
        ]
        bias = [bias_words(p, b, chip) for b in blocks]
        return CutWork(
            parts=parts,
            cut=cut_of(blocks),
            synapse=synapse,
            words=np.array([c[1] for c in costs], np.int64),
            state=np.array([c[2] for c in costs], np.int64),
            threshold=np.array(threshold, np.int64),
            spikes=np.array([self.packets.of(p.name, b) for b in blocks], np.int64),
            packets=np.array([load[0] for load in loads], np.int64),
            flits=np.array([load[1] for load in loads], np.int64),
            port=np.array([load[2] for load in loads], np.int64),
            update_words=sum(update),
            bias_words=sum(bias),
            starts=np.array(parted, np.int64),
        )

    def _load(self, block: Block, neurons: int) -> tuple[int, int, int]:
        """Packets, flits and cycles at the port of one block."""
        p, chip = self.population, self.chip
        if self.form == AER:  # packets of one length: no need to look at each frame
            sent = self.packets.of(p.name, block)
            laid = packing(p, block, chip, AER)
            flits = ceil_div(laid.fixed_bits, chip.noc.flit_bits)
            return sent, sent * flits, sent * int(port_cycles(flits, chip, p.role == "input"))
        load = self.sent.load(Slice(0, p.name, block, neurons), chip, self.form, port=True)
        return int(load.packets.sum()), int(load.flits.sum()), int(load.port.sum())

    def _walk(self, block: Block, neurons: int) -> int:
        lanes = self.chip.core.threshold_unit.lanes
        parts = parts_of(block, self.chip)
        walk = self.frames * parts * ceil_div(neurons // parts, lanes) * self.update
        if self.spike_cycles:
            high = block.rows // parts
            rows = (block._replace(r0=r, r1=r + high) for r in range(block.r0, block.r1, high))
            walk += self.spike_cycles * sum(
                self.packets.spiking_groups(self.population.name, row, lanes, by_position=self.form != AER)
                for row in rows
            )
        return int(walk)

    def _synapses(self, k: int, blocks: list[Block], most: int) -> tuple[list[int], int, int]:
        """Cycles of each block, words of weight memory and of state memory of all, through projection k."""
        p = self.into[k]
        bits = synapse_bits(self.network, p, self.units[k], most, self.chip)
        written = isinstance(p, Stationary)
        cycles, words, state = [], 0, 0
        known: dict[int, tuple[int, int, int]] = {}
        for block in blocks:
            width, runs = self._runs(k, block)
            if len(width) == 1 and not p.has_indices:  # one width for all: most blocks, and few widths
                one, many = int(width[0]), int(runs[0])
                if one not in known:
                    _, *three = run_cost(width, bits, written, self.chip)
                    known[one] = (int(three[0][0]), int(three[1][0]), int(three[2][0]))
                taken = [many * each for each in known[one]]
            else:
                _, *three = run_cost(width, bits, written, self.chip, self._scattered(p, block))
                taken = [int(each @ runs) for each in three]
            cycles.append(taken[0])
            words += taken[1]
            state += taken[2]
        return cycles, words, state

    def _scattered(self, p: Projection, block: Block) -> Scattered | None:
        """What runs into a block whose synapses are listed take of state memory; None where they are neighbours."""
        if not isinstance(p, Sparse):
            return None
        cost = scattered(*p.local_targets(self.population, block), self.chip)
        source = self.network[p.source]
        reached = source.indices(p.reach(source, self.population, block))
        return Scattered(cost.words[reached], cost.cycles[reached])

    def _runs(self, k: int, block: Block) -> tuple[Ints, Ints]:
        """Widths of runs into a block, and how many runs of each there are; all samples."""
        p = self.into[k]
        source = self.network[p.source]
        reach = p.reach(source, self.population, block)
        if not source.block_size(reach):
            return NONE, NONE
        fan = p.fan(source, self.population, reach, block)
        # Blocks of the same rows mostly hear the same neurons through the same taps: the sum is made once.
        key = (k, reach, block.r0, block.r1, len(fan.width) > 1)
        if key not in self._sums or not np.array_equal(self._sums[key][0], fan.taps):
            sent = self.packets.grid(p.source, reach)
            # Explicit synapses have a width for each neuron: there a neuron is a channel of one position.
            sent = sent.reshape(-1, fan.positions) if len(fan.width) > 1 else sent.sum(axis=0, keepdims=True)
            runs = sent @ fan.taps if len(fan.taps) > 1 else sent.sum(axis=1) * fan.taps[0]
            self._sums[key] = (fan.taps, np.asarray(runs, np.int64))
        return fan.width, self._sums[key][1]

    def synapses(self) -> int:
        """Synaptic operations, and words written of stationary operands, of the whole layer: as many for any cut, or more."""
        runs = (self._runs(k, self.population.block) for k in range(len(self.into)))
        return sum(int(width @ many) for width, many in runs)

    def fits(self, parts: Parts) -> bool:
        """Whether all blocks fit a core, as far as that does not depend on how their sources are cut."""
        if parts not in self._fits:
            limit = capacity(self.chip)
            whole = {p.source: cut_of([self.network[p.source].block]) for p in self.into}
            blocks = cut(self.population, *parts)
            own = any(p.has_indices or isinstance(p, Stationary) for p in self.into)
            if self.chip.core.axon_sharing == "slice" and not own:
                # What a block asks for depends on its shape alone; with pointers to neurons, on where it lies.
                blocks = list({(b.channels, b.rows): b for b in blocks}.values())
            self._fits[parts] = all(
                demand(self.network, self.population, b, 0, self.chip).fits(limit)
                and axon_entries(self.network, self.population, b, whole, self.chip) <= limit.axons
                for b in blocks
            )
        return self._fits[parts]

    def pointers(self, parts: Parts) -> Ints:
        """(blocks,) axon entries of explicit synapses: one for each source neuron that has any into a block."""
        if parts not in self._pointers:
            blocks = self.cut(parts).cut.blocks
            found = np.zeros(len(blocks), np.int64)
            for p in self.into:
                if p.has_indices:
                    source = self.network[p.source]
                    fans = [p.fan(source, self.population, source.block, b) for b in blocks]
                    found += np.array([int((fan.per_neuron(source.size) > 0).sum()) for fan in fans], np.int64)
            self._pointers[parts] = found
        return self._pointers[parts]

    def candidates(self, most_slices: int, most_blocks: int) -> list[Parts]:
        """Cuts that fit, fewest slices first, then fewest copies of weights; of those with the same largest part the first.

        Of a layer whose cuts have more than `most_blocks` together, numbers of slices that lie further apart.
        """
        pairs = [p for p in smallest_parts(self.population, self.chip.core.neurons) if p[0] * p[1] <= most_slices]
        for apart in APART:
            thinned = _thinned(pairs, apart)
            if sum(c * r for c, r in thinned) <= most_blocks:
                break
        return [parts for parts in thinned if self.fits(parts)]


def _thinned(pairs: list[Parts], apart: float) -> list[Parts]:
    """Return the cuts whose numbers of slices, ascending, are at least so many times the one before."""
    kept: list[Parts] = []
    now = 0
    for c, r in pairs:
        if c * r == now or c * r >= now * apart:
            kept.append((c, r))
            now = c * r
    return kept
