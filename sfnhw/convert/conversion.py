"""`convert`: torch module and calibration inputs in, network out."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.assign import Assignment, assign, thetas_of
from sfnhw.convert.operands import with_cheaper_operands
from sfnhw.convert.options import POTENTIAL, Options, options_from
from sfnhw.convert.plan import Plan
from sfnhw.convert.samples import Sample, calibration_inputs, collect
from sfnhw.convert.search import Trial, judge, search
from sfnhw.convert.statistics import statistics_of
from sfnhw.errors import ConversionError
from sfnhw.network import FUNCTIONS, Network, Population, Product
from sfnhw.neurons import Coding, Stream

if TYPE_CHECKING:
    import torch

    from sfnhw.convert.evaluate import Evaluator

Progress = Callable[[str, int, int], None]

CHECKED_SAMPLES = 8
# Samples on which the operands of products are compared.
OPERAND_SAMPLES = 16
# Evaluations of the search for λ, and fewer where a sample takes this many multiply-accumulates.
USUAL_BUDGET, LARGE_BUDGET, LARGE_MACS = 20, 8, 10**9
# Multiply-accumulates a sample up to which calibration runs in double precision, so that a search for λ ends the same
# everywhere. Above (ImageNet's size) in single precision where the module is: several times as fast on a CPU.
DOUBLE_PRECISION_MACS = 10**8


def convert(
    module: "torch.nn.Module",
    calibration: "NDArray[Any] | torch.Tensor | Iterable[Any]",
    *,
    labels: "NDArray[Any] | torch.Tensor | None" = None,
    name: str | None = None,
    progress: "Progress | None" = None,
    **options: Any,
) -> Network:
    """Convert a trained ReLU network to a spiking one.

    Parameters
    ----------
    module : in eval mode; takes one tensor (samples, *input shape). It is not changed.
    calibration : (samples, *input shape) array or tensor, or batches (a DataLoader), with labels or without.
    labels : (samples,) class indices of the calibration samples, if known; the search for λ then weighs accuracy too.
    name : of the network; the module's class name if not given.
    progress : called as progress(stage, done, total).
    coding : "sfn" (default), "mtn", "if", "lif", "polarity", "ttfs" or "graded".
    thresholds : N of sfn, mtn and polarity (8); for mtn with spacing "free" a tuple of ascending thresholds, of which
        the largest lies at θ.
    timesteps : T of if, lif and ttfs.
    beta, reset : of lif: decay factor of one timestep (1: none), and "subtract" or "zero".
    bits : of graded (8).
    quantile : p of the non-zero magnitudes that θ is (0.999); 1 is the maximum.
    theta : "quantile", "max" or "mse" (the least-squares clipping point of the coding's own staircase). Default:
        quantile; max for graded.
    theta_sharing : "channel" or "population".
    spacing, rounding, decode : the SFN's thresholds and decode table, see `sfnhw.convert.grids`
        ("uniform", "floor", "mean"; for a network with attention "lloyd-max", "nearest", "mean"). mtn has the spacings "uniform", "power-of-two" (rounding "nearest" by default, or
        "floor") and "free".
    initial_potential : v(0) of mtn (uniform), if, lif, polarity and ttfs in units of their threshold or level (0.5:
        rounds to the nearest). Signed if neurons start at 0.
    threshold_scale : of if: α, the share of θ at which it fires while its spike stays worth θ; "mse" fits one α for
        each population to its activations and T (`sfnhw.convert.clipping`). Default 1.
    lam : λ; None searches it for sfn, and is 1 for the others.
    lambda_range, lambda_budget : of the search; the default range spans full scales λθN from θ/4 to 4θ, λ ≤ 1. The
        default budget is 20 evaluations, and 8 where one sample takes more than 10⁹ multiply-accumulates.
    spike_weight : what a spike per neuron costs beside the relative squared error of the outputs (0.01).
    search_samples : calibration samples that the search uses (512).
    input_bits : of the graded input (8).
    stream_bits : of the residual stream of a transformer (16).
    seed : of the sampling of activations.

    Returns
    -------
    Network, whose metadata records every choice and what the search tried.

    Raises
    ------
    ConversionError : bad option, or one that the coding or the module has no use for; bad calibration or labels; a
        weight that is NaN or infinite (with its layer); a module that cannot be traced, operations that are not
        supported (all of them, each with its module path), or a folded network that disagrees with the module.
    """
    chosen = options_from(options)
    inputs, found = calibration_inputs(calibration)
    classes = _labels(labels if labels is not None else found, len(inputs))
    _require_module(module)

    import torch

    from sfnhw.convert.agreement import agree
    from sfnhw.convert.coverage import coverage
    from sfnhw.convert.evaluate import Evaluator, work
    from sfnhw.convert.finite import check_finite
    from sfnhw.convert.trace import trace

    tell = progress or (lambda stage, done, total: None)
    check_finite(module)
    traced = trace(module, inputs.shape[1:], bool((inputs < 0).any()), progress=progress)
    plan = traced.plan
    _require_stream(plan, options.get("stream_bits"))
    _require_one_timestep(plan, chosen)
    if chosen.coding == "sfn" and not {"spacing", "rounding"} & set(options) and _multiplies(plan):
        # Values of both signs around zero: even steps leave three times the error (docs/accuracy.md).
        chosen = replace(chosen, spacing="lloyd-max", rounding="nearest")
    large = work(plan) > DOUBLE_PRECISION_MACS and all(p.dtype != torch.float64 for p in module.parameters())
    evaluator = Evaluator(plan, torch.float32 if large else torch.float64)
    results = agree(module, evaluator, inputs[:CHECKED_SAMPLES], traced.on_host)
    if len(results) != 1 or len(results[0]["shape"]) != 1:
        _require_no_labels(labels, results)
        classes = None
    _require_classes(classes, results)
    tell("calibrate", 0, 1)
    samples = collect(evaluator, inputs, chosen.seed)
    assignment, lam, trials = _choose(plan, samples, evaluator, inputs, classes, chosen, tell)
    metadata = _metadata(module, chosen, inputs, lam, trials, assignment.codings)
    metadata |= {
        "torch_version": torch.__version__,
        "on_host": results[0]["on_host"] if len(results) == 1 else [r["on_host"] for r in results],
    }
    metadata |= {"outputs": results, "coverage": coverage(plan, traced.visited)}
    if classes is not None:
        metadata["ann_accuracy"] = float((evaluator.ideal_outputs(inputs).argmax(axis=1) == classes).mean())
    network = _network(plan, samples, assignment, chosen, name or type(module).__name__, metadata)
    if not network.has_products:
        return network
    spikes = evaluator.coded(inputs[:OPERAND_SAMPLES], assignment.codings, assignment.scales).packets
    network, operands = with_cheaper_operands(network, spikes)
    return replace(network, metadata=metadata | {"operands": operands})


def _require_one_timestep(plan: Plan, options: Options) -> None:
    steps = options.timesteps or 1
    layer = next((p for p in plan.populations.values() if p.function in FUNCTIONS), None)
    if steps > 1 and (layer or _multiplies(plan)):
        what = f"{layer.function} (layer {layer.name!r})" if layer else "products of activations"
        raise ConversionError(
            f"networks with {what} over several timesteps are not modelled",
            field="coding",
            found=f"{options.coding!r}, T = {steps}",
            expected="a coding of one timestep: sfn, mtn, polarity or graded",
        )


def _multiplies(plan: Plan) -> bool:
    return any(isinstance(p, Product) for p in plan.projections)


def _choose(
    plan: Plan,
    samples: dict[str, Sample],
    evaluator: "Evaluator",
    inputs: NDArray[np.float64],
    labels: NDArray[np.int64] | None,
    options: Options,
    tell: Progress,
) -> tuple[Assignment, float, list[Trial]]:
    """Search λ where it is to be searched; return the assignment for it."""
    thetas = thetas_of(plan, samples, options)
    if options.lam is not None or options.coding != "sfn":
        lam = 1.0 if options.lam is None else float(options.lam)
        return assign(plan, samples, options, lam, thetas), lam, []
    order = np.random.default_rng(options.seed).permutation(len(inputs))[: options.search_samples]
    some = inputs[np.sort(order)]
    known = None if labels is None else labels[np.sort(order)]
    reference = evaluator.ideal_outputs(some)
    from sfnhw.convert.evaluate import work

    budget = options.lambda_budget
    if budget is None:
        budget = LARGE_BUDGET if work(plan) > LARGE_MACS else USUAL_BUDGET
    done = 0

    def tried(lam: float) -> Trial:
        nonlocal done
        tell("search λ", done, budget)
        done += 1
        a = assign(plan, samples, options, lam, thetas)
        found = evaluator.coded(some, a.codings, a.scales)
        return judge(lam, found.outputs, found.rate, reference, known, options.spike_weight)

    best, trials = search(tried, options.search_range, budget)
    return assign(plan, samples, options, best.lam, thetas), best.lam, trials


def _network(
    plan: Plan,
    samples: dict[str, Sample],
    assignment: Assignment,
    options: Options,
    name: str,
    metadata: dict[str, Any],
) -> Network:
    populations = [
        Population(
            name=p.name,
            shape=p.shape,
            coding=assignment.codings[p.name],
            scale=assignment.scales[p.name],
            role=p.role,
            function=p.function,
            bias=p.bias,
            epsilon=p.epsilon,
            statistics={}
            if p.role == "output"
            else statistics_of(p, samples[p.name], assignment.thetas.get(p.name), plan.has_one_scale(p.name)),
        )
        for p in plan.populations.values()
    ]
    return Network(tuple(populations), tuple(plan.projections), name, metadata)


def _metadata(
    module: "torch.nn.Module",
    options: Options,
    inputs: NDArray[Any],
    lam: float,
    trials: list[Trial],
    codings: dict[str, Coding],
) -> dict[str, Any]:
    from sfnhw import __version__

    bounds = list(options.search_range) if trials else None
    return {
        "coding": options.coding,
        "thresholds": options.thresholds if options.coding in ("sfn", "mtn", "polarity") else None,
        "timesteps": options.timesteps or 1,
        "bits": options.bits if options.coding == "graded" else None,
        "theta": options.theta_rule,
        "theta_sharing": options.theta_sharing,
        "quantile": options.quantile,
        "spacing": options.spacing,
        "rounding": options.rounding_rule,
        "decode": options.decode,
        "initial_potential": options.potential
        if options.coding in POTENTIAL and options.spacing == "uniform"
        else None,
        "threshold_scale": (options.threshold_scale or 1.0) if options.coding == "if" else None,
        **({"beta": options.beta, "reset": options.reset} if options.coding == "lif" else {}),
        "lambda": lam,
        "lambda_search": {
            "range": bounds,
            "evaluations": len(trials),
            "samples": min(options.search_samples, len(inputs)) if trials else 0,
            "spike_weight": options.spike_weight,
            "trials": [trial.as_dict() for trial in trials],
        },
        "input_bits": options.input_bits,
        "stream_bits": options.stream_bits if any(isinstance(c, Stream) for c in codings.values()) else None,
        "input_shape": list(inputs.shape[1:]),
        "calibration_samples": len(inputs),
        "seed": options.seed,
        "module": f"{type(module).__module__}.{type(module).__qualname__}",
        "sfnhw_version": __version__,
    }


def _labels(given: Any, samples: int) -> NDArray[np.int64] | None:
    if given is None:
        return None
    labels = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if labels.shape != (samples,) or not np.issubdtype(labels.dtype, np.integer):
        raise ConversionError(
            field="labels", found=f"{labels.dtype} of shape {labels.shape}", expected=f"{samples} integers"
        )
    return labels.astype(np.int64)


def _require_no_labels(labels: Any, results: list[dict[str, Any]]) -> None:
    if labels is not None:
        shapes = " and ".join(str(tuple(r["shape"])) for r in results)
        raise ConversionError(
            "labels are class indices, but the module does not return one vector of class scores",
            field="labels",
            found=f"outputs of shape {shapes} for each sample",
            expected="no labels",
        )


def _require_classes(labels: NDArray[np.int64] | None, results: list[dict[str, Any]]) -> None:
    if labels is None:
        return
    outputs = int(results[0]["shape"][0])
    for label in (labels.min(), labels.max()):
        if not 0 <= label < outputs:
            expected = f"class indices from 0 to {outputs - 1}, one for each of the module's outputs"
            raise ConversionError(field="labels", found=int(label), expected=expected)


def _require_stream(plan: Plan, bits: int | None) -> None:
    if bits is not None and not any(plan.is_stream(name) for name in plan.populations):
        raise ConversionError(
            "does not apply: the module has no residual stream",
            field="stream_bits",
            found=bits,
            expected="a transformer, whose sums feed layer norms and sums only",
        )


def _require_module(module: Any) -> None:
    import torch

    if not isinstance(module, torch.nn.Module):
        raise ConversionError(field="module", found=type(module).__name__, expected="a torch.nn.Module")
