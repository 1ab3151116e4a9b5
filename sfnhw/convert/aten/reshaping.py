"""What moves no value: flattening, dropout, copies."""

from dataclasses import replace

from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, OnHost, Pooled, Spikes, Sum, UnsupportedError


@register(
    "aten.flatten.using_ints",
    "aten.view.default",
    "aten.reshape.default",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
    "aten.unsqueeze.default",
    "aten._unsafe_view.default",
)
def reshape(plan: Plan, call: Call) -> Spikes | Sum | Pooled:
    """Order in memory is kept, so only the shape that the module sees changes."""
    value = call.value("input") if "input" in call.arguments else call.value("self")
    if isinstance(value, Pooled):
        return value if value.shape == call.shape else replace(plan.spikes(value), shape=call.shape)
    return replace(value, shape=call.shape)


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
def identity(plan: Plan, call: Call) -> Spikes | Sum | Pooled | OnHost:
    """Nothing happens at inference."""
    if call.plain("train", False):
        raise UnsupportedError("dropout that stays active", "call .eval(), and do not force training=True")
    return call.value("input") if "input" in call.arguments else call.value("self")
