"""Fidelity `analytic`: the same counts in closed form, and times from a recurrence over slices; no packet is simulated.

For slice j in frame t, with S its synapse work, D its threshold walk and E = max(D, injection, fullest link) its
emission (the lanes serve in order of arrival, and from any arrival on they have that much to do):

    fed_j   = max(over sources i: first arrival of i + S of i and all that arrive later, last arrival)
    start_j = max(fed_j, end of its frame t − 1, ready tokens of its consumers for frame t − banks)
    end_j   = start_j + E_j

(at a product fed_j is at least the time at which the stationary operand is complete, plus the stream's S)

and with samples back to back  interval = max(busiest unit or link, (end_c + token − start_a) / banks over a → c).
Where layers work in windows of W timesteps, `last arrival` and S are those of the whole window of each source, and the
frames of a window follow one another.
What it leaves out: queueing of single packets; where sources meet at a link only its total load is seen.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.counts import leaves_at_pins, sum_by
from sfnhw.sim.fanout import row_cycles
from sfnhw.sim.packet_sums import Sums, in_walk_order, sums_of
from sfnhw.sim.part_recurrence import by_parts, part_interval
from sfnhw.sim.part_work import jobs_of
from sfnhw.sim.recurrence import Times, Work, barrier, dataflow
from sfnhw.sim.tables import Fabric, RowTable, SliceTable, Tables, ranges
from sfnhw.sim.timing import Timing

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


def analytic_timing(tables: Tables, sent: NDArray[np.uint8]) -> Timing:
    """Latencies and busy cycles; sent is (samples, T, neurons in slice-major order) spikes."""
    s, f = tables.slices, tables.fabric
    work = _work(tables, sent)
    if not f.barrier and (tables.parts.first[-1] > len(s.neurons) or tables.parts.marker_delay.any()):
        return _of_parts(tables, work, sent)
    times = (barrier if f.barrier else dataflow)(tables, work)
    busy, link_busy = _busy(tables, work)
    interval = _interval(tables, work, times, busy, link_busy)
    return _timing(tables, s.population, times, interval, busy, link_busy)


def _of_parts(tables: Tables, work: Work, sent: NDArray[np.uint8]) -> Timing:
    """The same where slices have parts, or delays: `sfnhw.sim.part_recurrence`."""
    s, q, f = tables.slices, tables.parts, tables.fabric
    jobs = jobs_of(tables)
    frames = sent[:, :, jobs.neurons].reshape(-1, sent.shape[2])
    samples, count = len(sent), q.many[q.owner]
    # Rows that work by themselves send address events; bundles are of whole slices.
    sums = sums_of(jobs.slices, f, frames)
    packets, flits, spikes = (_by_step(part, samples) for part in sums)
    service = _by_step(_service(jobs.slices, jobs.rows, f, frames, sums), samples)
    walk = _by_step(_walk(jobs.slices, f.threshold_lanes, in_walk_order(jobs.slices, frames)), samples)
    port = work.port if s.form.any() else packets * _at_port(tables, s.flits)[q.owner, None]
    emission = np.maximum(walk, port * np.diff(tables.nodes.root_first)[q.owner, None])
    # A part's share of what its slice's tree, and the pins, are taken by the whole layer.
    emission = np.maximum(emission, _beyond_port(tables, work.packets, work.flits)[:, q.owner] / count[:, None])
    ways = work.tree_delay[q.owner], work.way[jobs.connection]
    own = Work(packets, flits, port, spikes, service, emission, walk, *ways)
    times = by_parts(tables, jobs, own)
    of_slices = sum_by(q.owner, walk.swapaxes(0, 1), len(s.neurons)).swapaxes(0, 1)
    work = work._replace(walk=of_slices)
    busy, link_busy = _busy(tables, work)
    unit = _busiest(tables, work, busy, link_busy)
    interval = max(unit, part_interval(tables, jobs, own, times))
    return _timing(tables, jobs.slices.population, times, interval, busy, link_busy)


def _timing(tables: Tables, population: Ints, times: Times, interval: float, busy: Ints, link_busy: Ints) -> Timing:
    """Put it together; population : of each column of the times."""
    samples = len(times.finish)
    layer_start = np.full((tables.populations, samples), np.iinfo(np.int64).max, np.int64)
    layer_end = np.zeros((tables.populations, samples), np.int64)
    begun = np.minimum(times.first, times.start).min(axis=0)
    np.minimum.at(layer_start, population, begun.astype(np.int64))
    np.maximum.at(layer_end, population, np.ceil(times.end.max(axis=0)).astype(np.int64))
    return Timing(
        latency=np.ceil(times.finish).astype(np.int64),
        interval=interval,
        layer_start=np.ascontiguousarray(layer_start.T),
        layer_end=np.ascontiguousarray(layer_end.T),
        busy=busy,
        link_busy=link_busy,
        packet_latency=None,
        packet_latency_sum=0,
        packet_latency_max=0,
    )


def _over_pins(tables: Tables, flits: Ints) -> Reals:
    """Cycles that packets of so many flits take over the pins, each way."""
    f = tables.fabric
    return np.maximum(flits, -(-flits * f.io_flit_cycles_num // f.io_flit_cycles_den)).astype(float)


def _injection(tables: Tables, flits: Ints) -> Reals:
    """(slices,) cycles that one packet of so many flits takes the injection port, all copies of a unicast included."""
    return _at_port(tables, flits) * np.diff(tables.nodes.root_first)


def _port_of(tables: Tables, i: int, flits: Ints) -> Ints:
    """Cycles that packets of slice i of so many flits take its port, elementwise, once."""
    at_core = np.maximum(flits, tables.fabric.port_cycles)
    return _over_pins(tables, flits).astype(np.int64) if tables.slices.is_input[i] else at_core


def _at_port(tables: Tables, flits: Ints) -> Reals:
    """(slices,) cycles that one packet of so many flits takes the injection port, or the pins."""
    at_core = np.maximum(flits, tables.fabric.port_cycles)
    return np.where(tables.slices.is_input, _over_pins(tables, flits), at_core)


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

    def on(self, nodes: NDArray[np.bool_], owner: Ints) -> Ints:
        """(T, nodes) through route nodes of these owners; nodes: which belong to trees of packets, not of tokens."""
        return np.where(nodes, self.markers[:, owner], self.tokens[:, owner])


def _out_of_pins(tables: Tables, packets: Reals, flits: Reals, control: _Control | None = None) -> Reals:
    """(T, samples) cycles in which packets and their flits (T, slices, samples), and control packets, leave over the pins.

    Packets of one length take whole cycles each; those of several spikes follow one another without a gap.
    """
    s, n, f = tables.slices, tables.nodes, tables.fabric
    leaving = leaves_at_pins(tables)
    owner, is_packet = n.owner[leaving], leaving < n.packet_nodes
    own = np.where(is_packet & (s.form[owner] == 0), _over_pins(tables, s.flits[owner]), 0.0)
    out = own @ packets[:, owner]
    several = np.where(is_packet & (s.form[owner] > 0), max(1.0, f.io_flit_cycles_num / f.io_flit_cycles_den), 0.0)
    out = out + several @ flits[:, owner]
    if control is None:
        return out
    return out + (control.on(is_packet, owner) @ _over_pins(tables, np.ones_like(owner)))[:, None]


def _work(tables: Tables, sent: NDArray[np.uint8]) -> Work:
    s, f = tables.slices, tables.fabric
    samples, T, neurons = sent.shape
    frames = sent.reshape(samples * T, neurons)

    sums = sums_of(s, f, frames)
    packets, flits = _by_step(sums.packets, samples), _by_step(sums.flits, samples)
    port = packets * _at_port(tables, s.flits)[:, None]
    if s.form.any():
        port = _by_step(sums_of(s, f, frames, partial(_port_of, tables)).flits, samples)
    service = _by_step(_service(s, tables.rows, f, frames, sums), samples)
    walk = _by_step(_walk(s, f.threshold_lanes, in_walk_order(s, frames)), samples)
    emission = np.maximum(walk, port * np.diff(tables.nodes.root_first)[:, None])
    emission = np.maximum(emission, _beyond_port(tables, packets, flits))
    return Work(packets, flits, port, _by_step(sums.spikes, samples), service, emission, walk, *_ways(tables))


def _service(s: SliceTable, r: RowTable, f: Fabric, frames: NDArray[np.uint8], sums: Sums) -> Reals:
    """(rows, frames) cycles of lanes and look-ups: of each spike that is looked up, or packet, the longer of both."""
    service = row_cycles(s, r, frames, f.axon_cycles)
    together = np.flatnonzero((s.form[r.source] > 0) & ~r.alone)
    if len(together):
        lanes = row_cycles(s, r, frames, 0)[together]
        service[together] = np.maximum(lanes, f.axon_cycles * sums.packets[r.source[together]])
    return service


def _by_step(sums: NDArray[np.generic], samples: int) -> Reals:
    """(T, n, samples) of (n, samples·T)."""
    return np.ascontiguousarray(sums.reshape(len(sums), samples, sums.shape[1] // samples).transpose(2, 0, 1), float)


def _beyond_port(tables: Tables, packets: Reals, flits: Reals) -> Reals:
    """(T, slices, samples) cycles that the fullest link of a slice's tree, and the pins, are taken by its layer."""
    s, n, f = tables.slices, tables.nodes, tables.fabric
    out = np.zeros_like(packets)
    out[:, s.is_output] = _out_of_pins(tables, packets, flits)[:, None]
    T, _, samples = packets.shape
    inner = np.flatnonzero((n.link >= 0) & (np.arange(len(n.link)) < n.packet_nodes))
    if not len(inner):
        return out
    owner = n.owner[inner]
    slow, credit = n.flit_cycles[inner, None], f.credit_ticks / f.virtual_channels
    held = f.hold_cycles / f.virtual_channels
    one = (s.form[owner] == 0)[:, None]
    hold = np.maximum(s.flits[owner, None] * np.maximum(slow, credit), held)
    used, link = np.unique(s.depth[owner] * (4 * f.routers) + n.link[inner], return_inverse=True)
    first = np.flatnonzero(np.diff(owner, prepend=-1))  # a slice's nodes follow one another
    for t in range(T):
        sent = packets[t, owner]
        taken = np.where(one, sent * hold, np.maximum(flits[t, owner] * np.maximum(slow, credit), sent * held))
        cell = link.reshape(-1, 1) * samples + np.arange(samples)
        load = np.bincount(cell.reshape(-1), taken.reshape(-1), len(used) * samples).reshape(len(used), samples)
        fullest = np.maximum.reduceat(load[link], first, axis=0)
        out[t, owner[first]] = np.maximum(out[t, owner[first]], fullest)
    return out


def _walk(s: SliceTable, lanes: int, frames: NDArray[np.uint8]) -> Ints:
    """(slices, frames) cycles of the threshold unit: `spike_cycles` more for each group of neurons in which any spikes."""
    groups = -(-s.neurons // lanes)
    walk = np.repeat((groups * s.update_cycles)[:, None], len(frames), axis=1)
    if s.spike_cycles.any():
        upto = np.cumsum(groups) - groups
        starts = np.repeat(s.first_neuron[:-1], groups) + lanes * ranges(np.zeros_like(groups), groups)
        fired = np.logical_or.reduceat(frames > 0, starts, axis=1)
        walk += s.spike_cycles[:, None] * np.add.reduceat(fired, upto, axis=1, dtype=np.int64).T
    return walk


def _ways(tables: Tables) -> tuple[Reals, Reals]:
    """Unloaded times: (slices,) to the farthest destination, (rows,) from source to target slice.

    Narrow pins add what they take beyond a cycle a flit: of a packet on the way in, of the end marker on the way out; a
    slow port likewise.
    """
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    entry = _at_port(tables, s.flits) - s.flits
    leave = 0.0 if f.barrier else float(_over_pins(tables, np.ones(1, np.int64))[0] - 1)
    through = np.full(len(n.owner), f.router_cycles)
    # A slow link lets a packet's head go on when the rest can follow without a gap.
    flits = np.where(np.arange(len(n.owner)) < n.packet_nodes, s.flits[n.owner], 1)
    links = n.link_cycles + flits * (n.flit_cycles - 1)
    parents = np.flatnonzero(n.link < 0)
    while len(parents):  # all routers as far from their roots at once
        many = n.child_first[parents + 1] - n.child_first[parents]
        children = n.children[ranges(n.child_first[parents], many)]
        through[children] = np.repeat(through[parents], many) + links[children] + f.router_cycles
        parents = children
    alone = entry[n.owner] + through + f.injection_cycles + f.ejection_cycles + s.flits[n.owner] - 1
    exits = int(n.exit_first[n.packet_nodes])
    node = np.repeat(np.arange(n.packet_nodes), np.diff(n.exit_first[: n.packet_nodes + 1]))
    tree = np.zeros(len(s.neurons))
    np.maximum.at(tree, n.owner[node], alone[node] + leave * (n.exits[:exits] == f.cores))
    way = np.zeros(len(r.source))
    way[n.rows[: n.row_first[exits]]] = np.repeat(alone[node], np.diff(n.row_first[: exits + 1]))
    return tree, way


def _busy(tables: Tables, work: Work) -> tuple[Ints, Ints]:
    """Busy cycles of units and links over all samples."""
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    T, _, samples = work.packets.shape
    works = np.arange(T)[:, None] % f.window < s.frames  # (T, slices)
    flits, control = work.flits.sum(axis=(0, 2)), _Control.of(tables, T)
    # What is looked up: spikes one by one, or packets.
    asked = np.where(r.alone, work.spikes.sum(axis=(0, 2))[r.source], work.packets.sum(axis=(0, 2))[r.source])
    markers, tokens = samples * control.markers.sum(axis=0), samples * control.tokens.sum(axis=0)
    marker = _injection(tables, np.ones_like(s.flits))
    token = np.diff(n.ready_root_first) * f.port_cycles
    looked_up = asked + markers[r.source]
    injected = work.port.sum(axis=(0, 2)) * np.diff(n.root_first) + markers * marker + tokens * token
    walked = (work.walk.sum(axis=2) * works).sum(axis=0)
    at = s.terminal[r.target]
    columns = (
        (at, f.axon_cycles * looked_up),
        (at, work.service.sum(axis=(0, 2))),
        (s.terminal, walked),
        (s.terminal, injected),
    )
    busy = np.stack([np.bincount(place, cycles, f.cores + 1) for place, cycles in columns], axis=1)
    through = np.flatnonzero(n.link >= 0)
    owner = n.owner[through]
    own = np.where(through < n.packet_nodes, flits[owner], 0)
    own = own + np.where(through < n.packet_nodes, markers[owner], tokens[owner])
    held = own * n.flit_cycles[through]
    link = np.bincount(n.link[through], held, 4 * f.routers)
    return busy.astype(np.int64), link.astype(np.int64)


def _busiest(tables: Tables, work: Work, busy: Ints, link: Ints) -> float:
    """Cycles a sample of the busiest unit, link or pins."""
    T, _, samples = work.packets.shape
    out = float(_out_of_pins(tables, work.packets, work.flits, _Control.of(tables, T)).sum())
    return max(float(busy.max()), float(link.max(initial=0)), out) / samples


def _interval(tables: Tables, work: Work, times: Times, busy: Ints, link: Ints) -> float:
    s, r, f = tables.slices, tables.rows, tables.fabric
    T = len(work.packets)
    if f.barrier:
        steps = (T // f.window - 1) * f.interval + f.last_due + 1
        # Every timestep takes `interval` steps; with samples in a row all layers work in each of them.
        return float(times.finish.mean()) / steps * T * f.interval
    bound = _busiest(tables, work, busy, link)
    a, c = np.unique(np.stack([r.source, r.target]), axis=1)
    if not len(a):
        return bound
    t0 = T - f.window
    last = t0 + s.frames[c] - 1
    done = times.start[last, c] + work.walk[last, c] + work.tree_delay[a][:, None]
    before = np.zeros(len(a))
    for earlier in work.walk[:t0]:
        before = before + earlier.mean(axis=1)[a]
    return max(bound, float(((done - times.start[t0, a]).mean(axis=1) / f.banks + before).max()))
