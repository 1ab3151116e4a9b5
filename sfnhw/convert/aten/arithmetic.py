"""Residual additions, and constants that are added or multiplied."""

import numpy as np

from sfnhw.convert.fold import affine, equally_long
from sfnhw.convert.layout import per_neuron, same_map
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Pooled, Reals, Spikes, Sum, UnsupportedError

_ADD = ("aten.add.Tensor", "aten.add_.Tensor", "aten.add.Scalar")
_SUBTRACT = ("aten.sub.Tensor", "aten.sub_.Tensor", "aten.sub.Scalar", "aten.rsub.Scalar", "aten.rsub.Tensor")


@register(*_ADD, *_SUBTRACT)
def add(plan: Plan, call: Call) -> Sum | Pooled:
    """x + α y, both activations or one of them a constant."""
    alpha = float(call.plain("alpha", 1))
    first, second = ("other", "self") if "rsub" in call.operation else ("self", "other")
    left, right = 1.0, alpha if call.operation in _ADD else -alpha
    if isinstance(call.arguments[first], Spikes | Sum | Pooled):
        if isinstance(call.arguments[second], Spikes | Sum | Pooled):
            return _join(plan, call, call.value(first), call.value(second), right)
        return affine(
            plan, call.value(first), np.ones(1), right * _constant(plan, call, second, call.value(first)), call
        )
    offset = left * _constant(plan, call, first, call.value(second))
    return affine(plan, call.value(second), np.full(1, right), offset, call)


@register(
    "aten.mul.Tensor", "aten.mul_.Tensor", "aten.mul.Scalar", "aten.div.Tensor", "aten.div_.Tensor", "aten.div.Scalar"
)
def scale(plan: Plan, call: Call) -> Sum | Pooled:
    """g x or x / g, g constant: one number, or one for each channel."""
    divide = "div" in call.operation
    swapped = not isinstance(call.arguments["self"], Spikes | Sum | Pooled)
    if swapped and divide:
        raise UnsupportedError("a division by an activation", "a spiking network has no reciprocal")
    value, factor = ("other", "self") if swapped else ("self", "other")
    gain = _constant(plan, call, factor, call.value(value))
    return affine(plan, call.value(value), 1 / gain if divide else gain, np.zeros(1), call)


@register("aten.neg.default")
def negate(plan: Plan, call: Call) -> Sum | Pooled:
    """−x."""
    return affine(plan, call.value("self"), -np.ones(1), np.zeros(1), call)


def _join(plan: Plan, call: Call, a: Spikes | Sum | Pooled, b: Spikes | Sum | Pooled, factor: float) -> Sum:
    """One sum of both operands' terms; each keeps the shape of the population it comes from."""
    sums = []
    for operand in (a, b):
        if isinstance(operand, Pooled):
            operand = plan.spikes(operand)
        sums.append(plan.as_sum(operand, call.layer) if isinstance(operand, Spikes) else operand)
    if factor != 1:
        scaled = affine(plan, sums[1], np.full(1, factor), np.zeros(1), call)
        assert isinstance(scaled, Sum)
        sums[1] = scaled
    left, right = sums
    if left.shape != right.shape:
        raise UnsupportedError(
            f"shapes {left.shape[1:]} and {right.shape[1:]} are broadcast", "add values of one shape"
        )
    if left.grid != right.grid or not same_map(left.index, right.index):
        raise UnsupportedError(
            f"populations of shapes {left.grid} and {right.grid}, or of one shape in another order",
            "add before flattening or reordering",
        )
    keeps = left.nonnegative and right.nonnegative
    left_bias, right_bias = equally_long(left.bias, right.bias)
    return Sum(left.terms + right.terms, left_bias + right_bias, left.grid, left.index, call.layer, nonnegative=keeps)


def _constant(plan: Plan, call: Call, name: str, value: Spikes | Sum | Pooled) -> Reals:
    """Constant operand: one number, or one for each channel or neuron, as torch broadcasts it."""
    array = call.array(name)
    assert array is not None
    if value.shape != call.shape:
        raise UnsupportedError(f"values of shape {value.shape[1:]} are broadcast to {call.shape[1:]}", "expand nothing")
    return per_neuron(array, value.index, plan.grid(value))
