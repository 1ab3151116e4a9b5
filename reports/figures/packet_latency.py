"""How long spike packets are under way."""

import numpy as np
from matplotlib.figure import Figure

from sfnhw.reports.style import BLUE, INK, ORANGE, PAPER, WIDTH_IN
from sfnhw.reports.text import percent, quantity
from sfnhw.reports.view import RunView

MOST_BARS = 60
# Latest packet over 99th percentile: above it the tail is cut off.
LONG_TAIL = 1.3


def packet_latency(view: RunView) -> Figure:
    """Draw a histogram of latencies from the injection queue to the receiving core, in cycles, with median and 99 %."""
    table, latency = view.tables["packets"], view.json["packet_latency_cycles"]
    cycles, packets = np.asarray(table["latency_cycles"]), np.asarray(table["packets"])
    first, last = int(cycles.min()), int(cycles.max())
    # The last percent may be long: it is said in words where it would squeeze all others.
    late = int(latency["percentile_99"])
    end = last if last <= LONG_TAIL * late else round(1.1 * late) + 1
    shown = cycles <= end
    width = max(1, -(-(end - first + 1) // MOST_BARS))
    bars = 100 * np.bincount((cycles[shown] - first) // width, weights=packets[shown]) / packets.sum()
    figure = Figure(figsize=(WIDTH_IN, 3.3), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(first + width * np.arange(len(bars)), bars, width=0.9 * width, align="edge", color=BLUE)
    left, right = max(0, first - width), end + width
    axes.set_xlim(left, right)
    # The bars end below the texts.
    axes.set_ylim(0, 1.3 * float(bars.max(initial=1e-9)))
    mhz = view.json["chip"]["clock_mhz"]
    for value, name, place in ((latency["median"], "half", 0.97), (late, "99 %", 0.87)):
        axes.axvline(value + 0.5, ymax=place, color=ORANGE, linewidth=1.2)
        before = value > (left + right) / 2
        axes.annotate(
            f"{name} within {value:,} cycles ({quantity(value / (mhz * 1e6), 's')})", (value + 0.5, place),
            (-4 if before else 4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="right" if before else "left", va="top", fontsize=8, color=INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    each = f", {width} cycles a bar" if width > 1 else ""
    beyond = percent(float(packets[~shown].sum() / packets.sum())) if not shown.all() else ""
    cut = f"; {beyond} of the packets took longer and are not drawn" if beyond else ""
    axes.set_xlabel(f"latency of a spike packet at {mhz:g} MHz (cycles{each}){cut}")
    axes.set_ylabel("packets (%)")
    axes.grid(axis="y")
    axes.set_title(f"Packets: mean latency {latency['mean']:,.1f} cycles, longest {latency['max']:,}")
    return figure
