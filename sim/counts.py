"""What happened, in integers: base counts, and the actions that follow from them.

Base counts are made twice, independently: by the packet kernel, event by event, and in closed form here, from the
activity and the fan-out tables. They must be equal (a test holds it for random networks and chips).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import ACTION_INDEX, CORE_ACTIONS
from sfnhw.chip.sharing import memory_words, unit_update
from sfnhw.lowering import decode_words, uses_decode_table
from sfnhw.mapping import Mapping, Slice, operand_bits
from sfnhw.mapping.copies import tree_of
from sfnhw.mapping.slices import bias_words
from sfnhw.mapping.unit_cycles import unit_weights
from sfnhw.network import FUNCTIONS, MaxPool, Stationary
from sfnhw.sim.by_place import ByPlace, sum_by, sums
from sfnhw.sim.fanout import row_costs, row_feeds
from sfnhw.sim.node_places import node_places, row_places
from sfnhw.sim.packet_sums import sums_of
from sfnhw.sim.route_nodes import NodeTable
from sfnhw.sim.table_cache import derived
from sfnhw.sim.tables import Tables
from sfnhw.units import bits_for, ceil_div

Ints = NDArray[np.int64]


class RowCounts(NamedTuple):
    """(connections, T) arrivals of spike packets, of the spikes in them and of end markers, synaptic operations, weight-memory
    words read, state-memory words read (as many are written)."""

    packets: ByPlace
    spikes: ByPlace
    ends: ByPlace
    synapses: ByPlace
    words: ByPlace
    state: ByPlace


class NodeCounts(NamedTuple):
    """(route nodes, T) spike packets and their flits, and control packets of one flit, through a node."""

    packets: ByPlace
    flits: ByPlace
    control: ByPlace


@dataclass(frozen=True, eq=False)
class Counts:
    """Base counts of a whole run (all samples), by timestep within the sample (last axis, T).

    Attributes
    ----------
    sent, ends, readies, updates : (slices, T) spike packets, end markers, ready tokens, neuron updates.
    sent_spikes, sent_flits : (slices, T) spikes in the packets, a burst counted as long as it is, and flits of the packets.
    spikes : (slices, T) neurons that sent something: a burst counts once.
    rows, nodes : by connection and by route node, as they were tallied; each of them as an int64 array, made when it is
        asked for, is `row_packets` (connections, T), `node_packets` (route nodes, T) and so on.
    delivered : (slices, T) spike packets of a slice handed over at their destinations.
    steps : global steps (barrier execution; 0 in dataflow).
    """

    sent: Ints
    sent_spikes: Ints
    sent_flits: Ints
    ends: Ints
    readies: Ints
    updates: Ints
    spikes: Ints
    rows: RowCounts
    nodes: NodeCounts
    delivered: Ints
    steps: int

    @property
    def row_packets(self) -> Ints:
        """(connections, T) spike packets that arrive."""
        return self.rows.packets.dense()

    @property
    def row_spikes(self) -> Ints:
        """(connections, T) spikes that arrive."""
        return self.rows.spikes.dense()

    @property
    def row_ends(self) -> Ints:
        """(connections, T) end markers that arrive."""
        return self.rows.ends.dense()

    @property
    def row_synapses(self) -> Ints:
        """(connections, T) synaptic operations."""
        return self.rows.synapses.dense()

    @property
    def row_words(self) -> Ints:
        """(connections, T) weight-memory words read."""
        return self.rows.words.dense()

    @property
    def row_state(self) -> Ints:
        """(connections, T) state-memory words read; as many are written."""
        return self.rows.state.dense()

    @property
    def node_packets(self) -> Ints:
        """(route nodes, T) spike packets through a node."""
        return self.nodes.packets.dense()

    @property
    def node_flits(self) -> Ints:
        """(route nodes, T) flits of spike packets through a node."""
        return self.nodes.flits.dense()

    @property
    def node_control(self) -> Ints:
        """(route nodes, T) control packets, of one flit, through a node."""
        return self.nodes.control.dense()

    def equals(self, other: "Counts") -> bool:
        """Whether every count is the same."""
        names = (f.name for f in fields(self) if f.name not in ("rows", "nodes"))
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names) and all(
            np.array_equal(one.dense(), same.dense())
            for one, same in zip((*self.rows, *self.nodes), (*other.rows, *other.nodes), strict=True)
        )


def closed_form(tables: Tables, sent: NDArray[np.uint8]) -> Counts:
    """Base counts of isolated samples from the activity alone.

    sent : (samples, T, neurons in slice-major order) spikes.
    """
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    samples, T, neurons = sent.shape
    slices = len(s.neurons)
    sums = sums_of(s, f, sent.reshape(samples * T, neurons))
    packets, flits, all_spikes = (part.reshape(slices, samples, T).sum(axis=1) for part in sums)
    # Neurons that send something, however much.
    spikes = np.add.reduceat(sent > 0, s.first_neuron[:-1], axis=2, dtype=np.int64).sum(axis=0).T
    per_neuron = sent[0] if samples == 1 else sent.sum(axis=0, dtype=np.int32 if samples < 2**23 else np.int64)
    synapses, words, state = row_costs(s, r, per_neuron)
    own = f.per_neuron
    row_packets = row_feeds(s, r, per_neuron) if own else packets[r.source]
    in_window = np.arange(T) % f.window
    frames = np.where(in_window < s.frames[:, None], samples, 0)
    ends = np.zeros_like(frames) if f.barrier else frames * tables.parts.many[:, None]
    # A bank is free again after the last timestep of the window.
    readies = np.where((in_window == s.frames[:, None] - 1) & ~s.is_input[:, None], ends, 0)
    trees = n.packet_nodes
    # All nodes of a tree pass the same packets: those of its slice, or of the neurons that take its path.
    tree, passed, passed_flits = n.owner[:trees].astype(np.int64), packets, flits
    if own:  # single spikes, of one length
        tree, passed = tree_of(n.link[:trees], n.roots), path_packets(n, per_neuron)
        passed_flits = passed * s.flits[n.owner[n.roots], None]
    control = ByPlace(len(n.owner), T)
    if not f.barrier:
        token = slices + n.owner[trees:].astype(np.int64)
        kind = np.concatenate([n.owner[:trees], token])
        control = ByPlace.alike(len(n.owner), np.concatenate([ends, readies]), kind)
    exits = np.bincount(tree, np.diff(n.exit_first[: trees + 1]), len(passed)).astype(np.int64)
    owner = n.owner[n.roots] if own else np.arange(slices)
    delivered = sum_by(owner, passed * exits[:, None], slices)
    # Each sample runs alone: a step for each timestep, and a window for each further layer.
    steps = samples * ((T // f.window - 1) * f.interval + f.last_due + 1) if f.barrier else 0
    return Counts(
        sent=packets,
        sent_spikes=all_spikes,
        sent_flits=flits,
        ends=ends,
        readies=readies,
        updates=np.where(s.is_input[:, None], 0, frames * s.neurons[:, None]),
        spikes=spikes,
        rows=RowCounts(
            packets=ByPlace.of(row_packets),
            spikes=ByPlace.of(row_packets if own else all_spikes[r.source]),
            ends=ByPlace.of(ends[r.source]),
            synapses=ByPlace.of(synapses),
            words=ByPlace.of(words),
            state=ByPlace.of(state),
        ),
        nodes=NodeCounts(
            ByPlace.alike(len(n.owner), passed, tree), ByPlace.alike(len(n.owner), passed_flits, tree), control
        ),
        delivered=delivered,
        steps=steps,
    )


def path_packets(n: NodeTable, sent: NDArray[np.integer]) -> Ints:
    """(trees, frames) packets that take each of `NodeTable.roots`, where each neuron's take paths of its own.

    sent : (frames, neurons in slice-major order).
    """
    from scipy.sparse import csr_array

    copies, first = n.copies, n.copy_first - n.root_first[-1]
    takes = csr_array((np.ones(len(copies), np.int64), copies, first), (sent.shape[1], len(n.roots)))
    return np.asarray(takes.T @ sent.T.astype(np.int64), np.int64)


@dataclass(frozen=True, eq=False)
class ActionCounts:
    """Counts of actions, where they happened.

    Attributes
    ----------
    core : (len(CORE_ACTIONS), slices, T) int64; a slice is one population on one core (or at the pins).
    flits : (route nodes, T) flits through the router of each route node; nodes with a link also used it. `node_flits` is
        the int64 array, made when it is asked for.
    passed : (places, T) int64, the same added up by `sfnhw.sim.node_places.node_places`; None: it is not yet.
    io_bits : (slices, T) int64 bits over the pins.
    packing_flits : (slices, T) int64 flits of packets of several spikes, packed and unpacked; None where there are none.
    off_chip_bits : (slices, T) int64 bits read from and written to the memory off the chip, where there are rounds.
    """

    core: Ints
    flits: ByPlace
    io_bits: Ints
    packing_flits: Ints | None = None
    off_chip_bits: Ints | None = None
    passed: Ints | None = None

    @property
    def node_flits(self) -> Ints:
        """(route nodes, T) flits through the router of each route node."""
        return self.flits.dense()


def to_actions(mapping: Mapping, tables: Tables, counts: Counts, samples: int) -> ActionCounts:
    """Expand base counts into the vocabulary of `sfnhw.actions`."""
    core = np.zeros((len(CORE_ACTIONS), *counts.sent.shape), np.int64)
    _of_connections(core, mapping, tables, counts)
    _of_slices(core, mapping, tables, counts)
    if counts.steps:
        # Each used core takes part in each step; booked on the core's first slice, in the sample's timesteps evenly.
        _, first = np.unique(mapping.terminals[mapping.terminals != mapping.io], return_index=True)
        on_cores = np.flatnonzero(mapping.terminals != mapping.io)[first]
        core[ACTION_INDEX["barrier"]][on_cores] += _spread(counts.steps, counts.sent.shape[1])
    at, n = derived(node_places, tables), counts.nodes
    packets, control = sums((n.packets, n.control), at.key, len(at.link))
    flits = n.flits.summed(at.key, len(at.link)) if tables.slices.form.any() else packets * at.flits[:, None]
    roots = np.flatnonzero(at.owner >= 0)
    np.add.at(core[ACTION_INDEX["injection"]], at.owner[roots], packets[roots] + control[roots])
    return ActionCounts(
        core=core,
        # Under a barrier there are no control packets.
        flits=n.flits if tables.fabric.barrier else n.flits + n.control,
        io_bits=_io_bits(mapping, tables, counts),
        packing_flits=_packing_flits(tables, counts),
        passed=flits + control,
    )


def _packing_flits(tables: Tables, counts: Counts) -> Ints | None:
    """Flits packed at the slices that send bundles, but for the pins, and unpacked for each slice that they reach."""
    s, r = tables.slices, tables.rows
    if not s.form.any():
        return None
    flits = np.where(s.form[:, None] > 0, counts.sent_flits, 0)
    return np.where(s.is_input[:, None], 0, flits) + sum_by(r.target, flits[r.source], len(flits))


def _of_connections(core: Ints, mapping: Mapping, tables: Tables, counts: Counts) -> None:
    """Add what packets do at the slices that they reach."""
    how = projection_arithmetic(mapping)
    # What comes to a slice through one projection is alike: it is added up first.
    pair, target, projection, alone = derived(row_places, tables)
    packets, spikes, ends, synapses, words, state = sums(counts.rows, pair, len(target))

    def add(action: str, amount: Ints, times: Iterable[int] | None = None) -> None:
        """Book (pairs, T) counts on the target, times a number of each projection."""
        if times is not None:
            factor = np.fromiter(times, np.int64)[projection]
            if not factor.any():
                return
            amount = amount * factor[:, None]
        core[ACTION_INDEX[action]] += sum_by(target, amount, core.shape[1])

    add("axon_lookup", np.where(alone[:, None], spikes, packets) + ends)
    add("decode_read", spikes, (a.decodes for a in how))
    add("weight_write", words, (a.written for a in how))
    add("weight_read", words, (not a.written for a in how))
    add("compare", synapses, (a.largest_of for a in how))
    add("accumulate", synapses, (not a.largest_of for a in how))
    add("multiply_bit", synapses, (a.multiply_bits for a in how))
    add("shift_bit", synapses, (a.shift_bits for a in how))
    add("state_read", state)
    add("state_write", state)


def _of_slices(core: Ints, mapping: Mapping, tables: Tables, counts: Counts) -> None:
    """Add what slices send and update, a population at a time."""
    network, chip = mapping.network, mapping.chip
    state_word = chip.core.state_memory.word_bits
    core[ACTION_INDEX["packet"]] += counts.sent + counts.ends + counts.readies
    frames = counts.updates // np.maximum(1, tables.slices.neurons)[:, None]
    starts = frames * (np.arange(frames.shape[1]) % tables.fabric.window == 0)  # a bias is added once a window
    for population in network.populations:
        if population.role == "input":
            continue
        slices = mapping.slices_of(population.name)
        mine = np.array([s.index for s in slices])
        updates, need = counts.updates[mine], population.coding.need()

        def add(action: str, amount: Ints, mine: Ints = mine) -> None:
            core[ACTION_INDEX[action], mine] += amount

        def words(of: Iterable[int]) -> Ints:
            return np.fromiter(of, np.int64)[:, None]

        parted = [(s.neurons // n, n) for s, n in zip(slices, tables.parts.many[mine].tolist(), strict=True)]
        accumulators = frames[mine] * words(
            n * ceil_div(each * chip.core.accumulator_bits, state_word) for each, n in parted
        )
        add("neuron_update", updates)
        add("spike", counts.spikes[mine])
        add("state_read", accumulators)
        add("state_write", accumulators)
        if population.bias is not None:
            biases = words(bias_words(population, s.block, chip) for s in slices)
            add("weight_read", starts[mine] * biases)
        if population.function == "max":
            continue
        if population.needs_function_unit:
            add(FUNCTIONS[population.function].action, updates)
        add("weight_write", frames[mine] * words(cleared_words(mapping, s) for s in slices))
        cost = unit_update(chip.core, need)
        add("state_read", frames[mine] * words(n * memory_words(chip.core, need, each) for each, n in parted))
        add("threshold_read", updates * cost.threshold_reads)
        add("compare", updates * cost.compares)
        add("encode", updates * cost.encodes)
        add("requantise", updates * cost.requantises)
        add("leak", updates * cost.leaks)


def cleared_words(mapping: Mapping, s: Slice) -> int:
    """Words of weight memory that a slice clears for each frame: its stationary operand, of which zeros are not sent."""
    network, chip = mapping.network, mapping.chip
    words = 0
    for p in network.into(s.population):
        if isinstance(p, Stationary):
            stored = p.stored_weights(network[p.source], network[s.population], s.block)
            words += ceil_div(stored * operand_bits(network, p.source, chip), chip.core.weight_memory.word_bits)
    return words


def _spread(total: int, parts: int) -> Ints:
    """(parts,) integers that add up to `total`, as even as can be."""
    return np.array([(i + 1) * total // parts - i * total // parts for i in range(parts)], np.int64)


def _io_bits(mapping: Mapping, tables: Tables, counts: Counts) -> Ints:
    """Whole flits cross the pins: packets and end markers in, results and theirs out, and ready tokens to the host."""
    s, n = tables.slices, tables.nodes
    roots = n.roots[s.is_input[n.owner[n.roots]]]
    ends = np.concatenate([roots, derived(leaves_at_pins, tables)])
    packets, control = sums((counts.nodes.flits, counts.nodes.control), n.owner[ends], len(s.neurons), ends)
    return (packets + control) * mapping.chip.noc.flit_bits


def leaves_at_pins(tables: Tables) -> Ints:
    """Return the route nodes at which packets leave over the pins, in order."""
    n = tables.nodes
    return np.repeat(np.arange(len(n.owner)), np.diff(n.exit_first))[n.exits == tables.fabric.cores]


@dataclass(frozen=True)
class SynapseArithmetic:
    """What one synaptic operation of a projection takes.

    Attributes
    ----------
    decodes : 1 if each packet's level is looked up in a decode table, else 0.
    multiply_bits : partial products of weight × value: P − 1 for a P-bit value, 0 for unit values or unit weights.
    shift_bits : shifter stages where all values are powers of two.
    largest_of : max pooling: a comparison instead of an addition.
    value_bits : P.
    written : a stationary operand: its packets are decoded and written, and compute nothing.
    """

    decodes: int
    multiply_bits: int
    shift_bits: int
    largest_of: bool
    value_bits: int
    written: bool = False


def projection_arithmetic(mapping: Mapping) -> list[SynapseArithmetic]:
    """How each projection's synapses compute, from the decode words of its source and its lowered weights."""
    network, chip = mapping.network, mapping.chip
    units = unit_weights(network, chip)
    out = []
    for p, unit in zip(network.projections, units, strict=True):
        words = decode_words(network, chip.numerics, p.source)[1:]
        largest = int(words.max(initial=1))
        bits = largest.bit_length()
        if network[p.source].coding.sends_accumulator:
            bits = chip.numerics.accumulator_bits - 1
        if isinstance(p, MaxPool):
            out.append(SynapseArithmetic(0, 0, 0, True, bits))
            continue
        decodes = int(uses_decode_table(network, chip.numerics, p.source))
        if isinstance(p, Stationary):
            out.append(SynapseArithmetic(decodes, 0, 0, False, bits, written=True))
            continue
        power_of_two = len(words) > 1 and bool((words & (words - 1) == 0).all())
        if unit or len(words) <= 1 or network[p.source].coding.burst:
            out.append(SynapseArithmetic(decodes, 0, 0, False, bits))
        elif power_of_two:
            out.append(SynapseArithmetic(decodes, 0, bits_for(bits), False, bits))
        else:
            out.append(SynapseArithmetic(decodes, bits - 1, 0, False, bits))
    return out
