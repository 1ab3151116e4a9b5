"""Networks-on-chip by themselves: synthetic traffic through virtual-channel routers.

Numba is imported when a run is asked for.
"""

from sfnhw.sim.noc.config import ROUTINGS, SHARED_VCS, TOPOLOGIES, NocConfig
from sfnhw.sim.noc.result import NocResult
from sfnhw.sim.noc.simulate import FIDELITIES, is_by_events, simulate_burst, simulate_noc
from sfnhw.sim.noc.sweep import FRACTIONS, NocSweep, sweep
from sfnhw.sim.noc.traffic import PATTERNS, Traffic

__all__ = [
    "FIDELITIES",
    "FRACTIONS",
    "PATTERNS",
    "ROUTINGS",
    "SHARED_VCS",
    "TOPOLOGIES",
    "NocConfig",
    "NocResult",
    "NocSweep",
    "Traffic",
    "is_by_events",
    "simulate_burst",
    "simulate_noc",
    "sweep",
]
