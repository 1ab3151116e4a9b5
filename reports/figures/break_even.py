"""Where one timestep stops paying: over the number of thresholds, for each threshold unit, and over the spike rate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from sfnhw.reports.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, PURPLE, RED, SKY, WIDTH_IN
from sfnhw.reports.text import percent, scaled_unit
from sfnhw.reports.view import RunView

# Way → (label, colour, line).
WAYS: dict[str, tuple[str, str, str]] = {
    "if": ("IF over T = N steps", INK, "-"),
    "graded": ("quantised, ⌈log2(N + 1)⌉ bits", GREY, "--"),
    "parallel": ("parallel", BLUE, "-"),
    "serial": ("serial", RED, "-"),
    "binary-search": ("binary search", GREEN, "-"),
    "uniform": ("uniform (divider)", SKY, "--"),
    "power-of-two": ("power of two (its own levels)", PURPLE, ":"),
}
LINES: dict[str, tuple[str, str]] = {
    "if": ("IF over {T} steps", INK),
    "one step": ("one step, {T} thresholds", ORANGE),
    "graded": ("quantised, {bits} bit", GREY),
}
MARKERS = {"if": "o", "graded": "s"}


def break_even(view: RunView) -> Figure:
    """Draw energy over N, its ratio to the quantised network over N, and energy over the spike rate."""
    data = view.json["break_even"]
    figure = Figure(figsize=(WIDTH_IN, 7.4), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.08)
    grid = figure.add_gridspec(2, 2, height_ratios=[1, 1.05])
    left, right = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    below = figure.add_subplot(grid[1, :])
    series = _series(data["thresholds"])
    if series:
        _energies(left, series)
        _ratios(right, series)
    if data["spike_rate"]["lines"]:
        _rates(below, data["spike_rate"])
    for axes in (left, right, below):
        if not axes.lines:
            axes.set_axis_off()
            axes.text(0, 0.5, "nothing here could be estimated:\nevery point has its reason in the table", color=FAINT)
    return figure


def _series(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Way → its rows that could be estimated, ascending in N."""
    out: dict[str, list[Mapping[str, Any]]] = {way: [] for way in WAYS}
    for row in rows:
        if row["skipped"] is None:
            out[row["way"]].append(row)
    return {way: mine for way, mine in out.items() if mine}


def _energies(axes: Axes, series: Mapping[str, list[Mapping[str, Any]]]) -> None:
    largest = max((r["energy_j"]["value"] for rows in series.values() for r in rows), default=0.0)
    scale, unit = scaled_unit(largest, "J")
    for way, rows in series.items():
        label, colour, line = WAYS[way]
        x, y = [r["thresholds"] for r in rows], [scale * r["energy_j"]["value"] for r in rows]
        axes.plot(x, y, line, color=colour, marker=MARKERS.get(way, "."), markersize=4, label=label, linewidth=1.4)
    _over_counts(axes, series)
    _log_energies(axes, min(r["energy_j"]["value"] for rows in series.values() for r in rows))
    axes.set_ylabel(f"energy per inference ({unit})")
    axes.set_title("Energy over N")
    axes.legend(loc="upper left", fontsize=7, handlelength=2.2, labelspacing=0.25)


def _ratios(axes: Axes, series: Mapping[str, list[Mapping[str, Any]]]) -> None:
    axes.axhspan(1, 1e3, color=FAINT, alpha=0.07, linewidth=0)
    axes.axhline(1, color=INK, linewidth=0.9)
    most, least = 1.1, 0.9
    for way, rows in series.items():
        if way in MARKERS:
            continue
        known = [r for r in rows if r["against_graded"] is not None]
        _, colour, line = WAYS[way]
        x, y = [r["thresholds"] for r in known], [r["against_graded"]["value"] for r in known]
        axes.plot(x, y, line, color=colour, marker=".", markersize=5, linewidth=1.4)
        most, least = max([most, *y]), min([least, *y])
    _over_counts(axes, series)
    axes.set_ylim(least - 0.05 * (most - least), most + 0.05 * (most - least))
    axes.text(0.02, 0.985, "above 1: the quantised network is cheaper", transform=axes.transAxes, fontsize=7.5,
              color=FAINT, va="top")  # fmt: skip
    axes.set_ylabel("energy, one step over quantised")
    axes.set_title("One step beside the quantised network")


def _over_counts(axes: Axes, series: Mapping[str, list[Mapping[str, Any]]]) -> None:
    counts = sorted({r["thresholds"] for rows in series.values() for r in rows})
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("thresholds N (IF: timesteps T = N)")
    axes.grid()


def _log_energies(axes: Axes, least: float) -> None:
    """Logarithmic but where a chip's prices make something free."""
    if least > 0:
        axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _rates(axes: Axes, data: Mapping[str, Any]) -> None:
    rates, T = np.array(data["rates"]), data["timesteps"]
    lines = data["lines"]
    largest = max((line["energy_j"][-1]["value"] for line in lines.values()), default=0.0)
    scale, unit = scaled_unit(largest, "J")
    positive = rates > 0
    for way, line in lines.items():
        name, colour = LINES[way]
        name = name.format(T=T, bits=int(T).bit_length())
        y = scale * np.array([e["value"] for e in line["energy_j"]])
        low, high = (scale * np.array([e[key] for e in line["energy_j"]]) for key in ("low", "high"))
        style = "--" if way == "graded" else "-"
        axes.plot(rates[positive], y[positive], style, color=colour, linewidth=1.5, label=name)
        axes.fill_between(rates[positive], low[positive], high[positive], color=colour, alpha=0.07, linewidth=0)
        point = line["recorded"]
        axes.plot([point["rate"]], [scale * point["energy_j"]["value"]], "o", color=colour, markersize=7)
    axes.plot([], [], "o", color=FAINT, markersize=7, label="what these inputs do")
    axes.set_xscale("log")
    _marks(axes, data, scale)
    _log_energies(axes, min(e["value"] for line in lines.values() for e in line["energy_j"]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.set_xlabel("hidden neurons that spike, of all in each timestep (quantised: values that are not zero)")
    axes.set_ylabel(f"energy per inference ({unit})")
    axes.set_title(f"Energy over the spike rate, T = {T} and N = {T}; shaded: all prices at their low, at their high")
    axes.grid()
    axes.legend(loc="upper left", fontsize=8)


def _marks(axes: Axes, data: Mapping[str, Any], scale: float) -> None:
    """Vertical lines at the break-even of IF against the quantised network as it is here, and at the published one."""
    here = [b for b in data["break_even"] if (b["way"], b["rival"]) == ("if", "graded")]
    marks = []
    if here and here[0]["rate"] is not None:
        level = scale * data["lines"]["graded"]["recorded"]["energy_j"]["value"]
        axes.plot([here[0]["rate"], here[0]["rival_rate"]], [level, level], ":", color=RED, linewidth=1.2)
        marks.append((here[0]["rate"], f"here IF pays below {percent(here[0]['rate'])}", RED, 0.02, "left"))
    if data["published"]["timesteps"] == data["timesteps"]:
        rate = data["published"]["rate"]
        marks.append((rate, f"published: below {100 * rate:.3g} %", PURPLE, 0.02, "right"))
    for rate, text, colour, height, side in marks:
        axes.axvline(rate, color=colour, linewidth=1.0, linestyle=(0, (4, 3)))
        offset = 5 if side == "left" else -5
        axes.annotate(text, (rate, height), (offset, 3), xycoords=("data", "axes fraction"), ha=side,
                      textcoords="offset points", fontsize=8, color=colour)  # fmt: skip
