"""Ways up: nearest-neighbour upsampling and transposed convolution."""

from typing import Any

import numpy as np

from sfnhw.convert.aten.convolution import both, per_channel
from sfnhw.convert.fold import through
from sfnhw.convert.joined import added, pieces
from sfnhw.convert.layout import plain
from sfnhw.convert.plan import Plan, grid_of
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, Pooled, Reals, Spikes, Sum, UnsupportedError
from sfnhw.network import TransposedConv2d, Upsample


@register(
    "aten.upsample_nearest2d.vec",
    "aten.upsample_nearest2d.default",
    "aten.upsample_nearest1d.vec",
    "aten.upsample_nearest1d.default",
)
def nearest(plan: Plan, call: Call) -> Sum:
    """Copies of each position, by whole factors."""
    value = call.value("input" if "input" in call.arguments else "self")
    before, after = grid_of(value.shape[1:]), grid_of(call.shape[1:])
    factor = after[1] // before[1], after[2] // before[2]
    scales: Any = call.plain("scale_factors") or [s for s in (call.plain("scales_h"), call.plain("scales_w")) if s]
    if (before[1] * factor[0], before[2] * factor[1]) != after[1:] or any(s != int(s) for s in scales):
        raise UnsupportedError(f"upsampling of {before[1:]} to {after[1:]}", "use a whole factor")
    source = plan.image(value)
    unsigned = not plan[source.population].signed
    index = plain(after).reshape(call.shape)
    term = Upsample(source.population, "", factor)
    return Sum((term,), np.zeros(after[0]), after, index, call.layer, nonnegative=unsigned)


@register("aten.conv_transpose2d.input", "aten.conv_transpose1d.default")
def transposed(plan: Plan, call: Call) -> Sum:
    """Transposed convolution; a sequence is an image of one row."""
    weight, bias = call.array("weight"), call.array("bias")
    assert weight is not None
    if "1d" in call.operation:
        weight = weight[:, :, None, :]
    groups = call.plain("groups", 1)
    out = weight.shape[1] * groups
    cut = pieces(call.any_value("input"), 1)
    if len(cut) > 1 and groups > 1:
        raise UnsupportedError("a grouped convolution of a concatenation", "use groups=1")
    zero = np.zeros(out)
    shares = [zero if bias is None else bias, *[zero] * (len(cut) - 1)]
    return added(
        [
            _share(plan, call, piece.value, weight[piece.entries], share, groups)
            for piece, share in zip(cut, shares, strict=True)
        ]
    )


def _share(plan: Plan, call: Call, value: Spikes | Sum | Pooled, weight: Reals, bias: Reals, groups: int) -> Sum:
    # Even without padding not all taps reach every target position, so an offset does not fold: as with padding.
    source, gain, _ = through(plan, value, padded=True)
    source = plan.image(source)
    gain = per_channel(gain, value.shape[1])
    term = TransposedConv2d(
        source.population,
        "",
        weight * gain[:, None, None, None],
        both(call, "stride", 1),
        both(call, "padding", 0),
        both(call, "output_padding", 0),
        both(call, "dilation", 1),
        groups,
    )
    grid = grid_of(call.shape[1:])
    return Sum((term,), bias.copy(), grid, plain(grid).reshape(call.shape), call.layer)
