"""What one of each block of the model takes, fitted to the netlists."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, lsq_linear

from benchmarks.synthesis.designs import Design
from sfnhw.chip.gate_model import BLOCKS, NOT_FITTED, amounts


def fit(measured: list[tuple[Design, float]], what: str) -> dict[str, float]:
    """Return block -> gates of one, from (circuit, gates): the least sum of fourth powers of the relative errors.

    Fourth powers instead of squares, since the largest error is what the model promises. No block is negative; a circuit
    that several kinds share counts once; flip-flops are counted, not fitted. `what` is the field of `Gates`: ``gates``
    or ``equivalents``.
    """
    names = [name for name in BLOCKS if name not in NOT_FITTED]
    rows: list[list[float]] = []
    rest: list[float] = []
    once = {(design.module, tuple(design.parameters.items())): (design, total) for design, total in reversed(measured)}
    for design, total in once.values():
        share = dict.fromkeys(names, 0.0)
        left = total
        for _, block, amount in amounts(design.kind, design.thresholds, design.width_bits, design.signed):
            if block in NOT_FITTED:
                left -= getattr(BLOCKS[block], what) * amount
            else:
                share[block] += amount
        rows.append([share[name] / total for name in names])
        rest.append(left / total)
    solution = _fourth_powers(np.array(rows), np.array(rest))
    return {name: round(float(value), 2) for name, value in zip(names, solution, strict=True)}


def _fourth_powers(parts: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    start = lsq_linear(parts, whole, bounds=(0, np.inf)).x
    found = least_squares(lambda x: (parts @ x - whole) ** 2, np.maximum(start, 0.01), bounds=(0, np.inf), xtol=1e-12)
    solution: NDArray[np.float64] = found.x
    return solution
