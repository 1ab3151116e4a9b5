"""Energy by layer, stacked by what it goes into."""

import numpy as np
from matplotlib.figure import Figure

from sfnhw.reports.figures.rows import largest, name_rows, room_for_labels, rows_height_in
from sfnhw.reports.style import FAINT, GROUP_COLOURS, WIDTH_IN
from sfnhw.reports.text import ends, percent, quantity, scaled_unit
from sfnhw.reports.view import CHIP_LAYER, GROUPS, RunView


def energy(view: RunView) -> Figure:
    """Draw one bar a layer in network order; the sum of layers beyond the largest ones is a text."""
    table = view.json["energy_by_layer_and_action_j"]
    order = [row["name"] for row in view.layers] + [CHIP_LAYER]
    values = np.array(
        [[sum(table.get(n, {}).get(a, 0.0) for a in actions) for actions in GROUPS.values()] for n in order]
    )
    shown = largest(values.sum(axis=1).tolist())
    names = [order[i] for i in shown]
    bars = values[shown]
    rest = np.setdiff1d(np.arange(len(order)), shown)
    if len(rest):
        # Their sum may be larger than any layer: it is said in words, so that it does not set the axis.
        names.append(f"{len(rest)} other layers")
        bars = np.vstack([bars, np.zeros(len(GROUPS))])
    totals = bars.sum(axis=1)
    scale, unit = scaled_unit(float(totals.max(initial=0.0)), "J")
    figure = Figure(figsize=(WIDTH_IN, rows_height_in(len(names)) + 0.35), layout="constrained")
    axes = figure.add_subplot()
    left = np.zeros(len(names))
    whole = float(values.sum()) or 1.0
    for k, (group, colour) in enumerate(zip(GROUPS, GROUP_COLOURS, strict=True)):
        part = float(values[:, k].sum())
        if not part and group == "function unit":
            continue
        name = f"{group} {percent(part / whole)}"
        axes.barh(range(len(names)), bars[:, k] * scale, left=left, color=colour, height=0.72, label=name)
        left += bars[:, k] * scale
    bands = view.json["energy_bands_j"]["by_layer"]
    texts = [
        f"{quantity(float(total), 'J')} ({ends(bands[n])})" if n in bands else quantity(float(total), "J")
        for n, total in zip(names, totals, strict=True)
    ]
    if len(rest):
        texts[-1] = f"{quantity(float(values[rest].sum()), 'J')} together, no bar"
    labels = [
        axes.annotate(text, (left[i], i), (4, 0), textcoords="offset points", va="center", fontsize=8, color=FAINT)
        for i, text in enumerate(texts)
    ]
    name_rows(axes, names)
    axes.set_xlabel(f"energy per inference ({unit})")
    axes.grid(axis="x")
    e = view.energy
    axes.set_title(
        f"Energy: {quantity(e['value'], 'J')} per inference ({quantity(e['low'], 'J')} to {quantity(e['high'], 'J')})"
    )
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    room_for_labels(figure, axes, labels)
    return figure
