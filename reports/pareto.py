"""Energy against latency of explored chips: which points nothing beats."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sfnhw.reports.figures.labels import place_labels
from sfnhw.reports.style import BLUE, FAINT, GREY, INK, SEQUENTIAL, styled
from sfnhw.reports.text import elide, scaled_unit

# More points than this are drawn without a number; the table has them all.
NUMBERED = 24
KEY_CHARACTERS = 48


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other is at least as good as in both values and better in one, by first value."""
    order = sorted(range(len(points)), key=lambda i: points[i])
    front: list[int] = []
    best = float("inf")
    for i in order:
        if points[i][1] < best or (front and points[i] == points[front[-1]]):
            front.append(i)
            best = points[i][1]
    return front


def pareto_figure(rows: Sequence[Mapping[str, Any]], fields: str = "") -> Figure:
    """Scatter of rows with `energy_j`, `latency_s`, `area_mm2` and `label`, coloured by area; the front is a step line.

    Points are numbered, those of the front first, and the key beside the axes says what each number is. Between two
    points of the front there is no chip, so the line goes along what is attained: no energy below it was found at that
    latency. Rows without numbers (points that did not fit) are left out.

    fields : what the parts of the labels are, as a heading of the key.
    """
    points = [r for r in rows if r.get("energy_j") is not None and r.get("latency_s") is not None]
    with styled():
        figure = Figure(figsize=(9.0, 5.0))
        axes = figure.add_axes((0.085, 0.12, 0.5, 0.78))
        axes.set_title("Energy against latency of one inference; lower left is better")
        if not points:
            axes.text(0.5, 0.5, "no point could be estimated", transform=axes.transAxes, ha="center", color=FAINT)
            axes.set_axis_off()
            return figure
        per_second, second = scaled_unit(max(r["latency_s"] for r in points), "s")
        per_joule, joule = scaled_unit(max(r["energy_j"] for r in points), "J")
        xy = np.array([(per_second * r["latency_s"], per_joule * r["energy_j"]) for r in points])
        axes.set_xlabel(f"latency ({second})")
        axes.set_ylabel(f"energy ({joule})")
        axes.grid(visible=True)
        front = pareto_front([(float(x), float(y)) for x, y in xy])
        rest = sorted((i for i in range(len(xy)) if i not in front), key=lambda i: float(xy[i, 1]))
        _draw(figure, axes, points, xy, front, rest)
        numbered = [*front, *rest][:NUMBERED]
        _key(figure, points, numbered, len(front), len(points), fields)
        place_labels(axes, xy, numbered, [str(k + 1) for k in range(len(numbered))])
        return figure


def _draw(
    figure: Any, axes: Any, points: Sequence[Mapping[str, Any]], xy: Any, front: list[int], rest: list[int]
) -> None:
    area = np.array([float(r.get("area_mm2") or 0.0) for r in points])
    axes.plot(xy[front, 0], xy[front, 1], color=BLUE, drawstyle="steps-post", linewidth=1.2, zorder=2)
    many = float(np.ptp(area)) > 1e-9
    norm = {"cmap": SEQUENTIAL, "vmin": area.min(), "vmax": area.max()} if many else {}

    def dots(chosen: list[int], edge: str, width: float, order: int) -> Any:
        shown = area[chosen] if many else [BLUE if edge == BLUE else GREY] * len(chosen)
        return axes.scatter(
            xy[chosen, 0], xy[chosen, 1], c=shown, s=44, edgecolors=edge, linewidths=width, zorder=order, **norm
        )

    dots(rest, FAINT, 0.6, 3)
    scatter = dots(front, BLUE, 2.0, 4)
    axes.margins(0.12)
    if many:
        place = figure.add_axes((0.64, 0.12, 0.33, 0.025))
        bar = figure.colorbar(scatter, cax=place, orientation="horizontal")
        bar.set_label("colour: area of the chip (mm²)")
        bar.outline.set_visible(False)


def _key(
    figure: Any, points: Sequence[Mapping[str, Any]], numbered: list[int], front: int, total: int, fields: str
) -> None:
    """The numbers in words, right of the axes."""
    lines = [("", "blue ring: beaten by none in energy and latency", BLUE)]
    lines += [("", elide(fields, KEY_CHARACTERS), INK)] if fields else []
    for k, i in enumerate(numbered):
        lines.append((f"{k + 1}", elide(points[i].get("label", ""), KEY_CHARACTERS), INK if k < front else FAINT))
    if total > len(numbered):
        lines.append(("", f"and {total - len(numbered)} more without a number: see the table", FAINT))
    step = min(0.034, 0.68 / len(lines))
    for k, (number, text, colour) in enumerate(lines):
        style = {"color": colour, "fontsize": min(8.0, 260 * step), "va": "top"}
        figure.text(0.625, 0.9 - step * k, number, ha="right", **style)
        figure.text(0.635, 0.9 - step * k, text, **style)
