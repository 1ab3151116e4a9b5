"""Fidelity `packet`: every sample by itself through an empty chip, and samples back to back for the throughput."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.counts import Counts
from sfnhw.sim.packed import Packed, pack
from sfnhw.sim.packet_kernel import (
    DELIVERED,
    ENDS,
    LATENCY_BINS,
    PACKETS,
    READIES,
    SENT,
    SPIKES,
    UPDATES,
    Tally,
    run_frames,
)  # fmt: skip
from sfnhw.sim.tables import STATE, SYNAPSES, WORDS, Tables
from sfnhw.sim.timing import Timing

Ints = NDArray[np.int64]
Progress = Callable[[int, int], None]
# Samples that follow each other to find the steady rate; the first quarter fills the pipeline and is not measured.
# Fewer where one sample alone is long.
STREAM_SAMPLES, FEWEST_STREAM_SAMPLES, STREAM_HOPS = 16, 4, 2_000_000


def empty_tally(tables: Tables, frames: int, T: int) -> Tally:
    """All zero; layer starts −1."""
    slices, rows, nodes = len(tables.slices.neurons), len(tables.rows.source), len(tables.nodes.owner)

    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    return Tally(
        by_slice=zeros(slices, T, 6),
        by_row=zeros(rows, T, 4),
        row_ends=zeros(rows, T),
        node_packets=zeros(nodes, T),
        node_control=zeros(nodes, T),
        busy=zeros(tables.fabric.cores + 1, 4),
        link_busy=zeros(4 * tables.fabric.routers),
        latency_histogram=zeros(LATENCY_BINS),
        latency_total=zeros(2),
        layer_start=np.full((frames, tables.populations), -1, np.int64),
        layer_end=zeros(frames, tables.populations),
        finish=zeros(frames),
        steps=zeros(1),
    )


def simulate_packets(
    tables: Tables, sent: NDArray[np.uint8], threads: int | None = None, progress: Progress | None = None
) -> tuple[Counts, Timing]:
    """Run all samples; the result does not depend on the number of threads.

    sent : (samples, T, neurons in slice-major order) packets of each neuron. progress(done, samples) is called now and then.
    """
    samples, T, _ = sent.shape
    workers = max(1, min(samples, threads or os.cpu_count() or 1))
    bounds = [samples * k // workers for k in range(workers + 1)]
    done = np.zeros(workers, np.int64)
    packed = pack(tables)

    def work(k: int) -> Tally:
        low, high = bounds[k], bounds[k + 1]
        tally = empty_tally(tables, (high - low) * T, T)
        for i in range(low, high):
            part = slice((i - low) * T, (i - low + 1) * T)
            one = tally._replace(
                layer_start=tally.layer_start[part], layer_end=tally.layer_end[part], finish=tally.finish[part]
            )
            check_finished(run_frames(sent[i], T, tables.slices, packed, tables.fabric, one))
            done[k] += 1
            if progress:
                progress(int(done.sum()), samples)
        return tally

    if workers == 1:
        tallies = [work(0)]
    else:
        with ThreadPoolExecutor(workers) as pool:
            tallies = list(pool.map(work, range(workers)))
    return _counts(tallies), _timing(tables, packed, sent, tallies)


def check_finished(unfinished: int) -> None:
    """Raise where slices never ended: a defect of the simulator, not of the input."""
    if unfinished:
        raise RuntimeError(
            f"{unfinished} slices or frames never finished: a deadlock in the simulator, please report it"
        )


def stream_interval(tables: Tables, packed: Packed, sent: NDArray[np.uint8]) -> float:
    """Cycles between results when samples follow each other without a pause (repeated if there are few)."""
    samples, T, neurons = sent.shape
    s, n = tables.slices, tables.nodes
    tree = np.bincount(n.owner[: n.packet_nodes], minlength=len(s.neurons))
    hops = int(sent.sum(axis=(0, 1), dtype=np.int64) @ np.repeat(tree, s.neurons))
    affordable = STREAM_HOPS * samples // max(1, hops)
    length = min(STREAM_SAMPLES, max(FEWEST_STREAM_SAMPLES, affordable))
    frames = sent[np.resize(np.arange(samples), length)].reshape(length * T, neurons)
    tally = empty_tally(tables, len(frames), T)
    check_finished(run_frames(frames, T, tables.slices, packed, tables.fabric, tally))
    finish = tally.finish.reshape(length, T).max(axis=1)
    first = length // 4
    return float(finish[-1] - finish[first - 1]) / (length - first)


def _counts(tallies: list[Tally]) -> Counts:
    def total(name: str) -> Ints:
        return np.sum([getattr(t, name) for t in tallies], axis=0, dtype=np.int64)

    by_slice, by_row = total("by_slice"), total("by_row")
    return Counts(
        sent=by_slice[..., SENT],
        ends=by_slice[..., ENDS],
        readies=by_slice[..., READIES],
        updates=by_slice[..., UPDATES],
        spikes=by_slice[..., SPIKES],
        row_packets=by_row[..., PACKETS],
        row_ends=total("row_ends"),
        row_synapses=by_row[..., SYNAPSES],
        row_words=by_row[..., WORDS],
        row_state=by_row[..., STATE],
        node_packets=total("node_packets"),
        node_control=total("node_control"),
        delivered=by_slice[..., DELIVERED],
        steps=int(total("steps")[0]),
    )


def _timing(tables: Tables, packed: Packed, sent: NDArray[np.uint8], tallies: list[Tally]) -> Timing:
    T = sent.shape[1]
    finish = np.concatenate([t.finish for t in tallies]).reshape(-1, T)
    start = np.concatenate([t.layer_start for t in tallies]).reshape(len(finish), T, -1)
    end = np.concatenate([t.layer_end for t in tallies]).reshape(len(finish), T, -1)
    histogram = np.sum([t.latency_histogram for t in tallies], axis=0)
    return Timing(
        latency=finish.max(axis=1),
        interval=stream_interval(tables, packed, sent),
        layer_start=np.where(start < 0, np.iinfo(np.int64).max, start).min(axis=1),
        layer_end=end.max(axis=1),
        busy=np.sum([t.busy for t in tallies], axis=0),
        link_busy=np.sum([t.link_busy for t in tallies], axis=0),
        packet_latency=histogram,
        packet_latency_sum=int(sum(t.latency_total[0] for t in tallies)),
        packet_latency_max=int(max(t.latency_total[1] for t in tallies)),
    )
