"""What needs a function unit: GELU, layer normalisation, softmax inside the network."""

import numpy as np

from sfnhw.convert.fold import affine
from sfnhw.convert.layout import per_neuron, places, vectors
from sfnhw.convert.memo import once
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Index, OnHost, Pooled, Shape, Spikes, Sum, UnsupportedError


@register("aten.gelu.default")
def gelu(plan: Plan, call: Call) -> Spikes:
    """x Φ(x), or its tanh approximation where the module uses it."""
    name = "gelu_tanh" if call.plain("approximate", "none") == "tanh" else "gelu"
    return plan.function(call.value("self"), name, call)


@register("aten.layer_norm.default")
def layer_norm(plan: Plan, call: Call) -> Sum | Pooled:
    """γ(x − mean)/√(var + ε) + β over the channels of each position; γ and β fold into what follows."""
    value = call.value("input")
    grid = plan.grid(value)
    shape = call.plain("normalized_shape")
    if len(shape) != 1 or len(vectors(value.index, grid).channel) != grid[0]:
        raise UnsupportedError(
            f"it normalises over {shape} of a population of shape {grid}", "normalise over the channels of a position"
        )
    spikes = plan.function(value, "layer_norm", call, float(call.plain("eps", 1e-5)))
    weight, bias = call.array("weight"), call.array("bias")
    gain = np.ones(1) if weight is None else per_neuron(weight, spikes.index, grid)
    offset = np.zeros(1) if bias is None else per_neuron(bias, spikes.index, grid)
    return affine(plan, spikes, gain, offset, call)


@register("aten.softmax.int", "aten._softmax.default")
def softmax(plan: Plan, call: Call) -> Spikes | OnHost:
    """Over the keys of each query; as the last operation it is left to the host."""
    value = call.value("self")
    axis = call.plain("dim") % len(value.shape)
    if call.last:
        return OnHost(value, call.short, axis)
    return softmax_over(plan, call, value, axis)


def softmax_over(plan: Plan, call: Call, value: Spikes | Sum | Pooled, axis: int) -> Spikes:
    """Softmax of an axis that runs over the columns of a population."""
    grid = plan.grid(value)
    if not _runs_over_columns(np.moveaxis(value.index, axis, -1), grid):
        raise UnsupportedError(
            f"a softmax over axis {axis} of {value.shape[1:]} that is not one row of a population of shape {grid}",
            "use it on attention scores, over the keys",
        )
    return plan.function(value, "softmax", call)


@once
def _runs_over_columns(index: Index, grid: Shape) -> bool:
    """Whether the last axis of a map is all columns, in order, of one row of one channel."""
    columns = grid[2] if len(grid) == 3 else 0
    if index.shape[-1] != columns:
        return False
    at = places(index.reshape(-1, columns), grid)
    row, column = np.divmod(at.position, columns)
    return not (
        (at.channel != at.channel[:, :1]).any() or (column != np.arange(columns)).any() or (row != row[:, :1]).any()
    )
