"""The latency-load curve of a network."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from sfnhw.reports.style import BLUE, FAINT, ORANGE, RED, WIDTH_IN, styled


def noc_figure(sweep: Mapping[str, Any]) -> Figure:
    """Draw `NocSweep.as_json()`: mean, median and 99th percentile of latency over the offered rate, and saturation."""
    points = [p for p in sweep["points"] if p["mean_latency_cycles"] is not None]
    rates = [p["rate_packets_per_node_cycle"] for p in points]
    zero, saturation = sweep["zero_load_latency_cycles"], sweep["saturation_rate_packets_per_node_cycle"]
    with styled():
        figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=True)
        axes.plot(rates, [p["mean_latency_cycles"] for p in points], "o-", color=BLUE, ms=4, label="mean")
        for key, line, name in (("p50", "--", "median"), ("p99", ":", "99th percentile")):
            told = [(p["rate_packets_per_node_cycle"], p[f"{key}_latency_cycles"]) for p in points]
            told = [(x, y) for x, y in told if y is not None]
            axes.plot([x for x, _ in told], [y for _, y in told], line, color=ORANGE, label=name)
        axes.axhline(zero, color=FAINT, lw=1.0, ls=":", label=f"empty network: {zero:.1f} cycles")
        if sweep["saturates"]:
            axes.axvline(saturation, color=RED, lw=1.2, label=f"saturation (mean 3 × empty): {saturation:.4f}")
        axes.set_ylim(0, 4 * zero)
        axes.set_xlim(0, None)
        axes.set_xlabel("offered load (packets per node and cycle)")
        axes.set_ylabel("latency (cycles)")
        axes.set_title(_title(sweep))
        axes.legend(loc="upper left")
    return figure


def _title(sweep: Mapping[str, Any]) -> str:
    c = sweep["network"]
    vcs = c["virtual_channels"]
    return (
        f"{c['columns']} × {c['rows']} {c['topology']}, {sweep['pattern']} traffic: {vcs} virtual "
        f"channel{'s' if vcs > 1 else ''} of {c['buffer_flits']} flits, {c['packet_flits']}-flit packets "
        f"({sweep['fidelity']})"
    )
