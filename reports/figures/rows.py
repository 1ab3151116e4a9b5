"""Which layers a figure shows when there are too many to read."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from sfnhw.reports.text import elide

MOST_ROWS = 32
NAME_CHARACTERS = 30


def largest(values: list[float], limit: int = MOST_ROWS) -> list[int]:
    """Return the indices of the largest `limit` values, in their own order."""
    order = sorted(range(len(values)), key=lambda i: -values[i])[:limit]
    return sorted(order)


def name_rows(axes: Axes, names: list[str]) -> None:
    """Label horizontal rows with elided names, the first at the top."""
    axes.set_yticks(range(len(names)), [elide(name, NAME_CHARACTERS) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)


def room_for_labels(figure: Figure, axes: Axes, labels: Sequence[Annotation], left: float = 0.0) -> None:
    """Widen the x axis, which starts at `left`, until every label to the right of its point ends inside the axes."""
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    layout = figure.get_layout_engine()
    # The layout moves the axes a little when the limits change, so twice.
    for _ in range(2):
        if layout:  # all of a drawing that moves the axes, and the quicker part
            layout.execute(figure)
        else:
            figure.draw_without_rendering()
        width = axes.bbox.width
        limit = left
        for label in labels:
            across = label.get_window_extent(renderer).width + 8 * figure.dpi / 72
            limit = max(limit, left + (float(label.xy[0]) - left) / max(0.2, 1 - across / width))
        if limit > left:
            axes.set_xlim(left, limit)


def rows_height_in(rows: int) -> float:
    """Figure height in inches for this many rows."""
    return 1.3 + 0.27 * max(rows, 2)
