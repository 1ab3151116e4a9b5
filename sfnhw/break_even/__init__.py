"""Where one timestep stops paying: over the number of thresholds, for each threshold unit, and over the spike rate."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.break_even.spike_rate import RATES, STEPS, over_spike_rate
from sfnhw.break_even.thresholds import COUNTS, over_thresholds, scaling_for, verdicts
from sfnhw.chip import Chip, load_chip
from sfnhw.errors import InputError
from sfnhw.network import Network
from sfnhw.record import Inputs

MOST_THRESHOLDS, MOST_STEPS, MOST_SAMPLES = 1024, 1024, 2**31
# Inferences that the chart is made of: a mean over inputs converges quickly, and every point is a whole estimate.
SAMPLES = 32

Progress = Callable[[str, int, int], None]


def break_even(
    network: Network | str | Path,
    chip: Chip | str | Path,
    inputs: Inputs,
    *,
    labels: NDArray[Any] | None = None,
    counts: Sequence[int] = COUNTS,
    rates: Sequence[float] = RATES,
    timesteps: int = STEPS,
    samples: int = SAMPLES,
    seed: int = 0,
    fidelity: str = "analytic",
    placer: str = "hilbert",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Estimate the same weights over N thresholds and over the spike rate, beside IF and the quantised network.

    Parameters
    ----------
    counts : N to look at, ascending; IF runs over T = N steps and the quantised network at ⌈log2(N + 1)⌉ bits.
    rates : spikes per neuron and timestep to look at, ascending from 0 to 1.
    timesteps : T = N of the chart over the rate (the published break-even is at 5).
    samples : inferences, the first ones of the inputs; seed : of the spikes that are drawn at each rate.
    fidelity : counts are the same at each fidelity; times, and with them leakage, are not.

    Returns
    -------
    JSON values: ``thresholds`` (`over_thresholds`), ``verdicts`` (`verdicts`), ``spike_rate`` (`over_spike_rate`),
    ``scaling`` (`scaling_for`),
    ``samples``, ``seed``, ``fidelity``.

    Raises
    ------
    InputError : counts or rates that are empty, out of range or not ascending.
    SfnhwError : inputs that do not fit the network.
    """
    network = network if isinstance(network, Network) else Network.load(network)
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    _check_ascending("counts", counts, 1, MOST_THRESHOLDS, whole=True)
    _check_ascending("rates", rates, 0, 1, whole=False)
    for field, value, most in (("timesteps", timesteps, MOST_STEPS), ("samples", samples, MOST_SAMPLES)):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise InputError(field=field, found=value, expected=f"a whole number from 1 to {most:,}")
    some = {k: v[:samples] for k, v in inputs.items()} if isinstance(inputs, Mapping) else inputs[:samples]
    told = None if labels is None else np.asarray(labels)[:samples]
    stages = len(counts) + 3
    done = 0

    def tell(stage: str) -> None:
        nonlocal done
        if progress:
            progress(stage, done, stages)
        done += 1

    rows = over_thresholds(network, chip, some, told, counts, fidelity, placer, tell)
    rate = over_spike_rate(network, chip, some, told, rates, timesteps, seed, fidelity, placer, tell)
    used = len(next(iter(some.values())) if isinstance(some, Mapping) else some)
    return {
        "scaling": scaling_for(network),
        "fidelity": fidelity,
        "samples": used,
        "seed": seed,
        "thresholds": rows,
        "verdicts": verdicts(rows),
        "spike_rate": rate,
    }


def _check_ascending(field: str, values: Sequence[float], least: float, most: float, *, whole: bool) -> None:
    kind = "whole numbers" if whole else "numbers"
    expected = f"{kind} from {least:g} to {most:g}, ascending"
    good = all(isinstance(v, int if whole else int | float) and not isinstance(v, bool) for v in values)
    if not (good and len(values) and all(least <= v <= most for v in values) and sorted(set(values)) == list(values)):
        raise InputError(field=field, found=list(values), expected=expected)
