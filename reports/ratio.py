"""How sure a comparison is: the ratio of two energies under every combination of the price table's rows."""

from collections.abc import Callable

from sfnhw.sim import Cost


def ratio_band(cost: Cost, samples: int, other: Cost, other_samples: int) -> dict[str, float]:
    """Return ``{value, low, high}`` of other / this, per inference.

    Both runs are priced by one table, so its errors are shared: a dear weight read makes both dear. Each row's price p
    may lie anywhere between its own low and high, independently of the other rows, and the ratio
    Σ b_i·p_i / Σ a_i·p_i of two such sums is largest where p_i is high for the rows with the largest b_i / a_i and low
    for the rest (a linear fraction takes its extremes at a vertex of the box, and moving p_i up helps exactly where
    b_i / a_i exceeds the ratio). So the rows are sorted once and each cut is tried.
    """
    a, b = cost.by_action(), other.by_action()
    rows = [
        (
            [e / samples for e in (a[name].low_aj, a[name].value_aj, a[name].high_aj)],
            [e / other_samples for e in (b[name].low_aj, b[name].value_aj, b[name].high_aj)],
        )
        for name in a
        if a[name].high_aj or b[name].high_aj
    ]
    value = sum(y[1] for _, y in rows) / max(sum(x[1] for x, _ in rows), 1e-300)
    dear_first = sorted(rows, key=lambda row: row[1][2] / max(row[0][2], 1e-300), reverse=True)
    return {"value": value, "low": _extreme(dear_first[::-1], min), "high": _extreme(dear_first, max)}


def _extreme(rows: list[tuple[list[float], list[float]]], best: Callable[[list[float]], float]) -> float:
    """Rows before the cut at their high price, the others at their low one."""
    ratios = []
    for cut in range(len(rows) + 1):
        x = sum(row[0][2 if i < cut else 0] for i, row in enumerate(rows))
        y = sum(row[1][2 if i < cut else 0] for i, row in enumerate(rows))
        if x > 0:
            ratios.append(y / x)
    return best(ratios) if ratios else 0.0
