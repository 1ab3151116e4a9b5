"""Concatenation."""

from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import register
from sfnhw.convert.values import Call, UnsupportedError, Value


@register("aten.cat.default")
def concatenate(plan: Plan, call: Call) -> Value:
    """Not converted yet."""
    raise UnsupportedError("concatenation", "add the branches instead, or sum a convolution of each")
