"""The figures of a run: one file each, registered here by name."""

from collections.abc import Callable

from matplotlib.figure import Figure

from sfnhw.errors import InputError, nearest
from sfnhw.reports.figures.area import area
from sfnhw.reports.figures.energy import energy
from sfnhw.reports.figures.links import links
from sfnhw.reports.figures.overhead import overhead
from sfnhw.reports.figures.packet_latency import packet_latency
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
    "packet_latency": packet_latency,
    "tornado": tornado,
    "area": area,
}

# Figures that need a table which not every run has.
_NEEDS = {"packet_latency": "packets"}


def available(view: RunView) -> list[str]:
    """Return the names of the figures that this run has data for."""
    return [n for n in FIGURES if n not in _NEEDS or len(view.tables.get(_NEEDS[n], {}).get("packets", ()))]


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
            f"this run has no data for it: packets are simulated at packet fidelity only, and it is {view.json['fidelity']}",
            field="figure",
            found=name,
            expected=f"one of {', '.join(available(view))}",
        )
    with styled():
        return FIGURES[name](view)
