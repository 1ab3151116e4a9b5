"""Accuracy against bits, one panel for each field of the data path."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sfnhw.reports.style import BLUE, FAINT, GREEN, INK, ORANGE, WIDTH_IN, styled

TITLES = {
    "weight_bits": "Weights",
    "decode_bits": "Decode-table words",
    "threshold_bits": "Threshold registers",
    "accumulator_bits": "Accumulators",
}
LINES = {"saturate": (BLUE, "o-"), "wrap": (ORANGE, "s--")}


def numerics_figure(sweep: Mapping[str, Any], name: str = "") -> Figure:
    """Draw `sfnhw.numerics_sweep(...).as_json()`: accuracy, or agreement with real arithmetic where labels are unknown.

    The chip's own widths are ringed; horizontal lines are the trained network and real-valued arithmetic.
    """
    rows: Sequence[Mapping[str, Any]] = sweep["rows"]
    measure = "agreement" if sweep["real_accuracy"] is None else "accuracy"
    fields = [field for field in TITLES if any(row["field"] == field for row in rows)]
    down, across = (1, len(fields)) if len(fields) < 3 else (2, 2)
    with styled():
        figure = Figure(figsize=(WIDTH_IN, 0.9 + 2.45 * down), layout="constrained")
        panels = figure.subplots(down, across, sharey=True, squeeze=False)
        for i, axes in enumerate(panels.flat):
            if i < len(fields):
                _panel(axes, fields[i], [r for r in rows if r["field"] == fields[i]], measure, sweep)
            else:
                axes.set_visible(False)
        for line in panels:
            line[0].set_ylabel("accuracy (%)" if measure == "accuracy" else "same answer as\nreal arithmetic (%)")
        title = f"{name}: {measure} against bits, {sweep['samples']:,} inferences; other widths as the chip has them"
        figure.suptitle(title.lstrip(": "), x=0.01, ha="left", fontsize=10, weight="bold")
        found: dict[str, Any] = {}
        for axes in panels.flat:
            handles, texts = axes.get_legend_handles_labels()
            found.update(zip(texts, handles, strict=True))
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=len(found))
    return figure


def _panel(axes: Axes, field: str, rows: Sequence[Mapping[str, Any]], measure: str, sweep: Mapping[str, Any]) -> None:
    axes.set_title(TITLES[field])
    axes.set_xlabel("bits")
    axes.grid(visible=True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9))
    if measure == "accuracy":
        axes.axhline(100 * sweep["real_accuracy"], color=GREEN, lw=1.6, label="real-valued arithmetic")
        if sweep["ann_accuracy"] is not None:
            axes.axhline(100 * sweep["ann_accuracy"], color=INK, lw=1.2, ls=":", label="trained network, as recorded")
    for rule, (colour, line) in LINES.items():
        mine = [row for row in rows if row["overflow"] == rule]
        if not mine:
            continue
        label = f"accumulators {rule}"
        axes.plot([r["value"] for r in mine], [100 * r[measure] for r in mine], line, color=colour, ms=4, label=label)
    for row in rows:
        if row["own"]:
            ring = {"mfc": "none", "mec": FAINT, "mew": 1.4, "ms": 12}
            axes.plot(row["value"], 100 * row[measure], "o", ls="", label="the chip's own", **ring)
    axes.set_ylim(-4, 107)
