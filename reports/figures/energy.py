"""Energy by layer, stacked by what it goes into."""

import numpy as np
from matplotlib.figure import Figure

from sfnhw.reports.figures.rows import largest, name_rows, rows_height_in
from sfnhw.reports.style import FAINT, GROUP_COLOURS, WIDTH_IN, scaled_unit
from sfnhw.reports.text import percent, quantity
from sfnhw.reports.view import CHIP_LAYER, GROUPS, RunView


def energy(view: RunView) -> Figure:
    """Draw one bar a layer in network order; layers beyond the largest ones are one bar together."""
    table = view.json["energy_by_layer_and_action_j"]
    order = [row["name"] for row in view.layers] + [CHIP_LAYER]
    values = np.array(
        [[sum(table.get(n, {}).get(a, 0.0) for a in actions) for actions in GROUPS.values()] for n in order]
    )
    shown = largest(values.sum(axis=1).tolist())
    names = [order[i] for i in shown]
    bars = values[shown]
    if len(shown) < len(order):
        rest = np.setdiff1d(np.arange(len(order)), shown)
        names.append(f"{len(rest)} other layers")
        bars = np.vstack([bars, values[rest].sum(axis=0)])
    totals = bars.sum(axis=1)
    scale, unit = scaled_unit(float(totals.max(initial=0.0)), "J")
    figure = Figure(figsize=(WIDTH_IN, rows_height_in(len(names)) + 0.35))
    axes = figure.add_subplot()
    left = np.zeros(len(names))
    whole = float(values.sum()) or 1.0
    for k, (group, colour) in enumerate(zip(GROUPS, GROUP_COLOURS, strict=True)):
        share = percent(float(values[:, k].sum()) / whole)
        axes.barh(range(len(names)), bars[:, k] * scale, left=left, color=colour, height=0.72, label=f"{group} {share}")
        left += bars[:, k] * scale
    for i, total in enumerate(totals):
        axes.annotate(
            quantity(float(total), "J"),
            (left[i], i),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=FAINT,
        )
    axes.margins(x=0.1)
    axes.set_xlim(left=0)
    name_rows(axes, names)
    axes.set_xlabel(f"energy per inference ({unit})")
    axes.grid(axis="x")
    e = view.energy
    axes.set_title(
        f"Energy: {quantity(e['value'], 'J')} per inference ({quantity(e['low'], 'J')} to {quantity(e['high'], 'J')})"
    )
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.set_layout_engine("constrained")
    return figure
