"""Samples back to back: the cycles between their results."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.by_place import Tallied
from sfnhw.sim.channel_order import Channels
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.kernel_state import LATENCY_BINS, Tally, global_steps
from sfnhw.sim.packed import Packed
from sfnhw.sim.running import run_frames
from sfnhw.sim.tables import STATE, SYNAPSES, WORDS, Tables

Ints = NDArray[np.int64]
# Samples that follow each other to find the steady rate; the first quarter fills the pipeline and is not measured.
# Fewer where one sample alone is long.
STREAM_SAMPLES, FEWEST_STREAM_SAMPLES, STREAM_HOPS = 16, 4, 2_000_000


def empty_tally(tables: Tables, frames: int, T: int, steps: int = 0, wide: bool = False) -> Tally:
    """All zero; layer starts −1. steps : of how many global steps to note the end; wide : count in 64 bits (see `fits`)."""
    slices, rows, nodes = len(tables.slices.neurons), len(tables.rows.source), len(tables.nodes.owner)
    bundles, control = bool(tables.slices.form.any()), not tables.fabric.barrier

    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    def counts(*shape: int) -> Tallied:
        return np.zeros(shape, np.int64) if wide else np.zeros(shape, np.uint32)

    return Tally(
        by_slice=zeros(slices, T, 6),
        by_row=counts(T, rows, 4),
        row_ends=counts(T, rows * control),
        tree_packets=counts(T, len(tables.nodes.roots) * tables.fabric.barrier),
        node_packets=counts(T, nodes),
        node_control=counts(T, nodes * control),
        sent_spikes=zeros(slices * bundles, T),
        sent_flits=zeros(slices * bundles, T),
        row_spikes=counts(T, rows * bundles),
        node_flits=counts(T, nodes * bundles),
        busy=zeros(tables.fabric.cores + 1, 4),
        link_busy=zeros(4 * tables.fabric.routers),
        latency_histogram=zeros(LATENCY_BINS),
        latency_total=zeros(2),
        waits=zeros(max(1, frames // T), 2),
        layer_start=np.full((frames, tables.populations), -1, np.int64),
        layer_end=zeros(frames, tables.populations),
        finish=zeros(frames),
        occupied=zeros(max(1, frames // T)),
        by_event=zeros(1),
        steps=zeros(1),
        step_end=zeros(steps),
        carried=zeros(2),
        log=zeros(0),
        noted=zeros(1),
        watch=np.zeros(0, np.bool_),
        watch_row=np.zeros(0, np.bool_),
    )


def fits(tables: Tables, sent: NDArray[np.uint8], bits: int = 32) -> bool:
    """Whether no count of a timestep, by connection or route node, can be more than unsigned numbers of so many bits hold.

    sent : (samples, T, neurons in slice-major order) spikes. A node, or a connection, meets each packet of its slice once at
    most, and control packets of its parts; no spike makes more synaptic operations, or words, than the most expensive
    run times the largest number of runs, and no packet has more flits than a full bundle.
    """
    s, r = tables.slices, tables.rows
    runs = int(r.taps.max(initial=1)) * int(r.costs[:, (SYNAPSES, WORDS, STATE)].max(initial=1))
    # Numbers of Python, which have no end.
    most = max(1, runs, int(s.flits.max(initial=1)))
    # As if all neurons sent as much as the one that sends most; or, where that is too many, what they do send.
    each = len(sent) * (s.neurons * max(1, int(sent.max(initial=0))) + tables.parts.many)
    if int(each.max(initial=0)) * most < 1 << bits:
        return True
    spikes = np.add.reduceat(sent, s.first_neuron[:-1], axis=2, dtype=np.int64).sum(axis=0).max(axis=0)
    packets = np.maximum(spikes, len(sent) * s.neurons * (s.form > 0)) + len(sent) * tables.parts.many
    return int(packets.max(initial=0)) * most < 1 << bits


def check_finished(unfinished: int) -> None:
    """Raise where slices never ended: a defect of the simulator, not of the input."""
    if unfinished:
        raise RuntimeError(
            f"{unfinished} slices or frames never finished: a deadlock in the simulator, please report it"
        )


def stream_length(tables: Tables, sent: NDArray[np.uint8]) -> int:
    """Samples that are run back to back; sent is (samples, T, neurons in slice-major order) packets."""
    s, n = tables.slices, tables.nodes
    tree = np.bincount(n.owner[: n.packet_nodes], minlength=len(s.neurons))
    packets = np.add.reduceat(sent.sum(axis=(0, 1), dtype=np.int64), s.first_neuron[:-1])
    affordable = STREAM_HOPS * len(sent) // max(1, int(packets @ tree))
    return min(STREAM_SAMPLES, max(FEWEST_STREAM_SAMPLES, affordable))


def stream_interval(
    tables: Tables,
    packed: Packed,
    sent: NDArray[np.uint8],
    wires: Wires | None = None,
    channels: Channels | None = None,
) -> float:
    """Cycles between results when samples follow each other without a pause (repeated if there are few).

    wires, channels : as of `sfnhw.sim.running.run_frames`.
    """
    samples, T, neurons = sent.shape
    length, f = stream_length(tables, sent), tables.fabric
    # Under a barrier samples enter behind the last one that is measured, so that all layers work until it is done.
    behind = -(-(global_steps(f, T) - T * f.interval) // (T * f.interval)) if f.barrier else 0
    frames = sent[np.resize(np.arange(samples), length + behind)].reshape(-1, neurons)
    tally = empty_tally(tables, len(frames), T)  # of which only times are read
    check_finished(run_frames(frames, T, tables.slices, packed, f, tally, wires=wires, channels=channels))
    finish = tally.finish.reshape(-1, T).max(axis=1)
    first = length // 4
    return float(finish[length - 1] - finish[first - 1]) / (length - first)


def barrier_interval(
    tables: Tables, packed: Packed, sent: NDArray[np.uint8], alone: list[Tally], channels: Channels | None = None
) -> float:
    """Return the same as `stream_interval` under barrier execution, from samples that have been run alone.

    A global step begins on an empty chip, so it takes as long as any step with the same frames. Samples back to back
    differ from samples alone in the steps in which one is still in the last layers and the next one in the first: only
    these are run. Where three samples meet in a step, or a step ends while a link is still taken, all is run.
    """
    f = tables.fabric
    samples, T, neurons = sent.shape
    period = T * f.interval  # global steps from one sample to the next
    ends = np.concatenate([tally.step_end for tally in alone]).reshape(samples, -1)
    shared = ends.shape[1] - period  # steps in which a sample meets the next one
    if f.window > 1 or shared > period or any(tally.carried[0] for tally in alone):
        return stream_interval(tables, packed, sent, channels=channels)
    length = stream_length(tables, sent)
    first = length // 4
    cycles = 0
    both: dict[tuple[int, int], int] = {}
    for k in range(first, length):
        one, other = k % samples, (k + 1) % samples
        # The sample's own steps; those that it shares with the sample before it are the latter's.
        begun = ends[one, shared - 1] if shared > 0 else 0
        if shared <= 0:
            cycles += int(ends[one, -1] - begun)
            continue
        cycles += int(ends[one, period - 1] - begun)
        if (one, other) not in both:
            frames = sent[[one, other]].reshape(2 * T, neurons)
            tally = empty_tally(tables, 2 * T, T, shared)
            run_frames(frames, T, tables.slices, packed, f, tally, (period, period + shared - 1), channels=channels)
            if tally.carried[0]:
                return stream_interval(tables, packed, sent, channels=channels)
            both[one, other] = int(tally.step_end[-1])
        cycles += both[one, other]
    return cycles / (length - first)
