"""Traffic on the links of the mesh."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfnhw.reports.figures.mesh import Region, mark_pins, mesh_axes, shown_region
from sfnhw.reports.style import FAINT, GRID, INK, RED, SEQUENTIAL, UNUSED
from sfnhw.reports.text import count, percent
from sfnhw.reports.view import RunView

# Above this the arrows become a picture inside the SVG, which would be huge otherwise.
VECTOR_LINKS = 1500
LONGEST_IN = 7.4
# How far an arrow lies from the line between two routers' centres, and its least and further width, in routers.
ASIDE, THIN, THICK = 0.11, 0.02, 0.06
# In a picture of many links an arrow is a few pixels long: all of them are wide.
THIN_IN_PICTURE, THICK_IN_PICTURE = 0.09, 0.03
BAR_IN, EDGE_IN, HEAD_IN = 1.1, 0.75, 1.25


def links(view: RunView) -> Figure:
    """Draw each link between two routers as an arrow, one for each direction, coloured by flits per inference."""
    region = shown_region(view)
    table = _inside(view.tables["links"], region)
    flits = np.asarray(table["flits"], float)
    # The axes get just the shape of the mesh, so nothing is left blank beside them.
    scale = LONGEST_IN / max(region.columns + 0.4, region.rows + 0.4)
    wide, high = max(3.6, scale * (region.columns + 0.4)), max(1.4, scale * (region.rows + 0.4))
    width, height = EDGE_IN + wide + BAR_IN, HEAD_IN + high
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((EDGE_IN / width, 0.72 / height, wide / width, high / height))
    cores = np.array([bool(names) for names in view.tables["cores"]["layers"]])
    used: NDArray[np.bool_] = np.any(cores.reshape(-1, view.cores_per_router), axis=1)
    size = 0.36 if region.columns <= 16 else 0.3
    _routers(axes, view, used, size, region)
    colours, norm = matplotlib.colormaps[SEQUENTIAL], Normalize(0, max(float(flits.max(initial=0.0)), 1e-9))
    idle = flits == 0
    picture = len(flits) > VECTOR_LINKS
    style: dict[str, Any] = {"linewidths": 0, "rasterized": picture}
    axes.add_collection(PolyCollection(_arrows(table, idle, flits, size), facecolors=GRID, **style))
    busy = PolyCollection(_arrows(table, ~idle, flits, size), cmap=colours, norm=norm, **style)
    busy.set_array(flits[~idle])
    axes.add_collection(busy)
    _mark_fullest(axes, table, flits, region)
    axes.set_aspect("equal")
    axes.set_xlim(region.x0 - 0.7, region.x1 - 0.3)
    axes.set_ylim(region.y1 - 0.3, region.y0 - 0.7)
    mesh_axes(axes, view, region, "\nsquares: routers, dark where a core is in use; grey arrows move nothing")
    mark_pins(axes, view, size / 2)
    if not idle.all():
        bar = figure.colorbar(busy, cax=axes.inset_axes((1.0 + 0.15 / wide, 0.1, 0.16 / wide, 0.8)))
        bar.set_label("flits per inference, in the arrow's direction")
        bar.outline.set_visible(False)
    axes.set_title(_title(table, flits), pad=22)
    return figure


def _inside(table: Any, region: Region) -> dict[str, NDArray[Any]]:
    """The links with both ends in the region."""
    columns = {key: np.asarray(table[key]) for key in table}
    keep = region.holds(columns["from_x"], columns["from_y"]) & region.holds(columns["to_x"], columns["to_y"])
    return {key: column[keep] for key, column in columns.items()}


def _title(table: Any, flits: NDArray[Any]) -> str:
    if not flits.any():
        return "Links: nothing left its own router"
    k = int(flits.argmax())
    at = f"({table['from_x'][k]}, {table['from_y'][k]}) to ({table['to_x'][k]}, {table['to_y'][k]})"
    return f"Links: the fullest, {at}, moves {count(float(flits[k]))} flits,\nbusy {percent(float(table['busy'][k]))} of the time"


def _mark_fullest(axes: Any, table: Any, flits: NDArray[Any], region: Region) -> None:
    """Ring the fullest link, so that it is found among thousands."""
    if not flits.any():
        return
    k = int(flits.argmax())
    start, along, aside = _geometry(table, np.arange(len(flits)) == k)
    x, y = (start + along / 2 + ASIDE * aside)[0].tolist()
    axes.plot([x], [y], "o", markersize=22, markerfacecolor="none", markeredgecolor=RED, markeredgewidth=1.6)
    right = x < region.x0 + region.columns / 2
    axes.annotate(
        "fullest", (x, y), (26 if right else -26, 14), textcoords="offset points", ha="left" if right else "right",
        fontsize=8, color=INK, bbox={"facecolor": "white", "edgecolor": RED, "linewidth": 0.8, "pad": 1.5},
    )  # fmt: skip


def _routers(axes: Any, view: RunView, used: NDArray[np.bool_], size: float, region: Region) -> None:
    x, y = np.arange(view.columns * view.rows) % view.columns, np.arange(view.columns * view.rows) // view.columns
    keep = region.holds(x, y)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * size / 2
    boxes = np.stack([x, y], axis=1)[keep, None, :] + corners[None]
    colours = [FAINT if u else UNUSED for u in used[keep]]
    axes.add_collection(PolyCollection(boxes, facecolors=colours, linewidths=0, rasterized=bool(keep.sum() > 400)))


def _geometry(table: Any, chosen: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """(links, 2) start, unit direction and its left normal."""
    start = np.stack([table["from_x"], table["from_y"]], axis=1)[chosen].astype(float)
    direction = np.stack([table["to_x"], table["to_y"]], axis=1)[chosen] - start
    return start, direction, np.stack([-direction[:, 1], direction[:, 0]], axis=1)


def _arrows(table: Any, chosen: NDArray[np.bool_], flits: NDArray[Any], size: float) -> NDArray[Any]:
    """(links, 7, 2) arrow outlines between neighbouring squares, on the left of the line that joins their centres."""
    start, along, aside = _geometry(table, chosen)
    thin, thick = (THIN_IN_PICTURE, THICK_IN_PICTURE) if len(flits) > VECTOR_LINKS else (THIN, THICK)
    width = thin + thick * flits[chosen] / max(float(flits.max(initial=0.0)), 1e-9)
    begin, end, head = size / 2 + 0.03, 1 - size / 2 - 0.03, 0.2
    across = np.stack([width, width, 2.4 * width, 0 * width, -2.4 * width, -width, -width], axis=1)
    forward = np.array([begin, end - head, end - head, end, end - head, end - head, begin])
    middle = start[:, None] + along[:, None] * forward[None, :, None] + ASIDE * aside[:, None]
    return np.asarray(middle + aside[:, None] * across[:, :, None] * 0.5)
