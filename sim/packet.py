"""Fidelity `packet`: every sample by itself through an empty chip, and samples back to back for the throughput."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.by_place import ByPlace
from sfnhw.sim.channel_order import Channels, order_channels
from sfnhw.sim.counts import Counts, NodeCounts, RowCounts
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.following import Following, following
from sfnhw.sim.kernel_state import (
    DELIVERED,
    ENDS,
    PACKETS,
    READIES,
    SENT,
    SPIKES,
    UPDATES,
    Tally,
    global_steps,
)
from sfnhw.sim.link_load import links_taken
from sfnhw.sim.packed import Packed, pack
from sfnhw.sim.pins import pins_taken
from sfnhw.sim.running import run_frames
from sfnhw.sim.step_ranges import Sample, ranges_each
from sfnhw.sim.stream import (
    Pace,
    barrier_interval,
    check_finished,
    empty_tally,
    fits,
    stream_interval,
)
from sfnhw.sim.table_cache import derived
from sfnhw.sim.tables import STATE, SYNAPSES, WORDS, Tables
from sfnhw.sim.timing import Timing, no_faster_than

Ints = NDArray[np.int64]
Progress = Callable[[int, int], None]

# What threads count by themselves, in `Tally`.
# Mean time of packets in the network over that of an empty one, back to back, below which no link sets the pace.
HARDLY_WAITS = 1.05
_COUNTED = (
    "by_slice", "by_row", "row_ends", "tree_packets", "node_packets", "node_control", "sent_spikes", "sent_flits", "row_spikes", "node_flits",
    "by_event", "steps",
)  # fmt: skip


def simulate_packets(
    tables: Tables,
    sent: NDArray[np.uint8],
    threads: int | None = None,
    progress: Progress | None = None,
    wires: Wires | None = None,
    back_to_back: bool = True,
) -> tuple[Counts, Timing]:
    """Run all samples; the result does not depend on the number of threads.

    sent : (samples, T, neurons in slice-major order) spikes of each neuron. progress(done, samples) is called now and then.
    wires : at fidelity `flit`, the network of the chip.
    back_to_back : find the interval; else it is NaN, of no sample.
    """
    samples, T, _ = sent.shape
    packed, channels = derived(pack, tables), None if wires else derived(order_channels, tables)
    threads = threads or os.cpu_count() or 1
    # Samples back to back go on one thread, which takes so many fewer of the others. Under barrier execution they
    # follow from the samples by themselves, but for the routers' round-robin pointers at fidelity `flit`.
    ahead = back_to_back and (not tables.fabric.barrier or wires is not None)
    ranges = 1 if wires else ranges_each(tables.fabric, samples, T, threads)
    follow = following(tables, sent) if back_to_back else None
    pace = None
    if ranges > 1:
        tallies = _by_ranges(tables, packed, channels, sent, ranges, progress)
    else:
        first = follow if ahead else None
        bounds = _shares(samples, threads, len(first.run(1)) if first else 0)
        tallies, pace = _by_samples(tables, packed, channels, sent, bounds, first, wires, progress)
    if follow and not pace:
        pace = barrier_interval(tables, packed, sent, follow, tallies, channels)
    counts = _counts(tables, tallies, channels)
    timing = replace(_timing(T, tallies), pins_busy=pins_taken(tables, counts))
    if wires is None:
        timing = replace(timing, congestion=_congestion(tables, _waits(T, tallies)))
        if pace:
            together = _congestion(tables, np.array([[pace.waited, pace.routers]]))
            timing = replace(timing, stream_congestion=float(together[0]))
    if follow and pace:
        timing = with_pace(tables, counts, timing, samples, follow, pace)
    return counts, timing


def _by_samples(
    tables: Tables,
    packed: Packed,
    channels: Channels | None,
    sent: NDArray[np.uint8],
    bounds: list[int],
    follow: Following | None,
    wires: Wires | None,
    progress: Progress | None,
) -> tuple[list[Tally], Pace | None]:
    """Run samples on as many threads as `bounds` has shares; returns the tally of each, and the pace of those that follow."""
    samples, T, _ = sent.shape
    done, wide = np.zeros(len(bounds) - 1, np.int64), not fits(tables, sent)

    def work(k: int) -> tuple[Tally, Pace | None]:
        pace = stream_interval(tables, packed, sent, follow, wires) if follow and k == 0 else None
        low, high = bounds[k], bounds[k + 1]
        steps = global_steps(tables.fabric, T) if tables.fabric.barrier else 0
        tally = empty_tally(tables, (high - low) * T, T, (high - low) * steps, wide)
        for i in range(low, high):
            k_th = i - low
            part = slice(k_th * T, (k_th + 1) * T)
            one = tally._replace(
                layer_start=tally.layer_start[part],
                layer_end=tally.layer_end[part],
                finish=tally.finish[part],
                occupied=tally.occupied[k_th : k_th + 1],
                waits=tally.waits[k_th : k_th + 1],
                step_end=tally.step_end[k_th * steps : (k_th + 1) * steps],
            )
            check_finished(run_frames(sent[i], T, tables.slices, packed, tables.fabric, one, None, wires, channels))
            done[k] += 1
            if progress:
                progress(int(done.sum()), samples)
        return tally, pace

    if len(done) == 1:
        results = [work(0)]
    else:
        with ThreadPoolExecutor(len(done)) as pool:
            results = list(pool.map(work, range(len(done))))
    return [tally for tally, _ in results], results[0][1]


def _by_ranges(
    tables: Tables,
    packed: Packed,
    channels: Channels | None,
    sent: NDArray[np.uint8],
    ranges: int,
    progress: Progress | None,
) -> list[Tally]:
    """Run each sample in so many ranges of timesteps at once; returns the tally of each."""
    wide, out = not fits(tables, sent), []
    samples = [Sample.of(tables, packed, channels, one, ranges, wide) for one in sent]
    with ThreadPoolExecutor(len(samples) * ranges) as pool:
        runs = [[pool.submit(sample.run, k) for k in range(ranges)] for sample in samples]
        for sample, parts in zip(samples, runs, strict=True):
            out.append(sample.joined([part.result() for part in parts]))
            if progress:
                progress(len(out), len(samples))
    return out


def _shares(samples: int, threads: int, stream: int) -> list[int]:
    """Bounds of each thread's samples; the first thread also runs `stream` samples back to back."""
    workers = max(1, min(threads, samples + (stream > 0)))
    if workers == 1:
        return [0, samples]
    first = max(0, (samples + stream) // workers - stream)
    return [0] + [first + (samples - first) * k // (workers - 1) for k in range(workers)]


def _counts(tables: Tables, tallies: list[Tally], channels: Channels | None) -> Counts:
    """Add up what threads have counted, in the first one's tally."""
    T, rows, nodes = len(tallies[0].by_row), len(tables.rows.source), len(tables.nodes.owner)

    whole = tallies[0]
    unused = () if any(t.by_event[0] for t in tallies) else ("node_packets",)  # memory that is never touched takes none
    for other in tallies[1:]:
        for name in _COUNTED:
            if name in unused:
                continue
            mine = getattr(whole, name)
            mine += getattr(other, name)
    by_slice = np.ascontiguousarray(np.moveaxis(whole.by_slice, -1, 0))
    row_packets, synapses, words, state = (
        ByPlace.tallied(rows, whole.by_row, column) for column in (PACKETS, SYNAPSES, WORDS, STATE)
    )
    node_packets = _node_packets(tables, whole, channels, not unused)
    if tables.slices.form.any():
        spikes, flits = whole.sent_spikes, whole.sent_flits
        row_spikes, node_flits = ByPlace.tallied(rows, whole.row_spikes), ByPlace.tallied(nodes, whole.node_flits)
    else:  # packets of one spike, of one length
        spikes, row_spikes = by_slice[SENT], row_packets
        flits = spikes * tables.slices.flits[:, None]
        one_each = bool((tables.slices.flits == 1).all())
        node_flits = (
            node_packets if one_each else _node_packets(tables, whole, channels, not unused, tables.slices.flits)
        )
    none = tables.fabric.barrier  # no control packets
    return Counts(
        sent=by_slice[SENT],
        sent_spikes=spikes,
        sent_flits=flits,
        ends=by_slice[ENDS],
        readies=by_slice[READIES],
        updates=by_slice[UPDATES],
        spikes=by_slice[SPIKES],
        rows=RowCounts(
            packets=row_packets,
            spikes=row_spikes,
            ends=ByPlace(rows, T) if none else ByPlace.tallied(rows, whole.row_ends),
            synapses=synapses,
            words=words,
            state=state,
        ),
        nodes=NodeCounts(
            node_packets, node_flits, ByPlace(nodes, T) if none else ByPlace.tallied(nodes, whole.node_control)
        ),
        delivered=by_slice[DELIVERED],
        steps=int(whole.steps[0]),
    )


def _node_packets(
    tables: Tables, whole: Tally, channels: Channels | None, by_event: bool, each: Ints | None = None
) -> ByPlace:
    """Spike packets through route nodes, each taken `each` times by its slice: of trees, and of nodes if any are by event."""
    n = tables.nodes
    out = ByPlace(len(n.owner), len(whole.by_row))
    if channels is not None:
        times = None if each is None else each[n.owner[n.roots]]
        out += ByPlace.tallied(out.size, whole.tree_packets, times=times, of=channels.tree_of_node)
    if by_event:
        times = None if each is None else each[n.owner[: whole.node_packets.shape[1]]]
        out += ByPlace.tallied(out.size, whole.node_packets, times=times)
    return out


def _mean_link_cycles(tables: Tables) -> float:
    """Of the links of all route nodes; 0 without links."""
    n = tables.nodes
    return float(n.link_cycles[n.link[n.link >= 0]].mean()) if (n.link >= 0).any() else 0.0


def with_pace(tables: Tables, counts: Counts, timing: Timing, samples: int, follow: Following, pace: Pace) -> Timing:
    """Times with the interval of samples back to back; busy cycles and counts are of as many samples.

    A link that sets the pace has packets wait. Only then, and not at fidelity `flit`, which knows by itself, is it asked for how
    long links can take none: that is a sum over all route nodes.
    """
    waits = timing.stream_congestion or 0.0
    links = links_taken(tables, counts) if waits > HARDLY_WAITS else timing.link_busy
    least = no_faster_than(timing.busy, links, timing.pins_busy, samples, tables.fabric.axon_overlap)
    return replace(timing, interval=max(pace.interval, least), streamed=follow.chosen, streamed_load=follow.load)


def _waits(T: int, tallies: list[Tally]) -> Ints:
    """(samples, 2) of each sample, as of `Tally.waits`."""
    return np.concatenate([t.waits[: len(t.finish) // T] for t in tallies])


def _congestion(tables: Tables, waits: Ints) -> NDArray[np.float64]:
    """(runs,) mean time of a packet at a router and on its way to the next, over that of an empty network.

    waits : (runs, 2) as of `Tally.waits`.
    """
    f = tables.fabric
    waited, routers = waits.T
    alone = np.maximum(1, routers) * max(1.0, f.router_cycles + derived(_mean_link_cycles, tables))
    return 1 + waited / f.channels.ticks / alone


def _timing(T: int, tallies: list[Tally]) -> Timing:
    """Put the times of samples alone together; there is no interval yet."""
    finish = np.concatenate([t.finish for t in tallies]).reshape(-1, T)
    start = np.concatenate([t.layer_start for t in tallies]).reshape(len(finish), T, -1)
    end = np.concatenate([t.layer_end for t in tallies]).reshape(len(finish), T, -1)
    histogram = np.sum([t.latency_histogram for t in tallies], axis=0)
    return Timing(
        latency=finish.max(axis=1),
        occupied=np.concatenate([t.occupied[: len(t.finish) // T] for t in tallies]),
        interval=np.nan,
        layer_start=np.where(start < 0, np.iinfo(np.int64).max, start).min(axis=1),
        layer_end=end.max(axis=1),
        busy=np.sum([t.busy for t in tallies], axis=0),
        link_busy=np.sum([t.link_busy for t in tallies], axis=0),
        pins_busy=0,  # from the counts
        packet_latency=histogram,
        packet_latency_sum=int(sum(t.latency_total[0] for t in tallies)),
        packet_latency_max=int(max(t.latency_total[1] for t in tallies)),
    )
