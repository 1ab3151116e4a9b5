"""Accuracy with thresholds that are off and inputs that drift, one panel a disturbance."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sfnhw.reports.style import BLUE, FAINT, GREY, INK, WIDTH_IN
from sfnhw.reports.view import RunView

# Kind → (title, axis, undisturbed value).
PANELS: dict[str, tuple[str, str, float | None]] = {
    "quantile": ("Thresholds from another quantile", "θ of each channel at this quantile of |activation|", None),
    "theta": ("Thresholds off by a factor", "every θ times", 1.0),
    "gain": ("Inputs that drift", "every input times", 1.0),
    "outliers": ("Outliers in the inputs", "input values at the maximum", 0.0),
}


def sensitivity(view: RunView) -> Figure:
    """Draw accuracy (or agreement with the undisturbed answers) over each disturbance."""
    data = view.json["sensitivity"]
    kinds = [kind for kind in PANELS if any(row["kind"] == kind for row in data["rows"])]
    down = (len(kinds) + 1) // 2
    figure = Figure(figsize=(WIDTH_IN, 0.6 + 2.4 * down), layout="constrained")
    panels = figure.subplots(down, 2, sharey=True, squeeze=False)
    for i, axes in enumerate(panels.flat):
        if i < len(kinds):
            _panel(axes, kinds[i], data)
        else:
            axes.set_visible(False)
    for line in panels:
        line[0].set_ylabel("accuracy (%)" if data["measure"] == "accuracy" else "same answer (%)")
    handles, labels = panels[-1][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _panel(axes: Axes, kind: str, data: Mapping[str, Any]) -> None:
    rows = sorted((row for row in data["rows"] if row["kind"] == kind), key=lambda row: row["value"])
    values, measure = [row["value"] for row in rows], data["measure"]
    title, label, plain = PANELS[kind]
    # Evenly spaced: what matters is from which step on accuracy goes.
    x = list(range(len(values)))
    if rows[0]["trained_accuracy"] is not None:
        y = [100 * row["trained_accuracy"] for row in rows]
        axes.plot(x, y, "--", color=GREY, marker=".", label="trained network, same inputs")
    axes.plot(x, [100 * row[measure] for row in rows], "-", color=BLUE, marker="o", markersize=4, label="this network")
    if plain is not None:
        at = values.index(plain)
        axes.plot([at], [100 * rows[at][measure]], "o", markersize=10, markerfacecolor="none", color=INK)
    shares = kind in ("quantile", "outliers")
    axes.xaxis.set_major_locator(FixedLocator(x))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda i, _: f"{100 * values[int(i)]:g} %" if shares else f"{values[int(i)]:g}")
    )
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel(label)
    axes.set_title(title)
    axes.set_ylim(0, 104)
    axes.grid(color=FAINT, alpha=0.2)
