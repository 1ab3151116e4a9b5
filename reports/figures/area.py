"""Area and leakage of one core and its router, by component."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from sfnhw.reports.figures.rows import name_rows, room_for_labels, rows_height_in
from sfnhw.reports.style import BLUE, FAINT, GREY, INK, WIDTH_IN
from sfnhw.reports.text import percent, quantity, short_number
from sfnhw.reports.view import RunView


def area(view: RunView) -> Figure:
    """Draw two bars a component, largest at the top: mm² and µW, with whiskers to the low and high of their rows."""
    found = view.json["area_and_leakage"]
    rows = sorted(found["components"], key=lambda row: -row["core_area_mm2"]["value"])
    figure = Figure(figsize=(WIDTH_IN, rows_height_in(len(rows)) + 0.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    sizes, powers = [row["core_area_mm2"] for row in rows], [row["core_leakage_uw"] for row in rows]
    size_texts = [f"{short_number(row['core_area_mm2']['value'])} mm², {percent(row['share_of_area'])}" for row in rows]
    whole = sum(p["value"] for p in powers)
    power_texts = [
        f"{quantity(p['value'] * 1e-6, 'W')}, {percent(p['value'] / whole if whole else 0.0)}" for p in powers
    ]
    size_labels = _bars(left, sizes, BLUE, size_texts)
    power_labels = _bars(right, powers, GREY, power_texts)
    name_rows(left, [row["component"].replace("_", " ") for row in rows])
    right.tick_params(axis="y", length=0, labelleft=False)
    right.spines["left"].set_visible(False)
    left.set_xlabel("area of one core and router (mm²); whiskers: low and high")
    right.set_xlabel("leakage of one core and router (µW); whiskers: low and high")
    core = sum(s["value"] for s in sizes)
    left.set_title(f"Area: {short_number(core)} mm² a core, {short_number(view.json['area_mm2'])} mm² the chip")
    right.set_title(f"Leakage: {quantity(whole * 1e-6, 'W')} a core, powered")
    room_for_labels(figure, left, size_labels)
    room_for_labels(figure, right, power_labels)
    return figure


def _bars(axes: Axes, bands: Sequence[dict[str, float]], colour: str, texts: Sequence[str]) -> list[Annotation]:
    values = [band["value"] for band in bands]
    error = [[v - band["low"] for v, band in zip(values, bands, strict=True)]]
    error.append([band["high"] - v for v, band in zip(values, bands, strict=True)])
    style = {"ecolor": INK, "elinewidth": 1.0, "capsize": 3}
    axes.barh(range(len(values)), values, xerr=error, color=colour, height=0.62, error_kw=style)
    axes.grid(axis="x")
    axes.set_xlim(left=0)
    return [
        axes.annotate(text, (band["high"], i), (6, 0), textcoords="offset points", va="center", fontsize=8, color=FAINT)
        for i, (band, text) in enumerate(zip(bands, texts, strict=True))
    ]
