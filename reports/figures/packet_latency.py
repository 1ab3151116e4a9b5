"""How long spike packets are under way."""

import numpy as np
from matplotlib.figure import Figure

from sfnhw.reports.style import BLUE, FAINT, ORANGE, WIDTH_IN
from sfnhw.reports.view import RunView

MOST_BARS = 60


def packet_latency(view: RunView) -> Figure:
    """Draw a histogram of latencies from the injection queue to the receiving core, in cycles, with median and 99 %."""
    table, latency = view.tables["packets"], view.json["packet_latency_cycles"]
    cycles, packets = np.asarray(table["latency_cycles"]), np.asarray(table["packets"])
    first, last = int(cycles.min()), int(cycles.max())
    width = max(1, -(-(last - first + 1) // MOST_BARS))
    bars = np.bincount((cycles - first) // width, weights=packets)
    figure = Figure(figsize=(WIDTH_IN, 3.1))
    axes = figure.add_subplot()
    axes.bar(
        first + width * np.arange(len(bars)), 100 * bars / packets.sum(), width=0.9 * width, align="edge", color=BLUE
    )
    mhz = view.json["chip"]["clock_mhz"]
    for value, name, place in ((latency["median"], "half", 0.97), (latency["percentile_99"], "99 %", 0.85)):
        axes.axvline(value + 0.5, color=ORANGE, linewidth=1.2)
        axes.annotate(
            f"{name} within {value:,} cycles ({1e3 * value / mhz:.3g} ns)", (value + 0.5, place),
            (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points", va="top", fontsize=8, color=FAINT,
        )  # fmt: skip
    axes.set_xlim(left=max(0, first - width))
    each = f", {width} cycles a bar" if width > 1 else ""
    axes.set_xlabel(f"latency of a spike packet at {mhz:g} MHz (cycles{each})")
    axes.set_ylabel("packets (%)")
    axes.grid(axis="y")
    axes.set_title(f"Packets: mean latency {latency['mean']:.1f} cycles, longest {latency['max']:,}")
    figure.set_layout_engine("constrained")
    return figure
