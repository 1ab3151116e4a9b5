"""How sensitive the calibration is: thresholds chosen by another quantile or off by a factor, inputs that drift or have
outliers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.errors import InputError
from sfnhw.ideal import has_ideal, ideal_outputs
from sfnhw.network import Network, Population
from sfnhw.neurons import Events
from sfnhw.recode import full_scale, has_threshold, keeps_statistics
from sfnhw.record import Inputs, given_inputs, record_on_chip

THETA = (0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0, 4.0)
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.97, 0.99, 1.0)
GAINS = (0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0)
OUTLIERS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
KINDS = ("quantile", "theta", "gain", "outliers")
SAMPLES = 360

Arrays = Mapping[str, NDArray[np.float64]]
Progress = Callable[[str, int, int], None]


def sensitivity(
    network: Network,
    inputs: Inputs,
    chip: Chip,
    labels: NDArray[Any] | None = None,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return accuracy and spikes of a network, as a chip computes it, under wrong calibration and drifting inputs.

    Parameters
    ----------
    labels : without them, the share of answers that stay what they are undisturbed is given instead of accuracy.
    samples : inferences, the first ones of the inputs; seed : of the places of outliers.

    Returns
    -------
    JSON values. ``rows``: kind, value, accuracy, agreement (with the undisturbed network), spikes (per inference),
    trained_accuracy (of the trained network on the same disturbed inputs, or None). Kinds: ``quantile``, θ of every
    channel at this quantile of |activation| over the calibration (1: its maximum; only for networks that keep these
    statistics); ``theta``, every θ times this; ``gain``, every input times this, cut at what the input coding holds;
    ``outliers``, this share of the input values set to the largest that occurs. ``samples``, ``seed``, ``measure``
    (``accuracy`` or ``agreement``), ``trained_accuracy``, ``skipped`` (kind → reason).

    Raises
    ------
    InputError : samples below 1.
    ActivityError : inputs or labels that do not fit the network.
    """
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
        raise InputError(field="samples", found=samples, expected="a whole number ≥ 1")
    given = {name: values[:samples] for name, values in given_inputs(network, inputs).items()}
    told = None if labels is None else np.asarray(labels)[:samples]
    plain, _, _ = _answers(network, given, chip, told)
    trained = _trained(network, given, told)
    points = list(_points(network, given, seed))
    rows = []
    for i, (kind, value, subject, disturbed) in enumerate(points):
        if progress:
            progress("sensitivity", i, len(points))
        answers, accuracy, spikes = _answers(subject, disturbed, chip, told)
        rows.append(
            {
                "kind": kind,
                "value": value,
                "accuracy": accuracy,
                "agreement": float((answers == plain).mean()),
                "spikes": spikes,
                # The trained network has no thresholds: only other inputs change what it says.
                "trained_accuracy": trained if disturbed is given else _trained(network, disturbed, told),
            }
        )
    skipped = {} if keeps_statistics(network) else {"quantile": "the network keeps no quantiles of a calibration"}
    if _takes_spikes(network):
        skipped |= dict.fromkeys(("gain", "outliers"), "its inputs are spikes, which have no size")
    return {
        "rows": rows,
        "samples": len(next(iter(given.values()))),
        "seed": seed,
        "measure": "agreement" if told is None else "accuracy",
        "trained_accuracy": trained,
        "skipped": skipped,
    }


def _points(network: Network, given: Arrays, seed: int) -> Iterator[tuple[str, float, Network, Arrays]]:
    if keeps_statistics(network):
        for q in QUANTILES:
            yield "quantile", q, _calibrated(network, partial(_to_quantile, q=q)), given
    for factor in THETA:
        yield "theta", factor, _calibrated(network, partial(_times, factor=factor)), given
    if _takes_spikes(network):
        return
    for gain in GAINS:
        yield "gain", gain, network, {name: gain * values for name, values in given.items()}
    rng = np.random.default_rng(seed)
    order = {name: rng.permutation(values.size) for name, values in given.items()}
    for share in OUTLIERS:
        yield "outliers", share, network, {name: _salted(values, order[name], share) for name, values in given.items()}


def _salted(values: NDArray[np.float64], order: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Set the first places of an order to the largest value, so that a larger share holds the places of a smaller."""
    out = values.copy()
    out.flat[order[: round(share * values.size)]] = values.max(initial=0.0)
    return out


def _takes_spikes(network: Network) -> bool:
    return any(isinstance(p.coding, Events) for p in network.inputs)


def quantile_threshold(p: Population, q: float) -> NDArray[np.float64]:
    """Return (channels,) θ at a quantile, of the 64 that are kept; a channel that was silent there keeps its own θ."""
    largest = np.asarray(p.statistics["max"], float)
    kept = np.asarray(p.statistics["magnitudes"], float)
    theta = largest if q == 1 else np.quantile(kept, q, axis=1)
    return np.where(theta > 0, theta, full_scale(p))


def _to_quantile(p: Population, q: float) -> NDArray[np.float64]:
    return quantile_threshold(p, q) / full_scale(p)


def _times(_: Population, factor: float) -> float:
    return factor


def _calibrated(network: Network, factor: Callable[[Population], Any]) -> Network:
    """Every θ times a factor; a max pool follows the population that it pools."""
    done: dict[str, Population] = {}
    for p in network.order:
        if not has_threshold(p):
            done[p.name] = p
        elif p.function == "max":
            done[p.name] = replace(p, scale=done[network.into(p.name)[0].source].scale)
        else:
            done[p.name] = replace(p, scale=p.scale * factor(p))
    return replace(network, populations=tuple(done[p.name] for p in network.populations))


def _answers(
    network: Network, given: Arrays, chip: Chip, labels: NDArray[Any] | None
) -> tuple[NDArray[np.int64], float | None, float]:
    recording = record_on_chip(network, chip, given, labels)
    hidden = [p.name for p in network.populations if p.role == "hidden"]
    spikes = sum(int(np.count_nonzero(recording.activity.levels[name])) for name in hidden)
    return recording.outputs.argmax(axis=1), recording.accuracy, spikes / len(recording.outputs)


def _trained(network: Network, given: Arrays, labels: NDArray[Any] | None) -> float | None:
    if labels is None or not has_ideal(network):
        return None
    return float((ideal_outputs(network, given).argmax(axis=1) == labels).mean())
