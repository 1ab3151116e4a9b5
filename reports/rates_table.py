"""Recorded spikes beside spikes drawn from rates, as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from sfnhw.reports.text import count, elide, quantity

WIDTH = 80
COLUMNS = {
    "spikes": "spikes",
    "packets": "packets",
    "synaptic_operations": "syn. ops",
    "energy_j": "energy",
    "latency_s": "latency",
}
TOTAL = "whole network"


def difference(relative: float | None) -> str:
    """Return e.g. ``+1.23 %``; what cannot be told is ``-``."""
    if relative is None:
        return "-"
    digits = 0 if abs(relative) >= 1 else 1 if abs(relative) >= 0.1 else 2
    return f"{100 * relative:+.{digits}f} %"


def rates_rows(comparison: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return (layer or whole network, differences in the order of `COLUMNS`), layers first."""
    rows = [*comparison["layers"].items(), (TOTAL, comparison["total"])]
    return [(name, [difference(row[key]["relative"]) for key in COLUMNS]) for name, row in rows]


def rates_lines(comparison: Mapping[str, Any]) -> Iterator[str]:
    """Lines of at most 80 columns: a table of differences, both totals, and what independence lost."""
    drawn, seed = comparison["sampled_samples"], comparison["seed"]
    yield elide(f"drawn from rates ({drawn:,} inferences, seed {seed}), against the recorded run", WIDTH, "..")
    yield f"{'layer':<24}" + "".join(f"{title:>11}" for title in COLUMNS.values())
    for name, row in rates_rows(comparison):
        yield f"{elide(name, 23, '..'):<24}" + "".join(f"{text:>11}" for text in row)
    total = comparison["total"]
    for label, key, show in (
        ("energy", "energy_j", lambda v: quantity(v, "J")),
        ("latency", "latency_s", lambda v: quantity(v, "s")),
        ("slowest sample", "latency_max_s", lambda v: quantity(v, "s")),
        ("spread of spikes", "spikes_std", count),
    ):
        pair = total[key]
        text = f"recorded {show(pair['recorded'])}, drawn {show(pair['sampled'])} ({difference(pair['relative'])})"
        yield f"{label:<18}{text}"
