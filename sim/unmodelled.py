"""What fidelity `packet` leaves out of routers that are not full, and how much of a latency that may be.

Routers with stages of one cycle and buffers of a credit's round trip do what `sfnhw.sim.channels` says. Others do less:

- A stage of several cycles takes what waits in batches. A packet waits at each router for up to a cycle less than the stage
  takes, for each stage that is slower than the switch allocation; and where route computation or VC allocation is, virtual
  channels out of step leave a link idle.
- Flits of several packets that come faster than the switch is allocated take turns, where `packet` has packets follow one
  another.
- Buffers of little more than a round trip in all keep a link idle where the virtual channel that is given has no credit and
  another one has; and where a switch allocation of several cycles begins before a credit is there.

What that may take is part of the way, and parts, which are measured (docs/noc.md), of the time for which links and ports are taken.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping.copies import tree_of
from sfnhw.sim.channels import ChannelTimes, cycles_taken
from sfnhw.sim.counts import Counts, path_packets
from sfnhw.sim.kernel_state import global_steps
from sfnhw.sim.packet_sums import sums_of
from sfnhw.sim.passed import tree_routers
from sfnhw.sim.tables import Tables

Reals = NDArray[np.float64]

# Shares of the time for which the fullest links or ports of each layer are taken: batches; turns; buffers; buffers of one flit.
OF_BATCHES, OF_TURNS, OF_BUFFERS, OF_SINGLE_PLACES = 0.2, 0.5, 0.2, 0.5
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
        way = sum(batches) + max(0, noc.switch_cycles - c.moves)
        return cls(way, c.moves - 1, links, OF_TURNS if c.moves > 1 else 0.0)


def missed_share(chip: Chip, tables: Tables, counts: Counts, latency: NDArray[np.int64], T: int) -> Reals:
    """(samples,) share of each latency that `packet` may be too short by; latency : (samples,) cycles at fidelity `packet`."""
    f, s = tables.fabric, tables.slices
    missed = Missed.of(chip, f.channels)
    out = np.zeros(len(latency))
    if not any(missed):
        return out
    several = (s.form > 0) | (s.flits > 1)
    far = np.zeros(int(s.depth.max()) + 1)
    np.maximum.at(far, s.depth, tree_routers(tables) * (missed.way + missed.turns * several))
    if f.barrier:
        waits = global_steps(f, T) * far.max()
    else:  # layer by layer, and in each further timestep there and back
        waits = far.sum() + 2 * (T - 1) * far.max()
    links = missed.links * _fullest(tables, counts, np.ones_like(several)).sum()
    if missed.turn_links:
        links += missed.turn_links * _fullest(tables, counts, several).sum()
    return out + waits / np.maximum(1, latency) + links / len(latency) / max(1.0, float(latency.mean()))


def _fullest(tables: Tables, counts: Counts, slices: NDArray[np.bool_]) -> Reals:
    """(depths,) cycles that the fullest link or port of the layers of each depth is taken, all samples.

    slices : which of them count.
    """
    n, f, c, s = tables.nodes, tables.fabric, tables.fabric.channels, tables.slices
    own = np.flatnonzero(slices[n.owner[: n.packet_nodes]])
    flits, packets = counts.nodes.flits.total(), counts.nodes.packets.total()
    over, roots = own[n.link[own] >= 0], own[n.link[own] < 0]
    leaves = np.repeat(np.arange(n.packet_nodes), np.diff(n.exit_first[: n.packet_nodes + 1]))
    exits = np.flatnonzero(slices[n.owner[leaves]])
    leaves = leaves[exits]
    ends = 4 * f.routers + f.cores + 1
    node, place, taken = [], [], []
    for at, which, channel, slow, share in (
        (over, n.link[over], c.link, n.flit_cycles[n.link[over]], c.shares[n.vc_class[over]]),
        (leaves, 4 * f.routers + n.exits[exits], c.exit, 1, c.share),
        (roots, ends + s.terminal[n.owner[roots]], c.entry, 1, c.share),
    ):
        node.append(at)
        place.append(which)
        taken.append(cycles_taken(c, channel, flits[at], packets[at], slow, share))
    depth, out = s.depth[n.owner[np.concatenate(node)]], np.zeros(int(s.depth.max()) + 1)
    size = ends + f.cores + 1
    used, which = np.unique(depth * size + np.concatenate(place), return_inverse=True)
    np.maximum.at(out, used // size, np.bincount(which.reshape(-1), np.concatenate(taken), len(used)))
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
