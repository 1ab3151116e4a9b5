"""Products of activations: attention, fused or written out."""

from dataclasses import replace
from typing import Any

import numpy as np

from sfnhw.convert.aten.functions import softmax_over
from sfnhw.convert.layout import places
from sfnhw.convert.memo import once
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import EXAMPLE_SAMPLES, Call, Index, Pooled, Shape, Spikes, Sum, UnsupportedError
from sfnhw.network import Product, Stationary
from sfnhw.network.projections.product import Form

_ADVICE = "use query·keyᵀ per head, softmax over the keys, and attention·value"


@register("aten.scaled_dot_product_attention.default")
def attention(plan: Plan, call: Call) -> Sum:
    """softmax(QKᵀ/√d) V for each head."""
    if _masks(call.plain("attn_mask")) or call.plain("is_causal", False) or call.plain("enable_gqa", False):
        raise UnsupportedError("a mask, or grouped queries", "attention of every query to every key is supported")
    if call.plain("dropout_p", 0.0):
        raise UnsupportedError("dropout that stays active", "call .eval()")
    query, key, value = (_named(call.value(name), name, plan) for name in ("query", "key", "value"))
    scale = call.plain("scale")
    gain = 1.0 / np.sqrt(query.shape[-1]) if scale is None else float(scale)
    path = call.path
    scores = _scores(
        plan, replace(call, path=f"{path}.scores", leaf=True), query, key.index.swapaxes(-1, -2), key, gain
    )
    weights = softmax_over(plan, replace(call, path=f"{path}.softmax", leaf=True), scores, len(scores.shape) - 1)
    return _mix(plan, replace(call, path=f"{path}.mix", leaf=True), weights, value)


def _masks(mask: Any) -> bool:
    """Whether a mask changes anything: a constant one that lets everything through does not."""
    if not isinstance(mask, np.ndarray):
        return mask is not None
    return not (mask.all() if mask.dtype == bool else not mask.any())


def _named(value: Spikes | Sum | Pooled, role: str, plan: Plan) -> Spikes | Sum | Pooled:
    """A part of a fused layer is named after what it is for."""
    if isinstance(value, Sum) and value.index.size < EXAMPLE_SAMPLES * int(np.prod(value.grid)):
        return replace(value, name=f"{value.name}.{role}")
    return value


def product(plan: Plan, call: Call, left: Spikes | Sum | Pooled, right: Spikes | Sum | Pooled) -> Sum:
    """left (.., I, D) @ right (.., D, J), both activations."""
    grid = plan.grid(left)
    if _over_channels(left.index, grid) if left.shape[-1] > 1 else len(grid) == 3:
        return _scores(plan, call, left, right.index, right, 1.0)
    return _mix(plan, call, left, right)


@once
def _over_channels(index: Index, grid: Shape) -> bool:
    """Whether any row of a map holds several channels."""
    channel = places(index, grid).channel
    return bool((channel[..., :1] != channel[..., 1:]).any())


def _operand(plan: Plan, value: Spikes | Sum | Pooled) -> Spikes:
    spikes = plan.spikes(value)
    if len(plan[spikes.population].shape) != 3:
        raise UnsupportedError("an operand that is one vector", _ADVICE)
    return spikes


def _scores(
    plan: Plan, call: Call, left: Spikes | Sum | Pooled, turned: Index, right: Spikes | Sum | Pooled, gain: float
) -> Sum:
    """Sum over the channels of a head: target (heads, positions of left, positions of right).

    `turned` is the map of the right operand with its last two axes as the product sees them: (.., D, J).
    """
    right = _operand(plan, replace(right, index=turned.swapaxes(-1, -2)))
    left = _operand(plan, left)
    grids = plan[left.population].shape, plan[right.population].shape
    heads, index = _score_map(left.index, right.index, *grids)
    target = (heads, *(int(np.prod(grid[1:])) for grid in grids))
    terms = _terms(left.population, right.population, "scores", heads, gain)
    return Sum(terms, np.zeros(heads), target, index, call.layer)


@once
def _score_map(left: Index, right: Index, left_grid: Shape, right_grid: Shape) -> tuple[int, Index]:
    """Heads, and the map (.., I, J) of left (.., I, D) times right (.., J, D), of (heads, rows, columns)."""
    heads, order = _heads(left, left_grid)
    others, other_order = _heads(right, right_grid)
    if heads != others or not np.array_equal(order, other_order):
        raise UnsupportedError("operands whose heads differ", _ADVICE)
    rows, columns = int(np.prod(left_grid[1:])), int(np.prod(right_grid[1:]))
    at, other = places(left[..., 0], left_grid), places(right[..., 0], right_grid)
    head = at.channel // (left_grid[0] // heads)
    first = ((at.sample * heads + head) * rows + at.position) * columns
    return heads, first[..., :, None] + other.position[..., None, :]


def _mix(plan: Plan, call: Call, left: Spikes | Sum | Pooled, right: Spikes | Sum | Pooled) -> Sum:
    """Sum over keys: left (heads, queries, keys) × right (channels, keys) → (channels, queries)."""
    weights, values = _operand(plan, left), _operand(plan, right)
    grid, value_grid = plan[weights.population].shape, plan[values.population].shape
    index = _mix_map(weights.index, values.index, grid, value_grid)
    target = (value_grid[0], *plan.query_shape(weights.population))
    terms = _terms(weights.population, values.population, "mix", grid[0], 1.0)
    return Sum(terms, np.zeros(target[0]), target, index, call.layer)


@once
def _mix_map(weights: Index, values: Index, grid: Shape, value_grid: Shape) -> Index:
    """The map (.., I, E) of weights (.., I, J) times values (.., J, E), of (channels, queries)."""
    at = places(weights, grid)
    seen, _ = _heads(values, value_grid)
    keys = places(values, value_grid).position[..., 0]
    row, column = np.divmod(at.position, grid[2])
    if (
        seen != grid[0]
        or grid[2] != int(np.prod(value_grid[1:]))
        or (at.channel != at.channel[..., :1]).any()
        or (row != row[..., :1]).any()
        or (column != keys[..., None, :]).any()
    ):
        raise UnsupportedError("a product that is neither query·keyᵀ nor attention·value", _ADVICE)
    first = at.sample[..., 0] * value_grid[0] * grid[1] + row[..., 0]
    channel = places(values, value_grid).channel[..., 0, :]
    return first[..., :, None] + channel[..., None, :] * grid[1]


@once
def _heads(index: Index, grid: Shape) -> tuple[int, Index]:
    """Number of heads of an operand (.., positions, features), and each head's channels, (heads, features).

    Raises
    ------
    UnsupportedError : channels that differ between positions, positions or heads that are left out, or a head whose
        channels do not lie side by side.
    """
    at = places(index, grid)
    features = index.shape[-1]
    heads, positions = grid[0] // features, int(np.prod(grid[1:]))
    head = at.channel // features
    if (
        grid[0] % features
        or index.size != EXAMPLE_SAMPLES * int(np.prod(grid))
        or np.bincount(index.ravel(), minlength=index.size).max() > 1
        or index.shape[-2] != positions
        or (at.channel != at.channel[..., :1, :]).any()
        or (at.position != at.position[..., :1]).any()
        or (head != head[..., :1, :1]).any()
        or (at.sample != at.sample[..., :1, :1]).any()
    ):
        raise UnsupportedError("an operand that is not positions × features of whole heads", _ADVICE)
    inside = at.channel - head * features
    if (inside != inside.reshape(-1, features)[0]).any():
        raise UnsupportedError("heads whose features come in different orders", _ADVICE)
    return heads, inside.reshape(-1, features)[0]


def _terms(left: str, right: str, form: Form, heads: int, gain: float) -> tuple[Stationary, Product]:
    """The left operand streams (queries past keys, attention past values), until calibration knows better."""
    if left == right:
        raise UnsupportedError("a population times itself", "give each operand a layer of its own")
    return (
        Stationary(right, "", form, "right", heads),
        Product(left, "", form, "left", heads, right, gain),
    )
