"""Traffic on the links of the mesh."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfnhw.reports.style import FAINT, GRID, SEQUENTIAL, UNUSED, WIDTH_IN
from sfnhw.reports.text import count, percent
from sfnhw.reports.view import RunView

# Larger meshes are drawn as lines in a picture: arrows could not be told apart, and an SVG of them would be huge.
ARROW_LINKS = 1500


def links(view: RunView) -> Figure:
    """Draw each link between two routers as an arrow, one for each direction, coloured by flits per inference."""
    table = view.tables["links"]
    flits = np.asarray(table["flits"], float)
    ratio = min(2.0, max(0.3, view.rows / view.columns))
    figure = Figure(figsize=(WIDTH_IN, (WIDTH_IN - 1.6) * ratio * 0.92 + 1.0))
    axes = figure.add_subplot()
    used = np.array([bool(names) for names in view.tables["cores"]["layers"]])
    size = 0.36 if view.columns <= 16 else 0.5
    _routers(axes, view, used, size)
    colours, norm = matplotlib.colormaps[SEQUENTIAL], Normalize(0, max(float(flits.max(initial=0.0)), 1e-9))
    idle = flits == 0
    few = len(flits) <= ARROW_LINKS
    if few:
        axes.add_collection(PolyCollection(_arrows(table, idle, flits, size), facecolors=GRID, linewidths=0))
        busy = PolyCollection(_arrows(table, ~idle, flits, size), cmap=colours, norm=norm, linewidths=0)
    else:
        busy = LineCollection(_lines(table, ~idle), cmap=colours, norm=norm, linewidths=1.0, rasterized=True)
    busy.set_array(flits[~idle])
    axes.add_collection(busy)
    axes.set_aspect("equal")
    axes.set_xlim(-0.7, view.columns - 0.3)
    axes.set_ylim(view.rows - 0.3, -0.7)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    step = max(1, view.columns // 8, view.rows // 8)
    axes.set_xticks(range(0, view.columns, step))
    axes.set_yticks(range(0, view.rows, step))
    axes.set_xlabel(
        "column of the mesh; squares are routers, dark ones with a core in use; arrows point where flits go"
    )
    axes.set_ylabel("row")
    bar = figure.colorbar(busy, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("flits per inference")
    bar.outline.set_visible(False)
    axes.set_title(_title(table, flits))
    figure.set_layout_engine("constrained")
    return figure


def _title(table: Any, flits: NDArray[Any]) -> str:
    if not flits.any():
        return "Links: nothing left its own router"
    k = int(flits.argmax())
    at = f"({table['from_x'][k]}, {table['from_y'][k]}) to ({table['to_x'][k]}, {table['to_y'][k]})"
    return f"Links: the fullest, {at}, moves {count(float(flits[k]))} flits, busy {percent(float(table['busy'][k]))} of the time"


def _routers(axes: Any, view: RunView, used: NDArray[np.bool_], size: float) -> None:
    x, y = np.arange(view.columns * view.rows) % view.columns, np.arange(view.columns * view.rows) // view.columns
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * size / 2
    boxes = np.stack([x, y], axis=1)[:, None, :] + corners[None]
    colours = [FAINT if u else UNUSED for u in used]
    axes.add_collection(PolyCollection(boxes, facecolors=colours, linewidths=0, rasterized=len(used) > 400))
    px, py = view.json["chip"]["io.router"]
    axes.annotate("pins", (px, py), (px - 0.35, py - 0.35), ha="right", va="bottom", fontsize=8, color=FAINT)


def _geometry(table: Any, chosen: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """(links, 2) start, unit direction and its left normal."""
    start = np.stack([table["from_x"], table["from_y"]], axis=1)[chosen].astype(float)
    direction = np.stack([table["to_x"], table["to_y"]], axis=1)[chosen] - start
    return start, direction, np.stack([-direction[:, 1], direction[:, 0]], axis=1)


def _arrows(table: Any, chosen: NDArray[np.bool_], flits: NDArray[Any], size: float) -> NDArray[Any]:
    """(links, 7, 2) arrow outlines between neighbouring squares, on the left of the line that joins their centres."""
    start, along, aside = _geometry(table, chosen)
    width = 0.02 + 0.06 * flits[chosen] / max(float(flits.max(initial=0.0)), 1e-9)
    begin, end, head = size / 2 + 0.03, 1 - size / 2 - 0.03, 0.14
    across = np.stack([width, width, 2.2 * width, 0 * width, -2.2 * width, -width, -width], axis=1)
    forward = np.array([begin, end - head, end - head, end, end - head, end - head, begin])
    middle = start[:, None] + along[:, None] * forward[None, :, None] + 0.09 * aside[:, None]
    return np.asarray(middle + aside[:, None] * across[:, :, None] * 0.5)


def _lines(table: Any, chosen: NDArray[np.bool_]) -> NDArray[Any]:
    start, along, aside = _geometry(table, chosen)
    return np.stack([start + 0.15 * aside, start + along + 0.15 * aside], axis=1)
