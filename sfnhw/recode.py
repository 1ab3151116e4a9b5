"""The same trained weights under another neuron coding, from what the network remembers of its calibration.

Neither torch nor calibration data is needed: weights are real numbers, and every population keeps the largest
magnitude, θ and the least-squares clipping points of its activations (`sfnhw.convert.statistics`).
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import NetworkError, nearest
from sfnhw.network import Network, Population
from sfnhw.neurons import IF, LIF, MTN, SFN, Coding, Events, Graded, Readout, Relay, Stream

CODINGS = ("if", "mtn", "graded")
SCALINGS = ("step", "quantile", "max", "mse")
# Widths for which calibration keeps a least-squares clipping point; wider ones span up to the maximum.
WIDEST_CLIP_BITS = 8

Reals = NDArray[np.float64]


def recode(
    network: Network,
    coding: str = "if",
    *,
    timesteps: int | None = None,
    thresholds: int | None = None,
    bits: int | None = None,
    scaling: str | None = None,
    initial_potential: float = 0.5,
    name: str | None = None,
) -> Network:
    """Return a new network with another coding in every hidden population; inputs stay, readouts follow T.

    Parameters
    ----------
    coding : "if", "mtn" or "graded".
    timesteps : T of `if`; the network's own number of levels N if not given.
    thresholds : N of `mtn`; the network's own N if not given.
    bits : of `graded`; 8 if not given.
    scaling : where full scale F lies. "step" keeps the multi-threshold step s of the network: F = s·T, θ_IF = s·T and
        θ_M = s·N, so that with T = N both are what Theorem 1 of arXiv 2510.23383 calls equal (θ_M = θ_IF / T).
        "quantile" F = θ of the calibration; "max" F = the largest activation; "mse" F = the least-squares clipping
        point (graded, up to 8 bits). Default: step for `if` and `mtn`, mse for `graded`.
        Under "step", a population without a uniform step (another spacing) takes F = its largest threshold, and a
        graded one its own full scale.
    initial_potential : v(0) of `if` and `mtn` in units of their threshold; 0.5 rounds to the nearest level.
    name : of the new network; the old one's if not given.

    Raises
    ------
    NetworkError : an unknown coding or scaling, a width out of range, statistics that are missing, an input of events,
        or a signed population under `if`.
    """
    _check_choice("coding", coding, CODINGS)
    scaling = scaling or ("mse" if coding == "graded" else "step")
    _check_choice("scaling", scaling, SCALINGS)
    if scaling == "mse" and coding != "graded":
        raise NetworkError(field="scaling", found=scaling, expected=f"step, quantile or max with coding={coding!r}")
    for population in network.inputs:
        if isinstance(population.coding, Events):
            raise NetworkError(
                "its input is spikes in time, which fix T",
                field=f"population {population.name!r}.coding",
                found="events",
            )
    count = _levels(network, coding, timesteps, thresholds, bits)
    steps = count if coding == "if" else 1
    done: dict[str, Population] = {}
    for population in network.order:
        done[population.name] = _recoded(network, population, done, coding, count, scaling, initial_potential, steps)
    metadata = network.metadata | {
        "coding": coding,
        "timesteps": steps,
        "thresholds": count if coding == "mtn" else None,
        "bits": count if coding == "graded" else None,
        "initial_potential": None if coding == "graded" else initial_potential,
        "recoded_from": {"coding": network.metadata.get("coding"), "scaling": scaling},
    }
    populations = tuple(done[p.name] for p in network.populations)
    return Network(populations, network.projections, name or network.name, metadata)


def _recoded(
    network: Network,
    population: Population,
    done: dict[str, Population],
    coding: str,
    count: int,
    scaling: str,
    initial_potential: float,
    steps: int,
) -> Population:
    """One population under its new coding; a max pool follows the population it pools."""
    if population.role == "input":
        return population
    if population.role == "output":
        return replace(population, coding=Readout(steps))
    if population.function == "max":
        source = done[network.into(population.name)[0].source]
        if source.coding.timesteps != steps:  # an input that is pooled directly
            raise NetworkError(
                f"pools {source.name!r}, whose coding has another T", field=f"population {population.name!r}"
            )
        return replace(population, coding=source.coding, scale=source.scale)
    if isinstance(population.coding, Stream):
        if steps > 1:
            raise NetworkError(
                "is a residual stream, which is not modelled over several timesteps",
                field=f"population {population.name!r}",
                expected="coding 'mtn' or 'graded'",
            )
        return population
    if isinstance(population.coding, Relay):
        raise NetworkError("passes sums of spikes on, and is no neuron", field=f"population {population.name!r}")
    new = _coding(population, coding, count, initial_potential)
    full = _full_scale(population, new, scaling)
    # One unit: θ of an IF neuron, one threshold step of an MTN, one quantisation step of a graded value.
    scale = full if isinstance(new, IF) else full / new.max_level
    if "cap" in population.statistics:
        scale = np.minimum(scale, population.statistics["cap"] / new.max_level)
    return replace(population, coding=new, scale=scale)


def _coding(population: Population, coding: str, count: int, initial_potential: float) -> Coding:
    signed = population.coding.signed
    if coding == "if":
        if signed:
            raise NetworkError(
                "has values of both signs, and an IF neuron has one",
                field=f"population {population.name!r}",
                expected="coding 'mtn' or 'graded', or a network with a ReLU behind that layer",
            )
        return IF(count, initial_potential)
    if coding == "mtn":
        return MTN(count, initial_potential, signed)
    if signed and count < 2:
        raise NetworkError("a signed value needs 2 bits", field=f"population {population.name!r}", found=count)
    return Graded(count, signed)


def _full_scale(population: Population, new: Coding, scaling: str) -> Reals:
    """(channels,) the real value at which the new coding saturates."""
    if scaling == "step":
        levels = new.timesteps if isinstance(new, IF) else new.max_level
        return _step(population, levels)
    key = scaling
    if scaling == "mse":
        assert isinstance(new, Graded)
        key = f"clip_{new.bits}bit" if new.bits <= WIDEST_CLIP_BITS else "max"
    if key not in population.statistics:
        known = list(population.statistics)
        raise NetworkError(
            f"its calibration statistics hold no {key!r}",
            field=f"population {population.name!r}.statistics",
            found=known,
            expected="a network made by sfnhw.convert, or another scaling",
        )
    value = np.asarray(population.statistics[key], float)
    # A channel that was silent in calibration: any positive scale serves, the largest one of the population is safe.
    safe = float(value.max()) if value.max() > 0 else 1.0
    return np.where(value > 0, value, safe)


def _step(population: Population, levels: int) -> Reals:
    """Full scale for `levels` levels at the population's own threshold step."""
    coding = population.coding
    if isinstance(coding, IF | LIF):
        return population.scale * coding.threshold * levels / coding.steps
    if isinstance(coding, Graded):
        return population.scale * coding.max_level
    if not isinstance(coding, SFN):
        return population.scale * levels
    if coding.need().spacing != "uniform":
        return population.scale * coding.boundaries[-1]
    return population.scale * coding.boundaries[0] * levels


def _levels(network: Network, coding: str, timesteps: int | None, thresholds: int | None, bits: int | None) -> int:
    """T, N or the number of bits; raises where one was given that the coding does not have."""
    own = {"if": "timesteps", "mtn": "thresholds", "graded": "bits"}[coding]
    given: dict[str, Any] = {"timesteps": timesteps, "thresholds": thresholds, "bits": bits}
    for key, value in given.items():
        if value is not None and key != own:
            raise NetworkError(f"does not apply to coding {coding!r}", field=key, found=value, expected=f"{own}=")
    if given[own] is not None:
        most = 16 if coding == "graded" else 2**15 - 1
        if not isinstance(given[own], int) or isinstance(given[own], bool) or not 1 <= given[own] <= most:
            raise NetworkError(field=own, found=given[own], expected=f"an integer from 1 to {most}")
        return int(given[own])
    if coding == "graded":
        return 8
    hidden = [p.coding for p in network.populations if p.role == "hidden" and not isinstance(p.coding, Stream)]
    if any(isinstance(c, Graded) for c in hidden):
        raise NetworkError("a graded network has no number of thresholds of its own", field=own, expected=f"{own}=")
    return max((c.max_level * c.timesteps for c in hidden), default=1)


def _check_choice(field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise NetworkError(
            field=field, found=value, expected=f"one of {', '.join(known)}{nearest(str(value), list(known))}"
        )
