"""Fully connected layers."""

import numpy as np

from sfnhw.convert.aten.attention import product
from sfnhw.convert.fold import equally_long, through
from sfnhw.convert.joined import added, pieces
from sfnhw.convert.layout import Vectors, merged, plain, reshaped, vectors
from sfnhw.convert.memo import once
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import (
    EXAMPLE_SAMPLES,
    Call,
    Index,
    Pooled,
    Reals,
    Shape,
    Spikes,
    Sum,
    UnsupportedError,
    Value,
)
from sfnhw.convert.weights import applied, scaled, with_columns
from sfnhw.network import Conv2d, Dense


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


@register("aten.matmul.default", "aten.mm.default", "aten.bmm.default")
def matmul(plan: Plan, call: Call) -> Sum:
    """y = x M with a constant M; or the product of two activations (attention)."""
    name = "other" if "other" in call.arguments else "mat2"
    if all(isinstance(call.arguments[n], Spikes | Sum | Pooled) for n in ("self", name)):
        return product(plan, call, call.value("self"), call.value(name))
    matrix = call.array(name)
    if matrix is None or matrix.ndim != 2:
        raise UnsupportedError("a product that is not with a constant matrix", "use torch.nn.Linear")
    return _dense(plan, call, "self", matrix.T, None)


def _dense(plan: Plan, call: Call, argument: str, weight: Reals, bias: Reals | None) -> Sum:
    cut = pieces(call.any_value(argument), -1)
    shares = [
        _share(plan, call, p.value, weight[:, p.entries] if len(cut) > 1 else weight, None if i else bias)
        for i, p in enumerate(cut)
    ]
    return added(shares)


def _share(plan: Plan, call: Call, value: Spikes | Sum | Pooled, weight: Reals, bias: Reals | None) -> Sum:
    """What one part of a concatenation, or all of the input, gives to the result."""
    rows = plan.rows_of_input(value)
    if rows is not None:
        return _each_row(plan, call, value, rows, weight, bias)
    source, gain, offset = through(plan, value)
    grid, index = plan[source.population].shape, source.index
    bias = np.zeros(len(weight)) if bias is None else np.broadcast_to(bias, len(weight)).copy()
    positions = int(np.prod(grid[1:]))
    if index.ndim == 2 and index.shape[1] == grid[0] * positions:
        # One vector of all neurons for each sample.
        order = index[0]
        if not np.array_equal(index, order + np.arange(EXAMPLE_SAMPLES)[:, None] * grid[0] * positions):
            raise UnsupportedError("its input holds the samples in another order", "keep the sample axis first")
        columns = with_columns(weight, order)
        gain, offset, _ = equally_long(gain, offset, np.zeros(grid[0] * positions))
        term = Dense(source.population, "", scaled(columns, gain))
        out = (len(weight),)
        return Sum((term,), bias + applied(columns, offset), out, plain(out).reshape(call.shape), call.layer)
    return _each_position(call, source, grid, weight, bias, gain, offset)


def _each_row(plan: Plan, call: Call, value: Value, rows: Index, weight: Reals, bias: Reals | None) -> Sum:
    """The same matrix on each row of the network's input (tokens, features): an image of one channel, a kernel of one row."""
    assert isinstance(value, Spikes)
    target = len(weight), rows.size // EXAMPLE_SAMPLES, 1
    sample, token = np.divmod(rows, target[1])
    index = (sample * target[0] * target[1] + token)[..., None] + np.arange(target[0]) * target[1]
    term = Conv2d(value.population, "", weight[:, None, None, :])
    return Sum((term,), np.zeros(len(weight)) if bias is None else bias.copy(), target, index, call.layer)


def _each_position(
    call: Call, source: Spikes, grid: Shape, weight: Reals, bias: Reals, gain: Reals, offset: Reals
) -> Sum:
    """The same matrix at each position: a 1×1 convolution."""
    kept, tokens = _tokens(source.index, grid)
    if len(kept.channel) != grid[0] or gain.size != grid[0]:
        raise UnsupportedError(
            f"it sees {len(kept.channel)} of {grid[0]} channels, or a factor for each position",
            "give each part a layer of its own",
        )
    matrix = weight if np.array_equal(kept.channel, np.arange(grid[0])) else with_columns(weight, kept.channel)
    stride, target = (1, 1), (len(weight), *grid[1:])
    if tokens == "first":
        stride, target = (grid[1], grid[2]), (len(weight), 1, 1)
        offset = offset if offset.size == grid[0] else offset.reshape(grid[0], -1)[:, 0]
    elif tokens == "some":
        raise UnsupportedError(
            f"it sees {len(kept.sample) // EXAMPLE_SAMPLES} of {int(np.prod(grid[1:]))} positions",
            "take the first token, or all of them, or their mean",
        )
    shift = applied(matrix, offset.reshape(grid[0], -1)) if offset.any() else np.zeros((len(matrix), 1))
    if (gain != 1).any():
        matrix = scaled(matrix, gain)
    total = (bias[:, None] + shift).ravel()
    term = Conv2d(source.population, "", matrix[:, :, None, None], stride=stride)
    index = reshaped(merged(target, kept), call.shape)
    return Sum((term,), total, target, index, call.layer)


@once
def _tokens(index: Index, grid: Shape) -> tuple[Vectors, str]:
    """Vectors of a map, and which positions they are: all (each once), the first of each sample and no other, or some."""
    kept = vectors(index, grid)
    positions = int(np.prod(grid[1:]))
    where = kept.sample * positions + kept.position
    if np.array_equal(where, np.arange(EXAMPLE_SAMPLES) * positions) and len(grid) == 3:
        return kept._replace(position=np.zeros_like(kept.position)), "first"
    every = np.array_equal(np.sort(where), np.arange(EXAMPLE_SAMPLES * positions))
    return kept, "all" if every else "some"
