"""Labels beside points that lie on no point and on no other label."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from sfnhw.reports.style import FAINT, INK

MARKER_POINTS = 5.0
# Directions tried first to last, at growing distances.
DIRECTIONS = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
DISTANCES = (5.0, 11.0, 18.0, 26.0, 36.0, 48.0)


def place_labels(axes: Axes, xy: NDArray[Any], chosen: Sequence[int], texts: Sequence[str]) -> list[Annotation]:
    """Annotate `xy[chosen[k]]` with `texts[k]`; a thin line leads to a label that had to go far.

    xy : (points, 2) all points in data coordinates: none of them is covered. Axis limits must be final. A label for
    which nothing is free is left out.
    """
    figure = axes.figure
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    at = axes.transData.transform(xy)
    half = MARKER_POINTS * scale
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in at]
    inside = axes.get_window_extent(renderer)
    placed = []
    for i, text in zip(chosen, texts, strict=True):
        for distance, (dx, dy) in ((d, way) for d in DISTANCES for way in DIRECTIONS):
            label = axes.annotate(
                text, tuple(xy[i]), (dx * distance, dy * distance), textcoords="offset points", fontsize=8, color=INK,
                ha={1: "left", 0: "center", -1: "right"}[dx], va={1: "bottom", 0: "center", -1: "top"}[dy],
                arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkA": 0} if distance > 11 else None,
            )  # fmt: skip
            # Of the text alone: an annotation's own extent takes its leading line in.
            box = Bbox(_text_box(label, renderer))
            if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) and not box.count_overlaps(taken):
                taken.append(box)
                placed.append(label)
                break
            label.remove()
    return placed


def _text_box(label: Annotation, renderer: Any) -> Any:
    from matplotlib.text import Text

    label.update_positions(renderer)
    return Text.get_window_extent(label, renderer).get_points()
