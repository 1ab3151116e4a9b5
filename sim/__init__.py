"""Simulation: counts and times (simulate), and what they cost (price).

Imported at once, so that the names below are the functions and not the modules that hold them; Numba is imported by the
packet engine only, when it is asked for.
"""

from sfnhw.sim.cost import Cost, Energy
from sfnhw.sim.event_log import EVENT_LIMIT, EventLog, record_events
from sfnhw.sim.price import price
from sfnhw.sim.result import UNITS, Result
from sfnhw.sim.simulate import FIDELITIES, simulate

__all__ = [
    "EVENT_LIMIT",
    "FIDELITIES",
    "UNITS",
    "Cost",
    "Energy",
    "EventLog",
    "Result",
    "price",
    "record_events",
    "simulate",
]
