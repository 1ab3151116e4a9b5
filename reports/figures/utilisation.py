"""How busy and how full each core is, on the chip's own floor plan."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfnhw.reports.style import FAINT, INK, SEQUENTIAL, UNUSED, ink_on
from sfnhw.reports.text import elide, percent
from sfnhw.reports.view import RunView

# Beyond this many columns a cell is too small for text.
LABELLED_COLUMNS = 10
PANEL_IN = 5.2


def utilisation(view: RunView) -> Figure:
    """Draw two maps of the mesh: share of time in which the busiest unit works, and share of the fullest limit."""
    used = np.array([bool(names) for names in view.tables["cores"]["layers"]])
    busy, fill = view.busiest(), view.fullest()
    ratio = min(3.0, max(0.25, view.rows / view.columns))
    # Constrained from the start: a colour bar made before would keep the place it was given then.
    figure = Figure(figsize=(2 * PANEL_IN, PANEL_IN * ratio + 1.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    top = float(busy[used].max(initial=0.0))
    _map(left, view, busy, used, max(top, 1e-9), "busiest unit")
    left.set_title(f"Busy: at most {percent(top)}, mean {percent(_mean(busy[used]))} of an inference")
    _map(right, view, fill, used, 1.0, "fullest limit")
    right.set_title(f"Full: {int(used.sum()):,} of {len(used):,} cores in use")
    return figure


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _map(axes: Axes, view: RunView, values: NDArray[Any], used: NDArray[np.bool_], top: float, what: str) -> None:
    columns, rows = view.columns, view.rows
    colours = matplotlib.colormaps[SEQUENTIAL].copy()
    colours.set_bad(UNUSED)
    shown = np.ma.masked_array(100 * values, ~used).reshape(rows, columns)
    image = axes.imshow(shown, cmap=colours, vmin=0, vmax=100 * top, aspect="equal", interpolation="nearest")
    colourbar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.8, aspect=40, pad=0.03)
    of = "the inference" if what.startswith("busiest") else "the core's limit"
    colourbar.set_label(f"{what}: share of {of} (%)")
    colourbar.outline.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    step = max(1, columns // 8, rows // 8)
    axes.set_xticks(range(0, columns, step))
    axes.set_yticks(range(0, rows, step))
    axes.set_xlabel("column of the mesh (grey cores are not used)")
    axes.set_ylabel("row")
    _pins(axes, view)
    if columns <= LABELLED_COLUMNS:
        axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#ffffff", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
        _names(axes, view, values, used, top, colours)


def _names(axes: Axes, view: RunView, values: NDArray[Any], used: NDArray[np.bool_], top: float, colours: Any) -> None:
    size = 7 if view.columns <= 6 else 6 if view.columns <= 8 else 5
    characters = max(5, round(64 / view.columns))
    for core in np.flatnonzero(used):
        names = str(view.tables["cores"]["layers"][core]).split("\n")
        # The last part of a module path tells neighbours apart: block.conv1, block.conv2.
        last = names[0].rpartition(".")[2] or names[0]
        label = elide(last, characters) + (f" +{len(names) - 1}" if len(names) > 1 else "")
        ink = ink_on(colours(values[core] / top if top else 0.0))
        axes.text(
            core % view.columns, core // view.columns, f"{label}\n{percent(float(values[core]))}",
            ha="center", va="center", fontsize=size, color=ink, clip_on=True,
        )  # fmt: skip


def _pins(axes: Axes, view: RunView) -> None:
    """Mark the router that inputs and outputs pass."""
    x, y = view.json["chip"]["io.router"]
    axes.annotate(
        "pins", (x - 0.5, y - 0.5), (x - 0.75 - 0.02 * view.columns, y - 0.75 - 0.02 * view.rows), annotation_clip=False,
        ha="right", va="bottom", fontsize=8, color=FAINT, arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 0.8},
    )  # fmt: skip
