"""Concatenation: along channels, and class tokens in front of a sequence of patches."""

from dataclasses import replace
from typing import Any

import numpy as np

from sfnhw.convert.joined import join
from sfnhw.convert.layout import plain, vectors
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import EXAMPLE_SAMPLES, Call, OnHost, Several, Sum, UnsupportedError, Value
from sfnhw.network import Conv2d


@register("aten.cat.default")
def concatenate(plan: Plan, call: Call) -> Value:
    """Values of several populations side by side, along the channels; nothing happens until a layer works on them.

    Constant tokens (a class token) and the tokens of one patch embedding: one population, the constants as biases.
    """
    parts: list[Any] = call.plain("tensors")
    values = [part for part in parts if isinstance(part, Value)]
    axis = call.plain("dim", 0) % len(call.shape)
    if len(values) == 1 and len(call.shape) == 3 and axis == 1 and isinstance(values[0], Sum):
        return _with_tokens(call, parts, values[0])
    if axis != 1:
        raise UnsupportedError(f"concatenation along axis {axis}", "concatenate along the channels (axis 1)")
    if len(values) != len(parts) or any(isinstance(v, OnHost | Several) for v in values):
        raise UnsupportedError("concatenation with a constant", "give the next layer a bias instead")
    return join(parts, 1)


def _with_tokens(call: Call, parts: list[Any], value: Sum) -> Sum:
    """(samples, tokens, channels): constants before and after the outputs of a convolution, token by token."""
    kept = vectors(value.index, value.grid)
    tokens, channels = int(np.prod(value.grid[1:])), value.grid[0]
    in_order = np.arange(EXAMPLE_SAMPLES * tokens)
    term = value.terms[0]
    if (
        len(value.terms) != 1
        or not isinstance(term, Conv2d)
        or term.first_row is not None
        or not np.array_equal(kept.channel, np.arange(channels))
        or not np.array_equal(kept.sample * tokens + kept.position, in_order)
    ):
        raise UnsupportedError(
            "tokens beside values that are not one convolution's patches in order",
            "join class tokens directly behind the patch embedding",
        )
    biases: list[Any] = []
    first = 0
    for part in parts:
        if part is value:
            first = sum(len(b) for b in biases)
            biases.append(value.bias.reshape(channels, -1).T * np.ones((tokens, 1)))
            continue
        constant = np.asarray(part, float)
        if (constant != constant[:1]).any():
            raise UnsupportedError("constants that differ from sample to sample", "use the same for all")
        biases.append(constant[0])
    bias = np.concatenate(biases)
    grid = (channels, len(bias), 1)
    index = plain(grid)[..., 0].transpose(0, 2, 1)
    return replace(value, terms=(replace(term, first_row=first),), bias=bias.T.ravel(), grid=grid, index=index)
