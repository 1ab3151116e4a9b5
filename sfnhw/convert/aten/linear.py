"""Fully connected layers."""

import numpy as np

from sfnhw.convert.fold import through
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Reals, Sum, UnsupportedError
from sfnhw.network import Dense


@register("aten.linear.default")
def linear(plan: Plan, call: Call) -> Sum:
    """y = W x + b."""
    weight, bias = call.array("weight"), call.array("bias")
    assert weight is not None
    return _dense(plan, call, "input", weight, bias)


@register("aten.addmm.default")
def addmm(plan: Plan, call: Call) -> Sum:
    """y = b + x M."""
    matrix, bias = call.array("mat2"), call.array("self")
    if matrix is None or call.plain("beta", 1) != 1 or call.plain("alpha", 1) != 1:
        raise UnsupportedError("scaled by alpha or beta", "use torch.nn.Linear")
    return _dense(plan, call, "mat1", matrix.T, bias)


@register("aten.matmul.default", "aten.mm.default")
def matmul(plan: Plan, call: Call) -> Sum:
    """y = x M with a constant M."""
    name = "other" if "other" in call.arguments else "mat2"
    matrix = call.array(name)
    if matrix is None or matrix.ndim != 2:
        raise UnsupportedError("a product that is not with a constant matrix", "use torch.nn.Linear")
    return _dense(plan, call, "self", matrix.T, None)


def _dense(plan: Plan, call: Call, argument: str, weight: Reals, bias: Reals | None) -> Sum:
    value = call.value(argument)
    if len(value.shape) != 1:
        raise UnsupportedError(
            f"its input has shape {value.shape}, one vector for each position",
            "flatten first, or use a 1x1 convolution",
        )
    source, gain, offset = through(plan, value)
    features = weight.shape[1]
    bias = np.zeros(len(weight)) if bias is None else np.broadcast_to(bias, len(weight))
    per_channel = features // gain.size
    gain, offset = np.repeat(gain, per_channel), np.repeat(offset, features // offset.size)
    term = Dense(source.population, "", weight * gain)
    return Sum((term,), bias + weight @ offset, (len(weight),), call.shape, call.layer)
