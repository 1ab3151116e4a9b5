"""Fidelity `packet`: runs of the event-driven model, in the same shape as those of fidelity `flit`."""

import numpy as np

from sfnhw.errors import SimulationError
from sfnhw.sim.noc import bits, fabric, flit_kernel, router, sources, state
from sfnhw.sim.noc import packet_kernel as kernel
from sfnhw.sim.noc.config import NocConfig
from sfnhw.sim.noc.fabric import Fabric, build
from sfnhw.sim.noc.flit import FOREVER, HISTOGRAM_BINS, STRIDE, WAKE_SLOTS, Progress, Run, make_sources
from sfnhw.sim.noc.state import empty_packets
from sfnhw.sim.noc.traffic import Traffic

bits.drop_stale(kernel.run_events, [str(m.__file__) for m in (bits, fabric, flit_kernel, router, sources, state)])


class Simulation:
    """A network and its traffic in flight."""

    def __init__(self, traffic: Traffic, rate: float, burst: int, seed: int) -> None:
        self.fabric = build(traffic.config)
        self.packets = empty_packets(self.fabric)
        self.sources = make_sources(traffic, rate, burst, seed)
        self.hops = empty_hops(self.fabric, traffic.config)
        kernel.start_nodes(self.fabric, self.sources, self.hops)
        self.now = 0

    def advance(self, measure: flit_kernel.Measure, cycles: int, drain: bool = False) -> None:
        """Run `cycles` more cycles, fewer where `drain` ends earlier."""
        end = self.now + cycles
        self.now = kernel.run_events(self.fabric, self.packets, self.sources, measure, self.hops, self.now, end, drain)


def empty_hops(f: Fabric, config: NocConfig) -> kernel.Hops:
    """No packet anywhere."""
    inputs, ports = f.routers * f.ports * f.vcs, f.routers * f.ports
    vcs, flits = inputs + f.nodes * f.vcs, config.packet_flits
    places = -(-f.depth // flits)
    events = inputs + ports + f.nodes

    def longs(size: int, fill: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.full(size, fill, np.int64)

    def ints(size: int, fill: int = -1) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.full(size, fill, np.int32)

    return kernel.Hops(
        inputs=inputs,
        places=places,
        spread=config.body_cycles,
        lag=(-f.depth % flits) * f.switch_alloc,
        queue=ints(vcs * places),
        ready=longs(vcs * places),
        left=longs(vcs * places),
        sent=longs(vcs),
        gone=longs(vcs),
        busy=longs(inputs),
        free_at=longs(vcs),
        holder=ints(vcs),
        holder_ready=longs(vcs),
        next_vc=ints(inputs, 0),
        waiting=ints(ports),
        waiting_last=ints(ports),
        next_waiting=ints(inputs),
        booked=longs(2 * ports),
        base=longs(2 * ports),
        until=longs(2 * ports),
        wheel=ints(WAKE_SLOTS),
        next_event=ints(events),
        time=longs(events, -1),
        counts=longs(3),
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
    """Random traffic, as `flit.run`."""
    simulation = Simulation(traffic, rate, 0, seed)
    stop = warmup + cycles
    measure = flit_kernel.Measure(warmup, stop, np.zeros(HISTOGRAM_BINS, np.int64), np.zeros(6, np.int64))
    while simulation.now < stop:
        simulation.advance(measure, min(STRIDE, stop - simulation.now))
        if progress:
            progress(simulation.now, stop)
        if give_up is not None:
            waiting, ages = _unfinished(simulation, measure)
            arrived = int(measure.total[flit_kernel.PACKETS])
            if (int(measure.total[flit_kernel.LATENCY]) + ages) / max(1, arrived + waiting) > give_up:
                return _result(simulation, measure)
    simulation.advance(measure, max(cycles, 1000), drain=True)
    return _result(simulation, measure)


def run_burst(traffic: Traffic, burst: int, seed: int = 0) -> Run:
    """A burst, as `flit.run_burst`."""
    simulation = Simulation(traffic, 0.0, burst, seed)
    measure = flit_kernel.Measure(0, FOREVER, np.zeros(HISTOGRAM_BINS, np.int64), np.zeros(6, np.int64))
    before = -1
    while simulation.hops.counts[kernel.INSIDE] or simulation.sources.left.any():
        simulation.advance(measure, STRIDE, drain=True)
        moved = int(simulation.hops.counts[kernel.HOPS])
        if moved == before:
            raise SimulationError("the network has not moved a packet for a long time: a deadlock in the simulator")
        before = moved
    return _result(simulation, measure)


def _unfinished(simulation: Simulation, measure: flit_kernel.Measure) -> tuple[int, int]:
    """Measured packets that have no time of arrival yet, and the sum of their ages."""
    p, q = simulation.packets, simulation.sources
    inside = np.ones(len(p.born), bool)
    inside[p.free[: int(p.top[0])]] = False
    born = p.born[inside]
    born = born[(born >= measure.start) & (born < measure.stop)]
    copies = q._replace(born=q.born.copy(), random=q.random.copy())
    queued, ages = flit_kernel.count_queued(copies, measure, simulation.now)
    return len(born) + queued, int((simulation.now - born).sum()) + ages


def _result(simulation: Simulation, measure: flit_kernel.Measure) -> Run:
    waiting, ages = (0, 0) if simulation.sources.burst else _unfinished(simulation, measure)
    counts = simulation.hops.counts
    return Run(
        histogram=measure.histogram,
        totals=measure.total,
        waiting=waiting,
        waiting_cycles=ages,
        flit_hops=int(counts[kernel.HOPS]),
        last_ejection=int(counts[kernel.LAST]),
        cycles=simulation.now,
    )
