"""A mapping as flat arrays: what the simulation kernels read. Kernels know no object, only these tuples."""

from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.mapping import Mapping
from sfnhw.mapping.memory_banks import Scattered
from sfnhw.mapping.packet_choice import formats_of, looks_up_spikes
from sfnhw.mapping.packet_formats import FORMATS, packing
from sfnhw.mapping.unit_cycles import frames_of, run_cost, synapse_bits, unit_weights, update_cycles
from sfnhw.network import Block, Population, Product, Stationary
from sfnhw.sim.channels import ChannelTimes, channels_of, interface_of
from sfnhw.sim.listed_runs import ListedRuns, listed_runs
from sfnhw.sim.parts import PartTable, build_parts
from sfnhw.sim.route_nodes import NodeTable, node_table, tokens_told
from sfnhw.sim.words import Words, narrowed

Ints = NDArray[np.int64]


class SliceTable(NamedTuple):
    """One entry a slice, in slice order."""

    population: Ints
    terminal: Ints
    neurons: Ints
    first_neuron: Ints  # (slices + 1,) into the slice-major order of neurons
    # How spikes are packed (`sfnhw.mapping.packet_formats.Packing`): place in FORMATS; neurons side by side at a position;
    # of them, and positions, in a bundle at most; positions of a row, with which bundles end; bits of a packet, and more for each neuron and each spike; whether a
    # bundle without spikes is sent, too.
    form: Ints
    width: Ints
    part: Ints
    span: Ints
    row: Ints
    fixed_bits: Ints
    neuron_bits: Ints
    spike_bits: Ints
    always: NDArray[np.bool_]
    flits: Ints  # flits of one spike packet (aer), or of a full bundle in which each neuron spikes once
    update_cycles: Ints  # threshold unit: cycles for `lanes` neurons; 0 at the pins
    spike_cycles: Ints  # cycles more where any of them sends something; 0 at the pins
    frames: Ints  # timesteps of each window in which it works: all of them, or the first (inputs and readouts of ttfs)
    depth: Ints  # for barrier execution
    is_input: NDArray[np.bool_]
    is_output: NDArray[np.bool_]


# Columns of `SliceTable` that say how spikes are packed.
PACKING = ("form", "width", "part", "span", "row", "fixed_bits", "neuron_bits", "spike_bits", "always", "flits")

# Columns of `RowTable.costs`.
SYNAPSES, CYCLES, WORDS, STATE = 0, 1, 2, 3


class RowTable(NamedTuple):
    """Connections with what their runs of synapses cost.

    Neuron i of the source slice has ``taps[taps_first + (i % positions)·taps_stride]`` runs, each of which costs
    ``costs[cost_first + runs[run_first + (i // positions)·run_stride]]``.
    """

    source: Words
    target: Words
    projection: Words
    positions: Words
    run_first: Words
    run_stride: Words
    taps_first: Words
    taps_stride: Words
    cost_first: Words
    runs: NDArray[np.uint16] | NDArray[np.int32]  # kinds of runs: runs of equal width are of one kind
    taps: Words  # pool of `sfnhw.mapping.Connections`
    costs: Ints  # (kinds, 4) of one run: synaptic operations, cycles of the lanes, weight words, state words
    alone: NDArray[np.bool_]  # each spike of a packet is looked up by itself
    stationary: NDArray[np.bool_]  # packets are written into weight memory
    streams: NDArray[np.bool_]  # packets wait until the slice's stationary operand is complete


def timed_rows(rows: RowTable, cycles: Ints) -> RowTable:
    """Return the table with other cycles of one run; cycles: (kinds,)."""
    costs = rows.costs.copy()
    costs[:, CYCLES] = cycles
    return rows._replace(costs=costs)


class Fabric(NamedTuple):
    """Numbers of the chip."""

    cores: int
    routers: int
    router_cycles: int
    injection_cycles: int
    ejection_cycles: int
    port_cycles: (
        int  # a packet takes a core's injection port for as long, and its head waits until the last of its flits
    )
    channels: ChannelTimes
    axon_cycles: int
    axon_overlap: bool  # a packet is looked up while the synapses of the one before are worked off
    waits_for_port: bool  # the walk over the neurons goes on when the packets of a spike have left by the port
    per_neuron: bool  # packets go to what their own neuron feeds, not to all that its slice does
    threshold_lanes: int
    banks: int
    io_router: int
    flit_bits: int
    io_flit_cycles_num: int  # cycles a flit takes over the pins = num / den
    io_flit_cycles_den: int
    barrier: bool
    barrier_cycles: int
    interval: int  # global steps between timesteps (barrier)
    window: int  # timesteps that a slice takes in before it works: 1, or T where the time of a spike is its value
    last_due: int  # global step in which the last slice works for the first window (barrier)


class Tables(NamedTuple):
    """Everything the kernels read but the activity."""

    slices: SliceTable
    rows: RowTable
    nodes: NodeTable
    parts: PartTable
    fabric: Fabric
    populations: int


def projection_bits(mapping: Mapping) -> list[int]:
    """Bits read from weight memory for each synapse of each projection."""
    network, chip = mapping.network, mapping.chip
    most = {name: max(s.neurons for s in mapping.slices_of(name)) for name in {p.target for p in network.projections}}
    units = unit_weights(network, chip)
    return [
        synapse_bits(network, p, unit, most[p.target], chip) for p, unit in zip(network.projections, units, strict=True)
    ]


def build_tables(mapping: Mapping, formats: dict[str, str] | None = None) -> Tables:
    """Flatten a mapping.

    formats : population → packet format; None: the chip's, or what `auto` chooses where nothing is known of the activity.
    """
    slices, nodes = _slice_table(mapping, formats or formats_of(mapping, None)), node_table(mapping)
    return Tables(
        slices,
        _row_table(mapping),
        nodes,
        build_parts(mapping, *tokens_told(nodes)),
        fabric_of(mapping, slices),
        len(mapping.network.populations),
    )


def fabric_of(mapping: Mapping, slices: SliceTable) -> Fabric:
    """Return the numbers of a mapping's chip."""
    from sfnhw.mapping import initiation_interval

    chip = mapping.chip
    noc, core = chip.noc, chip.core
    injection, ejection = interface_of(chip)
    return Fabric(
        cores=chip.cores,
        routers=chip.routers,
        router_cycles=noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + noc.switch_cycles,
        injection_cycles=injection,
        ejection_cycles=ejection,
        port_cycles=noc.port_cycles,
        channels=channels_of(chip),
        axon_cycles=core.axon_cycles,
        axon_overlap=core.axon_overlap,
        waits_for_port=core.threshold_unit.waits_for_port,
        per_neuron=noc.destinations == "neuron",
        threshold_lanes=core.threshold_unit.lanes,
        banks=core.state_banks,
        io_router=mapping.io_router,
        flit_bits=noc.flit_bits,
        io_flit_cycles_num=noc.flit_bits,
        io_flit_cycles_den=chip.io.bits_per_cycle,
        barrier=chip.execution.mode == "barrier",
        barrier_cycles=chip.execution.barrier_cycles_of(mapping.routers_used),
        interval=initiation_interval(mapping.network),
        window=mapping.network.window,
        last_due=int((slices.depth * mapping.network.window + slices.frames - 1).max()),
    )


def sent_neurons(mapping: Mapping, activity: Activity) -> NDArray[np.uint8]:
    """(samples, T, neurons in slice-major order) how many packets a neuron sends: a burst has up to 255."""
    network = mapping.network
    upto = np.cumsum([0, *(s.neurons for s in mapping.slices)])
    # Filled in place, so that it is contiguous: the kernel is compiled for that.
    out = np.empty((activity.samples, activity.timesteps, upto[-1]), np.uint8)
    sent = {p.name: activity.sent(network, p.name) for p in network.populations}
    for s, first, last in zip(mapping.slices, upto[:-1], upto[1:], strict=True):
        out[:, :, first:last] = sent[s.population][:, :, _neurons(network[s.population], s.block)]
    return out


def _neurons(population: Population, block: Block) -> slice | Ints:
    """Places of a block's neurons in its population, channel-major; as a slice where they are side by side."""
    width = block.rows * population.columns
    if block.channels > 1 and width < population.positions:
        return population.indices(block)
    start = block.c0 * population.positions + block.r0 * population.columns
    return slice(start, start + block.channels * width)


def packings(mapping: Mapping, formats: dict[str, str], bare: Container[str] = ()) -> dict[str, NDArray[Any]]:
    """Return the columns of the slice table that say how spikes are packed.

    bare : populations whose packets are to be as long as if spikes carried no level.
    """
    laid = [
        packing(mapping.network[s.population], s.block, mapping.chip, formats[s.population], s.population not in bare)
        for s in mapping.slices
    ]
    columns: dict[str, NDArray[Any]] = {
        name: np.array([getattr(one, name) for one in laid], np.int64)
        for name in ("width", "part", "span", "row", "fixed_bits", "neuron_bits", "spike_bits")
    }
    columns["form"] = np.array([FORMATS.index(one.format) for one in laid], np.int64)
    columns["always"] = np.array([one.always for one in laid], np.bool_)
    bits = np.array([one.bits(one.full, one.full) for one in laid], np.int64)
    columns["flits"] = -(-bits // mapping.chip.noc.flit_bits)
    return columns


def _slice_table(mapping: Mapping, formats: dict[str, str]) -> SliceTable:
    network, chip = mapping.network, mapping.chip
    place = {p.name: i for i, p in enumerate(network.populations)}
    slices = mapping.slices
    frames = np.array([frames_of(network, network[s.population]) for s in slices], np.int64)
    cycles = [update_cycles(chip, network[s.population]) for s in slices]
    is_input = np.array([network[s.population].role == "input" for s in slices])
    neurons = np.array([s.neurons for s in slices], np.int64)
    return SliceTable(
        population=np.array([place[s.population] for s in slices], np.int64),
        terminal=mapping.terminals,
        neurons=neurons,
        first_neuron=np.concatenate([[0], np.cumsum(neurons)]).astype(np.int64),
        **packings(mapping, formats),
        update_cycles=np.array(cycles, np.int64),
        spike_cycles=np.where(is_input, 0, chip.core.threshold_unit.spike_cycles).astype(np.int64),
        frames=frames,
        depth=np.array([network.depth[s.population] for s in slices], np.int64),
        is_input=is_input,
        is_output=np.array([network.to_pins(s.population) for s in slices]),
    )


def _row_table(mapping: Mapping) -> RowTable:
    """Count each width of a run once: with what it costs in every kind of projection."""
    c = mapping.connections
    is_stationary = np.array([isinstance(p, Stationary) for p in mapping.network.projections], np.int64)
    kinds, kind = np.unique(
        np.stack([np.array(projection_bits(mapping), np.int64), is_stationary]), axis=1, return_inverse=True
    )
    known = np.bincount(c.width) > 0
    widths = np.flatnonzero(known)
    listed = listed_runs(mapping)
    # Kinds of runs: those of neighbouring synapses, one for each width, and behind them those of listed ones.
    of_runs = np.concatenate([widths, listed.width])
    kind_of_width = (np.cumsum(known) - 1).astype(np.uint16 if len(of_runs) <= 2**16 else np.int32)
    first, stride, runs = _runs(mapping, kind_of_width, listed._replace(kind=listed.kind + len(widths)))
    scattered = Scattered(*(np.concatenate([np.full(len(widths), -1), each]) for each in listed.cost))
    costs = [_run_costs(mapping.chip, of_runs, int(bits), bool(written), scattered) for bits, written in kinds.T]
    return RowTable(
        source=narrowed(c.source, "slices"),
        target=narrowed(c.target, "slices"),
        projection=narrowed(c.projection, "projections"),
        positions=narrowed(c.positions, "positions of a slice"),
        run_first=narrowed(first, "runs of synapses"),
        run_stride=narrowed(stride, "connections of a slice"),
        taps_first=narrowed(c.taps_first, "numbers of runs"),
        taps_stride=narrowed(c.taps_stride, "numbers of runs"),
        cost_first=narrowed(kind.reshape(-1)[c.projection] * len(of_runs), "kinds of runs of synapses"),
        runs=runs,
        taps=c.taps,
        costs=np.concatenate(costs) if costs else np.zeros((0, 4), np.int64),
        alone=np.array([looks_up_spikes(p, mapping.chip) for p in mapping.network.projections], np.bool_)[c.projection],
        stationary=is_stationary.astype(np.bool_)[c.projection],
        streams=np.array([isinstance(p, Product) for p in mapping.network.projections], np.bool_)[c.projection],
    )


def _runs(mapping: Mapping, kind: NDArray[Any], listed: ListedRuns) -> tuple[Ints, Ints, NDArray[Any]]:
    """(first, stride, pool) of the kinds of the rows' runs; kind: of each width of neighbouring synapses.

    What one neuron has at all the slices that it feeds lies side by side: its packets ask for it at about the same time.
    """
    c = mapping.connections
    neurons = np.array([s.neurons for s in mapping.slices], np.int64)
    first, stride = np.zeros(len(c), np.int64), c.width_stride.astype(np.int64)
    alike = np.flatnonzero(stride == 0)
    parts, size = [kind[c.width[c.width_first[alike]]]], len(alike)
    own_kind = listed.first[alike] >= 0  # of one neuron
    parts[0][own_kind] = listed.kind[listed.first[alike[own_kind]]]
    first[alike] = np.arange(len(alike))
    own = np.flatnonzero(stride)
    _, group = np.unique(
        c.source[own].astype(np.int64) * (int(c.positions.max(initial=0)) + 1) + c.positions[own], return_inverse=True
    )
    group = group.reshape(-1)
    order = own[np.argsort(group, kind="stable")]
    for rows in np.split(order, np.cumsum(np.bincount(group))[:-1]) if len(own) else []:
        length = int(neurons[c.source[rows[0]]] // c.positions[rows[0]])
        kinds = kind[c.width[c.width_first[rows] + np.arange(length)[:, None]]]
        own_kind = listed.first[rows] >= 0
        kinds[:, own_kind] = listed.kind[listed.first[rows[own_kind]] + np.arange(length)[:, None]]
        parts.append(kinds.reshape(-1))
        first[rows] = size + np.arange(len(rows))
        stride[rows] = len(rows)
        size += length * len(rows)
    return first, stride, np.concatenate(parts)


def _run_costs(chip: Chip, width: Ints, bits: int, written: bool, scattered: Scattered) -> Ints:
    """(kinds, 4) what one run of so many synapses costs. bits: read from weight memory for each synapse."""
    cost = run_cost(width, bits, written, chip, scattered)
    out = np.zeros((len(width), 4), np.int64)
    for column, values in ((SYNAPSES, cost.synapses), (CYCLES, cost.cycles), (WORDS, cost.words), (STATE, cost.state)):
        out[:, column] = values
    return out
