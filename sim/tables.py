"""A mapping as flat arrays: what the simulation kernels read. Kernels know no object, only these tuples."""

from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.chip.links import between_chips, link_cycles, link_flit_cycles
from sfnhw.mapping import Mapping
from sfnhw.mapping.copies import neuron_copies
from sfnhw.mapping.memory_banks import Scattered
from sfnhw.mapping.packet_choice import formats_of, looks_up_spikes
from sfnhw.mapping.packet_formats import FORMATS, packing
from sfnhw.mapping.unit_cycles import frames_of, run_cost, synapse_bits, unit_weights, update_cycles
from sfnhw.network import Product, Stationary
from sfnhw.sim.channels import Channels, channels_of, interface_of, vc_classes
from sfnhw.sim.listed_runs import ListedRuns, listed_runs
from sfnhw.sim.parts import PartTable, build_parts

Ints = NDArray[np.int64]


class SliceTable(NamedTuple):
    """One entry a slice, in slice order."""

    population: Ints
    terminal: Ints
    neurons: Ints
    first_neuron: Ints  # (slices + 1,) into the slice-major order of neurons
    # How spikes are packed (`sfnhw.mapping.packet_formats.Packing`): place in FORMATS; neurons side by side at a position;
    # of them, and positions, in a bundle at most; bits of a packet, and more for each neuron and each spike; whether a
    # bundle without spikes is sent, too.
    form: Ints
    width: Ints
    part: Ints
    span: Ints
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
PACKING = ("form", "width", "part", "span", "fixed_bits", "neuron_bits", "spike_bits", "always", "flits")

# Columns of `RowTable.costs`.
SYNAPSES, CYCLES, WORDS, STATE = 0, 1, 2, 3


class RowTable(NamedTuple):
    """Connections with what their runs of synapses cost.

    Neuron i of the source slice has ``taps[taps_first + (i % positions)·taps_stride]`` runs, each of which costs
    ``costs[cost_first + runs[run_first + (i // positions)·run_stride]]``.
    """

    source: Ints
    target: Ints
    projection: Ints
    positions: Ints
    run_first: Ints
    run_stride: Ints
    taps_first: Ints
    taps_stride: Ints
    cost_first: Ints
    runs: NDArray[np.uint16] | NDArray[np.int32]  # kinds of runs: runs of equal width are of one kind
    taps: NDArray[np.int32]  # pool of `sfnhw.mapping.Connections`
    costs: Ints  # (kinds, 4) of one run: synaptic operations, cycles of the lanes, weight words, state words
    alone: NDArray[np.bool_]  # each spike of a packet is looked up by itself
    stationary: NDArray[np.bool_]  # packets are written into weight memory
    streams: NDArray[np.bool_]  # packets wait until the slice's stationary operand is complete


def timed_rows(rows: RowTable, cycles: Ints) -> RowTable:
    """Return the table with other cycles of one run; cycles: (kinds,)."""
    costs = rows.costs.copy()
    costs[:, CYCLES] = cycles
    return rows._replace(costs=costs)


class NodeTable(NamedTuple):
    """Route nodes: the trees of the slices' packets, then those of the ready tokens."""

    owner: Ints
    router: Ints
    link: Ints
    link_cycles: Ints  # of the link into the node; 0 at a root
    flit_cycles: Ints  # that a flit holds that link: more than 1 only between chips
    crossing: NDArray[np.bool_]  # that link leads from one chip to another
    child_first: Ints
    children: Ints
    exit_first: Ints
    exits: Ints  # terminals: cores, and at last the pins
    # What a packet that leaves at an exit is for: connections (packet trees), source slices (token trees).
    row_first: Ints  # (exits + 1,)
    rows: Ints
    root_first: Ints
    roots: Ints
    ready_root_first: Ints
    ready_roots: Ints
    packet_nodes: int  # nodes below this index belong to packet trees
    # Where packets go to what their neuron feeds: CSR, paths of each neuron, places among `roots`; else both are empty.
    copy_first: Ints  # (neurons + 1,)
    copies: Ints
    vc_class: Ints  # (nodes,) which virtual channels its tree may take (`sfnhw.sim.channels`)


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
    channels: Channels
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
    slices, nodes = _slice_table(mapping, formats or formats_of(mapping, None)), _node_table(mapping)
    return Tables(
        slices,
        _row_table(mapping),
        nodes,
        build_parts(mapping, *_told(nodes)),
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
        out[:, :, first:last] = sent[s.population][:, :, network[s.population].indices(s.block)]
    return out


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
        for name in ("width", "part", "span", "fixed_bits", "neuron_bits", "spike_bits")
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
        source=c.source.astype(np.int64),
        target=c.target.astype(np.int64),
        projection=c.projection.astype(np.int64),
        positions=c.positions.astype(np.int64),
        run_first=first,
        run_stride=stride,
        taps_first=c.taps_first.astype(np.int64),
        taps_stride=c.taps_stride.astype(np.int64),
        cost_first=kind.reshape(-1)[c.projection] * len(of_runs),
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


def _node_table(mapping: Mapping) -> NodeTable:
    a, b = mapping.routes, mapping.ready_routes
    shift = len(a)
    row_first, rows = _exits(mapping)
    none = np.zeros(0, np.int64)
    copies = neuron_copies(mapping) if mapping.chip.noc.destinations == "neuron" else (none, none)
    link = np.concatenate([a.link, b.link]).astype(np.int64)
    child_first = np.concatenate([a.child_first, b.child_first[1:] + a.child_first[-1]])
    children = np.concatenate([a.children, b.children + shift]).astype(np.int64)
    return NodeTable(
        owner=np.concatenate([a.owner, b.owner]).astype(np.int64),
        router=np.concatenate([a.router, b.router]).astype(np.int64),
        link=link,
        link_cycles=link_cycles(mapping.chip, link),
        flit_cycles=link_flit_cycles(mapping.chip, link),
        crossing=between_chips(mapping.chip, link),
        child_first=child_first,
        children=children,
        exit_first=np.concatenate([a.exit_first, b.exit_first[1:] + a.exit_first[-1]]),
        exits=np.concatenate([a.exits, b.exits]).astype(np.int64),
        row_first=row_first,
        rows=rows,
        root_first=a.root_first,
        roots=a.roots.astype(np.int64),
        ready_root_first=b.root_first,
        ready_roots=(b.roots + shift).astype(np.int64),
        packet_nodes=shift,
        copy_first=copies[0],
        copies=copies[1],
        vc_class=vc_classes(mapping.chip, link, child_first, children),
    )


def _told(nodes: NodeTable) -> tuple[Ints, Ints]:
    """(items of the token trees,) slice that sends the token, and slice that it is for."""
    exits = np.repeat(np.repeat(nodes.owner, np.diff(nodes.exit_first)), np.diff(nodes.row_first))
    first = nodes.row_first[nodes.exit_first[nodes.packet_nodes]]
    return exits[first:], nodes.rows[first:]


def _exits(mapping: Mapping) -> tuple[Ints, Ints]:
    """For each exit of each node what its packets are for, as CSR (first, items): connections, or source slices.

    Nothing is at the pins for results. Items are in ascending order.
    """
    c, terminals, size = mapping.connections, mapping.terminals, mapping.chip.cores + 1
    source, target = c.source.astype(np.int64), c.target.astype(np.int64)
    packets = source * size + terminals[target]
    order = np.argsort(packets, kind="stable")
    # A source is told once by each core, through however many projections it feeds the slice there.
    many = len(terminals)
    tokens, slices = np.divmod(np.unique((target * size + terminals[source]) * many + source), many)
    counts, items = [], []
    for routes, keys, what in (
        (mapping.routes, packets[order], order),
        (mapping.ready_routes, tokens, slices),
    ):
        asked = np.repeat(routes.owner, np.diff(routes.exit_first)).astype(np.int64) * size + routes.exits
        first, last = (np.searchsorted(keys, asked, side) for side in ("left", "right"))
        counts.append(last - first)
        items.append(what[ranges(first, last - first)])
    return np.concatenate([[0], np.cumsum(np.concatenate(counts))]), np.concatenate(items)


def ranges(first: Ints, counts: Ints) -> Ints:
    """Return first[0], first[0] + 1, … (counts[0] of them), then first[1], … as one array."""
    starts = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - starts, counts)
