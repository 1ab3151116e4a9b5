"""A mapping as flat arrays: what the simulation kernels read. Kernels know no object, only these tuples."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.mapping import Mapping, traffic
from sfnhw.mapping.unit_cycles import frames_of, run_cost, synapse_bits, unit_weights, update_cycles
from sfnhw.network import Product, Stationary
from sfnhw.units import ceil_div

Ints = NDArray[np.int64]

# Cycles from the end of the injection queue to the first router, and from the last router to the core. Together they
# are the "3" of T0 = H·(RC+VA+SA+ST) + (H−1)·L + 3 + (flits − 1) for a network interface of three cycles.
EJECTION_CYCLES = 1


class SliceTable(NamedTuple):
    """One entry a slice, in slice order."""

    population: Ints
    terminal: Ints
    neurons: Ints
    first_neuron: Ints  # (slices + 1,) into the slice-major order of neurons
    flits: Ints  # flits of one spike packet
    update_cycles: Ints  # threshold unit: cycles for `lanes` neurons; 0 at the pins
    spike_cycles: Ints  # cycles more where any of them sends something; 0 at the pins
    frames: Ints  # timesteps of each window in which it works: all of them, or the first (inputs and readouts of ttfs)
    inputs: Ints  # end markers to wait for in each window: one for each connection and timestep of its source
    operands: Ints  # those of them that bring the stationary operand of a product: streams wait for them
    consumers: Ints  # target slices: ready tokens to wait for
    depth: Ints  # for barrier execution
    is_input: NDArray[np.bool_]
    is_output: NDArray[np.bool_]


class RowTable(NamedTuple):
    """Connections with what one run of synapses costs; pools as in `sfnhw.mapping.Connections`."""

    source: Ints
    target: Ints
    projection: Ints
    positions: Ints
    run_first: Ints
    run_stride: Ints
    taps_first: Ints
    taps_stride: Ints
    run_synapses: Ints
    run_cycles: Ints
    run_words: Ints
    run_state: Ints
    taps: Ints
    stationary: NDArray[np.bool_]  # packets are written into weight memory
    streams: NDArray[np.bool_]  # packets wait until the slice's stationary operand is complete


class NodeTable(NamedTuple):
    """Route nodes: the trees of the slices' packets, then those of the ready tokens."""

    owner: Ints
    router: Ints
    link: Ints
    link_cycles: Ints  # of the link into the node; 0 at a root
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


class Fabric(NamedTuple):
    """Numbers of the chip."""

    cores: int
    routers: int
    router_cycles: int
    link_cycles: int
    vertical_link_cycles: int
    injection_cycles: int
    ejection_cycles: int
    virtual_channels: int
    port_cycles: (
        int  # a packet takes a core's injection port for as long, and its head waits until the last of its flits
    )
    hold_cycles: int  # an input VC holds one packet this long: RC + VA + SA
    axon_cycles: int
    threshold_lanes: int
    banks: int
    io_router: int
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
    fabric: Fabric
    order: Ints  # (neurons,) population-major index of each slice-major neuron, within its population
    populations: int


def packet_flits(mapping: Mapping, index: int) -> int:
    """Flits of one spike packet of a slice: route key, index within the slice, payload, in whole flits."""
    chip = mapping.chip
    return ceil_div(sum(packet_bits(mapping, index)), chip.noc.flit_bits)


def packet_bits(mapping: Mapping, index: int) -> tuple[int, int, int]:
    """(header, index, payload) bits of one spike packet of a slice."""
    return traffic.packet_bits(mapping.network, mapping.slices[index], mapping.chip)


def projection_bits(mapping: Mapping) -> list[int]:
    """Bits read from weight memory for each synapse of each projection."""
    network, chip = mapping.network, mapping.chip
    most = {name: max(s.neurons for s in mapping.slices_of(name)) for name in {p.target for p in network.projections}}
    units = unit_weights(network, chip)
    return [
        synapse_bits(network, p, unit, most[p.target], chip) for p, unit in zip(network.projections, units, strict=True)
    ]


def build_tables(mapping: Mapping) -> Tables:
    """Flatten a mapping."""
    from sfnhw.mapping import initiation_interval

    chip = mapping.chip
    noc, core = chip.noc, chip.core
    slices = _slice_table(mapping)
    fabric = Fabric(
        cores=chip.cores,
        routers=chip.routers,
        router_cycles=noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + noc.switch_cycles,
        link_cycles=noc.link_cycles,
        vertical_link_cycles=_vertical(chip),
        injection_cycles=max(0, noc.interface_cycles - EJECTION_CYCLES),
        ejection_cycles=min(noc.interface_cycles, EJECTION_CYCLES),
        virtual_channels=noc.virtual_channels,
        port_cycles=noc.port_cycles,
        hold_cycles=max(1, noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles),
        axon_cycles=core.axon_cycles,
        threshold_lanes=core.threshold_unit.lanes,
        banks=core.state_banks,
        io_router=mapping.io_router,
        io_flit_cycles_num=noc.flit_bits,
        io_flit_cycles_den=chip.io.bits_per_cycle,
        barrier=chip.execution.mode == "barrier",
        barrier_cycles=chip.execution.barrier_cycles_of(mapping.routers_used),
        interval=initiation_interval(mapping.network),
        window=mapping.network.window,
        last_due=int((slices.depth * mapping.network.window + slices.frames - 1).max()),
    )
    return Tables(
        slices,
        _row_table(mapping),
        _node_table(mapping),
        fabric,
        _order(mapping),
        len(mapping.network.populations),
    )


def _vertical(chip: Chip) -> int:
    own: int | None = chip.noc.vertical_link_cycles
    return int(chip.noc.link_cycles) if own is None else own


def _order(mapping: Mapping) -> Ints:
    return np.concatenate([mapping.network[s.population].indices(s.block) for s in mapping.slices])


def sent_neurons(mapping: Mapping, activity: Activity) -> NDArray[np.uint8]:
    """(samples, T, neurons in slice-major order) how many packets a neuron sends: a burst has up to 255."""
    sent = {p.name: activity.sent(mapping.network, p.name) for p in mapping.network.populations}
    parts = [sent[s.population][:, :, mapping.network[s.population].indices(s.block)] for s in mapping.slices]
    return np.concatenate(parts, axis=2)


def _slice_table(mapping: Mapping) -> SliceTable:
    network, chip = mapping.network, mapping.chip
    place = {p.name: i for i, p in enumerate(network.populations)}
    slices = mapping.slices
    connections = mapping.connections
    frames = np.array([frames_of(network, network[s.population]) for s in slices], np.int64)
    pairs = np.unique(np.stack([connections.source, connections.target]), axis=1)
    cycles = [update_cycles(chip, network[s.population]) for s in slices]
    is_input = np.array([network[s.population].role == "input" for s in slices])
    operands = np.array([isinstance(p, Stationary) for p in network.projections])[connections.projection]
    neurons = np.array([s.neurons for s in slices], np.int64)
    return SliceTable(
        population=np.array([place[s.population] for s in slices], np.int64),
        terminal=mapping.terminals,
        neurons=neurons,
        first_neuron=np.concatenate([[0], np.cumsum(neurons)]).astype(np.int64),
        flits=np.array([packet_flits(mapping, s.index) for s in slices], np.int64),
        update_cycles=np.array(cycles, np.int64),
        spike_cycles=np.where(is_input, 0, chip.core.threshold_unit.spike_cycles).astype(np.int64),
        frames=frames,
        inputs=np.bincount(connections.target, weights=frames[connections.source], minlength=len(slices)).astype(
            np.int64
        ),
        operands=np.bincount(connections.target, weights=operands, minlength=len(slices)).astype(np.int64),
        consumers=np.bincount(pairs[0], minlength=len(slices)).astype(np.int64),
        depth=np.array([network.depth[s.population] for s in slices], np.int64),
        is_input=is_input,
        is_output=np.array([network[s.population].role == "output" for s in slices]),
    )


def _row_table(mapping: Mapping) -> RowTable:
    """Expand each width pool entry to what a run of that width costs, once for each (pool entry, projection width)."""
    c = mapping.connections
    bits = projection_bits(mapping)
    kinds = [type(p) for p in mapping.network.projections]
    stationary = np.array([kind is Stationary for kind in kinds])[c.projection]
    lengths = np.where(c.width_stride > 0, mapping_neurons(mapping)[c.source] // np.maximum(c.positions, 1), 1)
    known: dict[tuple[int, int, int, bool], int] = {}
    widths, run_bits, writes, run_first, size = [], [], [], np.zeros(len(c), np.int64), 0
    for row in range(len(c)):
        key = (int(c.width_first[row]), int(lengths[row]), bits[c.projection[row]], bool(stationary[row]))
        if key not in known:
            known[key] = size
            widths.append(c.width[key[0] : key[0] + key[1]].astype(np.int64))
            run_bits.append(np.full(key[1], key[2], np.int64))
            writes.append(np.full(key[1], key[3]))
            size += key[1]
        run_first[row] = known[key]
    width = np.concatenate(widths) if widths else np.zeros(0, np.int64)
    each = np.concatenate(run_bits) if run_bits else np.zeros(0, np.int64)
    write = np.concatenate(writes) if writes else np.zeros(0, np.bool_)
    cost = run_cost(width, each, write, mapping.chip)
    return RowTable(
        source=c.source.astype(np.int64),
        target=c.target.astype(np.int64),
        projection=c.projection.astype(np.int64),
        positions=c.positions.astype(np.int64),
        run_first=run_first,
        run_stride=c.width_stride.astype(np.int64),
        taps_first=c.taps_first.astype(np.int64),
        taps_stride=c.taps_stride.astype(np.int64),
        run_synapses=cost.synapses,
        run_cycles=cost.cycles,
        run_words=cost.words,
        run_state=cost.state,
        taps=c.taps.astype(np.int64),
        stationary=stationary,
        streams=np.array([kind is Product for kind in kinds])[c.projection],
    )


def mapping_neurons(mapping: Mapping) -> Ints:
    """(slices,) neurons of each slice."""
    return np.array([s.neurons for s in mapping.slices], np.int64)


def _node_table(mapping: Mapping) -> NodeTable:
    a, b = mapping.routes, mapping.ready_routes
    shift = len(a)
    for_whom = _exits(mapping)
    link = np.concatenate([a.link, b.link]).astype(np.int64)
    # East and west come before south and north (sfnhw.mapping.routes.STEP).
    cycles = np.where(link % 4 < 2, mapping.chip.noc.link_cycles, _vertical(mapping.chip))
    return NodeTable(
        owner=np.concatenate([a.owner, b.owner]).astype(np.int64),
        router=np.concatenate([a.router, b.router]).astype(np.int64),
        link=link,
        link_cycles=np.where(link >= 0, cycles, 0).astype(np.int64),
        child_first=np.concatenate([a.child_first, b.child_first[1:] + a.child_first[-1]]),
        children=np.concatenate([a.children, b.children + shift]).astype(np.int64),
        exit_first=np.concatenate([a.exit_first, b.exit_first[1:] + a.exit_first[-1]]),
        exits=np.concatenate([a.exits, b.exits]).astype(np.int64),
        row_first=_first(for_whom),
        rows=_flat(for_whom),
        root_first=a.root_first,
        roots=a.roots.astype(np.int64),
        ready_root_first=b.root_first,
        ready_roots=(b.roots + shift).astype(np.int64),
        packet_nodes=shift,
    )


def _exits(mapping: Mapping) -> list[list[int]]:
    """For each exit of each node what its packets are for: connections, or source slices; nothing for results at the pins."""
    c, terminals = mapping.connections, mapping.terminals
    rows_at: dict[tuple[int, int], list[int]] = {}
    sources_at: dict[tuple[int, int], list[int]] = {}
    for row, (source, target) in enumerate(zip(c.source.tolist(), c.target.tolist(), strict=True)):
        rows_at.setdefault((source, int(terminals[target])), []).append(row)
        at = sources_at.setdefault((target, int(terminals[source])), [])
        if source not in at:
            at.append(source)
    for_whom: list[list[int]] = []
    for routes, table in ((mapping.routes, rows_at), (mapping.ready_routes, sources_at)):
        owners = np.repeat(routes.owner, np.diff(routes.exit_first))
        for owner, terminal in zip(owners.tolist(), routes.exits.tolist(), strict=True):
            for_whom.append(table.get((owner, terminal), []))
    return for_whom


def _first(lists: list[list[int]]) -> Ints:
    return np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)


def _flat(lists: list[list[int]]) -> Ints:
    return np.array([v for x in lists for v in x], np.int64)
