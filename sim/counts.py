"""What happened, in integers: base counts, and the actions that follow from them.

Base counts are made twice, independently: by the packet kernel, event by event, and in closed form here, from the
activity and the fan-out tables. They must be equal (a test holds it for random networks and chips).
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import ACTION_INDEX, CORE_ACTIONS
from sfnhw.chip.sharing import memory_words, unit_update
from sfnhw.lowering import lower, uses_decode_table
from sfnhw.mapping import Mapping, Slice, bias_bits, operand_bits
from sfnhw.mapping.unit_cycles import unit_weights
from sfnhw.network import FUNCTIONS, MaxPool, Stationary
from sfnhw.sim.tables import Tables
from sfnhw.units import bits_for, ceil_div

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """Base counts of a whole run (all samples), by timestep within the sample (last axis, T).

    Attributes
    ----------
    sent, ends, readies, updates : (slices, T) spike packets, end markers, ready tokens, neuron updates.
    spikes : (slices, T) neurons that sent something: a burst counts once.
    row_packets, row_ends, row_synapses, row_words, row_state : (connections, T) look-ups of spike packets and of end
        markers, synaptic operations, weight-memory words read, state-memory words read (as many are written).
    node_packets, node_control : (route nodes, T) spike packets, and control packets of one flit, through a node.
    delivered : (slices, T) spike packets of a slice handed over at their destinations.
    steps : global steps (barrier execution; 0 in dataflow).
    """

    sent: Ints
    ends: Ints
    readies: Ints
    updates: Ints
    spikes: Ints
    row_packets: Ints
    row_ends: Ints
    row_synapses: Ints
    row_words: Ints
    row_state: Ints
    node_packets: Ints
    node_control: Ints
    delivered: Ints
    steps: int

    def equals(self, other: "Counts") -> bool:
        """Whether every count is the same."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


def closed_form(tables: Tables, sent: NDArray[np.uint8]) -> Counts:
    """Base counts of isolated samples from the activity alone.

    sent : (samples, T, neurons in slice-major order) packets.
    """
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    samples, T, _ = sent.shape
    slices, rows = len(s.neurons), len(r.source)
    per_neuron = sent.sum(axis=0, dtype=np.int64)  # (T, neurons)
    packets = np.stack(
        [per_neuron[:, a:b].sum(axis=1) for a, b in zip(s.first_neuron[:-1], s.first_neuron[1:], strict=True)]
    )
    firing = np.count_nonzero(sent, axis=0)  # (T, neurons) samples in which a neuron sends something
    spikes = np.add.reduceat(firing, s.first_neuron[:-1], axis=1).T
    in_window = np.arange(T) % f.window
    frames = np.where(in_window < s.frames[:, None], samples, 0)
    ends = np.zeros_like(frames) if f.barrier else frames
    # A bank is free again after the last timestep of the window.
    readies = np.where((in_window == s.frames[:, None] - 1) & ~s.is_input[:, None], ends, 0)
    row = {k: np.zeros((rows, T), np.int64) for k in ("synapses", "words", "state")}
    for k in range(rows):
        a = r.source[k]
        i = np.arange(s.neurons[a])
        fired = per_neuron[:, s.first_neuron[a] : s.first_neuron[a + 1]]
        run = r.run_first[k] + (i // r.positions[k]) * r.run_stride[k]
        taps = r.taps[r.taps_first[k] + (i % r.positions[k]) * r.taps_stride[k]]
        row["synapses"][k] = fired @ (taps * r.run_synapses[run])
        row["words"][k] = fired @ (taps * r.run_words[run])
        row["state"][k] = fired @ (taps * r.run_state[run])
    is_packet = np.arange(len(n.owner)) < n.packet_nodes
    exits = np.bincount(n.owner, weights=np.diff(n.exit_first) * is_packet, minlength=slices).astype(np.int64)
    node_packets = np.where(is_packet[:, None], packets[n.owner], 0)
    node_control = np.where(is_packet[:, None], ends[n.owner], readies[n.owner])
    # Each sample runs alone: a step for each timestep, and a window for each further layer.
    steps = samples * ((T // f.window - 1) * f.interval + f.last_due + 1) if f.barrier else 0
    return Counts(
        sent=packets,
        ends=ends,
        readies=readies,
        updates=np.where(s.is_input[:, None], 0, frames * s.neurons[:, None]),
        spikes=spikes,
        row_packets=packets[r.source],
        row_ends=ends[r.source],
        row_synapses=row["synapses"],
        row_words=row["words"],
        row_state=row["state"],
        node_packets=node_packets,
        node_control=node_control,
        delivered=packets * exits[:, None],
        steps=steps,
    )


@dataclass(frozen=True, eq=False)
class ActionCounts:
    """Counts of actions, where they happened.

    Attributes
    ----------
    core : (len(CORE_ACTIONS), slices, T) int64; a slice is one population on one core (or at the pins).
    node_flits : (route nodes, T) int64 flits through the router of each route node; nodes with a link also used it.
    io_bits : (slices, T) int64 bits over the pins.
    """

    core: Ints
    node_flits: Ints
    io_bits: Ints


def to_actions(mapping: Mapping, tables: Tables, counts: Counts, samples: int) -> ActionCounts:
    """Expand base counts into the vocabulary of `sfnhw.actions`."""
    network, chip = mapping.network, mapping.chip
    core = np.zeros((len(CORE_ACTIONS), *counts.sent.shape), np.int64)

    def add(action: str, slices: Ints | int, amount: Ints) -> None:
        np.add.at(core[ACTION_INDEX[action]], slices, amount)

    arithmetic = projection_arithmetic(mapping)
    for k in range(len(counts.row_packets)):
        target, how = tables.rows.target[k], arithmetic[tables.rows.projection[k]]
        operations = counts.row_synapses[k]
        add("axon_lookup", target, counts.row_packets[k] + counts.row_ends[k])
        add("decode_read", target, counts.row_packets[k] * how.decodes)
        add("weight_write" if how.written else "weight_read", target, counts.row_words[k])
        add("compare" if how.largest_of else "accumulate", target, operations)
        add("multiply_bit", target, operations * how.multiply_bits)
        add("shift_bit", target, operations * how.shift_bits)
        add("state_read", target, counts.row_state[k])
        add("state_write", target, counts.row_state[k])
    copies, tokens = np.diff(tables.nodes.root_first), np.diff(tables.nodes.ready_root_first)
    frames = counts.updates // np.maximum(1, tables.slices.neurons)[:, None]
    for s in mapping.slices:
        sent, ready = counts.sent[s.index] + counts.ends[s.index], counts.readies[s.index]
        add("packet", s.index, sent + ready)
        add("injection", s.index, sent * copies[s.index] + ready * tokens[s.index])
        population = network[s.population]
        if population.role == "input":
            continue
        updates, times = counts.updates[s.index], frames[s.index]
        words = ceil_div(s.neurons * chip.core.accumulator_bits, chip.core.state_memory.word_bits)
        add("neuron_update", s.index, updates)
        add("spike", s.index, counts.spikes[s.index])
        add("state_read", s.index, times * words)
        add("state_write", s.index, times * words)
        if population.bias is not None:
            first = np.arange(len(times)) % tables.fabric.window == 0  # a bias is added once a window
            words = ceil_div(bias_bits(population, s.block, chip), chip.core.weight_memory.word_bits)
            add("weight_read", s.index, times * first * words)
        if population.function == "max":
            continue
        if population.needs_function_unit:
            add(FUNCTIONS[population.function].action, s.index, updates)
        add("weight_write", s.index, times * cleared_words(mapping, s))
        cost = unit_update(chip.core, population.coding.need())
        add("state_read", s.index, times * memory_words(chip.core, population.coding.need(), s.neurons))
        add("threshold_read", s.index, updates * cost.threshold_reads)
        add("compare", s.index, updates * cost.compares)
        add("encode", s.index, updates * cost.encodes)
        add("requantise", s.index, updates * cost.requantises)
        add("leak", s.index, updates * cost.leaks)
    if counts.steps:
        # Each used core takes part in each step; booked on the core's first slice, in the sample's timesteps evenly.
        _, first = np.unique(mapping.terminals[mapping.terminals != mapping.io], return_index=True)
        on_cores = np.flatnonzero(mapping.terminals != mapping.io)[first]
        core[ACTION_INDEX["barrier"]][on_cores] += _spread(counts.steps, counts.sent.shape[1])
    flits = np.where(
        np.arange(len(tables.nodes.owner)) < tables.nodes.packet_nodes, tables.slices.flits[tables.nodes.owner], 0
    )
    node_flits = counts.node_packets * flits[:, None] + counts.node_control
    return ActionCounts(core, node_flits, _io_bits(mapping, tables, counts))


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
    flits = np.zeros(counts.sent.shape, np.int64)
    roots = np.diff(n.root_first)[:, None]
    flits += np.where(s.is_input[:, None], roots * (counts.sent * s.flits[:, None] + counts.ends), 0)
    for node in leaves_at_pins(tables):
        owner = n.owner[node]
        own = s.flits[owner] if node < n.packet_nodes else 0
        flits[owner] += counts.node_packets[node] * own + counts.node_control[node]
    return flits * mapping.chip.noc.flit_bits


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
    lowered = lower(network, chip.numerics, chip.core.threshold_unit.sharing)
    units = unit_weights(network, chip)
    out = []
    for p, unit in zip(network.projections, units, strict=True):
        words = lowered.populations[p.source].words[1:]
        largest = int(words.max(initial=1))
        bits = largest.bit_length()
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
