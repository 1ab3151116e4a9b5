"""Average and maximum pooling, and the mean over positions."""

from dataclasses import replace
from typing import Any

import numpy as np

from sfnhw.convert.fold import affine, through
from sfnhw.convert.layout import is_plain, places, plain
from sfnhw.convert.plan import Plan, grid_of
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Pooled, Spikes, Sum, UnsupportedError
from sfnhw.network import AveragePool

_FLAT = "pooling works on (channels, length) or (channels, height, width)"


@register("aten.avg_pool2d.default", "aten.avg_pool1d.default")
def average_pool(plan: Plan, call: Call) -> Sum:
    """Mean of each window; it becomes a population of its own unless something is added to it."""
    window = _window(call)
    if max(window["padding"]) > 0 and not call.plain("count_include_pad", True):
        raise UnsupportedError("count_include_pad=False with padding", "use count_include_pad=True, or no padding")
    if call.plain("divisor_override") is not None:
        raise UnsupportedError("divisor_override", "scale with a factor behind the pool instead")
    return _average(plan, call, call.value("self"), window)


@register("aten.adaptive_avg_pool2d.default", "aten.adaptive_avg_pool1d.default")
def adaptive_average_pool(plan: Plan, call: Call) -> Sum:
    """Windows of one size, where the output's sizes divide the input's."""
    value = call.value("self")
    sizes, outputs = grid_of(value.shape[1:])[1:], grid_of(call.shape[1:])[1:]
    if any(n % o for n, o in zip(sizes, outputs, strict=True)):
        raise UnsupportedError(
            f"{sizes} positions onto {outputs} need windows of several sizes",
            "choose output sizes that divide the input's",
        )
    kernel = sizes[0] // outputs[0], sizes[1] // outputs[1]
    return _average(plan, call, value, {"kernel": kernel, "stride": kernel, "padding": (0, 0)})


@register("aten.mean.dim")
def mean(plan: Plan, call: Call) -> Sum:
    """Mean over all positions of each channel (global average pooling; the mean over tokens)."""
    value = call.value("self")
    axes, rank = call.plain("dim"), len(value.shape)
    axes = sorted({a % rank for a in ([axes] if isinstance(axes, int) else axes)})
    # g x + o of a layer norm before it commutes with the mean, and folds into what follows.
    spikes, gain, offset = through(plan, value)
    grid = plan[spikes.population].shape
    if gain.size != grid[0]:
        spikes, gain, offset = plan.spikes(value), np.ones(grid[0]), np.zeros(grid[0])
    kept = [a for a in range(rank) if a not in axes]
    length = int(np.prod([value.shape[a] for a in axes]))
    at = places(np.transpose(spikes.index, (*kept, *axes)).reshape(-1, length), grid)
    if (
        len(grid) != 3
        or length != grid[1] * grid[2]
        or (at.channel != at.channel[:, :1]).any()
        or (np.sort(at.position, axis=1) != np.arange(length)).any()
        or (at.sample != at.sample[:, :1]).any()
    ):
        raise UnsupportedError(f"a mean over axes {axes} of {rank}", "a mean over all positions is supported")
    window = {"kernel": grid[1:], "stride": grid[1:], "padding": (0, 0)}
    index = at.sample[:, 0] * grid[0] + at.channel[:, 0]
    pooled = replace(_pooled(plan, call, spikes, window), index=index.reshape(call.shape))
    offset = offset.reshape(grid[0], -1).mean(axis=1)
    if (gain == 1).all() and not offset.any():
        return pooled
    scaled = affine(plan, pooled, gain, offset, call)
    assert isinstance(scaled, Sum)
    return scaled


@register("aten.max_pool2d.default", "aten.max_pool1d.default")
def max_pool(plan: Plan, call: Call) -> Spikes | Pooled:
    """Largest value of each window: levels pass on; where the ReLU comes after, it is moved before."""
    dilation = call.plain("dilation", 1)
    if any(d != 1 for d in ([dilation] if isinstance(dilation, int) else dilation)):
        raise UnsupportedError("a dilated window", "use dilation=1")
    value = call.value("self")
    if isinstance(value, Pooled):
        value = plan.spikes(value)
    window = _window(call)
    if isinstance(value, Spikes):
        value = plan.image(value)
    elif value.grid != grid_of(value.shape[1:]) or not is_plain(value.index, value.grid):
        raise UnsupportedError("a reshaped input", _FLAT)
    pooled = plan.pool_max(value, window, grid_of(call.shape[1:]), call.layer)
    return replace(pooled, index=pooled.index.reshape(call.shape))


@register("aten.adaptive_max_pool2d.default", "aten.adaptive_max_pool1d.default")
def adaptive_max_pool(plan: Plan, call: Call) -> Spikes | Pooled:
    """Not converted: torch gives the indices with it."""
    raise UnsupportedError("adaptive maximum pooling", "use torch.nn.MaxPool2d with a fixed window")


def _average(plan: Plan, call: Call, value: Spikes | Sum | Pooled, window: dict[str, Any]) -> Sum:
    pooled = _pooled(plan, call, plan.image(value), window)
    return replace(pooled, index=pooled.index.reshape(call.shape))


def _pooled(plan: Plan, call: Call, source: Spikes, window: dict[str, Any]) -> Sum:
    grid = plan[source.population].shape
    pooled = [
        (n + 2 * p - k) // s + 1
        for n, p, k, s in zip(grid[1:], window["padding"], window["kernel"], window["stride"], strict=True)
    ]
    target = (grid[0], pooled[0], pooled[1])
    term = AveragePool(source.population, "", **window)
    unsigned = not plan[source.population].signed
    return Sum((term,), np.zeros(grid[0]), target, plain(target), call.layer, nonnegative=unsigned)


def _window(call: Call) -> dict[str, Any]:
    """Kernel, stride and padding as pairs; raises UnsupportedError where ceil_mode would add a window."""
    flat = "1d" in call.operation
    given = {name: call.plain(name) for name in ("kernel_size", "stride", "padding")}
    given["stride"] = given["stride"] or given["kernel_size"]
    pairs = {}
    for name, neutral in (("kernel_size", 1), ("stride", 1), ("padding", 0)):
        value = given[name] if given[name] is not None else neutral
        values = [value] if isinstance(value, int) else [int(v) for v in value]
        pairs[name] = (neutral, values[0]) if flat else (values[0], values[-1])
    sizes = grid_of(call.value("self").shape[1:])[1:]
    if call.plain("ceil_mode", False):
        for n, k, s, p in zip(sizes, pairs["kernel_size"], pairs["stride"], pairs["padding"], strict=True):
            if (n + 2 * p - k) % s:
                raise UnsupportedError("ceil_mode adds a window that is cut off", "use ceil_mode=False, or pad")
    return {"kernel": pairs["kernel_size"], "stride": pairs["stride"], "padding": pairs["padding"]}
