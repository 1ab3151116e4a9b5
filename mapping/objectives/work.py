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
from sfnhw.mapping.objectives.packets import Packets
from sfnhw.mapping.slices import Slice, bias_bits, capacity, demand
from sfnhw.mapping.slicing import Parts, axon_entries, cut, smallest_parts
from sfnhw.mapping.traffic import packet_bits
from sfnhw.mapping.unit_cycles import frames_of, port_cycles, run_cost, synapse_bits, update_cycles
from sfnhw.network import Block, Network, Population, Stationary
from sfnhw.units import ceil_div

Ints = NDArray[np.int64]

# Candidates of a layer are looked at until they have this many blocks together.
MOST_BLOCKS = 20_000
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
    packets, flits : (blocks,) packets that a block sends, and flits of one.
    port : (blocks,) cycles of these at the injection port, a multicast each.
    update_words, bias_words : words of state memory read in each frame (as many are written), of weight memory in each
        window, of all blocks.
    """

    parts: Parts
    cut: Cut
    synapse: Ints
    words: Ints
    state: Ints
    threshold: Ints
    packets: Ints
    flits: Ints
    port: Ints
    update_words: int
    bias_words: int

    @property
    def slices(self) -> int:
        """Number of blocks."""
        return len(self.cut.blocks)


class LayerWork:
    """The work of one layer, cut by cut and block by block, remembered."""

    def __init__(self, network: Network, population: Population, chip: Chip, packets: Packets, units: list[bool]):
        """Prepare; units : `unit_weights` of the network."""
        self.network, self.population, self.chip, self.packets = network, population, chip, packets
        self.into = network.into(population.name)
        unit_of = {id(p): unit for p, unit in zip(network.projections, units, strict=True)}
        self.units = [unit_of[id(p)] for p in self.into]
        self.update = update_cycles(chip, population)
        self.frames = packets.samples * network.updates * frames_of(network, population)
        self.spike_cycles = 0 if population.role == "input" else chip.core.threshold_unit.spike_cycles
        self._cuts: dict[Parts, CutWork] = {}
        self._sums: dict[tuple[int, Block], tuple[Ints, Ints]] = {}
        self._fits: dict[Parts, bool] = {}

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
        sent = np.array([self.packets.of(p.name, b) for b in blocks], np.int64)
        bits = [
            sum(packet_bits(self.network, Slice(0, p.name, b, n), chip)) for b, n in zip(blocks, sizes, strict=True)
        ]
        flits = np.array([ceil_div(n, chip.noc.flit_bits) for n in bits], np.int64)
        update = [ceil_div(n * core.accumulator_bits, core.state_memory.word_bits) for n in sizes]
        bias = [ceil_div(bias_bits(p, b, chip), core.weight_memory.word_bits) for b in blocks]
        return CutWork(
            parts=parts,
            cut=cut_of(blocks),
            synapse=synapse,
            words=np.array([c[1] for c in costs], np.int64),
            state=np.array([c[2] for c in costs], np.int64),
            threshold=np.array(threshold, np.int64),
            packets=sent,
            flits=flits,
            port=sent * port_cycles(flits, chip, p.role == "input"),
            update_words=sum(update),
            bias_words=sum(bias),
        )

    def _walk(self, block: Block, neurons: int) -> int:
        lanes = self.chip.core.threshold_unit.lanes
        walk = self.frames * ceil_div(neurons, lanes) * self.update
        if self.spike_cycles:
            walk += self.spike_cycles * self.packets.spiking_groups(self.population.name, block, lanes)
        return int(walk)

    def _synapses(self, k: int, blocks: list[Block], most: int) -> tuple[list[int], int, int]:
        """Cycles of each block, words of weight memory and of state memory of all, through projection k."""
        p = self.into[k]
        bits = synapse_bits(self.network, p, self.units[k], most, self.chip)
        written = isinstance(p, Stationary)
        cycles, words, state = [], 0, 0
        for block in blocks:
            width, runs = self._runs(k, block)
            cost = run_cost(width, bits, written, self.chip)
            cycles.append(int(cost.cycles @ runs))
            words += int(cost.words @ runs)
            state += int(cost.state @ runs)
        return cycles, words, state

    def _runs(self, k: int, block: Block) -> tuple[Ints, Ints]:
        """Widths of runs into a block, and how many runs of each there are; all samples."""
        key = (k, block)
        if key not in self._sums:
            p = self.into[k]
            source = self.network[p.source]
            reach = p.reach(source, self.population, block)
            sent = self.packets.grid(p.source, reach)
            if not sent.size:
                return NONE, NONE
            fan = p.fan(source, self.population, reach, block)
            # Explicit synapses have a width for each neuron: there a neuron is a channel of one position.
            sent = sent.reshape(-1, fan.positions) if len(fan.width) > 1 else sent.sum(axis=0, keepdims=True)
            runs = sent @ fan.taps if len(fan.taps) > 1 else sent.sum(axis=1) * fan.taps[0]
            self._sums[key] = (fan.width, np.asarray(runs, np.int64))
        return self._sums[key]

    def synapses(self) -> int:
        """Synaptic operations, and words written of stationary operands, of the whole layer: as many for any cut, or more."""
        runs = (self._runs(k, self.population.block) for k in range(len(self.into)))
        return sum(int(width @ many) for width, many in runs)

    def fits(self, parts: Parts) -> bool:
        """Whether all blocks fit a core, as far as that does not depend on how their sources are cut."""
        if parts not in self._fits:
            limit = capacity(self.chip)
            whole = {p.source: cut_of([self.network[p.source].block]) for p in self.into}
            self._fits[parts] = all(
                demand(self.network, self.population, b, 0, self.chip).fits(limit)
                and axon_entries(self.network, self.population, b, whole, self.chip) <= limit.axons
                for b in cut(self.population, *parts)
            )
        return self._fits[parts]

    def candidates(self, most_slices: int) -> list[Parts]:
        """Cuts that fit, fewest slices first, then fewest copies of weights; of those with the same largest part the first.

        Of a layer with very many, those with the fewest slices.
        """
        found: list[Parts] = []
        blocks = 0
        for parts in smallest_parts(self.population, self.chip.core.neurons):
            slices = parts[0] * parts[1]
            if slices > most_slices or (found and blocks + slices > MOST_BLOCKS):
                break
            if self.fits(parts):
                found.append(parts)
                blocks += slices
        return found
