"""Fidelity `analytic`: the same counts in closed form, and times from a recurrence over slices; no packet is simulated.

For slice j in frame t, with S its synapse work, D its threshold walk and E = max(D, injection, fullest link) its
emission:

    fed_j   = max(first arrival + S_j, last arrival)     the lanes start with the first packet, end after the last
    start_j = max(fed_j, end of its frame t − 1, ready tokens of its consumers for frame t − banks)
    end_j   = start_j + E_j

(at a product fed_j is at least the time at which the stationary operand is complete, plus the stream's S)

and with samples back to back  interval = max(busiest unit or link, (end_c + token − start_a) / banks over a → c).
Where layers work in windows of W timesteps, `last arrival` and S are those of the whole window of each source, and the
frames of a window follow one another.
What it leaves out: queueing of single packets; where sources meet at a link only its total load is seen.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.counts import leaves_at_pins
from sfnhw.sim.tables import Tables
from sfnhw.sim.timing import Timing

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class _Work(NamedTuple):
    """Cycles of one frame, vectorised over samples."""

    packets: Reals  # (slices, samples)
    service: Reals  # (rows, samples) synapse lanes and axon look-ups
    emission: Reals  # (slices, samples)
    walk: Reals  # (slices, samples)
    tree_delay: Reals  # (slices,) longest way from a slice to its destinations, alone
    way: Reals  # (rows,) way of a packet from source to target slice, alone


def analytic_timing(tables: Tables, sent: NDArray[np.uint8]) -> Timing:
    """Latencies and busy cycles; sent is (samples, T, neurons in slice-major order) packets."""
    s, f = tables.slices, tables.fabric
    samples, T, _ = sent.shape
    works = [_work(tables, sent[:, t]) for t in range(T)]
    start = np.full((T, len(s.neurons), samples), np.inf)
    end = np.zeros_like(start)
    first = np.full_like(start, np.inf)
    if f.barrier:
        finish = _barrier(tables, works, start, end, first)
    else:
        finish = _dataflow(tables, works, start, end, first)
    layer_start = np.full((samples, tables.populations), np.iinfo(np.int64).max, np.int64)
    layer_end = np.zeros((samples, tables.populations), np.int64)
    for i, p in enumerate(s.population):
        begun = np.minimum(first[:, i], start[:, i]).min(axis=0)
        layer_start[:, p] = np.minimum(layer_start[:, p], begun.astype(np.int64))
        layer_end[:, p] = np.maximum(layer_end[:, p], np.ceil(end[:, i].max(axis=0)).astype(np.int64))
    busy, link_busy = _busy(tables, works)
    return Timing(
        latency=np.ceil(finish).astype(np.int64),
        interval=_interval(tables, works, start, end, finish),
        layer_start=layer_start,
        layer_end=layer_end,
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


def _at_port(tables: Tables, flits: Ints) -> Reals:
    """(slices,) cycles that one packet of so many flits takes the injection port, or the pins."""
    at_core = np.maximum(flits, tables.fabric.port_cycles)
    return np.where(tables.slices.is_input, _over_pins(tables, flits), at_core)


def _out_of_pins(tables: Tables, packets: Reals, control: Ints) -> Reals:
    """(samples,) cycles in which packets (slices, samples), end markers and ready tokens leave over the pins."""
    s, n = tables.slices, tables.nodes
    leaving = leaves_at_pins(tables)
    owner, is_packet = n.owner[leaving], leaving < n.packet_nodes
    own = np.where(is_packet, _over_pins(tables, s.flits[owner]), 0.0)
    return own @ packets[owner] + float((control[owner] * _over_pins(tables, np.ones_like(owner))).sum())


def _work(tables: Tables, sent: NDArray[np.uint8]) -> _Work:
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    samples = len(sent)
    packets = np.stack(
        [sent[:, a:b].sum(axis=1, dtype=np.int64) for a, b in zip(s.first_neuron[:-1], s.first_neuron[1:], strict=True)]
    ).astype(float)
    service = np.zeros((len(r.source), samples))
    for k, a in enumerate(r.source):
        i = np.arange(s.neurons[a])
        run = r.run_first[k] + (i // r.positions[k]) * r.run_stride[k]
        taps = r.taps[r.taps_first[k] + (i % r.positions[k]) * r.taps_stride[k]]
        fired = sent[:, s.first_neuron[a] : s.first_neuron[a + 1]]
        # An axon look-up overlaps with the synapses of the packet before.
        service[k] = fired @ np.maximum(taps * r.run_cycles[run], f.axon_cycles).astype(float)
    walk = _walk(tables, sent)
    hold = np.maximum(s.flits, f.hold_cycles / f.virtual_channels)
    load = np.zeros((int(s.depth.max()) + 1, 4 * f.routers, samples))
    inner = np.flatnonzero((n.link >= 0) & (np.arange(len(n.link)) < n.packet_nodes))
    for node in inner:
        owner = n.owner[node]
        load[s.depth[owner], n.link[node]] += packets[owner] * hold[owner]
    emission = np.maximum(walk, packets * _injection(tables, s.flits)[:, None])
    out = _out_of_pins(tables, packets, np.zeros_like(s.flits))
    emission[s.is_output] = np.maximum(emission[s.is_output], out)
    for node in inner:
        owner = n.owner[node]
        emission[owner] = np.maximum(emission[owner], load[s.depth[owner], n.link[node]])
    return _Work(packets, service, emission, walk, *_ways(tables))


def _walk(tables: Tables, sent: NDArray[np.uint8]) -> Reals:
    """(slices, samples) cycles of the threshold unit: `spike_cycles` more for each group of neurons in which any spikes."""
    s, lanes = tables.slices, tables.fabric.threshold_lanes
    walk = np.repeat(-(-s.neurons // lanes) * s.update_cycles, len(sent)).reshape(-1, len(sent)).astype(float)
    for i in np.flatnonzero(s.spike_cycles):
        fired = sent[:, s.first_neuron[i] : s.first_neuron[i + 1]] > 0
        groups = np.logical_or.reduceat(fired, np.arange(0, s.neurons[i], lanes), axis=1).sum(axis=1)
        walk[i] += s.spike_cycles[i] * groups
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
    for node in range(len(n.owner)):  # parents come before children
        children = n.children[n.child_first[node] : n.child_first[node + 1]]
        through[children] = through[node] + n.link_cycles[children] + f.router_cycles
    alone = entry[n.owner] + through + f.injection_cycles + f.ejection_cycles + s.flits[n.owner] - 1
    tree = np.zeros(len(s.neurons))
    way = np.zeros(len(r.source))
    for node in range(n.packet_nodes):
        for place in range(n.exit_first[node], n.exit_first[node + 1]):
            over_pins = leave * (n.exits[place] == f.cores)
            tree[n.owner[node]] = max(tree[n.owner[node]], alone[node] + over_pins)
            way[n.rows[n.row_first[place] : n.row_first[place + 1]]] = alone[node]
    return tree, way


def _dataflow(tables: Tables, works: list[_Work], start: Reals, end: Reals, first: Reals) -> Reals:
    s, r, f = tables.slices, tables.rows, tables.fabric
    into = [np.flatnonzero(r.target == j) for j in range(len(s.neurons))]
    consumers = [np.unique(r.target[r.source == j]) for j in range(len(s.neurons))]
    finish = np.zeros(start.shape[2])
    way_of, tree = works[0].way, works[0].tree_delay
    first_spike = np.maximum(s.update_cycles + s.spike_cycles, 1)
    for t0 in range(0, len(works), f.window):
        service = np.sum([w.service for w in works[t0 : t0 + f.window]], axis=0)
        for j in range(len(s.neurons)):  # slices are in network order
            begin = np.zeros(start.shape[2])
            if len(into[j]):
                a = r.source[into[j]]
                way = way_of[into[j]][:, None]
                head = start[t0, a] + first_spike[a][:, None] + way
                first[t0, j] = head.min(axis=0)
                last = (end[t0 + s.frames[a] - 1, a] + way + f.axon_cycles).max(axis=0)
                begin = np.maximum(first[t0, j] + f.axon_cycles + service[into[j]].sum(axis=0), last)
            if s.operands[j]:
                # The stream's synapses begin when the last of the stationary operand is written.
                held = r.stationary[into[j]]
                a = r.source[into[j]]
                written = first[t0, j] + f.axon_cycles + service[into[j][held]].sum(axis=0)
                complete = (end[t0, a] + way + f.axon_cycles)[held].max(axis=0)  # products are at T = 1
                stream = service[into[j][~held]].sum(axis=0)
                begin = np.maximum(begin, np.maximum(written, complete) + stream)
            if t0:
                begin = np.maximum(begin, end[t0 - f.window + s.frames[j] - 1, j])
            if t0 >= f.banks * f.window:
                for c in consumers[j]:
                    before = t0 - f.banks * f.window + s.frames[c] - 1
                    begin = np.maximum(begin, start[before, c] + works[before].walk[c] + tree[j])
            for t in range(t0, t0 + int(s.frames[j])):
                start[t, j], end[t, j] = begin, begin + works[t].emission[j]
                begin = end[t, j]
            if s.is_output[j]:
                finish = np.maximum(finish, begin + tree[j])
    return finish


def _barrier(tables: Tables, works: list[_Work], start: Reals, end: Reals, first: Reals) -> Reals:
    """A step lasts until its slowest slice has sent, and its slowest receiver has worked everything off."""
    s, r, f = tables.slices, tables.rows, tables.fabric
    now = np.zeros(start.shape[2])
    for step in range((len(works) // f.window - 1) * f.interval + f.last_due + 1):
        until = now.copy()
        receive = np.zeros((f.cores + 1, len(now)))
        for j in range(len(s.neurons)):
            window, within = divmod(step - int(s.depth[j]) * f.window, f.interval * f.window)
            if window < 0 or within >= s.frames[j] or window * f.window >= len(works):
                continue
            t = window * f.window + within
            w = works[t]
            start[t, j] = now
            end[t, j] = now + w.emission[j]
            sends = w.packets[j] > 0
            until = np.maximum(until, np.where(sends, end[t, j] + w.tree_delay[j], end[t, j]))
            for k in np.flatnonzero(r.source == j):
                c = s.terminal[r.target[k]]
                receive[c] += w.service[k]
                begun = now + w.way[k] + s.update_cycles[j] + s.spike_cycles[j]
                until = np.maximum(until, np.where(sends, begun + receive[c] + f.axon_cycles, until))
        now = until + f.barrier_cycles
    return now


def _busy(tables: Tables, works: list[_Work]) -> tuple[Ints, Ints]:
    """Busy cycles of units and links over all samples."""
    s, r, n, f = tables.slices, tables.rows, tables.nodes, tables.fabric
    busy = np.zeros((f.cores + 1, 4))
    link = np.zeros(4 * f.routers)
    ports, marker = _injection(tables, s.flits), _injection(tables, np.ones_like(s.flits))
    token = np.where(s.is_input, 0, np.diff(n.ready_root_first) * f.port_cycles)
    for t, w in enumerate(works):
        samples = w.packets.shape[1] * (t % f.window < s.frames)
        control = 0 * samples if f.barrier else samples
        ends = t % f.window == s.frames - 1
        looked_up = w.packets.sum(axis=1)[r.source] + control[r.source]
        np.add.at(busy[:, 0], s.terminal[r.target], f.axon_cycles * looked_up)
        np.add.at(busy[:, 1], s.terminal[r.target], w.service.sum(axis=1))
        np.add.at(busy[:, 2], s.terminal, w.walk.sum(axis=1) * (t % f.window < s.frames))
        np.add.at(busy[:, 3], s.terminal, w.packets.sum(axis=1) * ports + control * (marker + ends * token))
        through = np.where(n.link >= 0)[0]
        own = np.where(through < n.packet_nodes, w.packets.sum(axis=1)[n.owner[through]] * s.flits[n.owner[through]], 0)
        np.add.at(link, n.link[through], own + control[n.owner[through]])
    return busy.astype(np.int64), link.astype(np.int64)


def _interval(tables: Tables, works: list[_Work], start: Reals, end: Reals, finish: Reals) -> float:
    s, r, f = tables.slices, tables.rows, tables.fabric
    samples = start.shape[2]
    if f.barrier:
        steps = (len(works) // f.window - 1) * f.interval + f.last_due + 1
        # Every timestep takes `interval` steps; with samples in a row all layers work in each of them.
        return float(finish.mean()) / steps * len(works) * f.interval
    busy, link = _busy(tables, works)
    control = [(t % f.window < s.frames) * samples for t in range(len(works))]
    out = sum(float(_out_of_pins(tables, w.packets, c).sum()) for w, c in zip(works, control, strict=True))
    bound = max(float(busy.max()), float(link.max(initial=0)), out) / samples
    for a, c in {(int(a), int(c)) for a, c in zip(r.source, r.target, strict=True)}:
        t0 = len(works) - f.window
        done = start[t0 + s.frames[c] - 1, c] + works[t0 + s.frames[c] - 1].walk[c] + works[-1].tree_delay[a]
        before = sum(float(w.walk[a].mean()) for w in works[:t0])
        bound = max(bound, float((done - start[t0, a]).mean()) / f.banks + before)
    return bound
