"""A run of a network, at either fidelity: traffic in flight, let go on until what is measured has arrived."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import SimulationError
from sfnhw.sim.noc.fabric import Fabric
from sfnhw.sim.noc.measure import LATENCY, PACKETS, TOTALS, Measure, count_queued
from sfnhw.sim.noc.sources import Sources
from sfnhw.sim.noc.state import Packets
from sfnhw.sim.noc.traffic import Traffic

Progress = Callable[[int, int], None]
HISTOGRAM_BINS = 1 << 16
WAKE_SLOTS = 4096
STRIDE = 5_000  # cycles between two reports of progress
FOREVER = 1 << 40
_DEADLOCK = (
    "the network has not moved for a long time: a deadlock, as a torus with an odd number of virtual channels and shared_vc "
    "any can have it; take whole, or an even number"
)


@dataclass(frozen=True)
class Run:
    """What a run leaves.

    Parameters
    ----------
    histogram : (bins,) measured packets by latency in cycles, the last bin open.
    totals : (6,) see `sfnhw.sim.noc.measure`: packets, sum of latencies, routers, largest latency, flits in the window, begun.
    waiting : measured packets that had not arrived when the run ended.
    waiting_cycles : their ages then, summed.
    flit_hops : flits through routers, in all cycles.
    last_ejection : cycle in which the last packet left.
    cycles : simulated.
    fullest_port : flits a cycle through the output port that passed most; 0 at fidelity `flit`, which does not count them.
    """

    histogram: NDArray[np.int64]
    totals: NDArray[np.int64]
    waiting: int
    waiting_cycles: int
    flit_hops: int
    last_ejection: int
    cycles: int
    fullest_port: float


class InFlight(ABC):
    """A network and its traffic. A fidelity is a subclass."""

    fabric: Fabric
    packets: Packets
    sources: Sources
    now: int = 0

    @abstractmethod
    def advance(self, measure: Measure, cycles: int, drain: bool = False) -> None:
        """Run `cycles` more cycles, fewer where `drain` ends earlier."""

    @property
    @abstractmethod
    def flit_hops(self) -> int:
        """Flits through routers so far."""

    @property
    def fullest_port(self) -> float:
        """Flits a cycle through the output port that passed most so far; 0 where they are not counted."""
        return 0.0

    @property
    @abstractmethod
    def last_ejection(self) -> int:
        """Cycle in which the last packet left so far."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether nothing is in the network, and no source has more of a burst."""


def run(
    traffic: InFlight,
    cycles: int,
    warmup: int,
    progress: Progress | None = None,
    give_up: float | None = None,
) -> Run:
    """Random traffic: measure the packets created in `cycles` cycles after `warmup`, and wait until they have arrived.

    Where the network is beyond saturation the wait ends after `cycles` more.
    give_up : end as soon as the mean latency, with the ages of those on their way, is beyond this.

    Raises
    ------
    SimulationError : nothing moves any more (`NocConfig.shared_vc`).
    """
    stop = warmup + cycles
    measure = _measure(warmup, stop)
    while traffic.now < stop:
        traffic.advance(measure, min(STRIDE, stop - traffic.now))
        if progress:
            progress(traffic.now, stop)
        if give_up is not None and _mean_so_far(traffic, measure) > give_up:
            return _result(traffic, measure)
    before = traffic.flit_hops
    traffic.advance(measure, max(cycles, 1000), drain=True)
    f, inside = traffic.fabric, len(traffic.packets.free) - int(traffic.packets.top[0])
    # Far longer than a flit can take that nothing is in the way of.
    long = 8 * (f.route + f.vc_alloc + f.switch_alloc + f.flight + f.eject + f.credit)
    if inside and traffic.now - stop >= long and traffic.flit_hops == before:
        raise SimulationError(_DEADLOCK)
    return _result(traffic, measure)


def run_burst(traffic: InFlight) -> Run:
    """A burst, all of it created in cycle 0: run until the last packet has arrived.

    Raises
    ------
    SimulationError : nothing moves any more (`NocConfig.shared_vc`).
    """
    measure, before = _measure(0, FOREVER), -1
    while not traffic.done:
        traffic.advance(measure, STRIDE, drain=True)
        if traffic.flit_hops == before:
            raise SimulationError(_DEADLOCK)
        before = traffic.flit_hops
    return _result(traffic, measure)


def _measure(start: int, stop: int) -> Measure:
    return Measure(start, stop, np.zeros(HISTOGRAM_BINS, np.int64), np.zeros(TOTALS, np.int64))


def _result(traffic: InFlight, measure: Measure) -> Run:
    waiting, ages = (0, 0) if traffic.sources.burst else _unfinished(traffic, measure)
    return Run(
        histogram=measure.histogram,
        totals=measure.total,
        waiting=waiting,
        waiting_cycles=ages,
        flit_hops=traffic.flit_hops,
        last_ejection=traffic.last_ejection,
        cycles=traffic.now,
        fullest_port=traffic.fullest_port,
    )


def _mean_so_far(traffic: InFlight, measure: Measure) -> float:
    waiting, ages = _unfinished(traffic, measure)
    return (int(measure.total[LATENCY]) + ages) / max(1, int(measure.total[PACKETS]) + waiting)


def _unfinished(traffic: InFlight, measure: Measure) -> tuple[int, int]:
    """Measured packets that have not arrived, in the network or in a queue, and the sum of their ages."""
    p, q = traffic.packets, traffic.sources
    inside = np.ones(len(p.born), bool)
    inside[p.free[: int(p.top[0])]] = False
    born = p.born[inside]
    born = born[(born >= measure.start) & (born < measure.stop)]
    # Packets are drawn as they are needed: those that wait in a queue are drawn here, from copies.
    copies = q._replace(born=q.born.copy(), random=q.random.copy())
    queued, ages = count_queued(copies, measure, traffic.now)
    return len(born) + queued, int((traffic.now - born).sum()) + ages


def make_sources(traffic: Traffic, rate: float, burst: int, seed: int) -> Sources:
    """Sources of all nodes, each with a generator of its own."""
    N = traffic.config.nodes
    spread = np.random.SeedSequence(seed).generate_state(N, np.uint64).astype(np.uint64)
    shares = np.cumsum([share for _, share in traffic.hotspots])
    return Sources(
        rate=float(rate),
        log_miss=np.zeros(1),
        burst=burst,
        flits=traffic.config.packet_flits,
        target=traffic.target,
        hot_node=np.array([node for node, _ in traffic.hotspots], np.int32),
        hot_until=np.asarray(shares, np.float64),
        random=spread,
        born=np.zeros(N, np.int64),
        packet=np.full(N, -1, np.int32),
        flit=np.zeros(N, np.int32),
        vc=np.full(N, traffic.config.virtual_channels - 1, np.int32),
        left=np.zeros(N, np.int64),
        active=np.zeros(N, np.int32),
        actives=np.zeros(1, np.int64),
        asleep=np.full(WAKE_SLOTS, -1, np.int32),
        next_asleep=np.full(N, -1, np.int32),
    )
