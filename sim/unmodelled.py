"""What fidelity `packet` leaves out of routers that are not full, and how much of a latency that may be.

Routers with stages of one cycle and buffers of a credit's round trip do what `sfnhw.sim.channels` says. Others do less:

- A stage of several cycles takes what waits in batches. A packet waits at each router for up to a cycle less than the stage
  takes, for each stage that is slower than the switch allocation; and where route computation or VC allocation is, virtual
  channels out of step leave a link idle.
- Flits of several packets that come faster than the switch is allocated take turns, where `packet` has packets follow one
  another.
- Buffers of little more than a round trip in all keep a link idle where the virtual channel that is given has no credit and
  another one has; and where a switch allocation of several cycles begins before a credit is there.
- Between barriers packets come in bursts, and a step ends with the last of them. Where a link, or a port, is taken for much of a
  step, packets for other places wait in finite buffers behind those for it, and copies of a packet for one another.

What that may take is part of the way, and parts, which are measured (docs/noc.md), of the time for which links and ports are taken.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping.copies import tree_of
from sfnhw.sim.channels import ChannelTimes, cycles_taken, parts_taken
from sfnhw.sim.counts import Counts, path_packets
from sfnhw.sim.kernel_state import global_steps
from sfnhw.sim.packet_sums import sums_of
from sfnhw.sim.passed import tree_routers
from sfnhw.sim.table_cache import derived
from sfnhw.sim.tables import Tables

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

# Shares of the time for which the fullest links or ports of each layer are taken: batches; turns; buffers; buffers of one flit;
# bursts between barriers, and with so many virtual channels that a link is taken for its flits alone.
OF_BATCHES, OF_TURNS, OF_BUFFERS, OF_SINGLE_PLACES, OF_BURSTS, OF_BURSTS_OF_FLITS = 0.2, 0.5, 0.2, 0.5, 0.15, 0.2
# Buffers, in credits' round trips, that keep no link idle.
ROUND_TRIPS = 2.5
# Beyond so much of its latency an inference is in doubt.
MOST_MISSED = 0.05


class Missed(NamedTuple):
    """What `packet` may miss of a chip's routers.

    Attributes
    ----------
    way : cycles that a packet may wait at each of its routers for a batch; turns : and one of several flits for its turn.
    links : share of the time for which links are taken; turn_links : and of that for which packets of several flits take them.
    """

    way: int
    turns: int
    links: float
    turn_links: float

    @classmethod
    def of(cls, chip: Chip, c: ChannelTimes) -> "Missed":
        """Return that of a chip with these channels."""
        noc, V = chip.noc, chip.noc.virtual_channels
        batches = [max(0, stage - c.moves) for stage in (noc.route_cycles, noc.vc_alloc_cycles)]
        links = OF_BATCHES if any(batches) else 0.0
        trips = c.link.flit / c.parts  # over the places of a virtual channel, where its credits may be waited for
        if trips > c.moves and ((V > 1 and ROUND_TRIPS * trips > V) or c.moves > 1):
            links = max(links, OF_BUFFERS)
        if trips > c.moves and V > 1 and noc.buffer_flits == 1:
            links = OF_SINGLE_PLACES
        if chip.execution.mode == "barrier" and noc.buffer_flits is not None:
            one = c.share * parts_taken(c.link, 1)  # ticks that a packet of one flit takes a link
            links = max(links, OF_BURSTS if one > c.moves * c.ticks else OF_BURSTS_OF_FLITS)
        way = sum(batches) + max(0, noc.switch_cycles - c.moves)
        return cls(way, c.moves - 1, links, OF_TURNS if c.moves > 1 else 0.0)


def missed_share(chip: Chip, tables: Tables, links: float, latency: NDArray[np.int64], T: int) -> Reals:
    """(samples,) share of each latency that `packet` may be too short by.

    links : of `missed_by_links`; latency : (samples,) cycles at fidelity `packet`; T : timesteps.
    """
    f, s = tables.fabric, tables.slices
    missed = Missed.of(chip, f.channels)
    out = np.zeros(len(latency))
    if not any(missed):
        return out
    several, waits = _several(tables), 0.0
    if missed.way or missed.turns:
        far = np.zeros(int(s.depth.max()) + 1)
        np.maximum.at(far, s.depth, derived(tree_routers, tables) * (missed.way + missed.turns * several))
        if f.barrier:
            waits = global_steps(f, T) * far.max()
        else:  # layer by layer, and in each further timestep there and back
            waits = far.sum() + 2 * (T - 1) * far.max()
    return out + waits / np.maximum(1, latency) + links / len(latency) / max(1.0, float(latency.mean()))


def missed_by_links(chip: Chip, tables: Tables, counts: Counts) -> float:
    """Cycles of it, all samples, by which links and ports may be taken longer, one layer after the other."""
    missed, several = Missed.of(chip, tables.fabric.channels), _several(tables)  # what no chip misses is not added up
    links = missed.links * _fullest(tables, counts, np.ones_like(several)).sum() if missed.links else 0.0
    if missed.turn_links:
        links += missed.turn_links * _fullest(tables, counts, several).sum()
    return float(links)


def _several(tables: Tables) -> NDArray[np.bool_]:
    """(slices,) whose packets may have several flits."""
    return (tables.slices.form > 0) | (tables.slices.flits > 1)


class _Taken(NamedTuple):
    """What takes links and ports: (n,) each packet tree's nodes on links, then its exits, then its roots at ports into routers.

    Attributes
    ----------
    node : route node. which : place in `depth`, of the layers of one depth at one link or port.
    slow, share : cycles of a flit and one of `ChannelTimes.shares`. bounds : where exits begin, and roots.
    depth : (places,) of the layers.
    """

    node: Ints
    which: Ints
    slow: Ints
    share: Ints
    bounds: tuple[int, int]
    depth: Ints


def _taken(tables: Tables) -> _Taken:
    n, f, s = tables.nodes, tables.fabric, tables.slices
    link = n.link[: n.packet_nodes]
    over, roots = np.flatnonzero(link >= 0), np.flatnonzero(link < 0)
    leaves = np.repeat(np.arange(n.packet_nodes), np.diff(n.exit_first[: n.packet_nodes + 1]))
    node = np.concatenate([over, leaves, roots])
    ends, at_ports = 4 * f.routers + f.cores + 1, len(node) - len(over)
    exits = 4 * f.routers + n.exits[: len(leaves)].astype(np.int64)
    place = np.concatenate([link[over], exits, ends + s.terminal[n.owner[roots]]])
    size = ends + f.cores + 1
    used, which = np.unique(s.depth[n.owner[node]] * size + place, return_inverse=True)
    return _Taken(
        node=node,
        which=which.reshape(-1),
        slow=np.concatenate([n.flit_cycles[link[over]], np.ones(at_ports, np.int64)]),
        share=np.concatenate([f.channels.shares[n.vc_class[over]], np.full(at_ports, f.channels.share)]),
        bounds=(len(over), len(over) + len(leaves)),
        depth=used // size,
    )


def _fullest(tables: Tables, counts: Counts, slices: NDArray[np.bool_]) -> Reals:
    """(depths,) cycles that the fullest link or port of the layers of each depth is taken, all samples.

    slices : which of them count.
    """
    t, c = derived(_taken, tables), tables.fabric.channels
    counted = slices[tables.nodes.owner[t.node]]
    packets = counts.nodes.packets.total()[t.node] * counted
    flits = packets if counts.nodes.flits is counts.nodes.packets else counts.nodes.flits.total()[t.node] * counted
    taken = np.empty(len(t.node))
    for channel, low, high in zip((c.link, c.exit, c.entry), (0, *t.bounds), (*t.bounds, len(t.node)), strict=True):
        here = slice(low, high)
        taken[here] = cycles_taken(c, channel, flits[here], packets[here], t.slow[here], t.share[here])
    out = np.zeros(int(tables.slices.depth.max()) + 1)
    np.maximum.at(out, t.depth, np.bincount(t.which, taken, len(t.depth)))
    return out


def most_at_a_core(tables: Tables, counts: Counts, sent: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(samples,) packets of each, control packets included, that the core takes in which gets most of them.

    sent : (samples, T, neurons in slice-major order) spikes of each neuron.
    """
    s, n, f = tables.slices, tables.nodes, tables.fabric
    samples, T, neurons = sent.shape
    frames = sent.reshape(samples * T, neurons)
    by_path = path_packets(n, frames) if f.per_neuron else sums_of(s, f, frames).packets[n.owner[n.roots]]
    by_path = by_path.reshape(len(n.roots), samples, T).sum(axis=2)
    node = np.repeat(np.arange(len(n.owner)), np.diff(n.exit_first))
    at_core = np.flatnonzero(n.exits < f.cores)
    node, core = node[at_core], n.exits[at_core]
    # Each inference has the same control packets.
    control = counts.nodes.control.total()[node] // samples
    out = np.zeros((f.cores, samples), np.int64)
    np.add.at(out, core, control[:, None])
    spikes = node < n.packet_nodes
    np.add.at(out, core[spikes], by_path[tree_of(n.link[: n.packet_nodes], n.roots)[node[spikes]]])
    return out.max(axis=0)
