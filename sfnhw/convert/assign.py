"""Give every planned population its coding and scale. A new coding is one function here and one line in
`RULES`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.clipping import optimal_clip, optimal_threshold_scale
from sfnhw.convert.grids import make_grid
from sfnhw.convert.options import Options
from sfnhw.convert.plan import Plan, Planned
from sfnhw.convert.samples import Sample
from sfnhw.errors import ConversionError, InputError
from sfnhw.neurons import IF, LIF, MTN, SFN, TTFS, Coding, Graded, Polarity, Readout, Stream

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
            rule = _sfn if options.coding == "sfn" else _fixed
            codings[name], scales[name] = rule(planned, samples[name], thetas[name], options, lam)
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
            return optimal_clip(some.magnitudes, some.largest, _staircase(planned, options))
        return some.quantile(options.quantile)

    shared = float(rule(sample.pooled)[0])
    if shared <= 0:
        return np.ones(planned.shape[0])
    own = rule(sample) if options.theta_sharing == "channel" and not one_scale else np.full(planned.shape[0], shared)
    return np.maximum(own, LEAST_THETA * shared)


def _staircase(planned: Planned, options: Options) -> Coding:
    """Return the coding whose error "mse" minimises.

    For `sfn` that of full scale θ (λ = 1/N). Thresholds and decode tables that are fitted to the activations
    (`density`, `lloyd-max`, `mean`) depend on θ in turn; a uniform staircase, and midpoints, stand for them.
    """
    if options.coding != "sfn":
        return _coding(planned, options)
    spacing = options.spacing if options.spacing == "power-of-two" else "uniform"
    decode = "midpoint" if options.decode == "mean" else options.decode
    grid = make_grid(spacing, options.rounding_rule, decode, options.count, np.zeros(0))
    return SFN(tuple(grid.boundaries.tolist()), tuple(grid.values.tolist()), planned.signed)


def _sfn(planned: Planned, sample: Sample, theta: Reals, options: Options, lam: float) -> tuple[Coding, Reals]:
    """Full scale λθN; scale = λθ, for power-of-two spacing λθN / 2^(N−1)."""
    count, full = options.count, lam * theta * options.count
    shares: Reals = np.divide(sample.magnitudes, full[:, None], dtype=np.float64).ravel()
    grid = make_grid(options.spacing, options.rounding_rule, options.decode, count, shares)
    coding = SFN(tuple(grid.boundaries.tolist()), tuple(grid.values.tolist()), planned.signed)
    return coding, _capped(full / grid.full, max(grid.values[-1], grid.boundaries[-1]), planned)


def _fixed(planned: Planned, sample: Sample, theta: Reals, options: Options, lam: float) -> tuple[Coding, Reals]:
    """Any coding whose levels do not depend on the activations: its top level stands for λθ.

    So an IF neuron's θ is λθ over T steps, an MTN's θ_M = λθ / N (arXiv 2510.23383, Theorem 1), a graded step λθ / M.
    """
    coding = _coding(planned, options)
    full = lam * theta
    if isinstance(coding, IF) and options.threshold_scale == "mse":
        coding = replace(coding, threshold_scale=optimal_threshold_scale(sample.magnitudes, full, coding))
    top = float(coding.values()[-1])
    return coding, _capped(full / top, top, planned)


def _coding(planned: Planned, options: Options) -> Coding:
    """Return the coding of a population, but for what is fitted to its activations."""
    if planned.signed and options.coding == "lif":
        raise ConversionError(
            f"layer {planned.name!r} has values of both signs (no ReLU follows it), and a LIF neuron has one",
            field="coding",
            found="lif",
            expected="another coding, or a ReLU behind that layer",
        )
    try:
        return RULES[options.coding](planned.signed, options)
    except InputError as error:
        raise ConversionError(str(error)) from None


def _mtn(signed: bool, options: Options) -> Coding:
    uniform = options.spacing == "uniform"
    rounding = options.rounding_rule if options.spacing == "power-of-two" else "floor"
    return MTN(options.thresholds, options.potential if uniform else 0.0, signed, options.spacing, rounding)


def _if(signed: bool, options: Options) -> Coding:
    """A signed neuron starts at 0: an offset would favour one sign."""
    assert options.timesteps is not None
    scale = options.threshold_scale if isinstance(options.threshold_scale, int | float) else 1.0
    return IF(options.timesteps, 0.0 if signed else options.potential, signed, float(scale))


def _polarity(signed: bool, options: Options) -> Coding:
    return Polarity(options.count, options.potential, signed)


def _ttfs(signed: bool, options: Options) -> Coding:
    assert options.timesteps is not None
    return TTFS(options.timesteps, options.potential, signed)


def _lif(signed: bool, options: Options) -> Coding:
    """As `if`; what leaks away is lost: nothing makes up for it but a smaller λ."""
    assert options.timesteps is not None
    assert options.beta is not None
    return LIF(options.timesteps, options.beta, reset=options.reset, initial_potential=options.potential, signed=signed)


def _graded(signed: bool, options: Options) -> Coding:
    return Graded(options.bits, signed)


def _capped(scale: Reals, top: float, planned: Planned) -> Reals:
    """Where the trained network caps its activation (ReLU6), the top level must not stand for more than the cap."""
    return scale if planned.cap is None else np.minimum(scale, planned.cap / top)


RULES: dict[str, Callable[[bool, Options], Coding]] = {
    "mtn": _mtn,
    "if": _if,
    "lif": _lif,
    "polarity": _polarity,
    "ttfs": _ttfs,
    "graded": _graded,
}
