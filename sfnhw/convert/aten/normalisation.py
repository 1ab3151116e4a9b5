"""Batch normalisation in evaluation mode: an affine map of each channel."""

import numpy as np

from sfnhw.convert.fold import affine
from sfnhw.convert.layout import per_neuron
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Pooled, Sum, UnsupportedError


@register("aten.batch_norm.default")
def batch_norm(plan: Plan, call: Call) -> Sum | Pooled:
    """y = γ (x − μ) / √(σ² + ε) + β, folded (Ioffe and Szegedy 2015, inference form)."""
    mean, variance = call.array("running_mean"), call.array("running_var")
    if call.plain("training") or mean is None or variance is None:
        raise UnsupportedError(
            "it normalises with the statistics of the batch", "keep running statistics, and call .eval()"
        )
    weight, bias = call.array("weight"), call.array("bias")
    gain = 1 / np.sqrt(variance + call.plain("eps", 1e-5))
    if weight is not None:
        gain = gain * weight
    offset = -mean * gain
    if bias is not None:
        offset = offset + bias
    value = call.value("input")
    axes = (-1, *[1] * (len(value.shape) - 2))  # channels are axis 1
    grid = plan.grid(value)
    gain, offset = (per_neuron(f.reshape(axes), value.index, grid) for f in (gain, offset))
    return affine(plan, value, gain, offset, call)
