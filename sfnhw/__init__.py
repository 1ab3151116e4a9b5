"""What does this network cost on a neuromorphic chip?

    torch module --convert--> Network --record(inputs)--> Activity
                                 |                           |
    chip.yaml --load_chip--> Chip --map_network--> Mapping --simulate--> Result --price--> Cost --> report

``sfnhw.estimate`` runs the whole chain. Names are loaded on first use, so ``import sfnhw`` costs
milliseconds: torch, numba and matplotlib are imported only by the calls that need them.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

# In a checkout the folders mapping/, sim/ and reports/ stand beside sfnhw/, not inside it. Installed,
# they are inside, and this guard finds no pyproject.toml and does nothing.
_root = Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "mapping" / "__init__.py").is_file():
    __path__.append(str(_root))
del _root

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sfnhw.activity import Activity as Activity
    from sfnhw.chip import Chip as Chip
    from sfnhw.chip import load_chip as load_chip
    from sfnhw.convert import convert as convert
    from sfnhw.convert import size_of as size_of
    from sfnhw.errors import SfnhwError as SfnhwError
    from sfnhw.estimate import estimate as estimate
    from sfnhw.explore import explore as explore
    from sfnhw.mapping import Mapping as Mapping
    from sfnhw.mapping import map_network as map_network
    from sfnhw.network import Network as Network
    from sfnhw.network import Population as Population
    from sfnhw.nir import from_nir as from_nir
    from sfnhw.nir import to_nir as to_nir
    from sfnhw.numerics import Numerics as Numerics
    from sfnhw.numerics_sweep import numerics_sweep as numerics_sweep
    from sfnhw.rates import Rates as Rates
    from sfnhw.recode import recode as recode
    from sfnhw.record import record as record
    from sfnhw.run import Run as Run
    from sfnhw.sim import Cost as Cost
    from sfnhw.sim import Result as Result
    from sfnhw.sim import price as price
    from sfnhw.sim import simulate as simulate

# Public name -> the module that holds it.
_PUBLIC = {
    # the model
    "Network": "sfnhw.network",
    "Population": "sfnhw.network",
    "Activity": "sfnhw.activity",
    "Chip": "sfnhw.chip",
    "Numerics": "sfnhw.numerics",
    "SfnhwError": "sfnhw.errors",
    # the verbs, in the order of the flow
    "convert": "sfnhw.convert",
    "size_of": "sfnhw.convert",
    "recode": "sfnhw.recode",
    "from_nir": "sfnhw.nir",
    "to_nir": "sfnhw.nir",
    "record": "sfnhw.record",
    "load_chip": "sfnhw.chip",
    "map_network": "sfnhw.mapping",
    "simulate": "sfnhw.sim",
    "price": "sfnhw.sim",
    # what they give
    "Mapping": "sfnhw.mapping",
    "Result": "sfnhw.sim",
    "Cost": "sfnhw.sim",
    # the whole chain
    "estimate": "sfnhw.estimate",
    "explore": "sfnhw.explore",
    "numerics_sweep": "sfnhw.numerics_sweep",
    "Rates": "sfnhw.rates",
    "Run": "sfnhw.run",
}

__all__ = [*sorted(_PUBLIC), "__version__"]


class _Package(ModuleType):
    """Keeps `sfnhw.convert` the function: importing the module sfnhw.convert would put the module in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sfnhw' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
