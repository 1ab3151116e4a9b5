"""Convolutions over one and two spatial dimensions, grouped and depthwise ones included."""

from typing import Any

import numpy as np

from sfnhw.convert.fold import through
from sfnhw.convert.joined import added, pieces
from sfnhw.convert.layout import plain
from sfnhw.convert.plan import Plan, grid_of
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Pooled, Reals, Spikes, Sum, UnsupportedError
from sfnhw.convert.weights import scaled
from sfnhw.network import Conv2d


@register("aten.conv2d.default", "aten.conv2d.padding", "aten.conv1d.default", "aten.conv1d.padding")
def convolution(plan: Plan, call: Call) -> Sum:
    """Cross-correlation with zero padding; a sequence is an image of one row."""
    weight, bias = call.array("weight"), call.array("bias")
    assert weight is not None
    dimensions = weight.ndim - 2
    if dimensions == 1:
        weight = weight[:, :, None, :]
    stride, dilation = both(call, "stride", 1), both(call, "dilation", 1)
    padding = _padding(call, weight.shape[2:], stride, dilation, dimensions)
    value = call.any_value("input")
    if len(value.shape) != dimensions + 2:
        raise UnsupportedError(
            f"its input has shape {value.shape[1:]}", f"expected (channels, {dimensions} spatial sizes)"
        )
    groups = call.plain("groups", 1)
    cut = pieces(value, 1)
    if len(cut) > 1 and groups > 1:
        raise UnsupportedError("a grouped convolution of a concatenation", "use groups=1, or concatenate after it")
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    sums = [
        _share(plan, call, p.value, weight[:, p.entries] if len(cut) > 1 else weight, None if i else bias, geometry)
        for i, p in enumerate(cut)
    ]
    return added(sums)


def _share(
    plan: Plan,
    call: Call,
    value: Spikes | Sum | Pooled,
    weight: Reals,
    bias: Reals | None,
    geometry: dict[str, Any],
) -> Sum:
    """What one part of a concatenation, or all of the input, gives to the result."""
    source, gain, offset = through(plan, value, padded=max(geometry["padding"]) > 0)
    source = plan.image(source)
    gain, offset = per_channel(gain, value.shape[1]), per_channel(offset, value.shape[1])
    out, width = weight.shape[:2]
    groups = geometry["groups"]
    # Input channel c of output channel o is channel (group of o)·width + c of the source.
    channel = (np.arange(out) // (out // groups) * width)[:, None] + np.arange(width)
    total = np.zeros(out) if bias is None else bias.copy()
    total += np.einsum("oc,oc->o", weight.sum(axis=(2, 3)), offset[channel])
    term = Conv2d(source.population, "", scaled(weight, gain[channel][:, :, None, None]), **geometry)
    grid = grid_of(call.shape[1:])
    return Sum((term,), total, grid, plain(grid).reshape(call.shape), call.layer)


def per_channel(factor: Reals, channels: int) -> Reals:
    """(channels,) of a factor for each feature of an input that is reshaped into channels, or for each channel."""
    rows = np.repeat(factor, -(-channels // factor.size)).reshape(channels, -1)
    if (rows != rows[:, :1]).any():
        raise UnsupportedError("a factor or offset that differs from position to position", "use one for each channel")
    return rows[:, 0]


def both(call: Call, name: str, neutral: int) -> tuple[int, int]:
    """(vertical, horizontal) from what torch gives: a number, one, or two; a sequence has no vertical."""
    given: Any = call.plain(name, neutral)
    values = [given] if isinstance(given, int) else [int(v) for v in given]
    if "1d" in call.operation:
        return neutral, values[0]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _padding(
    call: Call, kernel: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int], dimensions: int
) -> tuple[int, int]:
    mode = call.plain("padding", 0)
    if not isinstance(mode, str):
        return both(call, "padding", 0)
    if mode == "valid":
        return 0, 0
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if any(t % 2 for t in total):
        raise UnsupportedError(
            "padding 'same' with an even kernel pads unevenly", "use an odd kernel, or explicit padding"
        )
    return total[0] // 2, total[1] // 2
