"""The network of a chip as flat tables: who feeds whom, and how long everything takes.

Ports of a router: 0 east, 1 west, 2 south, 3 north, one for each core of its tile, and the last one for the pins. Channel
router·P + port leads into the input port of that number; channel R·P + router·P + port leads out to a core or the pins.
Virtual channel v of channel c is c·V + v. Only routers that the routes of a mapping pass are there: R of them.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.chip.links import between_chips, link_cycles, link_flit_cycles
from sfnhw.errors import SimulationError
from sfnhw.mapping.packet_formats import bundle_edges, spikes_of_bundles
from sfnhw.sim.channels import parents_of
from sfnhw.sim.kernel_state import WINDOWS_IN_FLIGHT
from sfnhw.sim.noc.config import MASK_BITS, MOST_PLACES
from sfnhw.sim.tables import Tables

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
# Depth of a virtual channel's buffer where `noc.buffer_flits` is left out: that of `sfnhw.sim.noc.NocConfig`, or that of the
# longest packet.
BUFFER_FLITS = 8
LOCAL = 4
UNLIMITED = 1 << 40


class Wires(NamedTuple):
    """A chip's network. R routers of P ports, V virtual channels of B flits."""

    routers: int
    ports: int
    vcs: int
    depth: int
    inputs: int  # R·P·V
    slots: int  # a power of two, above the longest delay of anything on its way
    route: int  # cycles
    vc_alloc: int
    switch_alloc: int
    crossing: int  # of the switch
    inject: int  # cycles from a core to its router's input
    port_cycles: int  # a packet takes a core's injection port so long at least
    pins: int  # channel that the pins send into
    pin_num: int  # cycles of a flit over the pins: num/den
    pin_den: int
    entries: int  # packets that a core's input buffer takes
    entry_back: int  # cycles until the router knows that an entry is free
    channel: Ints  # (R·P,) channel that an output port feeds
    delay: Ints  # (R·P,) cycles from the end of switch allocation to the far end
    num: Longs  # (R·P,) a flit holds the channel num/den cycles
    den: Longs  # (R·P,)
    link: Ints  # (R·P,) link of an output port, −1: to a core or the pins
    back: Ints  # (2·R·P,) cycles that a channel's credits take back
    bit_port: Ints  # (P·V,) port of an input VC of a router
    node_router: Ints  # (nodes,)
    node_class: Ints  # (nodes,) as `NodeTable.vc_class`
    exit_out: Ints  # (exits,) output port, router·P + port
    exit_entry: Ints  # (exits,) the same where it leads to a core whose input buffer is limited, else −1
    exit_owner: Ints  # (exits,) slice
    row_part: Ints  # (connections,) first part of the source
    row_counts: Ints  # (connections,) first of its counts, one for each part of the source
    row_positions: (
        Ints  # (connections,) neurons of one channel of the source, if it has several parts; else as row_columns
    )
    row_columns: Ints  # (connections,) and of one row of it
    parts: int
    counts: int
    frames: int  # that can be in flight at once
    source: Ints  # (cores + 1,) channel that a core or the pins send into, −1: not in use


def build_wires(chip: Chip, tables: Tables, sent: NDArray[np.uint8]) -> Wires:
    """Lay out the network that the routes of a mapping pass.

    sent : (samples, T, neurons in slice-major order) spikes of each neuron, all that are to be simulated.

    Raises
    ------
    SimulationError : a network that the flit kernel does not have, or a packet that forks and is longer than a buffer.
    """
    noc, f, n = chip.noc, tables.fabric, tables.nodes
    P, V = LOCAL + noc.cores_per_router + 1, noc.virtual_channels
    used, longest, B = check_wires(chip, tables, sent)
    R = int(used.sum())
    router = (np.cumsum(used) - 1)[n.router]
    O = R * P  # noqa: E741
    channel = np.arange(O, 2 * O)
    delay = np.full(O, noc.switch_cycles + f.ejection_cycles)
    num, den, link = np.ones(O, np.int64), np.ones(O, np.int64), np.full(O, -1)
    on_core = 1 if noc.credit_cycles is None else noc.credit_cycles
    back = np.full(2 * O, on_core)
    into = np.flatnonzero(n.link >= 0)
    over = n.link[into]
    parent = parents_of(n.child_first, n.children)[into]
    out = router[parent] * P + over % 4
    fed = router[into] * P + (over % 4 ^ 1)
    channel[out], link[out] = fed, over
    delay[out] = noc.switch_cycles + link_cycles(chip, over)
    num[out] = link_flit_cycles(chip, over)
    wire = link_cycles(chip, over)
    back[fed] = wire if noc.credit_cycles is None else np.where(between_chips(chip, over), wire, noc.credit_cycles)
    exit_out = _exit_outs(tables, router, P, noc.cores_per_router)
    at_pins = exit_out[n.exits == f.cores]
    if f.io_flit_cycles_num > f.io_flit_cycles_den:
        num[at_pins], den[at_pins] = f.io_flit_cycles_num, f.io_flit_cycles_den
    back[O:] += 1  # a core's interface passes the flit on first
    source = _sources(tables, router, P, noc.cores_per_router)
    # Behind the flits of one packet of each virtual channel, on a slow channel.
    slowest = int((delay + num * longest * (V + 1)).max()) + noc.switch_alloc_cycles + int(back.max())
    # What finds a stage at work waits for less than its cycles, and behind the switch for what passed it together.
    stages = 2 * noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + f.injection_cycles
    slowest += 2 * noc.switch_cycles
    return Wires(
        routers=R, ports=P, vcs=V, depth=B, inputs=R * P * V,
        slots=1 << (slowest + stages + 2).bit_length(),
        route=noc.route_cycles, vc_alloc=noc.vc_alloc_cycles, switch_alloc=noc.switch_alloc_cycles,
        crossing=noc.switch_cycles,
        inject=f.injection_cycles, port_cycles=f.port_cycles,
        pins=int(source[f.cores]), pin_num=f.io_flit_cycles_num, pin_den=f.io_flit_cycles_den,
        entries=chip.core.input_packets or UNLIMITED, entry_back=1 + on_core,
        channel=channel.astype(np.int32), delay=delay.astype(np.int32), num=num, den=den, link=link.astype(np.int32),
        back=back.astype(np.int32), bit_port=np.repeat(np.arange(P, dtype=np.int32), V),
        node_router=router.astype(np.int32), node_class=n.vc_class.astype(np.int32), exit_out=exit_out.astype(np.int32),
        exit_entry=np.where((n.exits < f.cores) & (chip.core.input_packets is not None), exit_out, -1).astype(np.int32),
        exit_owner=np.repeat(n.owner, np.diff(n.exit_first)).astype(np.int32),
        source=source.astype(np.int32), **_counts(tables),
        frames=WINDOWS_IN_FLIGHT * f.window,
    )  # fmt: skip


def check_wires(chip: Chip, tables: Tables, sent: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], int, int]:
    """(routers,) which are passed, flits of the longest packet, flits of a buffer; arguments and errors as of `build_wires`."""
    noc = chip.noc
    lengths = longest_packets(tables, sent)
    # Left out, it takes a full bundle in which each neuron spikes, whatever spikes: a chip does not depend on that.
    depth = noc.buffer_flits or max(BUFFER_FLITS, int(tables.slices.flits.max(initial=1)))
    used = np.zeros(chip.routers, np.bool_)
    used[tables.nodes.router] = True
    ports = LOCAL + noc.cores_per_router + 1
    bits = ports * noc.virtual_channels
    _check(chip, tables, bits, 2 * int(used.sum()) * bits * depth, depth)
    _check_forks(noc.buffer_flits is not None, tables, lengths, depth)
    return used, int(lengths.max(initial=1)), depth


def _counts(tables: Tables) -> dict[str, Any]:
    """Fields of `Wires` for `sfnhw.sim.flits.counting`."""
    q, source = tables.parts, tables.rows.source
    many, columns = q.many[source], q.columns[source]
    upto = np.cumsum(many)
    return {
        "row_part": q.first[source].astype(np.int32),
        "row_counts": (upto - many).astype(np.int32),
        "row_positions": (many * columns).astype(np.int32),
        "row_columns": columns.astype(np.int32),
        "parts": int(q.first[-1]),
        "counts": int(many.sum()),
    }


def _check(chip: Chip, tables: Tables, bits: int, places: int, depth: int) -> None:
    """Refuse what the flit kernel cannot do, in one sentence."""
    noc = chip.noc
    if bits > MASK_BITS:
        raise SimulationError(
            "fidelity flit keeps the input virtual channels of a router in one word",
            field="noc.virtual_channels",
            found=f"{noc.virtual_channels} on {LOCAL + noc.cores_per_router + 1} ports (4, noc.cores_per_router, the pins)",
            expected=f"{MASK_BITS} at most in all, or another fidelity",
        )
    if noc.switch_alloc_cycles + noc.switch_cycles + noc.interface_cycles == 0:
        raise SimulationError(
            "a flit would leave the network in the cycle in which it asks for the switch",
            field="noc.switch_cycles",
            found=0,
            expected="at least one cycle in switch_alloc_cycles, switch_cycles and interface_cycles for fidelity flit",
        )
    if places > MOST_PLACES:
        raise SimulationError(
            "the buffers of the routers in use take too much memory at fidelity flit",
            field="noc.buffer_flits",
            found=f"{depth}, {places:,} places in all",
            expected=f"{MOST_PLACES:,} places at most",
        )


def longest_packets(tables: Tables, sent: NDArray[np.uint8]) -> Longs:
    """(slices,) flits of the longest packet that each sends, 1 at least; sent : as of `build_wires`."""
    s, f = tables.slices, tables.fabric
    out, frames = s.flits.copy(), sent.reshape(-1, sent.shape[2])
    for i in np.flatnonzero(s.form):
        edges = bundle_edges(int(s.neurons[i]), int(s.width[i]), int(s.part[i]), int(s.span[i]), int(s.row[i]))
        mine = frames[:, s.first_neuron[i] : s.first_neuron[i + 1]]
        most = spikes_of_bundles(mine, int(s.width[i]), edges).max(axis=0)
        goes = (most > 0) | s.always[i]
        bits = s.fixed_bits[i] + np.diff(edges) * s.neuron_bits[i] + most * s.spike_bits[i]
        out[i] = -(-bits[goes].max(initial=1) // f.flit_bits)
    return out


def _check_forks(given: bool, tables: Tables, lengths: Longs, depth: int) -> None:
    """Refuse packets that fork and that a buffer does not take whole."""
    n = tables.nodes
    forks = (np.diff(n.child_first) + np.diff(n.exit_first) > 1) & (np.arange(len(n.owner)) < n.packet_nodes)
    longest = int(lengths[n.owner[forks]].max(initial=1))
    if longest > depth:
        said = "" if given else " (the default)"
        raise SimulationError(
            "a packet that forks must fit into the buffer of a virtual channel, or the network can deadlock",
            field="noc.buffer_flits",
            found=f"{depth}{said}",
            expected=f"at least {longest} flits, those of the longest packet that forks, or noc.cast: unicast",
        )


def _exit_outs(tables: Tables, router: Longs, P: int, cores_per_router: int) -> Longs:
    n, cores = tables.nodes, tables.fabric.cores
    port = np.where(n.exits == cores, LOCAL + cores_per_router, LOCAL + n.exits % cores_per_router)
    return np.repeat(router, np.diff(n.exit_first)) * P + port


def _sources(tables: Tables, router: Longs, P: int, cores_per_router: int) -> Longs:
    n, s, cores = tables.nodes, tables.slices, tables.fabric.cores
    source = np.full(cores + 1, -1, np.int64)
    for first, roots in ((n.root_first, n.roots), (n.ready_root_first, n.ready_roots)):
        terminal = s.terminal[np.repeat(np.arange(len(s.terminal)), np.diff(first))]
        port = np.where(terminal == cores, LOCAL + cores_per_router, LOCAL + terminal % cores_per_router)
        source[terminal] = router[roots] * P + port
    return source
