"""The figures of a run: one file each, registered here by name."""

from collections.abc import Callable

from matplotlib.figure import Figure

from sfnhw.errors import InputError, nearest
from sfnhw.reports.figures.area import area
from sfnhw.reports.figures.break_even import break_even
from sfnhw.reports.figures.energy import energy
from sfnhw.reports.figures.links import links
from sfnhw.reports.figures.overhead import overhead
from sfnhw.reports.figures.packet_latency import packet_latency
from sfnhw.reports.figures.sensitivity import sensitivity
from sfnhw.reports.figures.timeline import timeline
from sfnhw.reports.figures.tornado import tornado
from sfnhw.reports.figures.utilisation import utilisation
from sfnhw.reports.style import styled
from sfnhw.reports.view import RunView, as_view
from sfnhw.run import Run

# Name → function(view) → figure, in the order of the report.
FIGURES: dict[str, Callable[[RunView], Figure]] = {
    "energy": energy,
    "timeline": timeline,
    "utilisation": utilisation,
    "links": links,
    "overhead": overhead,
    "break_even": break_even,
    "sensitivity": sensitivity,
    "packet_latency": packet_latency,
    "tornado": tornado,
    "area": area,
}

# What not every run has, and what then is missing.
_NEEDS: dict[str, tuple[Callable[[RunView], bool], str]] = {
    "packet_latency": (
        lambda view: bool(len(view.tables.get("packets", {}).get("packets", ()))),
        "packets are simulated at fidelity packet, flit and auto, and it is {fidelity}",
    ),
    "overhead": (
        lambda view: len(view.json["comparison"]) > 1 or bool(view.json["overhead"]["thresholds_by_layer"]),
        "it has one threshold a neuron at most, and nothing beside it",
    ),
    "break_even": (
        lambda view: bool(view.json.get("break_even")),
        "it was estimated without break_even=True (--break-even)",
    ),
    "sensitivity": (
        lambda view: bool(view.json.get("sensitivity")),
        "it was estimated without sensitivity=True (--sensitivity)",
    ),
}


def available(view: RunView) -> list[str]:
    """Return the names of the figures that this run has data for."""
    return [name for name in FIGURES if name not in _NEEDS or _NEEDS[name][0](view)]


def figure(name: str, run: Run | RunView) -> Figure:
    """Draw a figure of a run.

    Raises
    ------
    InputError : unknown name (with the nearest), or a figure that this run has no data for.
    """
    names = list(FIGURES)
    if name not in FIGURES:
        raise InputError(field="figure", found=name, expected=f"one of {', '.join(names)}{nearest(name, names)}")
    view = as_view(run)
    if name not in available(view):
        raise InputError(
            "this run has no data for it: " + _NEEDS[name][1].format(fidelity=view.json["fidelity"]),
            field="figure",
            found=name,
            expected=f"one of {', '.join(available(view))}",
        )
    with styled():
        return FIGURES[name](view)
