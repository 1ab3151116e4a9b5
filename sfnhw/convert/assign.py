"""Give every planned population its coding and scale. A new coding is one function here and one line in `RULES`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.clipping import optimal_clip
from sfnhw.convert.grids import make_grid
from sfnhw.convert.options import Options
from sfnhw.convert.plan import Plan, Planned
from sfnhw.convert.samples import Sample
from sfnhw.errors import ConversionError
from sfnhw.neurons import IF, LIF, MTN, SFN, Coding, Graded, Readout, Stream

Reals = NDArray[np.float64]

# θ of a channel is at least this share of the population's: a channel that hardly ever fires must not stretch the
# weights that lead to it over the whole integer range, which its neighbours share.
LEAST_THETA = 0.05


@dataclass(frozen=True, eq=False)
class Assignment:
    """Coding and scale (channels,) of each population, and θ (channels,) of each hidden one."""

    codings: dict[str, Coding]
    scales: dict[str, Reals]
    thetas: dict[str, Reals]


def thetas_of(plan: Plan, samples: dict[str, Sample], options: Options) -> dict[str, Reals]:
    """θ (channels,) of every hidden population; it does not depend on λ."""
    return {
        p.name: _theta(p, samples[p.name], options, plan.has_one_scale(p.name))
        for p in plan.populations.values()
        if p.role == "hidden"
    }


def assign(
    plan: Plan, samples: dict[str, Sample], options: Options, lam: float, thetas: dict[str, Reals]
) -> Assignment:
    """Choose codings for one λ and given θ."""
    codings: dict[str, Coding] = {}
    scales: dict[str, Reals] = {}
    steps = options.timesteps or 1
    for planned in plan.populations.values():
        name = planned.name
        if planned.role == "output":
            codings[name], scales[name] = Readout(steps), np.ones(planned.shape[0])
        elif planned.role == "input":
            codings[name], scales[name] = _input(planned, samples[name], options.input_bits)
        elif planned.function == "max":
            source = plan.into(name)[0].source
            codings[name], scales[name] = codings[source], scales[source]
        elif plan.is_stream(name):
            codings[name], scales[name] = _stream(planned, samples[name], options)
        else:
            codings[name], scales[name] = RULES[options.coding](planned, samples[name], thetas[name], options, lam)
    return Assignment(codings, scales, thetas)


def _input(planned: Planned, sample: Sample, bits: int) -> tuple[Coding, Reals]:
    coding = Graded(bits, planned.signed)
    largest = float(sample.largest.max())
    return coding, np.full(planned.shape[0], (largest if largest > 0 else 1.0) / coding.max_level)


def _stream(planned: Planned, sample: Sample, options: Options) -> tuple[Coding, Reals]:
    """One step for all channels, up to the largest value."""
    coding = Stream(options.stream_bits)
    largest = float(sample.largest.max())
    return coding, np.full(planned.shape[0], (largest if largest > 0 else 1.0) / coding.max_level)


def _theta(planned: Planned, sample: Sample, options: Options, one_scale: bool) -> Reals:
    """θ of each channel, at least `LEAST_THETA` of the population's own; 1 where nothing ever fires.

    Behind a softmax θ is the maximum (θ_softmax of arXiv 2510.23383): a row's few large weights must not be cut off.
    """

    def rule(some: Sample) -> Reals:
        if options.theta_rule == "max" or planned.function == "softmax":
            return some.largest
        if options.theta_rule == "mse":
            return optimal_clip(some.magnitudes, some.largest, _levels(planned, options))
        return some.quantile(options.quantile)

    shared = float(rule(sample.pooled)[0])
    if shared <= 0:
        return np.ones(planned.shape[0])
    own = rule(sample) if options.theta_sharing == "channel" and not one_scale else np.full(planned.shape[0], shared)
    return np.maximum(own, LEAST_THETA * shared)


def _levels(planned: Planned, options: Options) -> int:
    return Graded(options.bits, planned.signed).max_level if options.coding == "graded" else options.levels


def _sfn(planned: Planned, sample: Sample, theta: Reals, options: Options, lam: float) -> tuple[Coding, Reals]:
    """Full scale λθN; scale = λθ, for power-of-two spacing λθN / 2^(N−1)."""
    count, full = options.thresholds, lam * theta * options.thresholds
    shares: Reals = np.divide(sample.magnitudes, full[:, None], dtype=np.float64).ravel()
    grid = make_grid(options.spacing, options.rounding, options.decode, count, shares)
    coding = SFN(tuple(grid.boundaries.tolist()), tuple(grid.values.tolist()), planned.signed)
    return coding, _capped(full / grid.full, max(grid.values[-1], grid.boundaries[-1]), planned)


def _mtn(planned: Planned, sample: Sample, theta: Reals, options: Options, lam: float) -> tuple[Coding, Reals]:
    """θ_M = λθ / N (arXiv 2510.23383, Theorem 1)."""
    count = options.thresholds
    return MTN(count, options.initial_potential, planned.signed), _capped(lam * theta / count, count, planned)


def _if(planned: Planned, sample: Sample, theta: Reals, options: Options, lam: float) -> tuple[Coding, Reals]:
    """λθ over T steps."""
    if planned.signed:
        raise ConversionError(
            f"layer {planned.name!r} has values of both signs (no ReLU follows it), and an IF neuron has one",
            field="coding",
            found="if",
            expected="'sfn', 'mtn' or 'graded', or a ReLU behind that layer",
        )
    assert options.timesteps is not None
    return IF(options.timesteps, options.initial_potential), _capped(lam * theta, 1.0, planned)


def _lif(planned: Planned, sample: Sample, theta: Reals, options: Options, lam: float) -> tuple[Coding, Reals]:
    """λθ over T steps, as `if`; what leaks away is lost: nothing makes up for it but a smaller λ."""
    if planned.signed:
        raise ConversionError(
            f"layer {planned.name!r} has values of both signs (no ReLU follows it), and a LIF neuron has one",
            field="coding",
            found="lif",
            expected="'sfn', 'mtn' or 'graded', or a ReLU behind that layer",
        )
    assert options.timesteps is not None
    assert options.beta is not None
    coding = LIF(options.timesteps, options.beta, reset=options.reset, initial_potential=options.initial_potential)
    return coding, _capped(lam * theta, 1.0, planned)


def _graded(planned: Planned, sample: Sample, theta: Reals, options: Options, lam: float) -> tuple[Coding, Reals]:
    """One step is λθ / M."""
    coding = Graded(options.bits, planned.signed)
    return coding, _capped(lam * theta / coding.max_level, coding.max_level, planned)


def _capped(scale: Reals, top: float, planned: Planned) -> Reals:
    """Where the trained network caps its activation (ReLU6), the top level must not stand for more than the cap."""
    return scale if planned.cap is None else np.minimum(scale, planned.cap / top)


Rule = Callable[[Planned, Sample, Reals, Options, float], tuple[Coding, Reals]]
RULES: dict[str, Rule] = {"sfn": _sfn, "mtn": _mtn, "if": _if, "graded": _graded, "lif": _lif}
