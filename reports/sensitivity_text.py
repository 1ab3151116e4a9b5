"""What the sensitivity figure says, in one sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sfnhw.reports.text import percent

POINTS = 0.01


def sensitivity_sentence(data: Mapping[str, Any]) -> str:
    """Return within which range each disturbance takes no more than a point of accuracy."""
    kinds = {row["kind"] for row in data["rows"]}

    def within(kind: str) -> tuple[float, float]:
        return tolerance(data["rows"], kind, data["measure"], POINTS)

    said = []
    if "quantile" in kinds:
        low, high = within("quantile")
        which = f"the {percent(low)}" if low == high else f"any quantile from {percent(low)} to {percent(high)}"
        said.append(f"every θ at {which}{' quantile' * (low == high)} of its calibration")
    low, high = within("theta")
    said.append(f"every θ times {_range(low, high)}")
    if "gain" in kinds:
        low, high = within("gain")
        said.append(f"inputs times {_range(low, high)}")
        said.append(f"up to {percent(within('outliers')[1])} of input values at the maximum")
    measure = "accuracy" if data["measure"] == "accuracy" else "agreement with its undisturbed answers"
    one = 1 / data["samples"]
    coarse = f" One inference of these {data['samples']:,} is {100 * one:.3g} points." if one > POINTS else ""
    return f"Of the values looked at, these take no more than one point of {measure}: {'; '.join(said)}.{coarse}"


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def tolerance(rows: Sequence[Mapping[str, Any]], kind: str, measure: str, points: float = 0.01) -> tuple[float, float]:
    """Return the range of values around the undisturbed one in which no more than `points` of the measure are lost.

    The undisturbed value is 1 for `theta` and `gain`, 0 for outliers; for the quantile it is where the measure is best.
    """
    mine = sorted((row["value"], row[measure]) for row in rows if row["kind"] == kind)
    values, shares = [v for v, _ in mine], [s for _, s in mine]
    start = {"theta": 1.0, "gain": 1.0, "outliers": 0.0}.get(kind)
    at = values.index(start) if start is not None else int(np.argmax(shares))
    low = high = at
    while low > 0 and shares[low - 1] >= shares[at] - points:
        low -= 1
    while high + 1 < len(shares) and shares[high + 1] >= shares[at] - points:
        high += 1
    return values[low], values[high]
