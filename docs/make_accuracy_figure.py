"""Draw docs/images/accuracy.png from what `python benchmarks/accuracy.py --json` wrote, and print its tables.

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


def print_tables(rows: list[dict[str, Any]], table: list[dict[str, Any]]) -> None:
    """Print the Markdown of docs/accuracy.md: one row a variant, one column a size; then λ × N."""
    sizes = (2, 4, 8, 16, 32)
    for network in dict.fromkeys(row["network"] for row in rows):
        print(f"\n{network}\n\n| coding | " + " | ".join(map(str, sizes)) + " |\n|" + " --- |" * 6)
        some = [row for row in rows if row["network"] == network]
        for coding, variant in dict.fromkeys((row["coding"], row["variant"]) for row in some):
            these = {size(r): r for r in some if (r["coding"], r["variant"]) == (coding, variant)}
            cells = [cell(these[n]) if n in these else "" for n in (sizes if coding != "graded" else (1,))]
            print(f"| {coding}, {variant} | " + " | ".join(cells) + " |")
        lambdas = [row for row in table if row["network"] == network]
        for quantile in dict.fromkeys(row["quantile"] for row in lambdas):
            print(f"\nquantile {quantile:g}\n\n| λ | 4 | 8 | 16 | 32 |\n|" + " --- |" * 5)
            for lam in dict.fromkeys(row["lam"] for row in lambdas):
                found = [r["accuracy"] for r in lambdas if (r["quantile"], r["lam"]) == (quantile, lam)]
                print(f"| {lam:g} | " + " | ".join(f"{100 * a:.1f}" for a in found) + " |")


def cell(row: dict[str, Any]) -> str:
    """Accuracy; spikes and packets for one inference."""
    return f"{100 * row['accuracy']:.1f}; {row['spikes_per_inference']:,.0f}; {row['packets_per_inference']:,.0f}"


def main() -> None:
    """Read, print and draw."""
    results = [json.loads(Path(path).read_text()) for path in sys.argv[1:]]
    rows = [row for result in results for row in result["rows"]]
    print_tables(rows, [row for result in results for row in result["lambda_table"]])
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
