"""Draw docs/images/threshold-units.png: gates and energy of every threshold unit over N.

python docs/make_threshold_unit_figure.py

Gates are those of 16-bit units: the model's line through the netlists of benchmarks/synthesis/measured.json. Energy is that
of an update at the prices of the reference chip (24 bits).
"""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from sfnhw.chip import load_chip, unit_figures, unit_gates
from sfnhw.reports.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, styled

HERE = Path(__file__).resolve().parent
STYLES = {
    "parallel": (BLUE, "o"),
    "serial": (ORANGE, "s"),
    "binary-search": (GREEN, "D"),
    "uniform": (RED, "^"),
    "power-of-two": (PURPLE, "v"),
}
SIZES = (1, 2, 4, 8, 16, 32)


def gates(axis: Axes, rows: list[dict[str, Any]], signed: bool) -> None:
    """Model as a line, netlists as marks."""
    for kind, (colour, marker) in STYLES.items():
        # One threshold is plain integrate-and-fire on every unit: drawn once, apart.
        line = [unit_gates(kind, n, 16, signed).gates for n in SIZES[1:]]
        axis.plot(SIZES[1:], line, color=colour, lw=1.4)
        found = {r["thresholds"]: r["gates"] for r in rows if r["kind"] == kind and r["signed"] == signed}
        axis.plot(SIZES[1:], [found[n] for n in SIZES[1:]], marker, color=colour, ms=5, label=kind)
    plain = next(r["gates"] for r in rows if r["kind"] == "parallel" and not r["signed"] and r["thresholds"] == 1)
    axis.axhline(plain, color=GREY, lw=1, ls=":", label="one threshold (IF)")
    axis.set_ylabel(f"two-input gates of one lane, {'signed' if signed else 'unsigned'}")


def energy(axis: Axes, signed: bool) -> None:
    """Value and band of one update."""
    chip = load_chip("reference")
    for kind, (colour, marker) in STYLES.items():
        prices = [unit_figures(chip, n, signed, kind=kind).energy for n in SIZES[1:]]
        axis.plot(SIZES[1:], [p.value_pj for p in prices], marker + "-", color=colour, ms=5, lw=1.4, label=kind)
    plain = unit_figures(chip, 1, kind="parallel").energy.value_pj
    axis.axhline(plain, color=GREY, lw=1, ls=":", label="one threshold (IF)")
    axis.set_ylabel(f"pJ for one update, {'signed' if signed else 'unsigned'}")


def main() -> None:
    """Draw both."""
    measured = json.loads((HERE.parent / "benchmarks" / "synthesis" / "measured.json").read_text(encoding="utf-8"))
    rows = [r for r in measured["rows"] if r["width_bits"] == 16]
    with styled():
        figure, axes = plt.subplots(2, 2, figsize=(9, 7), sharex=True, sharey="col")
        for pair, signed in zip(axes, (False, True), strict=True):
            gates(pair[0], rows, signed)
            energy(pair[1], signed)
        axes[0][0].set_title("gates, 16 bits (mark: netlist, line: model)")
        axes[0][1].set_title("energy, reference chip (24 bits)")
        for axis in axes.flat:
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.set_xticks(SIZES[1:], labels=[str(n) for n in SIZES[1:]])
            axis.grid(which="major")
        # The style writes no formulas, so the ticks are plain numbers.
        for column, ticks in enumerate(((100, 200, 500, 1000, 2000, 5000, 10_000), (0.1, 0.2, 0.5, 1, 2, 5, 10))):
            axes[0][column].set_yticks(ticks, labels=[f"{t:g}" for t in ticks], minor=False)
            axes[0][column].minorticks_off()
            axes[0][column].set_ylim(ticks[0], ticks[-1] * 1.2)
        for axis in axes[1]:
            axis.set_xlabel("N thresholds for each sign")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="lower center", ncols=6)
        figure.tight_layout(rect=(0, 0.04, 1, 1))
        figure.savefig(HERE / "images" / "threshold-units.png", dpi=110)


if __name__ == "__main__":
    main()
