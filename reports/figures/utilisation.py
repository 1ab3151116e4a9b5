"""How busy and how full each core is, on the chip's own floor plan."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfnhw.reports.figures.mesh import Region, as_cells, core_centres, mark_pins, mesh_axes, shown_region, tile_shape
from sfnhw.reports.style import SEQUENTIAL, UNUSED, ink_on
from sfnhw.reports.text import elide, percent, shortest_ends
from sfnhw.reports.view import RunView

# Beyond this many cores beside each other a cell is too small for text.
LABELLED_COLUMNS = 10
PANEL_IN = 5.2
LIMIT_NAMES = {
    "neurons": "neurons",
    "weight_bits": "weight memory",
    "state_bits": "state memory",
    "axons": "axon table",
    "registers": "threshold registers",
}


def utilisation(view: RunView) -> Figure:
    """Draw two maps of the mesh: share of time in which the busiest unit works, and share of the fullest limit."""
    used = np.array([bool(names) for names in view.tables["cores"]["layers"]])
    busy, fill = view.busiest(), view.fullest()
    region = shown_region(view)
    ratio = min(3.0, max(0.2, region.rows / region.columns))
    # Constrained from the start: a colour bar made before would keep the place it was given then.
    figure = Figure(figsize=(2 * PANEL_IN, PANEL_IN * ratio * 0.9 + 1.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    top = float(busy[used].max(initial=0.0))
    _map(left, view, region, busy, used, max(top, 1e-9), "busiest unit: share of an inference (%)")
    left.set_title(f"Busy: at most {percent(top)}, mean {percent(_mean(busy[used]))} of an inference", pad=20)
    _map(right, view, region, fill, used, 1.0, f"fullest limit: share of what a core has (%)\n{_limits(view, used)}")
    right.set_title(f"Full: {int(used.sum()):,} of {len(used):,} cores in use", pad=20)
    return figure


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _limits(view: RunView, used: NDArray[np.bool_]) -> str:
    """Which limit is the fullest, on how many cores: the two most frequent ones."""
    fullest = np.array(view.fullest_limit())[used]
    names, counts = np.unique(fullest, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:2]
    most = [f"{LIMIT_NAMES.get(names[i], names[i])} on {counts[i]:,} core{'s' if counts[i] > 1 else ''}" for i in order]
    return "it is " + " and ".join(most) if most else ""


def _map(
    axes: Axes,
    view: RunView,
    region: Region,
    values: NDArray[Any],
    used: NDArray[np.bool_],
    top: float,
    what: str,
) -> None:
    colours = matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=UNUSED)
    shown = as_cells(view, np.ma.masked_array(100 * values, ~used))
    image = axes.imshow(
        shown, cmap=colours, vmin=0, vmax=100 * top, aspect="equal", interpolation="nearest",
        extent=(-0.5, view.columns - 0.5, view.rows - 0.5, -0.5),
    )  # fmt: skip
    colourbar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.8, aspect=40, pad=0.03)
    colourbar.set_label(what)
    colourbar.outline.set_visible(False)
    if region.columns <= LABELLED_COLUMNS:
        axes.set_xticks(np.arange(view.columns + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(view.rows + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#ffffff", linewidth=1.5 if view.cores_per_router == 1 else 4)
        axes.tick_params(which="minor", length=0)
        _cores_of_tiles(axes, view)
        if region.columns * tile_shape(view)[0] <= LABELLED_COLUMNS:
            _names(axes, view, region, values, used, top, colours)
    tiles = f"{view.cores_per_router} cores at each router; " if view.cores_per_router > 1 else ""
    mesh_axes(axes, view, region, f"\n{tiles}grey cores are not used")
    axes.set_xlim(region.x0 - 0.5, region.x1 - 0.5)
    axes.set_ylim(region.y1 - 0.5, region.y0 - 0.5)
    mark_pins(axes, view)


def _cores_of_tiles(axes: Axes, view: RunView) -> None:
    """Thin lines between the cores at one router."""
    wide, high = tile_shape(view)
    for x in np.arange(1, view.columns * wide) / wide - 0.5:
        axes.axvline(float(x), color="#ffffff", linewidth=0.8)
    for y in np.arange(1, view.rows * high) / high - 0.5:
        axes.axhline(float(y), color="#ffffff", linewidth=0.8)


def _names(
    axes: Axes,
    view: RunView,
    region: Region,
    values: NDArray[Any],
    used: NDArray[np.bool_],
    top: float,
    colours: Any,
) -> None:
    across = region.columns * tile_shape(view)[0]
    size = 7 if across <= 6 else 6 if across <= 8 else 5
    characters = max(7, round(84 / across))
    x, y = core_centres(view)
    every = [row["name"] for row in view.layers]
    # As little of a module path as tells layers apart: "conv1", or "block2.conv1" where there are several.
    short = dict(zip(every, shortest_ends(every), strict=True))
    for core in np.flatnonzero(used):
        names = str(view.tables["cores"]["layers"][core]).split("\n")
        more = f" +{len(names) - 1}" if len(names) > 1 else ""
        label = elide(short.get(names[0], names[0]), characters - len(more)) + more
        ink = ink_on(colours(values[core] / top if top else 0.0))
        axes.text(
            float(x[core]), float(y[core]), f"{label}\n{percent(float(values[core]))}",
            ha="center", va="center", fontsize=size, color=ink, clip_on=True,
        )  # fmt: skip
