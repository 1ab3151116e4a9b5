"""The same trained weights under another neuron coding, from what the network remembers of its calibration.

Neither torch nor calibration data is needed: weights are real numbers, and every population keeps the largest
magnitude, θ, quantiles and the least-squares clipping points of its activations (`sfnhw.convert.statistics`).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError, NetworkError, nearest
from sfnhw.headroom import warn_without_headroom
from sfnhw.network import Network, Population
from sfnhw.network.partials import is_partial, receiver_of
from sfnhw.neurons import IF, LIF, MTN, SFN, TTFS, Coding, Events, Graded, Partial, Polarity, Readout, Relay, Stream

CODINGS = ("if", "mtn", "polarity", "ttfs", "graded")
# What the size of each coding is called.
SIZES = {"if": "timesteps", "mtn": "thresholds", "polarity": "thresholds", "ttfs": "timesteps", "graded": "bits"}
SPACINGS = ("uniform", "power-of-two", "free")
SCALINGS = ("step", "range", "quantile", "max", "mse")
# Widths for which calibration keeps a least-squares clipping point; wider ones span up to the maximum.
WIDEST_CLIP_BITS = 8

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class _Choice:
    """What the new populations are to be, `count` being T, N or the number of bits."""

    coding: str
    count: int
    thresholds: int | tuple[float, ...]
    scaling: str
    spacing: str
    rounding: str
    initial_potential: float
    threshold_scale: float | str

    def neuron(self, signed: bool) -> Coding:
        """Return the coding of one population; signed IF neurons start at 0, an offset would favour one sign."""
        v0 = self.initial_potential
        if self.coding == "if":
            scale = 1.0 if self.threshold_scale == "mse" else float(self.threshold_scale)
            return IF(self.count, 0.0 if signed else v0, signed, scale)
        if self.coding == "mtn":
            rounding = self.rounding if self.spacing == "power-of-two" else "floor"
            return MTN(self.thresholds, v0 if self.spacing == "uniform" else 0.0, signed, self.spacing, rounding)
        if self.coding == "polarity":
            return Polarity(self.count, v0, signed)
        return TTFS(self.count, v0, signed) if self.coding == "ttfs" else Graded(self.count, signed)

    @property
    def timesteps(self) -> int:
        """T of the new network."""
        return self.count if SIZES[self.coding] == "timesteps" else 1

    def metadata(self, before: Any) -> dict[str, Any]:
        """Return the choice as JSON values; `before` is the coding that the network had."""
        uniform = self.spacing == "uniform"
        return {
            "coding": self.coding,
            "timesteps": self.timesteps,
            "thresholds": self.thresholds if SIZES[self.coding] == "thresholds" else None,
            "bits": self.count if self.coding == "graded" else None,
            "spacing": self.spacing,
            "rounding": self.rounding if self.spacing == "power-of-two" else None,
            "initial_potential": self.initial_potential if self.coding != "graded" and uniform else None,
            "threshold_scale": self.threshold_scale if self.coding == "if" else None,
            "recoded_from": {"coding": before, "scaling": self.scaling},
        }


def recode(
    network: Network,
    coding: str = "if",
    *,
    timesteps: int | None = None,
    thresholds: int | tuple[float, ...] | None = None,
    bits: int | None = None,
    scaling: str | None = None,
    spacing: str = "uniform",
    rounding: str | None = None,
    initial_potential: float | None = None,
    threshold_scale: float | str | None = None,
    name: str | None = None,
) -> Network:
    """Return a new network with another coding in every hidden population; inputs stay, readouts follow T.

    Parameters
    ----------
    coding : "if", "mtn", "polarity", "ttfs" or "graded".
    timesteps : T of `if` and `ttfs`; the network's own number of levels N if not given.
    thresholds : N of `mtn` and `polarity`; the network's own N if not given. A tuple of ascending thresholds for
        `spacing` "free"; the largest lies at full scale.
    bits : of `graded`; 8 if not given.
    scaling : where full scale F lies. "step" keeps the multi-threshold step s of the network: F = s·T, θ_IF = s·T and
        θ_M = s·N, so that with T = N both are what Theorem 1 of arXiv 2510.23383 calls equal (θ_M = θ_IF / T).
        "range" F = what the network's own coding spans, whatever the new number of levels (needs no statistics);
        "quantile" F = θ of the calibration; "max" F = the largest activation; "mse" F = the clipping point at which
        the new coding's own staircase leaves the least-squares error (on 64 quantiles of the calibration; graded up to
        8 bits on the calibration itself, wider ones span up to the maximum). Default: mse for `graded`, else step.
        Under "step", a population without a uniform step (another spacing) takes F = its largest threshold, a graded
        one its own full scale, and new thresholds that are not uniform span what the old ones did.
    spacing, rounding : of `mtn`, as in `sfnhw.convert`: "uniform", "power-of-two" ("nearest" or "floor"), "free".
    initial_potential : v(0) of `if`, `mtn`, `polarity` and `ttfs` in units of their threshold; 0.5, the default, rounds
        to the nearest level. Signed `if` neurons start at 0.
    threshold_scale : α of `if`, or "mse" to fit it to the quantiles of the calibration.
    name : of the new network; the old one's if not given.

    Warns
    -----
    HeadroomWarning : a few of the largest spikes overflow a 24-bit accumulator (`sfnhw.headroom`): 15 or 16 powers of
        two, graded values of 14 bits or more; with attention the product of two such values, so half as many bits.

    Raises
    ------
    NetworkError : an unknown coding or scaling, a width out of range, an option that the coding does not have,
        statistics that are missing, or an input of events.
    """
    _check_choice("coding", coding, CODINGS)
    _check_options(coding, spacing, rounding, initial_potential, threshold_scale)
    count, levels = _size(network, coding, timesteps, thresholds, bits, spacing)
    choice = _Choice(
        coding=coding,
        count=count,
        thresholds=levels,
        scaling=scaling or ("mse" if coding == "graded" else "step"),
        spacing=spacing,
        rounding=rounding or "nearest",
        initial_potential=0.5 if initial_potential is None else initial_potential,
        threshold_scale=threshold_scale or 1.0,
    )
    _check_choice("scaling", choice.scaling, SCALINGS)
    for population in network.inputs:
        if isinstance(population.coding, Events):
            raise NetworkError(
                "its input is spikes in time, which fix T",
                field=f"population {population.name!r}.coding",
                found="events",
            )
    done: dict[str, Population] = {}
    for population in network.order:
        done[population.name] = _recoded(network, population, done, choice)
    for name in [p.name for p in network.populations if is_partial(network, p.name)]:  # in the units of their layer
        done[name] = replace(done[name], scale=done[receiver_of(network, name) or name].scale)
    metadata = network.metadata | choice.metadata(network.metadata.get("coding"))
    populations = tuple(done[p.name] for p in network.populations)
    recoded = Network(populations, network.projections, name or network.name, metadata)
    warn_without_headroom(recoded)
    return recoded


def _recoded(network: Network, population: Population, done: dict[str, Population], choice: _Choice) -> Population:
    """One population under its new coding; a max pool follows the population it pools."""
    if population.role == "input":
        return population
    if population.role == "output":
        return replace(population, coding=Readout(choice.timesteps))
    if population.function == "max":
        source = done[network.into(population.name)[0].source]
        if source.coding.timesteps != choice.timesteps:  # an input that is pooled directly
            raise NetworkError(
                f"pools {source.name!r}, whose coding has another T", field=f"population {population.name!r}"
            )
        return replace(population, coding=source.coding, scale=source.scale)
    if isinstance(population.coding, Stream):
        if choice.timesteps > 1:
            raise NetworkError(
                "is a residual stream, which is not modelled over several timesteps",
                field=f"population {population.name!r}",
                expected="coding 'mtn', 'polarity' or 'graded'",
            )
        return population
    if isinstance(population.coding, Partial):
        return replace(population, coding=Partial(choice.timesteps))
    if isinstance(population.coding, Relay):
        raise NetworkError("passes sums of spikes on, and is no neuron", field=f"population {population.name!r}")
    signed = population.coding.signed
    if signed and choice.coding == "graded" and choice.count < 2:
        raise NetworkError("a signed value needs 2 bits", field=f"population {population.name!r}", found=choice.count)
    try:
        new = choice.neuron(signed)
    except InputError as error:
        raise NetworkError(str(error)) from None
    full = _full_scale(population, new, choice.scaling)
    if isinstance(new, IF) and choice.threshold_scale == "mse":
        from sfnhw.convert.clipping import optimal_threshold_scale  # Numba, which nothing else here needs

        new = replace(new, threshold_scale=optimal_threshold_scale(_statistic(population, "magnitudes"), full, new))
    # One unit: θ of an IF neuron, one threshold step of an MTN, one spike, one step of time or of quantisation.
    top = float(new.values()[-1])
    scale = full / top
    if "cap" in population.statistics:
        scale = np.minimum(scale, population.statistics["cap"] / top)
    return replace(population, coding=new, scale=scale)


def has_threshold(population: Population) -> bool:
    """Whether a population has thresholds of its own scale: hidden, no residual stream, and it passes nothing on."""
    return population.role == "hidden" and not isinstance(population.coding, Stream | Relay | Partial)


def keeps_statistics(network: Network) -> bool:
    """Whether every population that is calibrated keeps the quantiles of its activations (`sfnhw.convert` sees to it)."""
    own = [p for p in network.populations if has_threshold(p) and p.function != "max"]
    return bool(own) and all("magnitudes" in p.statistics for p in own)


def calibrated_scaling(network: Network) -> str | None:
    """Return the `scaling` with which `recode` calibrates a spiking coding as `sfnhw.convert` would have, or None.

    "quantile" (full scale at θ, which does not depend on the coding) or, where θ is the least-squares point of the coding's
    own staircase, "mse". None for a network without statistics of a calibration.
    """
    if not keeps_statistics(network):
        return None
    return "mse" if network.metadata.get("theta") == "mse" else "quantile"


def full_scale(population: Population) -> Reals:
    """Return (channels,) the real value at which a population's own coding saturates."""
    return _step(population, population.coding.resolution)


def _full_scale(population: Population, new: Coding, scaling: str) -> Reals:
    """(channels,) the real value at which the new coding saturates."""
    if scaling == "step":
        spaced = isinstance(new, MTN) and new.spacing != "uniform"
        return _step(population, population.coding.resolution if spaced else new.resolution)
    if scaling == "range":
        return full_scale(population)
    if scaling != "mse":
        value = _statistic(population, scaling)
    elif isinstance(new, Graded):
        value = _statistic(population, f"clip_{new.bits}bit" if new.bits <= WIDEST_CLIP_BITS else "max")
    else:
        from sfnhw.convert.clipping import optimal_clip

        value = optimal_clip(_statistic(population, "magnitudes"), _statistic(population, "max"), new)
    # A channel that was silent in calibration: any positive scale serves, the largest one of the population is safe.
    safe = float(value.max()) if value.max() > 0 else 1.0
    return np.where(value > 0, value, safe)


def _statistic(population: Population, key: str) -> Reals:
    """One record of the calibration; raises where the network does not have it."""
    if key not in population.statistics:
        raise NetworkError(
            f"its calibration statistics hold no {key!r}",
            field=f"population {population.name!r}.statistics",
            found=list(population.statistics),
            expected="a network made by sfnhw.convert, or another scaling",
        )
    return np.asarray(population.statistics[key], float)


def _step(population: Population, levels: int) -> Reals:
    """Full scale for `levels` levels at the population's own threshold step."""
    coding = population.coding
    if isinstance(coding, IF | LIF):
        return population.scale * coding.threshold * levels / coding.steps
    if isinstance(coding, Graded):
        return population.scale * coding.max_level
    if isinstance(coding, SFN):
        uniform = coding.need().spacing == "uniform"
        return population.scale * (coding.boundaries[0] * levels if uniform else coding.boundaries[-1])
    if isinstance(coding, MTN) and coding.spacing != "uniform":
        return population.scale * float(coding.values()[-1])
    return population.scale * levels


def _size(
    network: Network, coding: str, timesteps: Any, thresholds: Any, bits: Any, spacing: str
) -> tuple[int, int | tuple[float, ...]]:
    """T, N or the number of bits; and N again, or the free thresholds themselves."""
    _check_choice("spacing", spacing, SPACINGS)
    if spacing != "free":
        count = _levels(network, coding, timesteps, thresholds, bits)
        return count, count
    if not isinstance(thresholds, tuple | list):
        raise NetworkError(field="thresholds", found=thresholds, expected="a tuple of thresholds with spacing='free'")
    free = tuple(float(y) if isinstance(y, np.number) else y for y in thresholds)  # MTN checks them
    return len(free), free


def _levels(network: Network, coding: str, timesteps: Any, thresholds: Any, bits: Any) -> int:
    """T, N or the number of bits; raises where one was given that the coding does not have."""
    own = SIZES[coding]
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
    return max((c.resolution for c in hidden), default=1)


def _check_options(
    coding: str, spacing: str, rounding: str | None, potential: float | None, threshold_scale: float | str | None
) -> None:
    """Options that belong to some codings only: given to another one they are an error, not ignored."""
    if spacing != "uniform" and coding != "mtn":
        raise NetworkError(f"does not apply to coding {coding!r}", field="spacing", found=spacing, expected="'uniform'")
    for field, value, applies in (
        ("rounding", rounding, spacing == "power-of-two"),
        ("initial_potential", potential, coding != "graded" and spacing == "uniform"),
        ("threshold_scale", threshold_scale, coding == "if"),
    ):
        if value is not None and not applies:
            raise NetworkError(
                f"does not apply to coding {coding!r} with {spacing} thresholds", field=field, found=value
            )
    if threshold_scale not in (None, "mse") and not (
        isinstance(threshold_scale, int | float) and 0 < threshold_scale < np.inf
    ):
        raise NetworkError(field="threshold_scale", found=threshold_scale, expected="'mse' or a number above 0")


def _check_choice(field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise NetworkError(
            field=field, found=value, expected=f"one of {', '.join(known)}{nearest(str(value), list(known))}"
        )
