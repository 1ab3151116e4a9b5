"""The search for λ, the one global scale of the SFN: a bounded scalar search, its trials kept."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Share of the budget that the coarse grid takes; the rest refines around its best point.
COARSE_SHARE = 0.5
# Where Brent's method looks first between its bounds: the golden section, (3 − √5)/2 (Brent 1973, chapter 5).
FIRST_SHARE = (3 - 5**0.5) / 2


@dataclass(frozen=True)
class Trial:
    """One λ that was tried.

    Attributes
    ----------
    lam : λ.
    loss : error + spike_weight · spike_rate, + the share of samples lost against the trained network (with labels).
    error : Σ (z − z_ann)² / Σ (z_ann − mean)², over the calibration outputs.
    spike_rate : spikes per hidden neuron and timestep.
    accuracy : share of right answers, or None without labels.
    """

    lam: float
    loss: float
    error: float
    spike_rate: float
    accuracy: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def judge(
    lam: float,
    outputs: NDArray[np.float64],
    rate: float,
    reference: NDArray[np.float64],
    labels: NDArray[np.int64] | None,
    spike_weight: float,
) -> Trial:
    """Compare the outputs of one λ with the trained network's."""
    spread = float(((reference - reference.mean(axis=0)) ** 2).sum()) or float((reference**2).sum()) or 1.0
    error = float(((outputs - reference) ** 2).sum()) / spread
    loss, accuracy = error + spike_weight * rate, None
    if labels is not None:
        accuracy = float((outputs.argmax(axis=1) == labels).mean())
        loss += max(0.0, float((reference.argmax(axis=1) == labels).mean()) - accuracy)
    return Trial(lam, loss, error, rate, accuracy)


def search(tried: Callable[[float], Trial], bounds: tuple[float, float], budget: int) -> tuple[Trial, list[Trial]]:
    """Return the best trial and all: a logarithmic grid, then Brent's bounded method in log λ between neighbours.

    At most `budget` evaluations, always at least one.
    """
    from scipy.optimize import minimize_scalar

    trials: list[Trial] = []

    def loss_at(log_lambda: float) -> float:
        trials.append(tried(float(np.exp(log_lambda))))
        return trials[-1].loss

    low, high = np.log(bounds[0]), np.log(bounds[1])
    coarse = max(1, min(budget, round(budget * COARSE_SHARE)))
    grid = np.linspace(low, high, coarse) if coarse > 1 else np.array([(low + high) / 2])
    losses = [loss_at(point) for point in grid]
    best = int(np.argmin(losses))
    left = grid[best - 1] if best > 0 else low
    right = grid[best + 1] if best + 1 < coarse else high
    rest = budget - coarse
    if rest == 1 and right > left:  # scipy's takes two evaluations at least; this is its first
        loss_at(left + FIRST_SHARE * (right - left))
    elif rest > 1 and right > left:
        options = {"maxiter": rest, "xatol": 1e-3}
        minimize_scalar(loss_at, bounds=(left, right), method="bounded", options=options)
    return min(trials, key=lambda trial: trial.loss), trials
