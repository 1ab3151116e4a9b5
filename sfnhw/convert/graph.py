"""Questions about the graph that torch.export gives: what is used, what changes memory in place, what is random."""

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.fx import Node

# What a result goes through on its way out: a function that the host applies, and copies.
_ON_THE_WAY_OUT = ("softmax", "_softmax", "log_softmax", "sigmoid", "contiguous", "clone")


def memory_of(node: "Node") -> int | None:
    """Something that nodes have in common whose tensors share memory; None where a node gives no single tensor."""
    found = node.meta.get("val")
    return found.untyped_storage()._cdata if isinstance(found, torch.Tensor) else None


def in_place(node: "Node") -> bool:
    """Whether an operation changes an operand."""
    schema = getattr(node.target, "_schema", None)
    return bool(schema is not None and schema.is_mutable)


def used(nodes: "list[Node]") -> "set[Node]":
    """Nodes that something of the module's result comes of; the rest is computed for nothing, and left out.

    What changes memory in place counts where something that is used later shares that memory.
    """
    found: set[Node] = set()
    memories: set[int | None] = set()
    for node in reversed(nodes):
        ends = node.op in ("output", "placeholder")
        changes = in_place(node) and any(memory_of(n) in memories for n in node.all_input_nodes)
        if ends or changes or any(user in found for user in node.users):
            found.add(node)
            memories |= {memory_of(n) for n in node.all_input_nodes} - {None}
    return found


def is_random(node: "Node") -> bool:
    """Whether an operation draws random numbers: not dropout, or attention with dropout, that is switched off."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    given: dict[str, Any] = {}
    for place, argument in enumerate(node.target._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        given[argument.name] = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name, default)
    switches = [name for name in ("train", "training", "dropout_p") if name in given]
    return not switches or any(given[name] for name in switches)


def is_result(node: "Node") -> bool:
    """Whether a node is only returned, as it is or through a function that the host applies."""
    return all(
        user.op == "output" or (str(user.target).split(".")[1:2] in [[n] for n in _ON_THE_WAY_OUT] and is_result(user))
        for user in node.users
    )
