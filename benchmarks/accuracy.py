"""Accuracy × coding × (N or T) for the digits CNN and vision transformer, and λ × N for `sfn`.

Accuracy is what the `reference` chip computes (its integers), on all 360 test images; beside it that of the trained
network. Spikes and packets are means for one inference, from the recorded activity:

  spikes    packets of the hidden neurons: one a spike, k for a burst of k (`polarity`), one for a value that is not
            zero (`graded`)
  packets   the same and those of the input, of a transformer's residual stream and of the readout. A packet counts
            once, however many cores it goes to; end markers and ready tokens depend on the mapping and are left out

Calibration and the search for λ see training images only. A coding over T steps that a network refuses has no row; the
reason stands below the table (and under "refused" in the JSON).

    python benchmarks/accuracy.py [--json] [--quick] [--network cnn] [--seed 0]
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sfnhw
from sfnhw.digits import DigitsSplit, load_digits_split, train_digits_cnn, train_digits_vit
from sfnhw.errors import SfnhwError
from sfnhw.neurons import Stream

Progress = Callable[[str], None]

COUNTS = (4, 8, 16, 32)  # N of sfn, mtn and polarity
TIMESTEPS = (2, 4, 8, 16, 32)  # T of if, lif and ttfs
LAMBDAS = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
QUANTILES = (0.9, 0.999)
BETA = 0.9  # of lif: what is left of the membrane after a step
# Of the search for λ: half of the library's, for a table of this size in minutes.
SEARCH: dict[str, Any] = {"lambda_budget": 20, "search_samples": 512}  # as `sfnhw.convert` by itself
QUICK_SEARCH: dict[str, Any] = {"lambda_budget": 6, "search_samples": 64}
CALIBRATION, QUICK_CALIBRATION = 1437, 128  # training images that conversion sees: all, or few
NETWORKS: dict[str, tuple[Callable[..., Any], int]] = {  # how to train each, and epochs of the quick form
    "cnn": (train_digits_cnn, 4),
    "vit": (train_digits_vit, 2),
}
SFN: dict[str, dict[str, Any]] = {
    "uniform, floor, mean": {"spacing": "uniform", "rounding": "floor", "decode": "mean"},
    "density, nearest, mean": {"spacing": "density", "rounding": "nearest", "decode": "mean"},
    "lloyd-max, nearest, mean": {"spacing": "lloyd-max", "rounding": "nearest", "decode": "mean"},
    "lloyd-max, theta = max": {"spacing": "lloyd-max", "rounding": "nearest", "decode": "mean", "theta": "max"},
}


@dataclass(frozen=True)
class Setting:
    """One row to measure: a coding of the library, which of its variants, its size and the options of `convert`."""

    coding: str
    variant: str
    options: dict[str, Any] = field(default_factory=dict)
    thresholds: int | None = None
    timesteps: int = 1
    bits: int | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `sfnhw.convert`."""
        sizes = {"thresholds": self.thresholds, "bits": self.bits}
        sizes["timesteps"] = self.timesteps if self.coding in ("if", "lif", "ttfs") else None
        return {"coding": self.coding, **self.options, **{k: v for k, v in sizes.items() if v is not None}}


@dataclass(frozen=True)
class Task:
    """A trained network with its images; `calibration` images of the training set are what conversion sees."""

    name: str
    module: Any
    digits: DigitsSplit
    ann_accuracy: float
    calibration: int


def settings(quick: bool) -> Iterator[Setting]:
    """Every row of the table, in its order; T ascending within a coding."""
    counts, steps, search = ((16,), (8,), QUICK_SEARCH) if quick else (COUNTS, TIMESTEPS, SEARCH)
    for variant, options in SFN.items():
        for N in counts:
            yield Setting("sfn", variant, options | search, thresholds=N)
    for variant in ("uniform",) if quick else ("uniform", "power-of-two"):
        for N in counts:
            yield Setting("mtn", variant, {"spacing": variant}, thresholds=N)
    for N in counts:
        yield Setting("polarity", "burst", thresholds=N)
    for coding, variant, options in (
        ("if", "v(0) = 1/2", {}),
        ("lif", f"beta = {BETA:g}", {"beta": BETA}),
        ("ttfs", "v(0) = 1/2", {}),
    ):
        for T in steps:
            yield Setting(coding, variant, options, timesteps=T)
    # The quantised network: 8 and 4 bits, and ⌈log2(N + 1)⌉, the fair partner of N thresholds.
    for bits in (5,) if quick else sorted({8, 4, *(N.bit_length() for N in counts)}):
        yield Setting("graded", f"{bits} bits", bits=bits)


def measure_setting(task: Task, arguments: dict[str, Any]) -> dict[str, Any]:
    """Convert, record on the chip's integers, count; raises SfnhwError where the network refuses the coding."""
    chip, digits, n = sfnhw.load_chip("reference"), task.digits, task.calibration
    network = sfnhw.convert(task.module, digits.train_images[:n], labels=digits.train_labels[:n], **arguments)
    recording = sfnhw.record(
        network,
        digits.test_images,
        labels=digits.test_labels,
        numerics=chip.numerics,
        threshold_sharing=chip.core.threshold_unit.sharing,
    )
    sent = recording.activity.spikes(network)
    hidden = [p.name for p in network.populations if p.role == "hidden" and not isinstance(p.coding, Stream)]
    samples = recording.activity.samples
    return {
        "accuracy": recording.accuracy,
        "ann_accuracy": task.ann_accuracy,
        "spikes_per_inference": sum(sent[name] for name in hidden) / samples,
        "packets_per_inference": sum(sent.values()) / samples,
    }


def coding_rows(
    task: Task, some: Iterable[Setting], progress: Progress
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of one network, and what it refused: a coding that is refused is not tried with a larger size."""
    rows: list[dict[str, Any]] = []
    refused: dict[tuple[str, str], dict[str, Any]] = {}
    for s in some:
        key = (s.coding, s.variant)
        if key in refused:
            continue
        progress(f"{task.name}: {s.coding} {s.variant} N = {s.thresholds}, T = {s.timesteps}")
        named = {k: v for k, v in asdict(s).items() if k != "options"}
        try:
            rows.append({"network": task.name, **named, **measure_setting(task, s.arguments)})
        except SfnhwError as error:
            refused[key] = {"network": task.name, "coding": s.coding, "variant": s.variant, "reason": str(error)}
    return rows, list(refused.values())


def lambda_rows(task: Task, quick: bool, progress: Progress) -> list[dict[str, Any]]:
    """λ × N of `sfn` (uniform, floor, mean), θ at two quantiles of the calibration."""
    rows = []
    for quantile in QUANTILES[1:] if quick else QUANTILES:
        for lam in (1.0, 0.0625) if quick else LAMBDAS:
            for N in (16,) if quick else COUNTS:
                progress(f"{task.name}: quantile {quantile:g}, lambda = {lam:g}, N = {N}")
                # The paper's own even steps, whatever conversion would choose for this network by itself.
                setting = {"thresholds": N, "lam": lam, "quantile": quantile, "spacing": "uniform", "rounding": "floor"}
                found = measure_setting(task, setting)
                rows.append({"network": task.name, "quantile": quantile, "lam": lam, "thresholds": N, **found})
    return rows


def tasks(
    names: Sequence[str], quick: bool, seed: int, progress: Progress, calibration: int = CALIBRATION
) -> Iterator[Task]:
    """Train the networks, one after the other."""
    import torch

    digits = load_digits_split(seed)
    for name in names:
        progress(f"{name}: training")
        train, epochs = NETWORKS[name]
        module = train(seed, epochs=epochs) if quick else train(seed)
        with torch.no_grad():
            found = module(torch.from_numpy(digits.test_images)).argmax(1).numpy()
        accuracy = float(np.mean(found == digits.test_labels))
        yield Task(name, module, digits, accuracy, QUICK_CALIBRATION if quick else calibration)


def measure(
    names: Sequence[str] = tuple(NETWORKS),
    *,
    quick: bool = False,
    seed: int = 0,
    progress: Progress = lambda text: None,
    calibration: int = CALIBRATION,
) -> dict[str, Any]:
    """Everything, as plain values: rows, lambda_table, refused, and the seed of split and training."""
    rows, table, refused = [], [], []
    for task in tasks(names, quick, seed, progress, calibration):
        found, gone = coding_rows(task, settings(quick), progress)
        rows += found
        refused += gone
        table += lambda_rows(task, quick, progress)
    return {"rows": rows, "lambda_table": table, "refused": refused, "seed": seed, "quick": quick}


def show(result: dict[str, Any]) -> None:
    """Print the tables, at most 80 columns wide."""
    for network in dict.fromkeys(row["network"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["network"] == network]
        print(f"{network}: trained network {100 * rows[0]['ann_accuracy']:.1f} %")
        print(f"  {'coding':36}{'N':>4}{'T':>4}{'accuracy':>10}{'spikes':>11}{'packets':>11}")
        for row in rows:
            print(
                f"  {row['coding'] + ', ' + row['variant']:36}{row['thresholds'] or '-':>4}{row['timesteps']:>4}"
                f"{100 * row['accuracy']:>8.1f} %{row['spikes_per_inference']:>11,.0f}"
                f"{row['packets_per_inference']:>11,.0f}"
            )
        for gone in (r for r in result["refused"] if r["network"] == network):
            text = f"  {gone['coding']}: refused: {gone['reason']}"
            print(textwrap.fill(text, 80, subsequent_indent="    ", break_on_hyphens=False))
        table = [row for row in result["lambda_table"] if row["network"] == network]
        counts = sorted({row["thresholds"] for row in table})
        for quantile in dict.fromkeys(row["quantile"] for row in table):
            print(f"\n  {network}, sfn uniform, theta at quantile {quantile:g}: accuracy in %")
            print("  lambda \\ N" + "".join(f"{N:>8}" for N in counts))
            for lam in dict.fromkeys(row["lam"] for row in table):
                line = [row["accuracy"] for row in table if row["quantile"] == quantile and row["lam"] == lam]
                print(f"  {lam:<10g}" + "".join(f"{100 * a:>8.1f}" for a in line))
        print()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, and nothing else")
    parser.add_argument("--quick", action="store_true", help="a few epochs, fewer settings: under a minute, no result")
    parser.add_argument("--seed", type=int, default=0, help="of the split and the training (default 0)")
    parser.add_argument("--calibration", type=int, default=CALIBRATION, help="training images (default: all 1,437)")
    parser.add_argument("--evaluations", type=int, default=SEARCH["lambda_budget"], help="of the search (default 20)")
    parser.add_argument("--search-samples", type=int, default=SEARCH["search_samples"], help="of these (default 512)")
    parser.add_argument("--network", choices=tuple(NETWORKS), help="only this one (default: both)")
    options = parser.parse_args()
    shown = sys.stderr.isatty()

    def progress(text: str) -> None:
        if shown:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    names = (options.network,) if options.network else tuple(NETWORKS)
    SEARCH.update(lambda_budget=options.evaluations, search_samples=options.search_samples)
    result = measure(names, quick=options.quick, seed=options.seed, progress=progress, calibration=options.calibration)
    progress("")
    if options.json:
        print(json.dumps(result))
    else:
        show(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
