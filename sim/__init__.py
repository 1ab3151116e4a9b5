"""Simulation: counts and times (simulate), and what they cost (price)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sfnhw.sim.cost import Cost as Cost
    from sfnhw.sim.cost import Energy as Energy
    from sfnhw.sim.price import price as price
    from sfnhw.sim.result import UNITS as UNITS
    from sfnhw.sim.result import Result as Result
    from sfnhw.sim.simulate import FIDELITIES as FIDELITIES
    from sfnhw.sim.simulate import simulate as simulate

# Loaded on first use, so that a command that needs no simulation does not pay for Numba.
_PUBLIC = {
    "Cost": "cost",
    "Energy": "cost",
    "price": "price",
    "UNITS": "result",
    "Result": "result",
    "FIDELITIES": "simulate",
    "simulate": "simulate",
}

__all__ = ["FIDELITIES", "UNITS", "Cost", "Energy", "Result", "price", "simulate"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(f"sfnhw.sim.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sfnhw.sim' has no attribute {name!r}")
