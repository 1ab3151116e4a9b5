"""One pass over an activity: what the closed form's times need of it, whatever the chip's clockwork."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.copies import tree_of
from sfnhw.sim.clockwork import Clockwork
from sfnhw.sim.counts import path_packets
from sfnhw.sim.fanout import class_cycles, fan_runs, row_cycles, row_feeds
from sfnhw.sim.packet_sums import in_walk_order, sums_of
from sfnhw.sim.pins import over_pins
from sfnhw.sim.route_nodes import begins, ranges
from sfnhw.sim.tables import Fabric, RowTable, SliceTable, Tables, timed_rows

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


LINK, PORT, CLASSES = 0, 1, 2


class LinkLoads(NamedTuple):
    """Packets over links, and out of the routers' ports to cores, of all slices of one depth together.

    Attributes
    ----------
    packets, flits : (kinds, T, used links, samples) of packets of one length, or of packets of several spikes, of any length,
        on links where a flit takes as long.
    slow : (kinds,) cycles that a flit holds a link; channel : (kinds,) LINK, PORT to a core, or CLASSES and more: the virtual
        channels of a class on a link, with o1turn.
    owner : (owners,) slices that use any link; link, at : the used links of each, and where those of each begin.
    """

    packets: Reals
    flits: Reals
    slow: Ints
    channel: Ints
    owner: Ints
    link: Ints
    at: Ints


class Ways(NamedTuple):
    """Ways of packets from their roots to where they leave, for each exit of a packet tree.

    Attributes
    ----------
    owner : (exits,) slice; routers, rows, columns : routers passed, links along rows and columns; fixed : cycles of links
        between chips, and of flits that wait there.
    """

    owner: Ints
    routers: Ints
    rows: Ints
    columns: Ints
    fixed: Ints


class Passed(NamedTuple):
    """What an activity makes slices do, on any clock.

    Attributes
    ----------
    frames : (samples · T, neurons in slice-major order) spikes.
    packets, flits : (T, slices, samples) packets of spikes, and their flits.
    paths : (T, trees, samples) packets that each of `NodeTable.roots` takes; copies : (T, slices, samples) of each slice.
    lookups : (rows,) of packets, or of the spikes in them, all timesteps and samples.
    first, last : (T, slices, samples) place, in the walk over its slice, of the neuron that the first packet, and the last, waits
        for; −1: none.
    links, ways : see there.
    """

    frames: NDArray[np.uint8]
    packets: Reals
    flits: Reals
    paths: Reals
    copies: Reals
    lookups: Ints
    first: Ints
    last: Ints
    links: LinkLoads | None
    ways: Ways

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, slices, samples)."""
        return self.packets.shape

    def by_step(self, sums: NDArray[np.generic]) -> Reals:
        """(T, n, samples) of (n, samples · T)."""
        T, _, samples = self.shape
        return np.ascontiguousarray(sums.reshape(len(sums), samples, T).transpose(2, 0, 1), float)


def pass_over(tables: Tables, sent: NDArray[np.uint8]) -> Passed:
    """Look at an activity once; sent is (samples, T, neurons in slice-major order) packets."""
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    samples, T, neurons = sent.shape
    frames = sent.reshape(samples * T, neurons)

    def by_step(sums: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(sums.reshape(len(sums), samples, T).transpose(2, 0, 1))

    sums = sums_of(s, f, frames)
    packets, flits = (by_step(part).astype(float) for part in (sums.packets, sums.flits))
    paths = by_step(path_packets(n, frames)).astype(float) if f.per_neuron else packets[:, n.owner[n.roots]]
    upto = np.concatenate([np.zeros((T, 1, samples)), paths.cumsum(axis=1)], axis=1)
    # What is looked up: spikes one by one, or packets.
    lookups = np.where(r.alone, sums.spikes.sum(axis=1)[r.source], sums.packets.sum(axis=1)[r.source])
    if f.per_neuron:
        lookups = row_feeds(s, r, frames.sum(axis=0, dtype=np.int64)[None])[:, 0]
    first, last = (by_step(place.T).astype(np.int64) for place in places(s, frames))
    return Passed(
        frames=frames,
        packets=packets,
        flits=flits,
        paths=paths,
        copies=upto[:, n.root_first[1:]] - upto[:, n.root_first[:-1]],
        lookups=lookups.astype(np.int64),
        first=first,
        last=last,
        links=_loads(tables, paths, flits),
        ways=_ways(tables, way_flits(s, sums.packets.sum(axis=1), sums.flits.sum(axis=1))),
    )


def tree_routers(tables: Tables) -> Ints:
    """(slices,) routers on the longest way of each slice's packets."""
    ways, out = _ways(tables, tables.slices.flits), np.zeros(len(tables.slices.neurons), np.int64)
    np.maximum.at(out, ways.owner, ways.routers)
    return out


def way_flits(s: SliceTable, packets: Ints | int = 0, flits: Ints | int = 0) -> Ints:
    """(slices,) flits of what goes a slice's ways: those of one address event; of packets of several spikes the mean of some, to
    the next integer. Without any it is an end marker that does, of one flit: `sfnhw.sim.packet_ends` knows what is longer.
    """
    mean = np.rint(flits / np.maximum(packets, 1))
    return np.where(s.form > 0, np.maximum(mean, 1), s.flits).astype(np.int64)


def places(s: SliceTable, frames: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Two of (frames, slices): place in the walk over its slice of the neuron that the first packet, and the last, waits for.

    Both are −1 where none is sent.
    """
    frames = in_walk_order(s, frames)
    first, last = (np.full((len(frames), len(s.neurons)), -1, np.int64) for _ in range(2))
    frame, neuron = np.nonzero(frames)
    place = np.searchsorted(s.first_neuron, neuron, "right") - 1
    # The first of each (frame, slice): neurons come in order.
    key = frame * len(s.neurons) + place
    starts = begins(key)
    ends = np.flatnonzero(np.diff(key, append=-1))
    for out, at in ((first, starts), (last, ends)):
        out[frame[at], place[at]] = neuron[at] - s.first_neuron[place[at]]
    bundles = np.flatnonzero(s.form)
    if len(bundles):
        always, ending = s.always[bundles], s.neurons[bundles] - 1
        first[:, bundles] = _bundle_ends(s, bundles, np.where(always, 0, first[:, bundles]))
        last[:, bundles] = _bundle_ends(s, bundles, np.where(always, ending, last[:, bundles]))
    return first, last


def _bundle_ends(s: SliceTable, bundles: Ints, places: Ints) -> Ints:
    """(frames, bundles) last neuron of each one's bundle, which is part of one position, or some whole ones; −1 of −1."""
    width, part, span, row = (column[bundles] for column in (s.width, s.part, s.span, s.row))
    position, channel = np.divmod(places, width)
    last = position // row * row + np.minimum((position % row // span + 1) * span, row) - 1
    last = last * width + np.minimum((channel // part + 1) * part, width) - 1
    return np.where(places < 0, -1, last)


def _loads(tables: Tables, paths: Reals, flits: Reals) -> LinkLoads | None:
    s, n, f = tables.slices, tables.nodes, tables.fabric
    T, _, samples = paths.shape
    inner = np.flatnonzero((n.link >= 0) & (np.arange(len(n.link)) < n.packet_nodes))
    leaves = np.repeat(np.arange(n.packet_nodes), np.diff(n.exit_first[: n.packet_nodes + 1]))
    exits = n.exits[: len(leaves)]
    leaves, exits = leaves[exits < f.cores], exits[exits < f.cores]  # over the pins: `sfnhw.sim.analytic`
    # Links, behind them the ports to cores, and what virtual channels of a class links have; those of a slice follow one another.
    some = inner[n.vc_class[inner] > 0]
    classes, ports_end = n.vc_class[some].astype(np.int64) - 1, 4 * f.routers + f.cores
    place = np.concatenate([n.link[inner], 4 * f.routers + exits, ports_end + classes * 4 * f.routers + n.link[some]])
    each = n.flit_cycles[n.link[np.concatenate([inner, some])]]
    slow = np.concatenate([each[: len(inner)], np.ones(len(exits), np.int64), each[len(inner) :]])
    channel = np.concatenate([np.full_like(inner, LINK), np.full_like(leaves, PORT), CLASSES + classes])
    inner = np.concatenate([inner, leaves, some])
    order = np.argsort(n.owner[inner], kind="stable")
    inner, place, slow, channel = inner[order], place[order], slow[order], channel[order]
    if not len(inner):
        return None
    owner, path = n.owner[inner].astype(np.int64), tree_of(n.link, n.roots)[inner]
    length = np.where(s.form[owner] > 0, 0, s.flits[owner])  # 0: any
    kinds, kind = np.unique(np.stack([length, slow, channel]), axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    used, link = np.unique(s.depth[owner] * (ports_end + 8 * f.routers) + place, return_inverse=True)
    shape = (kinds.shape[1], len(used), samples)
    packets = np.zeros((shape[0], T, *shape[1:]))
    cell = ((kind * len(used) + link)[:, None] * samples + np.arange(samples)).reshape(-1)
    for t in range(T):
        packets[:, t] = np.bincount(cell, paths[t, path].reshape(-1), np.prod(shape)).reshape(shape)
    moved = packets * kinds[0][:, None, None, None]
    if not kinds[0].all():
        for t in range(T):
            sums = np.bincount(cell, flits[t, owner].reshape(-1), np.prod(shape)).reshape(shape)
            moved[kinds[0] == 0, t] = sums[kinds[0] == 0]
    owners, links = np.divmod(np.unique(owner * len(used) + link), len(used))
    at = begins(owners)
    return LinkLoads(packets, moved, kinds[1], kinds[2], owners[at], links, at)


def _ways(tables: Tables, flits: Ints) -> Ways:
    """Return them; flits : (slices,) as of `way_flits`."""
    n = tables.nodes
    along = np.stack([n.link >= 0, (n.link >= 0) & (n.link % 4 >= 2)]).astype(np.int64)
    # Links between chips take cycles of their own; those on a chip are told by their direction.
    crossing, flit_cycles = n.crossing[n.link], n.flit_cycles[n.link]
    fixed = np.where(crossing, n.link_cycles[n.link], 0) + flits[n.owner] * (flit_cycles - 1)
    steps = np.stack([np.ones(len(n.link), np.int64), along[0] - along[1], along[1], fixed])
    steps[1:3, crossing] = 0
    parents: NDArray[np.integer] = np.flatnonzero(n.link < 0)
    while len(parents):  # all routers as far from their roots at once
        many = n.child_first[parents + 1] - n.child_first[parents]
        children = n.children[ranges(n.child_first[parents], many)]
        steps[:, children] += np.repeat(steps[:, parents], many, axis=1)
        parents = children
    node = np.repeat(np.arange(n.packet_nodes), np.diff(n.exit_first[: n.packet_nodes + 1]))
    return Ways(n.owner[node].astype(np.int64), *steps[:, node])


def at_port(s: SliceTable, f: Fabric, flits: Ints) -> Reals:
    """(slices,) cycles that one packet of so many flits takes the injection port, or the pins."""
    return np.where(s.is_input, over_pins(f, flits), np.maximum(flits, f.port_cycles)).astype(float)


def ports(tables: Tables, passed: Passed, works: list[Clockwork]) -> list[Reals]:
    """(T, slices, samples) cycles that packets, all copies, take the injection port, or the pins, for each clockwork."""
    s, roots = tables.slices, np.diff(tables.nodes.root_first)
    known: dict[tuple[int, int, int], Reals] = {}
    for w in works:
        f = w.fabric
        key = (f.port_cycles, f.io_flit_cycles_num, f.io_flit_cycles_den)
        if key in known:
            continue
        known[key] = own_ports(passed, s, f, passed.frames, passed.copies, roots)
    return [known[w.fabric.port_cycles, w.fabric.io_flit_cycles_num, w.fabric.io_flit_cycles_den] for w in works]


def own_ports(passed: Passed, s: SliceTable, f: Fabric, frames: NDArray[np.uint8], copies: Reals, roots: Ints) -> Reals:
    """(T, slices, samples) as of `ports`; frames, copies : as of `Passed`, of these slices; roots : (slices,) of each."""
    out = copies * at_port(s, f, s.flits)[:, None]
    bundles = np.flatnonzero(s.form)
    if len(bundles):  # of any length

        def cycles(i: int, flits: Ints) -> Ints:
            return over_pins(f, flits) if s.is_input[i] else np.maximum(flits, f.port_cycles)

        sums = passed.by_step(sums_of(s, f, frames, cycles).flits)
        out[:, bundles] = (sums * roots[:, None])[:, bundles]
    return out


def by_turns(s: SliceTable, port: Reals) -> Reals:
    """(T, slices, samples) cycles until a slice's packets have left, as of `ports`, where those of inputs share the pins.

    They send by turns, so when one is through each other has sent as much as it, or all of its own.
    """
    inputs = np.flatnonzero(s.is_input)
    if len(inputs) < 2:
        return port
    mine = port[:, inputs]
    order = np.argsort(mine, axis=1)
    rising = np.take_along_axis(mine, order, axis=1)
    left = np.arange(len(inputs))[::-1, None]
    out, shared = port.copy(), np.empty_like(mine)
    np.put_along_axis(shared, order, rising.cumsum(axis=1) + left * rising, axis=1)
    out[:, inputs] = shared
    return out


def lane_totals(tables: Tables, passed: Passed, works: list[Clockwork]) -> list[Reals]:
    """(rows,) cycles of the synapse lanes alone, over all timesteps and samples, for each clockwork."""
    r, known = tables.rows, {w.runs.tobytes(): w for w in works}
    sent = passed.frames.sum(axis=0, dtype=np.int64)[None]
    totals: dict[bytes, Reals] = {}
    for key, w in known.items():
        alone = w.fabric._replace(axon_cycles=0)
        totals[key] = row_cycles(tables.slices, timed_rows(r, w.runs), sent, alone)[:, 0]
    return [totals[w.runs.tobytes()] for w in works]


def services(tables: Tables, passed: Passed, works: list[Clockwork]) -> list[Reals]:
    """(T, rows, samples) cycles of synapse lanes and look-ups, for each clockwork.

    A few are added up each by themselves; for more of them packets are sorted by what they cost, once (those of one spike).
    """
    s, r = tables.slices, tables.rows
    keys = [(w.runs.tobytes(), w.fabric.axon_cycles, w.fabric.axon_overlap) for w in works]
    known = dict.fromkeys(keys)
    some: dict[tuple[bytes, int, bool], Reals] = {}
    together = np.flatnonzero((s.form[r.source] > 0) & ~r.alone)
    if len(known) <= 2 or len(together):
        for key in known:
            w = works[keys.index(key)]
            some[key] = own_services(passed, s, timed_rows(r, w.runs), passed.frames, passed.packets, w.fabric)
        return [some[key] for key in keys]
    runs = fan_runs(s, r, passed.frames)
    for key in known:
        w = works[keys.index(key)]
        out = np.zeros((len(r.source), len(passed.frames)))
        for fan in runs:
            out[fan.rows] = fan.packets @ class_cycles(fan, w.runs, w.fabric)
        some[key] = passed.by_step(out)
    return [some[key] for key in keys]


def own_services(
    passed: Passed, s: SliceTable, r: RowTable, frames: NDArray[np.uint8], packets: Reals, f: Fabric
) -> Reals:
    """(T, rows, samples) cycles of lanes and look-ups; frames, packets : as of `Passed`, of these slices."""
    service = passed.by_step(row_cycles(s, r, frames, f))
    together = np.flatnonzero((s.form[r.source] > 0) & ~r.alone)
    if len(together):  # one look-up for all spikes of a packet
        lanes = row_cycles(s, r, frames, f._replace(axon_cycles=0))[together]
        both = np.maximum if f.axon_overlap else np.add
        service[:, together] = both(passed.by_step(lanes), f.axon_cycles * packets[:, r.source[together]])
    return service


def spiking_groups(s: SliceTable, frames: NDArray[np.uint8], lanes: int) -> Ints:
    """(slices, frames) groups of `lanes` neurons, in the walk over a slice, in which any sends something."""
    fired, upto = _fired(s, frames, lanes)
    return np.add.reduceat(fired, upto, axis=1, dtype=np.int64).T


def first_groups(s: SliceTable, frames: NDArray[np.uint8], lanes: int) -> Ints:
    """(slices, frames) the same of those that the first packet waits for; where there is none it means nothing."""
    fired, upto = _fired(s, frames, lanes)
    total = fired.cumsum(axis=1, dtype=np.int64)
    to = upto + np.maximum(places(s, frames)[0], 0) // lanes
    return (np.take_along_axis(total, to, axis=1) - total[:, upto] + fired[:, upto]).T


def _fired(s: SliceTable, frames: NDArray[np.uint8], lanes: int) -> tuple[NDArray[np.bool_], Ints]:
    """(frames, groups of all slices) whether any of a group sends something, and (slices,) where the groups of each begin."""
    frames = in_walk_order(s, frames)
    groups = -(-s.neurons // lanes)
    starts = np.repeat(s.first_neuron[:-1], groups) + lanes * ranges(np.zeros_like(groups), groups)
    return np.logical_or.reduceat(frames > 0, starts, axis=1), np.cumsum(groups) - groups
