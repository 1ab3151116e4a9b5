"""What moves no value: reshapes, transpositions, slices, dropout, copies. Only the index map changes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from sfnhw.convert.layout import reshaped
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Index, Joined, OnHost, Pooled, Several, Spikes, Sum, UnsupportedError


@register(
    "aten.flatten.using_ints",
    "aten.view.default",
    "aten.reshape.default",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
    "aten.squeeze.default",
    "aten.unsqueeze.default",
    "aten.unflatten.int",
    "aten._unsafe_view.default",
)
def reshape(plan: Plan, call: Call) -> Spikes | Sum | Pooled | Joined:
    """Order in memory is kept."""
    return _moved(call, lambda index: reshaped(index, call.shape))


@register("aten.transpose.int", "aten.t.default", "aten.permute.default", "aten.movedim.int", "aten.swapaxes.default")
def transpose(plan: Plan, call: Call) -> Spikes | Sum | Pooled | Joined:
    """Axes in another order."""
    if call.short == "permute":
        return _moved(call, lambda index: index.transpose(call.plain("dims")))
    if call.short == "movedim":
        return _moved(call, lambda index: np.moveaxis(index, call.plain("source"), call.plain("destination")))
    first, second = call.plain("dim0", call.plain("axis0", 0)), call.plain("dim1", call.plain("axis1", 1))
    return _moved(call, lambda index: np.swapaxes(index, first, second))


@register("aten.select.int")
def select(plan: Plan, call: Call) -> Spikes | Sum | Pooled | Joined:
    """One entry of an axis."""
    return _moved(call, lambda index: np.moveaxis(index, call.plain("dim"), 0)[call.plain("index")])


@register("aten.slice.Tensor", "aten.narrow.default")
def part(plan: Plan, call: Call) -> Spikes | Sum | Pooled | Joined:
    """A range of an axis."""
    axis = call.plain("dim", 0)
    start, step = call.plain("start", 0) or 0, call.plain("step", 1)
    end = start + call.plain("length") if call.short == "narrow" else call.plain("end")
    return _moved(call, lambda index: np.moveaxis(np.moveaxis(index, axis, 0)[start:end:step], 0, axis))


@register(
    "aten.unbind.int",
    "aten.chunk.default",
    "aten.split.Tensor",
    "aten.split_with_sizes.default",
    "aten.split.sizes",
)
def apart(plan: Plan, call: Call) -> Several:
    """All entries of an axis, or ranges of it; `getitem` picks one."""
    value = call.value("self")
    axis = call.plain("dim", 0)
    length = value.shape[axis]
    if call.short == "unbind":
        pieces = list(np.moveaxis(value.index, axis, 0))
    else:
        if call.short == "chunk":
            size: Any = -(-length // call.plain("chunks"))
        else:
            size = call.plain("split_size", call.plain("split_sizes"))
        edges = np.arange(size, length, size) if isinstance(size, int) else np.cumsum(size)[:-1]
        pieces = np.split(value.index, edges, axis=axis)
    return Several(tuple(replace(value, index=piece) for piece in pieces))


@register(
    "aten.dropout.default",
    "aten.dropout_.default",
    "aten.feature_dropout.default",
    "aten.alpha_dropout.default",
    "aten.detach.default",
    "aten.detach_.default",
    "aten.clone.default",
    "aten.contiguous.default",
    "aten.alias.default",
    "aten.to.dtype",
    "aten.lift_fresh_copy.default",
)
def identity(plan: Plan, call: Call) -> Spikes | Sum | Pooled | Joined | OnHost:
    """Nothing happens at inference."""
    if call.plain("train", False):
        raise UnsupportedError("dropout that stays active", "call .eval(), and do not force training=True")
    kind = call.plain("dtype")
    if kind is not None and not kind.is_floating_point:
        raise UnsupportedError(f"a conversion to {kind}, which rounds", "keep activations in floating point")
    return call.any_value("input" if "input" in call.arguments else "self")


def _moved(call: Call, move: Callable[[Index], Index]) -> Spikes | Sum | Pooled | Joined:
    value = call.any_value("input" if "input" in call.arguments else "self")
    return replace(value, index=move(value.index))
