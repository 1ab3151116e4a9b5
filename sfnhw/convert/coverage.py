"""What became of each operation of the module: counted as synapses, folded, without work, or left to the host."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import builder_of
from sfnhw.convert.values import Call, Joined, OnHost, Pooled, Spikes, Sum, Value

# Where an operation's builder stands says what becomes of it; two families depend on their arguments.
_BY_FAMILY = {"reshaping": "no_work", "joining": "no_work", "normalisation": "folded", "activation": "neuron"}
KINDS = ("synapses", "neuron", "folded", "no_work", "on_host", "unused")


class Visited(NamedTuple):
    """One operation that was built; no arrays are held."""

    operation: str
    layer: str
    kind: str


def visit(call: Call, result: Value) -> Visited:
    """What became of an operation, as far as can be said before the whole plan is known."""
    return Visited(call.operation, call.layer, _kind(call, result))


def coverage(plan: Plan, visited: Iterable[Visited]) -> dict[str, dict[str, int]]:
    """Return kind → ATen operation → how often it occurs.

    ``synapses``: weights, pools, copies, additions and products, counted as synaptic operations. ``neuron``: what the
    neuron's own update does (ReLU; a function unit's GELU, softmax or layer norm). ``folded``: into weights and biases.
    ``no_work``: moves no value. ``on_host``: not on the chip, not counted. ``unused``: computed by the module, but nothing
    of its result comes of it, so it is left out.
    """
    kinds: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for operation, layer, kind in visited:
        # A factor that could not be folded is a population of its own, with a synapse for each neuron.
        kinds["synapses" if kind == "folded" and layer in plan.populations else kind][operation] += 1
    return {kind: dict(sorted(found.items())) for kind, found in kinds.items() if found}


def _kind(call: Call, result: Value) -> str:
    if isinstance(result, OnHost):
        return "no_work" if any(isinstance(v, OnHost) for v in call.arguments.values()) else "on_host"
    builder = builder_of(call.operation)
    family = builder.__module__.rsplit(".", 1)[-1] if builder else ""
    if family == "functions":
        return "neuron"
    if family == "arithmetic":
        active = sum(isinstance(v, Spikes | Sum | Pooled | Joined) for v in call.arguments.values())
        family = "synapses" if active > 1 else "normalisation"
    return _BY_FAMILY.get(family, "synapses")
