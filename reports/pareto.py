"""Energy against latency of explored chips: which points nothing beats."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from sfnhw.reports.style import BLUE, FAINT, GREY, styled
from sfnhw.reports.text import elide

LABELLED = 12


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


def pareto_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Scatter of rows with `energy_j`, `latency_s` and `label`; the front is connected and labelled.

    Rows without numbers (points that did not fit) are left out.
    """
    points = [r for r in rows if r.get("energy_j") is not None and r.get("latency_s") is not None]
    with styled():
        figure = Figure(figsize=(9.0, 4.6), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title("Energy against latency of one inference; lower left is better")
        axes.set_xlabel("latency (µs)")
        axes.set_ylabel("energy (µJ)")
        axes.grid(visible=True)
        if not points:
            axes.text(0.5, 0.5, "no point could be estimated", transform=axes.transAxes, ha="center", color=FAINT)
            return figure
        xy = [(1e6 * r["latency_s"], 1e6 * r["energy_j"]) for r in points]
        front = pareto_front(xy)
        rest = [i for i in range(len(xy)) if i not in front]
        axes.scatter([xy[i][0] for i in rest], [xy[i][1] for i in rest], color=GREY, s=28, label="beaten by another")
        axes.plot([xy[i][0] for i in front], [xy[i][1] for i in front], "o-", color=BLUE, label="beaten by none")
        for i in front[:LABELLED]:
            axes.annotate(
                elide(points[i].get("label", ""), 48), xy[i], xytext=(7, 7), textcoords="offset points", fontsize=8
            )
        axes.margins(0.14)
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
        return figure
