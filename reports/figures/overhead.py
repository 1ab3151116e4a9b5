"""This network beside IF and the quantised network, and what its thresholds cost."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from sfnhw.reports.comparison import THIS
from sfnhw.reports.figures.rows import room_for_labels
from sfnhw.reports.style import BLUE, FAINT, GREY, INK, ORANGE, SKY, WIDTH_IN
from sfnhw.reports.text import elide, factor, percent, quantity, scaled_unit, spread_text
from sfnhw.reports.view import RunView


def overhead(view: RunView) -> Figure:
    """Draw energy bars with bands for each coding, labelled with latency and accuracy; below, the overhead by part."""
    rows, parts = view.json["comparison"], overhead_parts(view.json["overhead"])
    with_parts = bool(view.json["overhead"]["thresholds_by_layer"])
    height = [0.42 * len(rows) + 0.9, 0.3 * len(parts) + 0.9 if with_parts else 0.0]
    figure = Figure(figsize=(WIDTH_IN, sum(height) + 0.7), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12)
    if not with_parts:
        upper = figure.add_subplot()
        labels = _comparison(upper, rows)
    else:
        upper, lower = figure.subplots(2, 1, height_ratios=height)
        labels = _comparison(upper, rows)
        room_for_labels(figure, lower, _parts(lower, parts, view))
    room_for_labels(figure, upper, labels)
    return figure


def overhead_parts(overhead: Any) -> list[tuple[str, dict[str, float]]]:
    """Return (part, {value, low, high} in J per inference) of the energy beyond one threshold."""
    unit, synapse = overhead["threshold_unit"], overhead["synapse"]["by_action"]
    names = {
        "compare": "compares",
        "threshold_read": "threshold reads",
        "state_read": "thresholds from state memory",
        "encode": "encoding the level",
    }
    parts = [(names[action], unit[action]["excess_energy_j"]) for action in names if action in unit]
    parts.append(("extra flits for the level", overhead["payload"]["extra_flits_energy_j"]))
    parts.append(("looking the level's value up", synapse["decode_read"]["energy_j"]))
    parts.append(("multiplying at the synapse", synapse["multiply_bit"]["energy_j"]))
    parts.append(("shifting at the synapse", synapse["shift_bit"]["energy_j"]))
    parts.append(("clock of the longer walk", overhead["time"]["clock_energy_j"]))
    parts.append(("leakage meanwhile, at most", overhead["time"]["leakage_at_most_energy_j"]))
    if "built" in overhead:  # runs of older versions do not know
        name = f"leakage of the parts for N = {overhead['built']['unit_serves']}"
        parts.append((name, overhead["built"]["leakage_energy_j"]))
    return parts


def _bars(axes: Axes, energies: list[dict[str, float]], colours: list[str]) -> float:
    scale, unit = scaled_unit(max((e["value"] for e in energies), default=0.0), "J")
    values = np.array([e["value"] for e in energies]) * scale
    low = np.maximum(0, values - np.array([e["low"] for e in energies]) * scale)
    high = np.maximum(0, np.array([e["high"] for e in energies]) * scale - values)
    style = {"ecolor": INK, "elinewidth": 1.0, "capsize": 3}
    axes.barh(range(len(values)), values, xerr=[low, high], color=colours, height=0.62, error_kw=style)
    axes.set_xlabel(f"energy per inference ({unit}); whiskers: all prices at their low, at their high")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(left=0)
    return scale


def _comparison(axes: Axes, rows: list[dict[str, Any]]) -> list[Annotation]:
    energies = [row["energy_j"] for row in rows]
    scale = _bars(axes, energies, [ORANGE if row["name"] == THIS else GREY for row in rows])
    axes.set_yticks(
        range(len(rows)), [("this: " if row["name"] == THIS else "") + elide(row["coding"], 34) for row in rows]
    )
    texts = []
    for row in rows:
        accuracy = "accuracy unknown" if row["accuracy"] is None else f"{100 * row['accuracy']:.2f} % right"
        ratio = row["energy_ratio"]
        band = spread_text(ratio["low"], ratio["high"])
        times = "" if row["name"] == THIS else f"{factor(ratio['value'])} ({band}), "
        texts.append(f"{times}{quantity(row['latency_s'], 's')}, {accuracy}")
    axes.set_title("Same weights, same chip, other spikes: energy, ratio (and its band), latency, accuracy")
    return _labels(axes, energies, scale, texts)


def _parts(axes: Axes, parts: list[tuple[str, dict[str, float]]], view: RunView) -> list[Annotation]:
    energies = [energy for _, energy in parts]
    colours = [SKY if name.endswith("at most") else BLUE for name, _ in parts]
    scale = _bars(axes, energies, colours)
    axes.set_yticks(range(len(parts)), [name for name, _ in parts])
    total = view.energy["value"] or 1.0
    texts = [f"{quantity(e['value'], 'J')}, {percent(e['value'] / total)}" for e in energies]
    shares = view.json["overhead"]["total"]
    waiting = "at most " if shares["share_of_latency_at_most"] else ""
    share = percent(shares["share_of_energy_at_most"])
    axes.set_title(f"What many thresholds add to this network beyond one: {waiting}{share} of its energy")
    return _labels(axes, energies, scale, texts)


def _labels(axes: Axes, energies: list[dict[str, float]], scale: float, texts: list[str]) -> list[Annotation]:
    """Texts behind the whiskers."""
    return [
        axes.annotate(
            text, (energy["high"] * scale, i), (6, 0), textcoords="offset points", va="center", fontsize=8, color=FAINT
        )
        for i, (energy, text) in enumerate(zip(energies, texts, strict=True))
    ]
