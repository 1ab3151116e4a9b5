"""Which constants of the chip file matter for this network: the total with one price at its low and at its high."""

from matplotlib.figure import Figure

from sfnhw.reports.figures.rows import name_rows, room_for_labels, rows_height_in
from sfnhw.reports.style import BLUE, FAINT, GRID, INK, ORANGE, WIDTH_IN
from sfnhw.reports.text import percent, quantity, scaled_unit
from sfnhw.reports.view import RunView

MOST_BARS = 10


def tornado(view: RunView) -> Figure:
    """Draw the rows with the largest swing, largest at the top; behind them where 90 % of the draws of all rows lie."""
    found = view.json["uncertainty"]
    rows = [row for row in found["tornado"] if row["swing_j"] > 0][:MOST_BARS]
    band, total = found["energy_per_inference_j"], view.energy["value"]
    ends = [band["p05"], band["p95"], total, *(row[key] for row in rows for key in ("low_j", "high_j"))]
    scale, unit = scaled_unit(max(ends), "J")
    figure = Figure(figsize=(WIDTH_IN, rows_height_in(len(rows)) + 0.35), layout="constrained")
    axes = figure.add_subplot()
    shade = axes.axvspan(band["p05"] * scale, band["p95"] * scale, color=GRID, alpha=0.6, linewidth=0, zorder=0)
    axes.axvline(total * scale, color=INK, linewidth=1.0, zorder=3)
    low = axes.barh(
        range(len(rows)), [(total - row["low_j"]) * scale for row in rows],
        left=[row["low_j"] * scale for row in rows], color=BLUE, height=0.66, zorder=2,
    )  # fmt: skip
    high = axes.barh(
        range(len(rows)), [(row["high_j"] - total) * scale for row in rows], left=total * scale, color=ORANGE,
        height=0.66, zorder=2,
    )  # fmt: skip
    labels = [
        axes.annotate(
            f"{quantity(row['low_j'], 'J')} to {quantity(row['high_j'], 'J')}, {percent(row['share_of_variance'])}",
            (max(row["high_j"], band["p95"]) * scale, i), (6, 0), textcoords="offset points", va="center", fontsize=8,
            color=FAINT,
        )
        for i, row in enumerate(rows)
    ]  # fmt: skip
    name_rows(axes, [row["term"] for row in rows])
    axes.set_xlabel(f"energy per inference ({unit}) with one price at its low or high, and its share of the variance")
    axes.grid(axis="x")
    left = min(ends) - 0.03 * (max(ends) - min(ends))
    axes.set_title(f"Which prices matter: {quantity(total, 'J')} with every price at its value")
    names = ["the price at its low", "at its high", "90 % of draws, each price on its own"]
    figure.legend([low, high, shade], names, loc="outside lower center", ncols=3)
    if labels:
        room_for_labels(figure, axes, labels, left * scale)
    else:
        axes.text(0.5, 0.5, "no price has a band", transform=axes.transAxes, ha="center", color=FAINT)
    return figure
