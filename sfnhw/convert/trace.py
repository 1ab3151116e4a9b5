"""From a torch module to a plan: torch.export, then one builder for each operation."""

import logging
import operator
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sfnhw.convert.coverage import Visited, visit
from sfnhw.convert.fold import is_affine
from sfnhw.convert.graph import in_place, is_random, is_result, memory_of, used
from sfnhw.convert.joined import build, in_order, pieces
from sfnhw.convert.memo import remembering
from sfnhw.convert.plan import Plan
from sfnhw.convert.registry import ADVICE, DEFAULT_ADVICE, builder_of
from sfnhw.convert.size import emptied
from sfnhw.convert.values import (
    EXAMPLE_SAMPLES,
    Call,
    Joined,
    OnHost,
    Pooled,
    Several,
    Shape,
    Spikes,
    Sum,
    Unknown,
    UnsupportedError,
    Value,
    conversion_error,
)
from sfnhw.convert.weights import hollow, is_hollow
from sfnhw.errors import ConversionError

if TYPE_CHECKING:
    from torch.fx import Node

    from sfnhw.convert.conversion import Progress

# Operations that take a value apart: their users see parts, so a sum that only they use stays open.
_PARTS = ("select", "slice", "narrow", "unbind", "chunk", "split", "split_with_sizes")
# torch.export keeps what it traces in global state: two threads at once spoil each other's graphs.
_EXPORTING = threading.RLock()


class Traced(NamedTuple):
    """A module as a plan.

    Attributes
    ----------
    plan : populations and projections; its outputs come last, in the order of the module's.
    on_host : for each tensor that the module returns, what is left to the host (a last softmax), or None.
    visited : every operation on activations.
    """

    plan: Plan
    on_host: tuple[OnHost | None, ...]
    visited: tuple[Visited, ...]


def trace(
    module: torch.nn.Module,
    shape: Shape,
    signed: bool,
    empty: bool = False,
    progress: "Progress | None" = None,
) -> Traced:
    """Trace `module` on inputs of `shape` (without the sample axis); `empty` keeps the shapes of weights only.

    progress : called as progress("trace", done, total): before torch.export, and as its operations are gone through.

    Raises
    ------
    ConversionError : the module is in training mode, cannot be traced, or holds operations that are not supported.
    """
    training = [name or "the module itself" for name, m in module.named_modules() if m.training]
    if training:
        raise ConversionError("is in training mode; call .eval() first", field=training[0])
    tell = progress or (lambda stage, done, total: None)
    tell("trace", 0, 1)
    with _EXPORTING:
        program = _export(module, shape)
    walk = _Walk(program, shape, signed, empty)
    nodes = list(program.graph.nodes)
    with remembering():
        for done, node in enumerate(nodes):
            if done % (len(nodes) // 50 + 1) == 0:
                tell("trace", done, len(nodes))
            walk.visit(node)
    if walk.failures:
        raise conversion_error(walk.failures)
    return Traced(walk.plan, tuple(walk.on_host), tuple(walk.visited))


def _export(module: torch.nn.Module, shape: Shape) -> Any:
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(1))
    example = torch.rand((EXAMPLE_SAMPLES, *shape), dtype=like.dtype, device=like.device)
    sizes = ", ".join(map(str, shape))
    if not example.is_meta:
        _try(module, example)
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(module, (example,))
    except Exception as error:  # torch.export raises many kinds
        if (
            example.is_meta
        ):  # without values, tracing and running are one and the same work: the second is for its words
            _try(module, example)
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(
            f"torch.export cannot trace {type(module).__name__} on inputs of shape (samples, {sizes})"
            f" ({type(error).__name__}: {reason[0]}); its forward must take one tensor and not branch on its values"
        ) from error


def _try(module: torch.nn.Module, example: torch.Tensor) -> None:
    """Raise ConversionError, with the module's own reason, where it does not take such inputs."""
    try:
        with torch.no_grad():
            module(example)
    except Exception as error:  # the user's own code, or a layer that meets a shape it does not take
        reason = str(error).strip().splitlines() or [type(error).__name__]
        sizes = ", ".join(map(str, example.shape[1:]))
        raise ConversionError(
            f"{type(module).__name__} fails on inputs of shape (samples, {sizes}) ({type(error).__name__}: {reason[0]});"
            " the calibration inputs must have the shape that forward takes"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging the graph and the stack of an error that is raised all the same."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Walk:
    """Visits the nodes in order; `env` holds what each one stands for: a value, a constant tensor, or a number."""

    def __init__(self, program: Any, shape: Shape, signed: bool, empty: bool) -> None:
        self.plan, self.shape, self.signed, self.empty = Plan(), shape, signed, empty
        self.env: dict[Node, Any] = {}
        self.failures: list[tuple[Call, UnsupportedError]] = []
        self.on_host: list[OnHost | None] = []
        self.visited: list[Visited] = []
        signature = program.graph_signature
        held = {**program.state_dict, **program.constants}
        names = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self.constants = {placeholder: held[name] for placeholder, name in names.items()}
        self.used = used(list(program.graph.nodes))
        self.last_use = {n: node for node in program.graph.nodes if node in self.used for n in node.all_input_nodes}
        changed = {memory_of(n) for node in self.used if in_place(node) for n in node.all_input_nodes}
        self.changed = {node for node in program.graph.nodes if memory_of(node) in changed - {None}}
        self.depends: set[Node] = set()  # on the module's input
        for node in program.graph.nodes:
            given = node.op == "placeholder" and node.name not in self.constants
            if given or any(n in self.depends for n in node.all_input_nodes):
                self.depends.add(node)

    def visit(self, node: "Node") -> None:
        """Give `env` an entry for the node, or add to `failures`."""
        if node.op == "placeholder":
            constant = self.constants.get(node.name)
            if constant is None:
                self.env[node] = self._input()
            elif node in self.changed:  # a buffer that forward changes: the module keeps its own
                self.env[node] = constant.detach().to("meta") if self.empty else constant.detach().clone()
            else:  # shapes alone must give the same size whatever the values are, zeros of a fresh module included
                self.env[node] = constant.detach().to("meta") if self.empty else constant.detach()
        elif node.op == "get_attr":
            self._fail(_call(node, {}), UnsupportedError("a sub-graph", "avoid control flow in forward"))
            self.env[node] = Unknown()
        elif node.op == "call_function":
            self._function(node)
        elif node.op == "output":
            self._output(node)
        for n in node.all_input_nodes:  # weights and index maps of a large module must not pile up
            if self.last_use.get(n) is node:
                self.env.pop(n, None)

    def _input(self) -> Value:
        try:
            return self.plan.input(self.shape, self.signed)
        except UnsupportedError as error:
            self._fail(Call("input", "", False), error)
            return Unknown()

    def _function(self, node: "Node") -> None:
        operation = str(node.target)
        if operation.startswith("aten._assert"):
            return
        if node not in self.used:
            self._pass_over(node)
            return
        inputs = [self.env.get(n) for n in node.all_input_nodes]
        if not any(isinstance(v, Value) for v in inputs):
            self.env[node] = self._constant(node)
            return
        if node.target is operator.getitem and isinstance(inputs[0], Several | Unknown):
            part = inputs[0].parts[node.args[1]] if isinstance(inputs[0], Several) else Unknown()
            self.env[node] = self._settled(node, part)
            return
        call = _call(node, self.env)
        builder = builder_of(operation)
        self.env[node] = Unknown()
        before = len(self.plan.projections)
        try:
            if builder is None:
                raise UnsupportedError("not supported", ADVICE.get(call.short, DEFAULT_ADVICE))
            if any(isinstance(v, Unknown) for v in inputs):
                return
            self._check_memory(node)
            result = build(builder, self.plan, call)
            self.visited.append(visit(call, result))
            self.env[node] = self._settled(node, emptied(result) if self.empty else result)
            if self.empty:
                new = slice(before, None)
                self.plan.projections[new] = [emptied(p) for p in self.plan.projections[new]]
        except UnsupportedError as error:
            self._fail(call, error)
        if in_place(node):  # later uses of the operand, by whatever name, see the result
            changed = node.all_input_nodes[0]
            before_it = self.env.get(changed)
            for other in [changed, *(n for n, v in self.env.items() if v is before_it and before_it is not None)]:
                self.env[other] = self.env[node]

    def _check_memory(self, node: "Node") -> None:
        """Raise UnsupportedError where a change in place shows in a view of the operand that is used later."""
        if not in_place(node):
            return
        changed = node.all_input_nodes[0]
        for other, value in self.env.items():
            if other is not node and memory_of(other) == memory_of(changed) and _overlap(value, self.env[changed]):
                raise UnsupportedError(
                    "it changes in place what another view of the same values sees, which is used later",
                    "keep its result in a tensor of its own (relu(x) for relu_(x), x = x + 1 for x += 1)",
                )

    def _pass_over(self, node: "Node") -> None:
        """Note what the module computes and nothing uses."""
        call = _call(node, {})
        if node.target is not operator.getitem and any(n in self.depends for n in node.all_input_nodes):
            self.visited.append(Visited(call.operation, call.layer, "unused"))

    def _constant(self, node: "Node") -> Any:
        """Value of a node that does not depend on the input; a shape alone where it depends on weights without values.

        What a module on the meta device makes of nothing but sizes (a mask that hides no key) has values all the same.
        """
        if is_random(node):
            advice = "a network computes the same each time: take the noise out of forward"
            self._fail(_call(node, self.env), UnsupportedError("random numbers", advice))
            return Unknown()
        found = [self.env[n] for n in node.all_input_nodes]
        hollow_input = any(isinstance(v, torch.Tensor) and v.is_meta for v in found)

        def given(used: "Node") -> Any:
            value = self.env[used]
            return value.to("meta") if hollow_input and isinstance(value, torch.Tensor) else value

        args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), given)
        if not hollow_input and str(kwargs.get("device")) == "meta":
            kwargs = {**kwargs, "device": "cpu"}
        with torch.no_grad():
            return node.target(*args, **kwargs)

    def _settled(self, node: "Node", value: Value) -> Value:
        """A sum that several operations use becomes a population: computed once, sent to all.

        Not where they use different parts of it, nor where it only scales and shifts another population's spikes.
        """
        if isinstance(value, Joined) and len(node.users) > 1:
            parts = tuple(p if is_affine(p) or isinstance(p, Pooled) else self.plan.spikes(p) for p in value.parts)
            return replace(value, parts=parts)
        if not isinstance(value, Sum) or len(node.users) < 2 or is_affine(value) or is_result(node):
            return value
        takes_apart = all(str(user.target).split(".")[1:2] in [[name] for name in _PARTS] for user in node.users)
        return value if takes_apart else self.plan.spikes(value)

    def _output(self, node: "Node") -> None:
        """One readout for each tensor that the module returns, in order; for each part where it is a concatenation."""
        returned = node.args[0] if isinstance(node.args[0], list | tuple) else [node.args[0]]
        values = [self.env.get(n) if isinstance(n, torch.fx.Node) else n for n in returned]
        if any(isinstance(v, Unknown) for v in values):
            return
        inner = [v.inner if isinstance(v, OnHost) else v for v in values]
        try:
            if len({id(v) for v in inner}) < len(inner) and None not in inner:
                raise UnsupportedError("one result is returned twice", "return it once (logits without their softmax)")
            for value in values:
                self._readout(value)
        except UnsupportedError as error:
            self._fail(Call("output", "", False), error)

    def _readout(self, value: Any) -> None:
        function = value if isinstance(value, OnHost) else None
        value = value.inner if isinstance(value, OnHost) else value
        if isinstance(value, OnHost):
            raise UnsupportedError("two functions in a row on the host", "return the logits")
        if not isinstance(value, Spikes | Sum | Pooled | Joined):
            raise UnsupportedError("a result that does not depend on the input", "return activations only")
        self.on_host.append(function)
        if not isinstance(value, Joined):
            self.plan.output(value)
            return
        cut = pieces(replace(value, index=value.index.reshape(len(value.index), -1)), 1)
        if not in_order(cut):
            raise UnsupportedError("a result whose parts are mixed", "return the parts themselves")
        for piece in cut:
            self.plan.output(piece.value)

    def _fail(self, call: Call, error: UnsupportedError) -> None:
        self.failures.append((call, error))


def _overlap(a: Any, b: Any) -> bool:
    """Whether two different views of the same memory have values in common."""
    if isinstance(a, Several):
        return any(_overlap(part, b) for part in a.parts)
    if a is b or isinstance(a, Unknown) or isinstance(b, Unknown):
        return False
    if isinstance(a, Joined) or isinstance(b, Joined) or not isinstance(a, Value) or not isinstance(b, Value):
        return True
    return bool(np.intersect1d(a.index, b.index).size)  # type: ignore[union-attr]


def _call(node: "Node", env: "dict[Node, Any]") -> Call:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1][:2] if stack else ("", "")
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    found = node.meta.get("val")
    shape = tuple(int(n) for n in found.shape) if isinstance(found, torch.Tensor) else ()
    schema = getattr(node.target, "_schema", None)
    names = [a.name for a in schema.arguments] if schema else [f"argument{i}" for i in range(len(node.args))]
    given = dict(zip(names, node.args, strict=False)) | node.kwargs
    arguments = {name: _argument(value, env) for name, value in given.items()}
    if node.target is operator.getitem:
        return Call("operator.getitem.default", path, False, arguments, shape)
    return Call(
        str(node.target), path.removeprefix("L['self']."), kind.startswith("torch.nn."), arguments, shape, _last(node)
    )


def _last(node: "Node") -> bool:
    """Whether nothing but the module's result comes of a node, copies aside."""
    return all(
        user.op == "output" or (str(user.target) in ("aten.contiguous.default", "aten.clone.default") and _last(user))
        for user in node.users
    )


def _argument(value: Any, env: "dict[Node, Any]") -> Any:
    if isinstance(value, torch.fx.Node):
        value = env.get(value)
    if isinstance(value, torch.Tensor) and value.is_meta:
        return hollow(tuple(value.shape))
    if isinstance(value, torch.Tensor):
        array = value.detach().cpu()
        values = np.asarray(array.double() if array.is_floating_point() else array.numpy())
        return values.copy() if is_hollow(values) else values  # an expanded number is known, unlike a shape
    if isinstance(value, list | tuple):
        return [_argument(v, env) for v in value]
    return value
