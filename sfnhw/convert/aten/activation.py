"""ReLU and its capped forms; a softmax or sigmoid at the end."""

from math import inf

from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, OnHost, Spikes, UnsupportedError


@register("aten.relu.default", "aten.relu_.default")
def relu(plan: Plan, call: Call) -> Spikes:
    """max(x, 0): what an unsigned coding does by itself."""
    return plan.rectify(call.value("self"), call)


@register("aten.relu6.default", "aten.relu6_.default")
def relu6(plan: Plan, call: Call) -> Spikes:
    """min(max(x, 0), 6): the cap bounds the scale, so that the top level never stands for more than 6."""
    return plan.rectify(call.value("self"), call, cap=6.0)


@register("aten.hardtanh.default", "aten.hardtanh_.default")
def hardtanh(plan: Plan, call: Call) -> Spikes:
    """min(max(x, low), high) with low = 0, as torch.nn.ReLU6."""
    return _clamp(plan, call, call.plain("min_val", -1.0), call.plain("max_val", 1.0))


@register("aten.clamp.default", "aten.clamp_.default")
def clamp(plan: Plan, call: Call) -> Spikes:
    """clamp(min=0) or clamp(0, high)."""
    return _clamp(plan, call, call.plain("min"), call.plain("max"))


@register("aten.clamp_min.default", "aten.clamp_min_.default")
def clamp_min(plan: Plan, call: Call) -> Spikes:
    """clamp(min=0)."""
    return _clamp(plan, call, call.plain("min"), None)


@register("aten.log_softmax.int", "aten.sigmoid.default")
def on_host(plan: Plan, call: Call) -> OnHost:
    """As the last operation only: it keeps the order of the outputs, and the host applies it."""
    value = call.value("self")
    return OnHost(value, call.short, call.plain("dim", 1) % len(value.shape))


def _clamp(plan: Plan, call: Call, low: float | None, high: float | None) -> Spikes:
    if low != 0:
        raise UnsupportedError(f"a lower bound of {low}", "a spiking neuron cuts off at 0: use a lower bound of 0")
    if high is not None and high <= 0:
        raise UnsupportedError(f"an upper bound of {high}", "use a positive one")
    return plan.rectify(call.value("self"), call, cap=None if high is None or high == inf else float(high))
