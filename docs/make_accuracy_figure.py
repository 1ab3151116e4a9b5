"""Draw docs/images/accuracy.png from what `python benchmarks/accuracy.py --json` wrote.

python docs/make_accuracy_figure.py accuracy.json [more.json]
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

TITLES = {"cnn": "digits CNN", "vit": "digits vision transformer"}
# Colours of Okabe and Ito (2008), which colour-blind readers can tell apart.
STYLES = {
    ("sfn", "uniform, floor, mean"): ("#0072B2", "o", "-"),
    ("sfn", "density, nearest, mean"): ("#56B4E9", "s", "-"),
    ("sfn", "lloyd-max, theta = max"): ("#CC79A7", "^", "-"),
    ("mtn", "uniform"): ("#009E73", "D", "-"),
    ("mtn", "power-of-two"): ("#000000", "v", "-"),
    ("if", "v(0) = 1/2"): ("#D55E00", "o", "--"),
    ("lif", "beta = 0.9"): ("#E69F00", "s", "--"),
}


def size(row: dict[str, Any]) -> int:
    """Return N, or T."""
    return int(row["thresholds"] or row["timesteps"])


def main() -> None:
    """Read and draw."""
    rows = [row for path in sys.argv[1:] for row in json.loads(Path(path).read_text())["rows"]]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True)
    for axis, (network, title) in zip(axes, TITLES.items(), strict=True):
        some = [row for row in rows if row["network"] == network]
        ann = 100 * some[0]["ann_accuracy"]
        axis.axhspan(ann - 0.5, ann, color="0.88", label="within 0.5 points")
        axis.axhline(ann, color="0.4", lw=1, label="trained network")
        for (coding, variant), (colour, marker, line) in STYLES.items():
            points = sorted(
                (size(r), 100 * r["accuracy"]) for r in some if (r["coding"], r["variant"]) == (coding, variant)
            )
            if points:
                label = f"{coding}, {variant}"
                axis.plot(*zip(*points, strict=True), line, color=colour, marker=marker, ms=5, label=label)
        axis.set_xscale("log", base=2)
        axis.set_xticks([2, 4, 8, 16, 32], labels=["2", "4", "8", "16", "32"])
        axis.set_title(f"{title}, {ann:.1f} %")
        axis.set_xlabel("N thresholds at T = 1, or T timesteps (dashed)")
        axis.set_ylim(min(70, ann - 20), 100.5)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy on 360 test images, %")
    axes[0].legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(Path(__file__).parent / "images" / "accuracy.png", dpi=110)


if __name__ == "__main__":
    main()
