"""Fidelity `packet`: the event-driven model, in the same shape as fidelity `flit`."""

import numpy as np

from sfnhw.kernel_cache import drop_stale
from sfnhw.sim.noc import packet_kernel as kernel
from sfnhw.sim.noc.config import NocConfig
from sfnhw.sim.noc.fabric import Fabric, build
from sfnhw.sim.noc.measure import Measure
from sfnhw.sim.noc.router import NODE_CREDIT
from sfnhw.sim.noc.running import WAKE_SLOTS, InFlight, make_sources
from sfnhw.sim.noc.state import STAGES, empty_packets
from sfnhw.sim.noc.traffic import Traffic

drop_stale(kernel.run_events, "bits", "fabric", "measure", "router", "sources", "state")


class Simulation(InFlight):
    """Whole packets from buffer to buffer."""

    def __init__(self, traffic: Traffic, rate: float, burst: int, seed: int) -> None:
        self.fabric = build(traffic.config)
        self.packets = empty_packets(self.fabric)
        self.sources = make_sources(traffic, rate, burst, seed)
        self.hops = empty_hops(self.fabric, traffic.config)
        kernel.start_nodes(self.fabric, self.sources, self.hops)

    def advance(self, measure: Measure, cycles: int, drain: bool = False) -> None:
        """See `InFlight`."""
        end = self.now + cycles
        self.now = kernel.run_events(self.fabric, self.packets, self.sources, measure, self.hops, self.now, end, drain)

    @property
    def flit_hops(self) -> int:
        """See `InFlight`."""
        return int(self.hops.counts[kernel.HOPS])

    @property
    def fullest_port(self) -> float:
        """See `InFlight`."""
        return float(self.hops.carried.max()) / max(1, self.now)

    @property
    def last_ejection(self) -> int:
        """See `InFlight`."""
        return int(self.hops.counts[kernel.LAST])

    @property
    def done(self) -> bool:
        """See `InFlight`."""
        return not (self.hops.counts[kernel.INSIDE] or self.sources.left.any())


def empty_hops(f: Fabric, config: NocConfig) -> kernel.Hops:
    """No packet anywhere."""
    inputs, ports = f.routers * f.ports * f.vcs, f.routers * f.ports
    vcs, flits = inputs + f.nodes * f.vcs, config.packet_flits
    places = -(-f.depth // flits)
    ring = (places - 1).bit_length()
    events = inputs + ports + f.nodes
    drag = config.switch_drag_cycles

    def longs(size: int, fill: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.full(size, fill, np.int64)

    def ints(size: int, fill: int = -1) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.full(size, fill, np.int32)

    return kernel.Hops(
        inputs=inputs,
        places=places,
        ring=ring,
        spread=config.body_cycles - drag,
        drag=drag,
        lead=f.route if f.route <= 1 else 0,
        lag=(-f.depth % flits) * f.switch_alloc,
        port=np.repeat(np.arange(ports), f.vcs),
        queue=ints(vcs << ring),
        ready=longs(vcs << ring),
        left=longs(vcs << ring),
        sent=longs(vcs),
        gone=longs(vcs),
        busy=longs(inputs),
        free_at=longs(vcs),
        way_back=np.where(np.repeat(np.arange(ports) % f.ports, f.vcs) < 4, f.credit, NODE_CREDIT),
        routed=ints(inputs, 0),
        batch=longs(f.routers * STAGES),
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
        carried=longs(ports),
        counts=longs(3),
    )
