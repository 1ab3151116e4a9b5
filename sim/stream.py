"""Samples back to back: the cycles between their results, and how long their packets wait for one another."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.by_place import Tallied
from sfnhw.sim.channel_order import Channels
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.following import Following
from sfnhw.sim.kernel_state import LATENCY_BINS, Tally, global_steps
from sfnhw.sim.packed import Packed
from sfnhw.sim.running import run_frames
from sfnhw.sim.tables import STATE, SYNAPSES, WORDS, Tables

Ints = NDArray[np.int64]


class Pace(NamedTuple):
    """How samples follow one another.

    Attributes
    ----------
    interval : cycles between results.
    waited, routers : as of `Tally.waits`, of all packets of the runs that it was found from.
    """

    interval: float
    waited: int
    routers: int


def empty_tally(tables: Tables, frames: int, T: int, steps: int = 0, wide: bool = False) -> Tally:
    """All zero; layer starts −1. steps : of how many global steps to note the end; wide : count in 64 bits (see `fits`)."""
    return Tally(**_no_counts(tables, T, wide), **no_times(tables, frames, T, steps))


def _no_counts(tables: Tables, T: int, wide: bool) -> dict[str, Any]:
    """Return the fields of an empty tally that count by timestep."""
    slices, rows, nodes = len(tables.slices.neurons), len(tables.rows.source), len(tables.nodes.owner)
    bundles, control = bool(tables.slices.form.any()), not tables.fabric.barrier

    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    def counts(*shape: int) -> Tallied:
        return np.zeros(shape, np.int64) if wide else np.zeros(shape, np.uint32)

    return {
        "by_slice": zeros(slices, T, 6),
        "by_row": counts(T, rows, 4),
        "row_ends": counts(T, rows * control),
        "tree_packets": counts(T, len(tables.nodes.roots) * tables.fabric.barrier),
        "node_packets": counts(T, nodes),
        "node_control": counts(T, nodes * control),
        "sent_spikes": zeros(slices * bundles, T),
        "sent_flits": zeros(slices * bundles, T),
        "row_spikes": counts(T, rows * bundles),
        "node_flits": counts(T, nodes * bundles),
    }


def no_times(tables: Tables, frames: int, T: int, steps: int) -> dict[str, Any]:
    """Return the other fields of an empty tally: of times, and of all timesteps together."""

    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    return {
        "busy": zeros(tables.fabric.cores + 1, 4),
        "link_busy": zeros(4 * tables.fabric.routers),
        "latency_histogram": zeros(LATENCY_BINS),
        "latency_total": zeros(2),
        "waits": zeros(max(1, frames // T), 2),
        "layer_start": np.full((frames, tables.populations), -1, np.int64),
        "layer_end": zeros(frames, tables.populations),
        "finish": zeros(frames),
        "occupied": zeros(max(1, frames // T)),
        "by_event": zeros(1),
        "steps": zeros(1),
        "step_end": zeros(steps),
        "carried": zeros(2),
        "log": zeros(0),
        "noted": zeros(1),
        "watch": np.zeros(0, np.bool_),
        "watch_row": np.zeros(0, np.bool_),
    }


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


def stream_interval(
    tables: Tables,
    packed: Packed,
    sent: NDArray[np.uint8],
    follow: Following,
    wires: Wires | None = None,
    channels: Channels | None = None,
) -> Pace:
    """Run samples that follow each other without a pause.

    sent : (samples, T, neurons in slice-major order) spikes; follow : which of them, `sfnhw.sim.following.following`.
    wires, channels : as of `sfnhw.sim.running.run_frames`.
    """
    T, f = sent.shape[1], tables.fabric
    # Under a barrier samples enter behind the last one that is measured, so that all layers work until it is done.
    behind = -(-(global_steps(f, T) - T * f.interval) // (T * f.interval)) if f.barrier else 1
    frames = sent[follow.run(behind)].reshape(-1, sent.shape[2])
    tally = empty_tally(tables, len(frames), T)  # of which only times and waits are read
    check_finished(run_frames(frames, T, tables.slices, packed, f, tally, wires=wires, channels=channels))
    waited, routers = tally.waits.sum(axis=0).tolist()
    return Pace(float(follow.interval(tally.finish.reshape(-1, T).max(axis=1))), waited, routers)


def barrier_interval(
    tables: Tables,
    packed: Packed,
    sent: NDArray[np.uint8],
    follow: Following,
    alone: list[Tally],
    channels: Channels | None = None,
) -> Pace:
    """Return the same as `stream_interval` under barrier execution, from samples that have been run alone.

    A global step begins on an empty chip, so it takes as long as any step with the same frames. Samples back to back
    differ from samples alone in the steps in which one is still in the last layers and the next one in the first: only
    these are run. Where three samples meet in a step, or a step ends while a link is still taken, all is run.
    Waits are those of the samples alone and of these steps.
    """
    f = tables.fabric
    samples, T, neurons = sent.shape
    period = T * f.interval  # global steps from one sample to the next
    ends = np.concatenate([tally.step_end for tally in alone]).reshape(samples, -1)
    shared = ends.shape[1] - period  # steps in which a sample meets the next one
    if f.window > 1 or shared > period or any(tally.carried[0] for tally in alone):
        return stream_interval(tables, packed, sent, follow, channels=channels)
    order = follow.order
    waits = np.concatenate([tally.waits[: len(tally.finish) // T] for tally in alone])[order].sum(axis=0)
    # A sample's own steps; those that it shares with the sample before it are the latter's.
    begun = ends[order, shared - 1] if shared > 0 else 0
    cycles = int((ends[order, min(period, ends.shape[1]) - 1] - begun).sum())
    both: dict[tuple[int, int], Tally] = {}
    for pair in zip(order.tolist(), np.roll(order, -1).tolist(), strict=True) if shared > 0 else ():
        if pair not in both:
            frames = sent[list(pair)].reshape(2 * T, neurons)
            tally = both[pair] = empty_tally(tables, 2 * T, T, shared)
            run_frames(frames, T, tables.slices, packed, f, tally, (period, period + shared - 1), channels=channels)
            if tally.carried[0]:
                return stream_interval(tables, packed, sent, follow, channels=channels)
        cycles += int(both[pair].step_end[-1])
        waits = waits + both[pair].waits.sum(axis=0)
    return Pace(cycles / len(order), *waits.tolist())
