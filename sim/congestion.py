"""Where fidelity `packet` can be trusted, and fidelity `auto`.

At `packet` queues are unbounded and channels are served in order of arrival. That is right while packets hardly wait in
the network: as in `sfnhw.sim.noc`, while their mean time there is below 1.2 times that of an empty one. (The wait in the
queues of cores is not part of it, which a burst of a layer makes long at any fidelity.) And it does not matter while
links are mostly idle: where packets wait for one another behind a slow core, both fidelities have it take as long. So times
are in doubt where packets wait and the most loaded link is taken most of the time. Where slices work a row at a time, packets
wait is enough: those of later rows overtake the ones that the next layer waits for, in other virtual channels.

In doubt too are inferences of whose latency routers with slow stages or short buffers may take more (`sfnhw.sim.unmodelled`),
all where packets are longer than buffers that are shorter than a round trip, and those of which a core gets more packets
than its input buffer takes. The interval of samples back to back has doubts of its own (`sfnhw.sim.stream_doubts`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import SimulationError
from sfnhw.mapping import Mapping
from sfnhw.sim.counts import Counts, to_actions
from sfnhw.sim.flits.wires import build_wires, check_wires, longest_packets
from sfnhw.sim.following import following
from sfnhw.sim.link_load import link_utilisation
from sfnhw.sim.packed import pack
from sfnhw.sim.packet import simulate_packets, with_pace
from sfnhw.sim.result import Result
from sfnhw.sim.stream import stream_interval
from sfnhw.sim.stream_doubts import StreamDoubts, stream_doubts
from sfnhw.sim.table_cache import derived
from sfnhw.sim.tables import Tables
from sfnhw.sim.timing import Timing
from sfnhw.sim.unmodelled import MOST_MISSED, missed_by_links, missed_share, most_at_a_core

# Beyond both, times at fidelity `packet` are in doubt: mean time in the network over that of an empty one, and share of the
# interval of samples back to back, when all layers work at once, in which the most loaded link is taken. Where a warning was
# missing, the runs measured for docs/noc.md were within 4 % of fidelity `flit`.
MOST_CONGESTION, MOST_UTILISATION = 1.2, 0.4
# The second one where a tree has one virtual channel on a link: none gets past a packet that waits, and a ready token that does
# holds up a whole inference (the digits CNN with o1turn and 2 virtual channels of 8 flits: interval 78 % longer at 0.32).
MOST_UTILISATION_OF_ONE = 0.25


class Doubts(NamedTuple):
    """Why sample times at `packet` are in doubt.

    Attributes
    ----------
    congested : (samples,) packets wait in the network.
    missed : (samples,) share of the latency that routers may take more.
    longest : flits of the longest packet, where it is longer than a buffer that is shorter than a round trip; else 0.
    at_core : (samples,) packets of each that may be in flight to the core that gets most, where cores take in so many at
        most; else 0.
    places : packets that a core's input buffer takes; else 0.
    stream : why the interval is.
    """

    congested: NDArray[np.bool_]
    missed: NDArray[np.float64]
    longest: int
    at_core: NDArray[np.int64]
    places: int
    stream: StreamDoubts

    @property
    def full(self) -> NDArray[np.bool_]:
        """(samples,) in which a core's input buffer may be full."""
        return self.at_core > self.places

    @property
    def samples(self) -> NDArray[np.bool_]:
        """(samples,) in doubt for any reason."""
        return self.congested | (self.missed > MOST_MISSED) | self.full | (self.longest > 0)


def doubts_of(mapping: Mapping, tables: Tables, sent: NDArray[np.uint8], counts: Counts, timing: Timing) -> Doubts:
    """Look for reasons; timing : at fidelity `packet`; sent : as of `simulate_auto`."""
    chip, c, samples = mapping.chip, tables.fabric.channels, len(timing.latency)
    longest, depth, places = 0, chip.noc.buffer_flits, chip.core.input_packets
    if depth is not None and c.link.flit > c.parts * c.moves:
        longest = int(longest_packets(tables, sent).max(initial=1))
    links = missed_by_links(chip, tables, counts)
    at_core = np.zeros(samples, np.int64)
    if places is not None:
        # Those of as many inferences as there are accumulator sets, and of the one that is worked off.
        at_core = (tables.fabric.banks + 1) * most_at_a_core(tables, counts, sent)
    return Doubts(
        congested=congested(tables, counts, timing),
        missed=missed_share(chip, tables, links, timing.latency, sent.shape[1]),
        longest=longest if longest > (depth or 0) else 0,
        at_core=at_core,
        places=places or 0,
        stream=stream_doubts(tables, counts, timing, links, (MOST_CONGESTION, _most_utilisation(tables))),
    )


def congested(tables: Tables, counts: Counts, timing: Timing) -> NDArray[np.bool_]:
    """(samples,) in which packets wait in the network."""
    assert timing.congestion is not None, "times of fidelity packet"
    waits = timing.congestion > MOST_CONGESTION
    # Loads of links are sums over all route nodes: only where they are asked for.
    if not waits.any() or tables.parts.many.max(initial=1) > 1:
        return waits
    return waits & (link_utilisation(tables, counts, len(waits), timing.interval) > _most_utilisation(tables))


def _most_utilisation(tables: Tables) -> float:
    """Share of the interval for which the most loaded link may be taken."""
    return min(MOST_UTILISATION, MOST_UTILISATION_OF_ONE) if derived(_has_single, tables) else MOST_UTILISATION


def _has_single(tables: Tables) -> bool:
    """Whether any tree has one virtual channel on a link."""
    c = tables.fabric.channels
    return bool((c.shares[np.unique(tables.nodes.vc_class)] * c.parts == c.ticks).any())


def warnings_of(
    mapping: Mapping, tables: Tables, sent: NDArray[np.uint8], counts: Counts, timing: Timing, stream: bool = True
) -> tuple[str, ...]:
    """What a reader of times at fidelity `packet` must know; sent, stream as of `simulate_auto`."""
    told: tuple[str, ...] = ()
    if mapping.chip.noc.buffer_flits is not None:
        try:
            check_wires(mapping.chip, tables, sent)
        except SimulationError as refused:
            told = (f"fidelity flit refuses this network: {refused}",)
    doubts = doubts_of(mapping, tables, sent, counts, timing)
    told += _of_routers(mapping, tables, counts, timing, doubts)
    return told + (doubts.stream.sentences(tables.fabric.barrier) if stream else ())


def _of_routers(mapping: Mapping, tables: Tables, counts: Counts, timing: Timing, doubts: Doubts) -> tuple[str, ...]:
    """One sentence for each reason."""
    told, noc, samples = [], mapping.chip.noc, len(timing.latency)
    if doubts.full.any():
        told.append(
            f"core.input_packets is {doubts.places}, and at fidelity packet cores take in any number: up to "
            f"{doubts.at_core.max():,} packets may be on their way to a core at once, and times may be too short; fidelity "
            "flit (or auto) has full buffers push back"
        )
    if doubts.longest:
        told.append(
            f"packets of up to {doubts.longest} flits are longer than noc.buffer_flits, {noc.buffer_flits}, which is shorter than a "
            "credit's round trip: they stand still for credits, which fidelity packet does not see; fidelity flit (or auto) does"
        )
    over = doubts.missed > MOST_MISSED
    if over.any():
        bursts = "bursts of packets between barriers, " if tables.fabric.barrier else ""
        told.append(
            f"{bursts}router stages of several cycles, or buffers of less than two credits' round trips, may make {int(over.sum()):,} of "
            f"{samples:,} inferences longer by {doubts.missed.max():.0%} or so, which fidelity packet does not see; fidelity flit "
            "(or auto) does"
        )
    if doubts.congested.any() and timing.congestion is not None:
        told.append(
            f"the network is congested in {int(doubts.congested.sum()):,} of {samples:,} inferences (packets take up to "
            f"{timing.congestion.max():.1f} times as long through it as through an empty one, and its most loaded link is taken "
            f"for {link_utilisation(tables, counts, samples, timing.interval):.0%} of the interval): times at fidelity packet are in doubt; "
            "fidelity flit (or auto) has finite buffers"
        )
    return tuple(told)


def simulate_auto(
    mapping: Mapping,
    tables: Tables,
    sent: NDArray[np.uint8],
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    stream: bool = True,
) -> Result:
    """Run all samples at `packet`, and those in doubt, whole, at `flit`; samples back to back at `flit` where any is, or they are.

    sent : (samples, T, neurons in slice-major order) packets of each neuron. stream : whether samples follow one another, so that
    the interval matters; not where a round ends before the next sample comes.
    """
    samples = len(sent)
    wires = build_wires(mapping.chip, tables, sent)  # first: a chip that `flit` refuses is refused, congested or not
    counts, timing = simulate_packets(tables, sent, threads, progress)
    doubts = doubts_of(mapping, tables, sent, counts, timing)
    doubtful = doubts.samples
    some = int(doubtful.sum())

    def tell(done: int, _: int) -> None:
        if progress:
            progress(samples + done, samples + some)

    again = bool(doubtful.any()) or (stream and doubts.stream.any)
    if some == samples:
        counts, timing = simulate_packets(tables, sent, threads, tell, wires)
    elif again:
        if some:
            there = simulate_packets(tables, sent[doubtful], threads, tell, wires, back_to_back=False)
            here = simulate_packets(tables, sent[~doubtful], threads, back_to_back=False)
            # Counts are the same at every fidelity.
            timing = replace(_joined(here[1], there[1], doubtful, np.nan), pins_busy=timing.pins_busy)
        follow = following(tables, sent)
        pace = stream_interval(tables, derived(pack, tables), sent, follow, wires)
        timing = with_pace(tables, counts, replace(timing, stream_congestion=None), samples, follow, pace)
    actions = to_actions(mapping, tables, counts, samples)
    return Result(mapping, tables, "auto", samples, counts, actions, timing, at_flit=doubtful, interval_at_flit=again)


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
        stream_congestion=None,
    )
