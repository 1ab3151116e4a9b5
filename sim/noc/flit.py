"""Fidelity `flit`: cycle by cycle, with every buffer, credit and allocation."""

from sfnhw.kernel_cache import drop_stale
from sfnhw.sim.noc import flit_kernel as kernel
from sfnhw.sim.noc.fabric import build
from sfnhw.sim.noc.measure import Measure
from sfnhw.sim.noc.running import InFlight, make_sources
from sfnhw.sim.noc.state import FLIT_HOPS, IN_FLIGHT, LAST_EJECTION, State, empty_packets, empty_state
from sfnhw.sim.noc.traffic import Traffic

for _kernel in (kernel.run_cycles, kernel.run_plain_cycles):
    drop_stale(_kernel, "bits", "fabric", "measure", "router", "sources", "state")


class Simulation(InFlight):
    """Flits in buffers."""

    def __init__(self, traffic: Traffic, rate: float, burst: int, seed: int) -> None:
        self.fabric = build(traffic.config)
        self.state: State = empty_state(self.fabric)
        self.packets = empty_packets(self.fabric)
        self.sources = make_sources(traffic, rate, burst, seed)
        kernel.start_sources(self.sources)
        self.run_cycles = kernel.run_plain_cycles if kernel.is_plain(self.fabric) else kernel.run_cycles

    def advance(self, measure: Measure, cycles: int, drain: bool = False) -> None:
        """See `InFlight`."""
        end = self.now + cycles
        self.now = self.run_cycles(self.fabric, self.state, self.packets, self.sources, measure, self.now, end, drain)

    @property
    def flit_hops(self) -> int:
        """See `InFlight`."""
        return int(self.state.counts[FLIT_HOPS])

    @property
    def last_ejection(self) -> int:
        """See `InFlight`."""
        return int(self.state.counts[LAST_EJECTION])

    @property
    def done(self) -> bool:
        """See `InFlight`."""
        return not (self.state.counts[IN_FLIGHT] or self.sources.actives[0])
