"""Fidelity `analytic`: the same counts in closed form, and times from a recurrence over slices; no packet is simulated.

For slice j in frame t, with S its synapse work, D its threshold walk and E = max(D, injection, fullest link) its
emission (D + injection where the walk waits for the port; inputs share the pins, by turns; the lanes serve in order of
arrival, and from any arrival on they have that much to do):

    fed_j   = max(over sources i: first arrival of i + S of i and all that arrive later, last arrival,
                  fed_j of the frame before + S of all)
    start_j = max(fed_j, end of its frame t − 1, ready tokens of its consumers for frame t − banks)
    end_j   = start_j + E_j

(at a product fed_j is at least the time at which the stationary operand is complete, plus the stream's S)

Results, end markers and ready tokens for the inputs leave over the pins one after the other in order of arrival
(`sfnhw.sim.pins`). With samples back to back the same goes on over some of them (`sfnhw.sim.following`); results come no faster than
the busiest unit, link or pin works.
Where layers work in windows of W timesteps, `last arrival` and S are those of the whole window of each source, and the
frames of a window follow one another.
Under a barrier a step takes as long as its slowest slice sends, and its slowest core works off; with samples back to back all
layers work in every step, each on what its depth makes it.
Several clockworks of one chip are looked at side by side: their columns stand beside those of the samples.
What it leaves out: queueing of single packets; where sources meet at a link only its total load is seen.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.copies import tree_of
from sfnhw.sim.by_place import sum_by
from sfnhw.sim.channels import cycles_taken, tail_cycles
from sfnhw.sim.clockwork import Clockwork
from sfnhw.sim.following import Following, following
from sfnhw.sim.link_load import taken_by_nodes
from sfnhw.sim.packet_ends import Emitted, sending_of
from sfnhw.sim.packet_sums import sums_of
from sfnhw.sim.part_layers import layers_of
from sfnhw.sim.part_recurrence import by_parts, part_interval, part_stream
from sfnhw.sim.part_work import PartWork, jobs_of
from sfnhw.sim.passed import (
    CLASSES,
    PORT,
    LinkLoads,
    Passed,
    Ways,
    at_port,
    by_turns,
    lane_totals,
    own_ports,
    own_services,
    pass_over,
    places,
    ports,
    services,
    spiking_groups,
    way_flits,
)
from sfnhw.sim.pins import Leaving, cycles_out, leaving_of, over_pins
from sfnhw.sim.recurrence import Times, Work, barrier, barrier_interval, chosen, dataflow, joined, stream
from sfnhw.sim.table_cache import derived
from sfnhw.sim.tables import Fabric, SliceTable, Tables, timed_rows
from sfnhw.sim.timing import Timing, no_faster_than

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

# Entries of the largest array that clockworks share: bounds the memory beside the activity to some hundred MB.
MOST_ENTRIES = 2**23


def analytic_timing(tables: Tables, sent: NDArray[np.uint8], work: Clockwork) -> Timing:
    """Latencies and busy cycles; sent is (samples, T, neurons in slice-major order) packets."""
    return analytic_timings(tables, sent, [work])[0]


def analytic_timings(tables: Tables, sent: NDArray[np.uint8], works: Sequence[Clockwork]) -> list[Timing]:
    """Return the same for each of several clockworks, from one pass over the activity."""
    passed, leaving = pass_over(tables, sent), derived(leaving_of, tables)
    if not tables.fabric.barrier and (tables.parts.many.max() > 1 or tables.parts.marker_delay.any()):
        follow = following(tables, sent) if _streams(tables, passed) else None
        return [_of_parts(tables, passed, w, leaving, follow) for w in works]
    follow = following(tables, sent)
    T, slices, samples = passed.shape
    each = max(1, T * samples * max(slices, len(tables.rows.source), 1))
    step = max(1, MOST_ENTRIES // each)
    out: list[Timing] = []
    for low in range(0, len(works), step):
        some = list(works[low : low + step])
        each_port, each_service = ports(tables, passed, some), services(tables, passed, some)
        parts = [_work(tables, passed, leaving, *one) for one in zip(some, each_service, each_port, strict=True)]
        out += _timings(tables, passed, leaving, some, parts, each_port, follow)
    return out


def _timings(
    tables: Tables,
    passed: Passed,
    leaving: Leaving,
    works: list[Clockwork],
    parts: list[Work],
    each_port: list[Reals],
    follow: Following,
) -> list[Timing]:
    """Times of clockworks side by side, whose numbers of banks are the same; each_port: `ports` of them."""
    samples, through = passed.shape[2], _through_nodes(tables, passed)
    together = joined(parts)
    if tables.fabric.barrier:
        times, steps = barrier(tables, together)
        some = follow.order[: follow.chosen]
        columns = (np.arange(len(works))[:, None] * samples + some).reshape(-1)
        own = barrier_interval(tables, chosen(together, columns), len(some), [step[columns] for step in steps])
        every = own.reshape(len(works), len(some)).mean(axis=1)
    else:
        times = dataflow(tables, together, leaving)
        every = stream(tables, together, leaving, samples, follow)
    out, lanes = [], lane_totals(tables, passed, works)
    for k, (w, part) in enumerate(zip(works, parts, strict=True)):
        mine = slice(k * samples, (k + 1) * samples)
        alone = Times(*(value[..., mine] for value in times))
        taken = _busy(tables, passed, w.fabric, through, leaving, part.until, each_port[k], lanes[k])
        bound = _bound(tables, passed, w.fabric, through, leaving, taken, part.results)
        out.append(_timing(tables, tables.slices.population, alone, max(float(every[k]), bound), taken, follow))
    return out


def _of_parts(tables: Tables, passed: Passed, w: Clockwork, leaving: Leaving, follow: Following | None) -> Timing:
    """The same where slices have parts, or delays: `sfnhw.sim.part_recurrence`; follow : see `_streams`."""
    tables = tables._replace(
        slices=tables.slices._replace(update_cycles=w.update, spike_cycles=w.spike),
        rows=timed_rows(tables.rows, w.runs),
        fabric=w.fabric,
    )
    s, q, f, n = tables.slices, tables.parts, w.fabric, tables.nodes
    (whole_port,) = ports(tables, passed, [w])
    nothing = np.zeros((*passed.shape, 0))  # what lanes do is told by jobs
    whole = _work(tables, passed, leaving, w, nothing, whole_port)
    jobs = jobs_of(tables)
    frames, begins = passed.frames[:, jobs.neurons], jobs.slices.first_neuron[:-1]
    sums, roots = sums_of(jobs.slices, f, frames), np.diff(n.root_first)[q.owner]
    packets, flits = passed.by_step(sums.packets), passed.by_step(sums.flits)
    copies = packets * roots[:, None]
    if f.per_neuron:
        copies = passed.by_step(np.add.reduceat(frames * np.diff(n.copy_first)[jobs.neurons], begins, axis=1).T)
    port = own_ports(passed, jobs.slices, f, frames, copies, roots)
    service = own_services(passed, jobs.slices, jobs.rows, frames, packets, f)
    groups = passed.by_step(spiking_groups(jobs.slices, frames, f.threshold_lanes))
    walk = (-(-jobs.slices.neurons // f.threshold_lanes) * jobs.slices.update_cycles)[:, None] + groups * (
        jobs.slices.spike_cycles[:, None]
    )
    until = walk + np.where(jobs.slices.is_input[:, None], 0.0, port) if f.waits_for_port else walk
    # Where inputs share the pins parts take as many times longer as their slices do.
    port = port * (by_turns(s, whole_port) / np.maximum(whole_port, 1.0))[:, q.owner]
    # A part's share of what its slice's tree is taken by the whole layer.
    beyond = _beyond_port(tables, passed, f)[:, q.owner] / q.many[q.owner][:, None]
    emission = np.maximum(np.maximum(until, port + _behind(tables, f).copies[q.owner][:, None]), beyond)
    leave = leaving.of_parts(q)
    first, last = (passed.by_step(place.T).astype(np.int64) for place in places(jobs.slices, frames))
    emitted = Emitted(packets, flits, first, last, groups, port, emission)
    sending = sending_of(jobs.slices, f, passed, frames, emitted)
    own = PartWork(
        packets=packets,
        service=service,
        emission=emission,
        **sending._asdict(),
        walk=until,
        tree_delay=whole.tree_delay[q.owner, 0],
        way=whole.way[jobs.connection, 0],
        results=_results(jobs.slices, f, leave.outputs, packets[:, leave.outputs], flits[:, leave.outputs]),
        to_pins=np.repeat(whole.to_pins[:, 0], q.many[leaving.outputs]),
        word=float(whole.word[0]),
        gap=whole.gap[q.owner, 0],
        back=whole.back[q.owner, 0],
    )
    layers = layers_of(tables, jobs)
    times = by_parts(tables, jobs, layers, own, leave)
    of_slices = sum_by(q.owner, until.swapaxes(0, 1), len(s.neurons)).swapaxes(0, 1)
    (lanes,) = lane_totals(tables, passed, [w])
    through = _through_nodes(tables, passed)
    taken = _busy(tables, passed, f, through, leaving, of_slices, whole_port, lanes)
    bound = _bound(tables, passed, f, through, leaving, taken, whole.results)
    if follow is None:
        interval = part_interval(tables, jobs, own, times)
        follow = Following(np.arange(passed.shape[2]), 1)
    else:
        interval, follow = part_stream(tables, jobs, layers, own, leave, follow)
    return _timing(tables, jobs.slices.population, times, max(bound, interval), taken, follow)


def _streams(tables: Tables, passed: Passed) -> bool:
    """Whether parts are worked out back to back: samples of one window without delays have a closed form of their own."""
    return passed.shape[0] > tables.fabric.window or bool(tables.parts.marker_delay.any())


def _timing(
    tables: Tables, population: Ints, times: Times, interval: float, taken: "_Taken", follow: Following
) -> Timing:
    """Put it together; population : of each column of the times; follow : samples that the interval is of."""
    samples = len(times.finish)
    layer_start = np.full((tables.populations, samples), np.iinfo(np.int64).max, np.int64)
    layer_end = np.zeros((tables.populations, samples), np.int64)
    begun = np.minimum(times.first, times.start).min(axis=0)
    np.minimum.at(layer_start, population, begun.astype(np.int64))
    np.maximum.at(layer_end, population, np.ceil(np.maximum(times.end.max(axis=0), times.left)).astype(np.int64))
    return Timing(
        latency=np.ceil(times.finish).astype(np.int64),
        occupied=np.ceil(times.occupied).astype(np.int64),
        interval=interval,
        layer_start=np.ascontiguousarray(layer_start.T),
        layer_end=np.ascontiguousarray(layer_end.T),
        busy=taken.busy,
        link_busy=taken.links,
        pins_busy=taken.pins,
        packet_latency=None,
        packet_latency_sum=0,
        packet_latency_max=0,
        streamed=follow.chosen,
        streamed_load=follow.load,
    )


class _Control(NamedTuple):
    """Control packets of a sample over each link of a tree."""

    markers: Ints  # (T, slices) one in each timestep in which a slice works, of each of its parts
    tokens: Ints  # (T, slices) one a window

    @classmethod
    def of(cls, tables: Tables, T: int) -> "_Control":
        """Those of so many timesteps; none under barrier execution."""
        s, f = tables.slices, tables.fabric
        in_window = np.arange(T)[:, None] % f.window
        works = (in_window < s.frames) & (not f.barrier)
        last = works & (in_window == s.frames - 1) & ~s.is_input
        return cls(works * tables.parts.many, last * tables.parts.many)

    def on(self, nodes: NDArray[np.bool_], owner: NDArray[np.integer]) -> Ints:
        """(T, nodes) through route nodes of these owners; nodes: which belong to trees of packets, not of tokens."""
        return np.where(nodes, self.markers[:, owner], self.tokens[:, owner])

    def total(self, nodes: NDArray[np.bool_], owner: NDArray[np.integer]) -> Ints:
        """(nodes,) the same over all timesteps."""
        return np.where(nodes, self.markers.sum(axis=0)[owner], self.tokens.sum(axis=0)[owner])


def _results(s: SliceTable, f: Fabric, o: Ints, packets: Reals, flits: Reals) -> Reals:
    """(T, results, samples) cycles that packets of slices (or parts) o take the pins' output port.

    Packets of one length take whole cycles each; those of several spikes follow one another without a gap.
    """
    c, several = f.channels, (s.form[o] > 0)[:, None]
    flits = np.where(several, flits, packets * s.flits[o][:, None])
    each = max(1.0, f.io_flit_cycles_num / f.io_flit_cycles_den)
    own = np.where(several, flits * each, packets * over_pins(f, s.flits[o])[:, None])
    return np.maximum(own, cycles_taken(c, c.exit, flits, packets, 1, c.share))


def _word(f: Fabric) -> float:
    """Cycles that a control packet takes the pins' output port."""
    c, one = f.channels, np.ones(1, np.int64)
    return float(np.maximum(over_pins(f, one), cycles_taken(c, c.exit, one, one, 1, c.share))[0])


def _work(tables: Tables, passed: Passed, leaving: Leaving, w: Clockwork, service: Reals, port: Reals) -> Work:
    """Cycles of everything on one clock; service: (T, rows, samples) of lanes and look-ups; port: as of `ports`."""
    s, f = tables.slices, w.fabric
    samples = passed.shape[2]
    groups = -(-s.neurons // f.threshold_lanes)
    walk = np.broadcast_to((groups * w.update).astype(float)[:, None], passed.shape).copy()
    fired = np.zeros((1, 1, 1))
    if w.spike.any():
        fired = passed.by_step(spiking_groups(s, passed.frames, f.threshold_lanes))
        walk += w.spike[:, None] * fired
    # Where the walk waits for the port it takes the time of both.
    until = walk + np.where(s.is_input[:, None], 0.0, port) if f.waits_for_port else walk
    more, o = _behind(tables, f), leaving.outputs
    packets = passed.paths[:, leaving.tree] if f.per_neuron else passed.packets[:, o]
    results = _results(s, f, o, packets, passed.flits[:, o])
    beyond = _beyond_port(tables, passed, f)
    if f.barrier:  # a step ends when all results are out
        beyond[:, leaving.outputs] = np.maximum(beyond[:, leaving.outputs], results.sum(axis=1)[:, None])
    emission = np.maximum(np.maximum(until, by_turns(s, port) + more.copies[:, None]), beyond)
    timed = s._replace(update_cycles=w.update, spike_cycles=w.spike)
    emitted = Emitted(passed.packets, passed.flits, passed.first, passed.last, fired, port, emission)
    sending = sending_of(timed, f, passed, passed.frames, emitted)
    tree, way, to_pins = _ways(tables, passed.ways, w)

    def columns(values: Reals) -> Reals:
        return np.repeat(values[:, None], samples, axis=1)

    return Work(
        packets=passed.packets,
        service=service,
        emission=emission,
        until=until,
        **sending._asdict(),
        tree_delay=columns(tree),
        way=columns(way),
        results=results,
        gap=columns(more.gap),
        back=columns(tree - more.entry),
        to_pins=columns(to_pins),
        word=np.full(samples, _word(f)),
        axon=np.full(samples, float(f.axon_cycles)),
        own_axon=np.full(samples, 0.0 if f.axon_overlap else float(f.axon_cycles)),
        synchronise=np.full(samples, float(f.barrier_cycles)),
    )


def _beyond_port(tables: Tables, passed: Passed, f: Fabric) -> Reals:
    """(T, slices, samples) cycles that the fullest link, or port to a core, of a slice's tree is taken by its layer."""
    links, out = passed.links, by_turns(tables.slices, _into_routers(tables, passed, f))
    if links is None:
        return out
    load = np.zeros(links.packets.shape[1:])
    for taken in _taken(links, f):
        load += taken
    fullest = np.maximum.reduceat(load[:, links.link], links.at, axis=1)
    out[:, links.owner] = np.maximum(out[:, links.owner], fullest)
    return out


def _into_routers(tables: Tables, passed: Passed, f: Fabric) -> Reals:
    """(T, slices, samples) cycles that the routers take for what slices send, all copies: less than ports, or more."""
    s, c = tables.slices, f.channels
    one_length = passed.copies * s.flits[:, None]
    several = passed.flits * np.diff(tables.nodes.root_first)[:, None]
    return cycles_taken(c, c.entry, np.where(s.form[:, None] > 0, several, one_length), passed.copies, 1, c.share)


def _taken(links: LinkLoads, f: Fabric) -> list[Reals]:
    """(T, used links, samples) cycles that packets of each kind take their channels."""
    c, out = f.channels, []
    for slow, channel, packets, flits in zip(links.slow, links.channel, links.packets, links.flits, strict=True):
        share = c.shares[channel - CLASSES + 1] if channel >= CLASSES else c.share
        out.append(cycles_taken(c, c.exit if channel == PORT else c.link, flits, packets, slow, share))
    return out


def _ways(tables: Tables, ways: Ways, w: Clockwork) -> tuple[Reals, Reals, Reals]:
    """Unloaded times: (slices,) to the farthest destination, (rows,) from source to target slice, (results,) to the pins.

    Where packets are of any length they are of an end marker: `sfnhw.sim.packet_ends` has what is more.
    The last is of a packet of one flit, to the pins' output port, in the order of `Leaving.outputs`. Narrow pins add what they take
    beyond a cycle a flit: of a packet on the way in, of the end marker on the way out (to the farthest destination); a slow
    port likewise.
    """
    s, r, n, f = tables.slices, tables.rows, tables.nodes, w.fabric
    length = way_flits(s)
    entry = at_port(s, f, length) - length
    leave = 0.0 if f.barrier else float(over_pins(f, np.ones(1, np.int64))[0] - 1)
    through = ways.routers * f.router_cycles + ways.rows * w.link + ways.columns * w.vertical + ways.fixed
    tails = np.array([tail_cycles(flits, f.channels.moves, f.channels.crossing) for flits in length.tolist()], np.int64)
    bare = entry[ways.owner] + through + f.injection_cycles + f.ejection_cycles
    alone = bare + tails[ways.owner]
    exits = int(n.exit_first[n.packet_nodes])
    at_pins = n.exits[:exits] == f.cores
    tree = np.zeros(len(s.neurons))
    np.maximum.at(tree, ways.owner, alone + leave * at_pins)
    way = np.zeros(len(r.source))
    way[n.rows[: n.row_first[exits]]] = np.repeat(alone, np.diff(n.row_first[: exits + 1]))
    return tree, way, bare[at_pins]


class _Through(NamedTuple):
    """(nodes,) flits of packets, packets, and control packets of one flit, through each route node, over all samples."""

    flits: Reals
    packets: Reals
    control: Ints


def _through_nodes(tables: Tables, passed: Passed) -> _Through:
    """Return them."""
    s, n = tables.slices, tables.nodes
    T, _, samples = passed.shape
    control, is_packet = _Control.of(tables, T), np.arange(len(n.owner)) < n.packet_nodes
    by_path, sums = passed.paths.sum(axis=(0, 2)), passed.flits.sum(axis=(0, 2))
    packets = np.where(is_packet, by_path[tree_of(n.link, n.roots)], 0.0) if len(by_path) else np.zeros(len(n.owner))
    flits = np.where((s.form[n.owner] > 0) & is_packet, sums[n.owner], packets * s.flits[n.owner])
    return _Through(flits, packets, samples * control.total(is_packet, n.owner))


class _Taken(NamedTuple):
    """Busy cycles over all samples, as of `Timing`."""

    busy: Ints
    links: Ints
    pins: int


def _busy(
    tables: Tables,
    passed: Passed,
    f: Fabric,
    through: _Through,
    leaving: Leaving,
    until: Reals,
    port: Reals,
    lanes: Reals,
) -> _Taken:
    """Busy cycles of units, links and pins over all samples, as `packet` counts them.

    until : as of `Work`; port : as of `ports`; lanes : (rows,) of the synapse lanes.
    """
    s, r, n = tables.slices, tables.rows, tables.nodes
    T, _, samples = passed.shape
    works = np.arange(T)[:, None] % f.window < s.frames  # (T, slices)
    control = _Control.of(tables, T)
    markers, tokens = samples * control.markers.sum(axis=0), samples * control.tokens.sum(axis=0)
    marker = at_port(s, f, np.ones_like(s.flits))
    token = np.diff(n.ready_root_first) * f.port_cycles
    looked_up = passed.lookups + markers[r.source]
    injected = port.sum(axis=(0, 2)) + markers * marker * np.diff(n.root_first) + tokens * token
    walked = (until.sum(axis=2) * works).sum(axis=0)
    at = s.terminal[r.target]
    columns = (
        (at, f.axon_cycles * looked_up),
        (at, lanes),
        (s.terminal, walked),
        (s.terminal, injected),
    )
    busy = np.stack([np.bincount(place, cycles, f.cores + 1) for place, cycles in columns], axis=1)
    over = np.flatnonzero(n.link >= 0)
    flits = (through.flits + through.control)[over]
    link = np.bincount(n.link[over], flits * n.flit_cycles[n.link[over]], 4 * f.routers)
    owner, leave = n.owner[leaving.nodes], (through.packets, through.flits, through.control)
    out = (np.bincount(owner, part[leaving.nodes], len(s.neurons)).astype(np.int64) for part in leave)
    return _Taken(busy.astype(np.int64), link.astype(np.int64), cycles_out(s, f, *out))


def _ports_taken(passed: Passed, f: Fabric) -> float:
    """Cycles that the fullest port of a router to a core can take no packet for another, of any one depth, all samples."""
    links, most = passed.links, 0.0
    if links is None:
        return most
    load = np.zeros(links.packets.shape[2])
    for channel, taken in zip(links.channel, _taken(links, f), strict=True):
        if channel == PORT:
            load += taken.sum(axis=(0, 2))
    return float(load.max(initial=most))


def _bound(
    tables: Tables, passed: Passed, f: Fabric, through: _Through, leaving: Leaving, taken: _Taken, results: Reals
) -> float:
    """Cycles that the busiest unit, link or pin works for a sample (dataflow): results come no faster.

    results : (T, results, samples) as of `_results`.
    """
    samples = passed.shape[2]
    links = taken_by_nodes(tables.nodes, f, *through)
    into = np.bincount(tables.slices.terminal, _into_routers(tables, passed, f).sum(axis=(0, 2)))
    pins = float(results.sum()) + float(through.control[leaving.nodes].sum()) * _word(f)
    ends = max(float(into.max()), _ports_taken(passed, f))
    return max(no_faster_than(taken.busy, links, max(pins, taken.pins), samples, f.axon_overlap), ends / samples)


class _Behind(NamedTuple):
    """(slices,) cycles of what an input sends behind its packets, over the pins: an end marker by each of its trees.

    Attributes
    ----------
    copies : of all but the last, those of all inputs, which send by turns; gap : of the last: the way of a packet has it, but what
        the input sends next waits for it.
    entry : cycles beyond its flits that a packet of the input, or its end marker (`way_flits`), takes the pins.
    """

    copies: Reals
    gap: Reals
    entry: Reals


def _behind(tables: Tables, f: Fabric) -> _Behind:
    """Return them; 0 of what is on cores, and under a barrier, where nothing is behind."""
    s = tables.slices
    word = at_port(s, f, np.ones_like(s.flits)) * (s.is_input & (not f.barrier))
    roots = np.diff(tables.nodes.root_first)
    copies = np.where(s.is_input, np.maximum(0, (word * roots).sum() - word), 0.0)
    entry = np.where(s.is_input, at_port(s, f, way_flits(s)) - way_flits(s), 0.0)
    return _Behind(copies, word, entry)
