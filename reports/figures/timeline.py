"""When each layer works, over the time of one inference."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sfnhw.reports.figures.rows import largest, name_rows, rows_height_in
from sfnhw.reports.style import BLUE, FAINT, GREY, PAPER, WIDTH_IN
from sfnhw.reports.text import quantity, scaled_unit
from sfnhw.reports.view import RunView

# What a label such as "1.35 µs" takes of the axis, with room to spare.
LABEL_SHARE = 0.09


def timeline(view: RunView) -> Figure:
    """Draw a Gantt chart: one bar a layer from its first to its last cycle of work, means over samples."""
    layers = [row for row in view.layers if row["start_s"] is not None and row["end_s"] is not None]
    shown = [layers[i] for i in largest([row["end_s"] - row["start_s"] for row in layers], 48)]
    latency = float(view.json["latency_s"])
    scale, unit = scaled_unit(latency, "s")
    figure = Figure(figsize=(WIDTH_IN, rows_height_in(len(shown))))
    axes = figure.add_subplot()
    for i, row in enumerate(shown):
        start, length = row["start_s"], row["end_s"] - row["start_s"]
        axes.barh(i, length * scale, left=start * scale, color=GREY if row["role"] == "input" else BLUE, height=0.66)
        _length(axes, i, row["start_s"] * scale, row["end_s"] * scale, latency * scale, quantity(length, "s"))
    axes.axvline(latency * scale, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    name_rows(axes, [row["name"] for row in shown])
    axes.set_xlim(0, latency * scale * 1.02)
    # In rounds the gaps between layers are loads.
    begin = "the first weights were asked for" if view.json.get("rounds") else "the first input arrived at the pins"
    axes.set_xlabel(f"time since {begin} ({unit}); dashed: the last result has left")
    axes.grid(axis="x")
    hidden = f", the {len(shown)} longest of {len(layers)} layers" if len(shown) < len(layers) else ""
    axes.set_title(f"Time: one inference takes {quantity(latency, 's')}{hidden}")
    figure.set_layout_engine("constrained")
    return figure


def _length(axes: Axes, row: int, start: float, end: float, latency: float, text: str) -> None:
    """Write how long a bar is beside it, or in it where it leaves no room: never across the line at the end."""
    after, before = end < (1 - LABEL_SHARE) * latency, start > LABEL_SHARE * latency
    x, dx, align = (end, 4, "left") if after else (start, -4, "right") if before else ((start + end) / 2, 0, "center")
    colour = FAINT if after or before else PAPER
    axes.annotate(text, (x, row), (dx, 0), textcoords="offset points", ha=align, va="center", fontsize=8, color=colour)
