"""Rates from numbers that a user gives: a mapping from population names, in Python or in a YAML or JSON file.

    stem: 0.2                                  # firing rate: probability of a spike per neuron and timestep
    conv: {1: 0.2, 2: 0.05}                    # levels; level 0 (no spike) has the rest
    features: {by: channel, rate: [0.1, 0.3]}  # one number a group; or T lists, one a timestep
    pool: {by: row, levels: {1: [0.1, 0.2], -1: 0.05}}
    "*": 0.1                                   # all populations not named

A rate without levels is spread evenly over the coding's levels but 0, both signs where it is signed (at most
`SPREAD_LEVELS` of each sign): what a spike costs does not depend on its level.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ActivityError, Where, nearest
from sfnhw.network import Network, Population
from sfnhw.neurons import Partial
from sfnhw.rates.groups import OTHERS, group_index
from sfnhw.rates.population import SUM_TOLERANCE, PopulationRates, check_levels, is_static

KEYS = ("by", "rate", "levels")
SPREAD_LEVELS = 255
EXPECTED = "a firing rate, {level: probability, ...}, or {by: .., rate: ..} or {by: .., levels: {..}}"

Reals = NDArray[np.float64]


def given_rates(
    network: Network, rates: Mapping[str, Any], where: Callable[[str], Where | None] = lambda name: None
) -> dict[str, PopulationRates]:
    """Read every population's numbers; `where` tells in which line of a file a population stands.

    Raises
    ------
    ActivityError : not a mapping, an unknown or missing population, an output population, a rate outside [0, 1],
        levels that the coding does not have or that sum to more than 1, or a wrong number of groups or timesteps.
    """
    refuse_sums(network)
    if not isinstance(rates, Mapping):
        raise ActivityError(field="rates", found=rates, expected="a mapping from population names")
    known = [p.name for p in network.populations]
    for name in rates:
        place = where(str(name))
        if name != OTHERS and name not in known:
            text = f"no population of that name{nearest(str(name), known)}"
            raise ActivityError(text, where=place, field="rates", found=name, expected=f"one of {', '.join(known)}")
        if name != OTHERS and network[name].role == "output":
            text = "a readout sends every value once, so it has no rate"
            raise ActivityError(text, where=place, field=f"rates[{name!r}]", expected="nothing")
    out = {}
    for p in network.populations:
        if p.role == "output":
            continue
        if p.name not in rates and OTHERS not in rates:
            text = f"a rate for {p.name!r}, or for {OTHERS!r} (all others)"
            raise ActivityError("a population is missing", field="rates", found=sorted(rates), expected=text)
        key = p.name if p.name in rates else OTHERS
        out[p.name] = _population(p, network.timesteps, rates[key], where(key))
    return out


def _population(p: Population, timesteps: int, spec: Any, where: Where | None) -> PopulationRates:
    field = f"rates[{p.name!r}]"
    try:
        by, levels = _parts(p, spec, field)
        group = group_index(p, by if isinstance(by, str) else np.asarray(by))
        groups = int(group.max()) + 1
        most = 1 if is_static(p, timesteps) else timesteps
        arrays = {level: _array(value, groups, most, field) for level, value in levels.items()}
        table = _whole(arrays, field)
        check_levels(table[0], p, field)
    except ActivityError as error:
        raise ActivityError(str(error), where=where) from None
    return _compact(by if isinstance(by, str) else "groups", group, *table)


def _parts(p: Population, spec: Any, field: str) -> tuple[Any, dict[int, Any]]:
    """Return (granularity, level → numbers)."""
    if not isinstance(spec, Mapping):
        return "population", _spread(p, spec, field)
    texts = [key for key in spec if not _is_level(key)]
    if not texts:
        return "population", _levels(spec, field)
    for key in spec:
        if key not in KEYS:
            raise ActivityError(f"unknown key{nearest(str(key), KEYS)}", field=field, found=key, expected=EXPECTED)
    if ("rate" in spec) == ("levels" in spec):
        raise ActivityError("one of `rate` and `levels` is needed", field=field, found=sorted(spec), expected=EXPECTED)
    by = spec.get("by", "population")
    if "rate" in spec:
        return by, _spread(p, spec["rate"], field)
    if not isinstance(spec["levels"], Mapping):
        raise ActivityError(field=f"{field}.levels", found=spec["levels"], expected="{level: probability, ...}")
    return by, _levels(spec["levels"], f"{field}.levels")


def refuse_sums(network: Network) -> None:
    """Raise ActivityError where a layer is cut over its inputs: partial sums have no levels to have probabilities of."""
    for p in network.populations:
        if isinstance(p.coding, Partial):
            raise ActivityError(
                "holds partial sums, which have no levels to draw",
                field=f"rates[{p.name!r}]",
                expected="rates of the network before its layers' inputs were cut, or recorded activity",
            )


def _is_level(key: Any) -> bool:
    return isinstance(key, int | np.integer) or (isinstance(key, str) and key.strip().lstrip("+-").isdecimal())


def _levels(spec: Mapping[Any, Any], field: str) -> dict[int, Any]:
    if not spec:
        raise ActivityError("empty", field=field, expected=EXPECTED)
    for key in spec:
        if not _is_level(key):
            raise ActivityError(field=field, found=key, expected="levels: integers")
    return {int(key): value for key, value in spec.items()}


def _spread(p: Population, rate: Any, field: str) -> dict[int, Any]:
    """A rate over all levels but 0, in equal parts."""
    top = p.coding.max_level
    chosen = np.unique(np.rint(np.linspace(1, top, min(top, SPREAD_LEVELS))).astype(int))
    if p.coding.signed:
        chosen = np.concatenate([-chosen[::-1], chosen])
    numbers = _numbers(rate, field)
    return {int(level): numbers / len(chosen) for level in chosen}


def _numbers(value: Any, field: str) -> Reals:
    """Probabilities as an array of whatever shape."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in "fiu" or not array.size:
        raise ActivityError(field=field, found=value, expected=EXPECTED)
    array = array.astype(float)
    wrong = array[~((array >= 0) & (array <= 1))]
    if len(wrong):
        raise ActivityError(field=field, found=float(wrong.flat[0]), expected="probabilities from 0 to 1")
    return array


def _array(value: Any, groups: int, steps: int, field: str) -> Reals:
    """(1 or T, groups) probabilities."""
    array = _numbers(value, field)
    if array.ndim == 0:
        return np.full((1, groups), float(array))
    table = array[None] if array.ndim == 1 else array
    if table.ndim != 2 or table.shape[1] != groups or table.shape[0] not in (1, steps):
        text = f"one number, {groups} (one a group)" + (f", or {steps} lists of {groups} (T)" if steps > 1 else "")
        raise ActivityError(field=field, found=f"shape {array.shape}", expected=text)
    return table


def _whole(arrays: dict[int, Reals], field: str) -> tuple[NDArray[np.int64], Reals]:
    """Return (levels (K,), probability (steps, groups, K)) with level 0 in it, each row summing to 1."""
    steps = max(len(a) for a in arrays.values())
    zero = arrays.get(0)
    fired = {level: a for level, a in sorted(arrays.items()) if level != 0}
    shape = (steps, next(iter(arrays.values())).shape[1])
    table = np.stack([np.broadcast_to(a, shape) for a in fired.values()], axis=2) if fired else np.zeros((*shape, 0))
    spikes = table.sum(axis=2)
    if zero is None:
        if (spikes > 1 + SUM_TOLERANCE).any():
            raise ActivityError(field=field, found=float(spikes.max()), expected="levels that sum to 1 at most")
        rest = np.maximum(0.0, 1 - spikes)
    else:
        rest = np.broadcast_to(zero, shape)
        total = spikes + rest
        worst = float(total.flat[int(np.abs(total - 1).argmax())])
        if abs(worst - 1) > SUM_TOLERANCE:
            raise ActivityError(
                "level 0 is given, so levels must sum to 1", field=field, found=worst, expected="a sum of 1"
            )
    # A rate of 1 over many levels sums to 1 but for rounding: no silent level out of that.
    rest = np.where(rest < 1e-12, 0.0, rest)
    return np.array([0, *fired]), np.concatenate([rest[:, :, None], table], axis=2)


def _compact(by: str, group: NDArray[np.int32], levels: NDArray[np.int64], probability: Reals) -> PopulationRates:
    steps, groups, _ = probability.shape
    rows = probability.reshape(steps * groups, -1)
    row, entry = np.nonzero(rows)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(rows)))])
    return PopulationRates(by, group, steps, offsets, levels[entry].astype(np.int32), rows[row, entry])
