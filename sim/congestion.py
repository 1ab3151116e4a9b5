"""Where fidelity `packet` can be trusted, and fidelity `auto`.

At `packet` queues are unbounded and channels are served in order of arrival. That is right while packets hardly wait in
the network: as in `sfnhw.sim.noc`, while their mean time there is below 1.2 times that of an empty one. (The wait in the
queues of cores is not part of it, which a burst of a layer makes long at any fidelity.) And it does not matter while
links are mostly idle: where packets wait for one another behind a slow core, both fidelities have it take as long. So times
are in doubt where packets wait and the most loaded link is taken most of the time. Where slices work a row at a time, packets
wait is enough: those of later rows overtake the ones that the next layer waits for, in other virtual channels.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import SimulationError
from sfnhw.mapping import Mapping
from sfnhw.sim.counts import Counts, to_actions
from sfnhw.sim.flits.wires import build_wires, check_wires
from sfnhw.sim.link_load import link_utilisation
from sfnhw.sim.packed import pack
from sfnhw.sim.packet import simulate_packets
from sfnhw.sim.result import Result
from sfnhw.sim.stream import stream_interval
from sfnhw.sim.table_cache import derived
from sfnhw.sim.tables import Tables
from sfnhw.sim.timing import Timing

# Beyond both, times at fidelity `packet` are in doubt: mean time in the network over that of an empty one, and share of the
# interval of samples back to back, when all layers work at once, in which the most loaded link is taken. Where a warning was
# missing, the runs measured for docs/noc.md were within 4 % of fidelity `flit`.
MOST_CONGESTION, MOST_UTILISATION = 1.2, 0.4


def congested(mapping: Mapping, tables: Tables, counts: Counts, timing: Timing) -> NDArray[np.bool_]:
    """(samples,) in which sample times at `packet` are in doubt: packets wait, or could fill the cores' input buffers."""
    assert timing.congestion is not None, "times of fidelity packet"
    if mapping.chip.core.input_packets is not None:
        return np.ones(len(timing.latency), np.bool_)
    waits = timing.congestion > MOST_CONGESTION
    # Loads of links are sums over all route nodes: only where they are asked for.
    if not waits.any() or tables.parts.many.max(initial=1) > 1:
        return waits
    return waits & (link_utilisation(tables, counts, len(waits), timing.interval) > MOST_UTILISATION)


def warnings_of(
    mapping: Mapping, tables: Tables, sent: NDArray[np.uint8], counts: Counts, timing: Timing
) -> tuple[str, ...]:
    """What a reader of times at fidelity `packet` must know; sent as of `simulate_auto`."""
    told: tuple[str, ...] = ()
    if mapping.chip.noc.buffer_flits is not None:
        try:
            check_wires(mapping.chip, tables, sent)
        except SimulationError as refused:
            told = (f"fidelity flit refuses this network: {refused}",)
    return told + _of_times(mapping, tables, counts, timing)


def _of_times(mapping: Mapping, tables: Tables, counts: Counts, timing: Timing) -> tuple[str, ...]:
    places = mapping.chip.core.input_packets
    if places is not None:
        return (
            f"core.input_packets is {places}, and at fidelity packet cores take in any number: times may be too short; "
            "fidelity flit (or auto) has full buffers push back",
        )
    doubtful = congested(mapping, tables, counts, timing)
    if not doubtful.any() or timing.congestion is None:
        return ()
    return (
        f"the network is congested in {int(doubtful.sum()):,} of {len(doubtful):,} inferences (packets take up to "
        f"{timing.congestion.max():.1f} times as long through it as through an empty one, and its most loaded link is taken "
        f"for {link_utilisation(tables, counts, len(doubtful), timing.interval):.0%} of the interval): times at fidelity packet are in doubt; fidelity "
        "flit (or auto) has finite buffers",
    )


def simulate_auto(
    mapping: Mapping,
    tables: Tables,
    sent: NDArray[np.uint8],
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Run all samples at `packet`, and those in doubt, whole, at `flit`; samples back to back at `flit` where any is.

    sent : (samples, T, neurons in slice-major order) packets of each neuron.
    """
    samples = len(sent)
    wires = build_wires(mapping.chip, tables, sent)  # first: a chip that `flit` refuses is refused, congested or not
    counts, timing = simulate_packets(tables, sent, threads, progress)
    doubtful = congested(mapping, tables, counts, timing)
    if doubtful.any():
        some = int(doubtful.sum())

        def tell(done: int, _: int) -> None:
            if progress:
                progress(samples + done, samples + some)

        if some == samples:
            counts, timing = simulate_packets(tables, sent, threads, tell, wires)
        else:
            there = simulate_packets(tables, sent[doubtful], threads, tell, wires, back_to_back=False)
            here = simulate_packets(tables, sent[~doubtful], threads, back_to_back=False)
            interval = stream_interval(tables, derived(pack, tables), sent, wires)
            timing = _joined(here[1], there[1], doubtful, interval)  # counts are the same at every fidelity
    actions = to_actions(mapping, tables, counts, samples)
    return Result(mapping, tables, "auto", samples, counts, actions, timing, at_flit=doubtful)


def _joined(here: Timing, there: Timing, doubtful: NDArray[np.bool_], interval: float) -> Timing:
    """Put the times of samples of two runs together."""

    def by_sample(name: str) -> NDArray[np.int64]:
        one, other = getattr(here, name), getattr(there, name)
        out = np.empty((len(doubtful), *one.shape[1:]), one.dtype)
        out[~doubtful], out[doubtful] = one, other
        return out

    assert here.packet_latency is not None
    assert there.packet_latency is not None
    return replace(
        here,
        latency=by_sample("latency"),
        occupied=by_sample("occupied"),
        interval=interval,
        layer_start=by_sample("layer_start"),
        layer_end=by_sample("layer_end"),
        busy=here.busy + there.busy,
        link_busy=here.link_busy + there.link_busy,
        packet_latency=here.packet_latency + there.packet_latency,
        packet_latency_sum=here.packet_latency_sum + there.packet_latency_sum,
        packet_latency_max=max(here.packet_latency_max, there.packet_latency_max),
        congestion=None,
    )
