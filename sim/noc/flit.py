"""Fidelity `flit`: cycle by cycle, with every buffer, credit and allocation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import SimulationError
from sfnhw.sim.noc import bits, fabric, router, sources, state
from sfnhw.sim.noc import flit_kernel as kernel
from sfnhw.sim.noc.fabric import Fabric, build
from sfnhw.sim.noc.sources import Sources
from sfnhw.sim.noc.state import FLIT_HOPS, IN_FLIGHT, LAST_EJECTION, Packets, State, empty_packets, empty_state
from sfnhw.sim.noc.traffic import Traffic

Progress = Callable[[int, int], None]
HISTOGRAM_BINS = 1 << 16
WAKE_SLOTS = 4096
STRIDE = 5_000  # cycles between two reports of progress
FOREVER = 1 << 40

bits.drop_stale(kernel.run_cycles, [str(m.__file__) for m in (bits, fabric, router, sources, state)])


@dataclass(frozen=True)
class Run:
    """What a run leaves.

    Parameters
    ----------
    histogram : (bins,) measured packets by latency in cycles, the last bin open.
    totals : (6,) see `flit_kernel`: packets, sum of latencies, routers, largest latency, flits in the window, begun.
    waiting : measured packets that had not arrived when the run ended.
    waiting_cycles : their ages then, summed.
    flit_hops : flits through routers, in all cycles.
    last_ejection : cycle in which the last packet left.
    cycles : simulated.
    """

    histogram: NDArray[np.int64]
    totals: NDArray[np.int64]
    waiting: int
    waiting_cycles: int
    flit_hops: int
    last_ejection: int
    cycles: int


class Simulation:
    """A network and its traffic in flight; `run` and `run_burst` are the usual doors."""

    def __init__(self, traffic: Traffic, rate: float, burst: int, seed: int) -> None:
        self.fabric: Fabric = build(traffic.config)
        self.state: State = empty_state(self.fabric)
        self.packets: Packets = empty_packets(self.fabric)
        self.sources: Sources = make_sources(traffic, rate, burst, seed)
        kernel.start_sources(self.sources)
        self.now = 0

    def advance(self, measure: kernel.Measure, cycles: int, drain: bool = False) -> None:
        """Run `cycles` more cycles, fewer where `drain` ends earlier."""
        end = self.now + cycles
        self.now = kernel.run_cycles(self.fabric, self.state, self.packets, self.sources, measure, self.now, end, drain)


def make_sources(traffic: Traffic, rate: float, burst: int, seed: int) -> Sources:
    """Sources of all nodes, each with a generator of its own."""
    N = traffic.config.nodes
    spread = np.random.SeedSequence(seed).generate_state(N, np.uint64).astype(np.uint64)
    shares = np.cumsum([share for _, share in traffic.hotspots])
    return Sources(
        rate=float(rate),
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


def run(
    traffic: Traffic,
    rate: float,
    cycles: int,
    warmup: int,
    seed: int = 0,
    progress: Progress | None = None,
    give_up: float | None = None,
) -> Run:
    """Random traffic: measure the packets created in `cycles` cycles after `warmup`, and wait until they have arrived.

    rate : packets per node and cycle. Where the network is beyond saturation the wait ends after `cycles` more.
    give_up : end as soon as the mean latency, with the ages of those on their way, is beyond this.
    """
    simulation = Simulation(traffic, rate, 0, seed)
    measure = kernel.Measure(warmup, warmup + cycles, np.zeros(HISTOGRAM_BINS, np.int64), np.zeros(6, np.int64))
    stop = warmup + cycles
    while simulation.now < stop:
        simulation.advance(measure, min(STRIDE, stop - simulation.now))
        if progress:
            progress(simulation.now, stop)
        if give_up is not None and _mean_so_far(simulation, measure) > give_up:
            return _result(simulation, measure)
    simulation.advance(measure, max(cycles, 1000), drain=True)
    return _result(simulation, measure)


def run_burst(traffic: Traffic, burst: int, seed: int = 0) -> Run:
    """Every node sends `burst` packets, all created in cycle 0; run until the last has arrived."""
    simulation = Simulation(traffic, 0.0, burst, seed)
    measure = kernel.Measure(0, FOREVER, np.zeros(HISTOGRAM_BINS, np.int64), np.zeros(6, np.int64))
    before = -1
    while simulation.state.counts[IN_FLIGHT] or simulation.sources.actives[0]:
        simulation.advance(measure, STRIDE, drain=True)
        moved = int(simulation.state.counts[FLIT_HOPS])
        if moved == before:
            raise SimulationError("the network has not moved a flit for a long time: a deadlock in the simulator")
        before = moved
    return _result(simulation, measure)


def _result(simulation: Simulation, measure: kernel.Measure) -> Run:
    waiting, cycles = 0, 0
    if simulation.sources.burst == 0:
        waiting, cycles = _unfinished(simulation, measure)
    counts = simulation.state.counts
    return Run(
        histogram=measure.histogram,
        totals=measure.total,
        waiting=waiting,
        waiting_cycles=cycles,
        flit_hops=int(counts[FLIT_HOPS]),
        last_ejection=int(counts[LAST_EJECTION]),
        cycles=simulation.now,
    )


def _mean_so_far(simulation: Simulation, measure: kernel.Measure) -> float:
    waiting, ages = _unfinished(simulation, measure)
    arrived = int(measure.total[kernel.PACKETS])
    return (int(measure.total[kernel.LATENCY]) + ages) / max(1, arrived + waiting)


def _unfinished(simulation: Simulation, measure: kernel.Measure) -> tuple[int, int]:
    """Measured packets that are still in the network or in a queue, and the sum of their ages."""
    p, q = simulation.packets, simulation.sources
    inside = np.ones(len(p.born), bool)
    inside[p.free[: int(p.top[0])]] = False
    born = p.born[inside]
    born = born[(born >= measure.start) & (born < measure.stop)]
    # Packets are drawn as they are needed: those that wait in a queue are drawn here, from copies.
    copies = q._replace(born=q.born.copy(), random=q.random.copy())
    queued, ages = kernel.count_queued(copies, measure, simulation.now)
    return len(born) + queued, int((simulation.now - born).sum()) + ages
