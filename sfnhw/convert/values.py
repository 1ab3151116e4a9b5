"""What an edge of the traced graph means while the network is being built."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ConversionError
from sfnhw.network import Projection

Shape = tuple[int, ...]
Reals = NDArray[np.float64]
Index = NDArray[np.int64]

# Samples of the example that is traced: more than one, so that what mixes samples shows.
EXAMPLE_SAMPLES = 2


@dataclass(frozen=True, eq=False)
class Spikes:
    """What a population sends.

    Attributes
    ----------
    population : its name in the plan.
    index : which neuron each element of the module's tensor is, see `sfnhw.convert.layout`.
    """

    population: str
    index: Index

    @property
    def shape(self) -> Shape:
        """As the module sees it, with the sample axis."""
        return self.index.shape


@dataclass(frozen=True, eq=False)
class Sum:
    """A linear sum that no neuron has turned into spikes yet: Σ terms + bias.

    Attributes
    ----------
    terms : projections whose target is still open (an empty name).
    bias : (channels,) or (neurons,) of the population that the sum will become.
    grid : shape of that population.
    index : which of its neurons each element of the module's tensor is.
    name : layer that the population is named after.
    nonnegative : whether the sum cannot be below zero (an average of unsigned values).
    """

    terms: tuple[Projection, ...]
    bias: Reals
    grid: Shape
    index: Index
    name: str
    nonnegative: bool = False

    @property
    def shape(self) -> Shape:
        """As the module sees it, with the sample axis."""
        return self.index.shape


@dataclass(frozen=True, eq=False)
class Pooled:
    """A maximum over windows of values that may be negative: it waits for the ReLU that commutes with it."""

    inner: "Sum | Spikes"
    window: dict[str, Any]
    grid: Shape
    index: Index
    name: str

    @property
    def shape(self) -> Shape:
        """As the module sees it, with the sample axis."""
        return self.index.shape


@dataclass(frozen=True, eq=False)
class OnHost:
    """A last softmax or sigmoid: the chip gives its argument, the host applies it (a softmax over `axis`)."""

    inner: "Value"
    function: str
    axis: int = 1


@dataclass(frozen=True)
class Unknown:
    """The result of an operation that is not supported; whatever uses it is passed over."""


@dataclass(frozen=True, eq=False)
class Several:
    """What an operation with several results gives (`unbind`, `chunk`); `getitem` picks one."""

    parts: tuple["Value", ...]


@dataclass(frozen=True, eq=False)
class Joined:
    """A concatenation: values of several populations in one tensor.

    Attributes
    ----------
    parts : the values.
    index : which element of which part each element of the tensor is: the elements of the first part are numbered from
        0 in memory order, those of the second follow, and so on.
    """

    parts: tuple["Spikes | Sum | Pooled", ...]
    index: Index

    @property
    def shape(self) -> Shape:
        """As the module sees it, with the sample axis."""
        return self.index.shape


Value = Spikes | Sum | Pooled | OnHost | Unknown | Several | Joined


class UnsupportedError(Exception):
    """Raised by a builder: this call cannot be converted. Collected, and reported with all others."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.reason, self.advice = reason, advice


@dataclass(frozen=True, eq=False)
class Call:
    """One operation of the traced graph.

    Attributes
    ----------
    operation : ATen name with overload, e.g. ``aten.conv2d.default``.
    path : the layer's own module path ("" for the module itself).
    leaf : whether that module is torch's own (`torch.nn.Conv2d`) rather than one of the user's blocks.
    arguments : by the operation's own argument names: values, arrays, numbers, lists, None.
    shape : of the result, with the sample axis.
    last : whether only the module's result uses it.
    """

    operation: str
    path: str
    leaf: bool
    arguments: dict[str, Any] = field(default_factory=dict)
    shape: Shape = ()
    last: bool = False

    @property
    def short(self) -> str:
        """Name of the operation without namespace, overload and in-place mark: ``conv2d``."""
        return self.operation.split(".")[1].strip("_") if "." in self.operation else self.operation

    @property
    def layer(self) -> str:
        """Name for a population: the module's path; inside a block of the user's, the path and the operation."""
        return self.path if self.path and self.leaf else ".".join(part for part in (self.path, self.short) if part)

    def value(self, name: str) -> "Spikes | Sum | Pooled":
        """Argument of one population; raises UnsupportedError where it is something else."""
        value = self.any_value(name)
        if isinstance(value, Joined):
            raise UnsupportedError(
                f"works on a concatenation of {len(value.parts)} parts", "let a convolution or linear layer come first"
            )
        return value

    def any_value(self, name: str) -> "Spikes | Sum | Pooled | Joined":
        """Argument that comes from the network's input; raises UnsupportedError where it is something else."""
        value = self.arguments.get(name)
        if isinstance(value, OnHost):
            raise UnsupportedError(
                f"works on the result of {value.function}", f"{value.function} is converted only as the last operation"
            )
        if not isinstance(value, Spikes | Sum | Pooled | Joined):
            raise UnsupportedError(
                f"its argument {name!r} does not depend on the network's input", "fold it into the weights"
            )
        return value

    def array(self, name: str) -> Reals | None:
        """Constant tensor argument as float64, or None; raises UnsupportedError where it depends on the input."""
        value = self.arguments.get(name)
        if value is None:
            return None
        if not isinstance(value, np.ndarray | int | float):
            raise UnsupportedError(
                f"its argument {name!r} depends on the network's input (a product of two activations)",
                "products of activations are not built yet; use weights that do not depend on the input",
            )
        return np.asarray(value, float)

    def plain(self, name: str, default: Any = None) -> Any:
        """Number, list or flag."""
        return self.arguments.get(name, default)


def conversion_error(found: list[tuple[Call, UnsupportedError]]) -> ConversionError:
    """One error for all unsupported calls, a line for each."""
    lines = [f"{call.path or 'the module itself'}: {call.operation}: {e.reason}; {e.advice}" for call, e in found]
    count = f"{len(found)} operation{'s' if len(found) > 1 else ''} cannot be converted"
    return ConversionError(count + ":\n  " + "\n  ".join(lines) if len(lines) > 1 else f"{count}: {lines[0]}")
