"""What maps of the mesh share: which part of it is shown, its axes, and where the pins are."""

from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sfnhw.reports.style import INK, PAPER, RED
from sfnhw.reports.view import RunView

# A mesh is shown whole unless what is used, with a margin, is at most this share of it.
CROPPED_SHARE = 0.6


class Region(NamedTuple):
    """Columns x0 .. x1 − 1 and rows y0 .. y1 − 1 of the mesh."""

    x0: int
    x1: int
    y0: int
    y1: int

    @property
    def columns(self) -> int:
        """Width."""
        return self.x1 - self.x0

    @property
    def rows(self) -> int:
        """Height."""
        return self.y1 - self.y0

    def holds(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each router lies in it."""
        inside: NDArray[np.bool_] = (x >= self.x0) & (x < self.x1) & (y >= self.y0) & (y < self.y1)
        return inside


def tile_shape(view: RunView) -> tuple[int, int]:
    """(columns, rows) in which the cores at one router are drawn: near a square, as wide as high or wider."""
    columns = isqrt(view.cores_per_router - 1) + 1
    return columns, -(-view.cores_per_router // columns)


def core_centres(view: RunView) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(cores,) x and (cores,) y of the middle of each core's cell, in routers: a router's cell is 1 wide and 1 high."""
    wide, high = tile_shape(view)
    router, place = np.divmod(np.arange(view.columns * view.rows * view.cores_per_router), view.cores_per_router)
    x = router % view.columns - 0.5 + (place % wide + 0.5) / wide
    y = router // view.columns - 0.5 + (place // wide + 0.5) / high
    return x, y


def as_cells(view: RunView, values: Any) -> Any:
    """(rows·tile rows, columns·tile columns) masked array of one value a core, as the chip is laid out."""
    wide, high = tile_shape(view)
    x, y = core_centres(view)
    cells = np.ma.masked_all((view.rows * high, view.columns * wide))
    cells[((y + 0.5) * high).astype(int), ((x + 0.5) * wide).astype(int)] = values
    return cells


def shown_region(view: RunView) -> Region:
    """Return the used part of the mesh: cores that hold a layer, links that move a flit, and the router at the pins."""
    cores, links = view.tables["cores"], view.tables["links"]
    used = np.array([bool(names) for names in cores["layers"]])
    moves = np.asarray(links["flits"]) > 0
    px, py = view.json["chip"]["io.router"]
    x = np.concatenate(
        [np.asarray(cores["x"])[used], np.asarray(links["from_x"])[moves], np.asarray(links["to_x"])[moves], [px]]
    )
    y = np.concatenate(
        [np.asarray(cores["y"])[used], np.asarray(links["from_y"])[moves], np.asarray(links["to_y"])[moves], [py]]
    )
    region = Region(
        max(0, int(x.min()) - 1),
        min(view.columns, int(x.max()) + 2),
        max(0, int(y.min()) - 1),
        min(view.rows, int(y.max()) + 2),
    )
    if region.columns * region.rows <= CROPPED_SHARE * view.columns * view.rows:
        return region
    return Region(0, view.columns, 0, view.rows)


def mesh_axes(axes: Axes, view: RunView, region: Region, note: str) -> None:
    """Number columns and rows, without frame; say which part of the mesh is shown."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    step = max(1, -(-max(region.columns, region.rows) // 16))
    axes.set_xticks(range(region.x0, region.x1, step))
    axes.set_yticks(range(region.y0, region.y1, step))
    _borders(axes, view, region)
    whole = region.columns == view.columns and region.rows == view.rows
    part = "" if whole else f" (of {view.columns} × {view.rows}; the rest is idle)"
    chips = "\ndashed: from chip to chip" if view.columns > view.chip_columns or view.rows > view.chip_rows else ""
    axes.set_xlabel(f"column of the mesh{part}{note}{chips}")
    axes.set_ylabel("row")


def _borders(axes: Axes, view: RunView, region: Region) -> None:
    """Dashed lines between the chips of a board."""
    for x in range(view.chip_columns, view.columns, view.chip_columns):
        if region.x0 < x < region.x1:
            axes.axvline(x - 0.5, color=RED, linewidth=1.0, linestyle=(0, (4, 3)))
    for y in range(view.chip_rows, view.rows, view.chip_rows):
        if region.y0 < y < region.y1:
            axes.axhline(y - 0.5, color=RED, linewidth=1.0, linestyle=(0, (4, 3)))


def mark_pins(axes: Axes, view: RunView, half: float = 0.5) -> None:
    """Point at the router that inputs and outputs pass, from outside its upper left corner.

    half : half the side of what is drawn for a router.
    """
    x, y = view.json["chip"]["io.router"]
    axes.annotate(
        "pins", (x - half, y - half), (-16, 14), textcoords="offset points", annotation_clip=False, ha="right", va="bottom",
        fontsize=8, color=INK, arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0},
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip
