"""NIR's linear nodes on sums. A new one is one function here and one line in `LINEAR`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.nir.sums import RefusedError, Shape, Sum, convolved, dense, flattened, scaled


def _linear(node: Any, value: Sum, name: str) -> Sum:
    weight = _finite(node.weight, "weight")
    return dense(value, weight, np.zeros(len(weight)), name)


def _affine(node: Any, value: Sum, name: str) -> Sum:
    weight = _finite(node.weight, "weight")
    bias = _finite(node.bias, "bias").reshape(-1)
    if bias.size != len(weight):
        raise RefusedError(f"a bias of {bias.size} numbers for {len(weight)} outputs")
    return dense(value, weight, bias, name)


def _conv2d(node: Any, value: Sum, name: str) -> Sum:
    weight = _finite(node.weight, "weight")
    if weight.ndim != 4:
        raise RefusedError(f"a weight of shape {weight.shape}", "(out, in / groups, height, width)")
    return convolved(value, weight, _bias(node, weight), _window(node, weight.shape[2:]), name, flat=False)


def _conv1d(node: Any, value: Sum, name: str) -> Sum:
    """A sequence is an image of one row."""
    weight = _finite(node.weight, "weight")
    if weight.ndim != 3:
        raise RefusedError(f"a weight of shape {weight.shape}", "(out, in / groups, length)")
    one = _window(node, weight.shape[2:])
    window = {
        "stride": (1, one["stride"][0]),
        "padding": (0, one["padding"][0]),
        "dilation": (1, one["dilation"][0]),
        "groups": one["groups"],
    }
    return convolved(value, weight[:, :, None, :], _bias(node, weight), window, name, flat=True)


def _flatten(node: Any, value: Sum, name: str) -> Sum:
    return flattened(value, int(node.start_dim), int(node.end_dim))


def _scale(node: Any, value: Sum, name: str) -> Sum:
    factor = _finite(node.scale, "scale")
    if factor.size == 1:
        return scaled(value, np.full(value.grid[0], float(factor.reshape(-1)[0])))
    if factor.size != int(np.prod(value.grid)):
        raise RefusedError(f"a scale of shape {factor.shape} on an input of shape {value.shape}")
    flat = factor.reshape(value.grid[0], -1)
    if (flat != flat[:, :1]).any():
        raise RefusedError("its scale differs from position to position within a channel", "one for each channel")
    return scaled(value, flat[:, 0])


def _passes(node: Any, value: Sum, name: str) -> Sum:
    """The input or output of a subgraph."""
    return value


def check_output(node: Any, value: Sum) -> None:
    """Raise RefusedError where an Output says another number of values than lead into it."""
    said = node.output_type
    said = said.get("output") if isinstance(said, dict) else said
    sizes = real([] if said is None else said, "its shape")
    if sizes.size and np.isfinite(sizes).all() and np.prod(sizes) != np.prod(value.shape):
        shape = tuple(int(n) for n in sizes.reshape(-1))
        raise RefusedError(f"values of shape {value.shape} lead into it", f"{shape}, as it says of itself")


LINEAR: dict[str, Callable[[Any, Sum, str], Sum]] = {
    "Linear": _linear,
    "Affine": _affine,
    "Conv1d": _conv1d,
    "Conv2d": _conv2d,
    "Flatten": _flatten,
    "Scale": _scale,
    "Input": _passes,
    "Output": _passes,
}


def real(values: Any, name: str) -> NDArray[np.float64]:
    """Return an array of real numbers; raises RefusedError where a file holds text, objects or complex numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise RefusedError(f"{name} holds values of type {array.dtype}", "real numbers")
    return array.astype(float)


def _finite(values: Any, name: str) -> Any:
    array = real(values, name)
    if not np.isfinite(array).all():
        raise RefusedError(f"{name} holds NaN or infinite numbers")
    return array


def _bias(node: Any, weight: Any) -> Any:
    bias = np.zeros(len(weight)) if node.bias is None else _finite(node.bias, "bias").reshape(-1)
    if bias.size != len(weight):
        raise RefusedError(f"a bias of {bias.size} numbers for {len(weight)} channels")
    return bias


def _window(node: Any, kernel: Shape) -> dict[str, Any]:
    rank = len(kernel)
    stride, dilation = tuple_of(node.stride, rank, "stride"), tuple_of(node.dilation, rank, "dilation")
    padding = node.padding.decode(errors="replace") if isinstance(node.padding, bytes) else node.padding
    (groups,) = tuple_of(node.groups, 1, "groups")
    if groups < 1:
        raise RefusedError(f"groups is {groups}", "an integer ≥ 1")
    if isinstance(padding, str):
        padding = _named_padding(padding, kernel, stride, dilation)
    return {
        "stride": stride,
        "padding": tuple_of(padding, rank, "padding"),
        "dilation": dilation,
        "groups": groups,
    }


def _named_padding(padding: str, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
    if padding == "valid":
        return (0,) * len(kernel)
    if padding != "same":
        raise RefusedError(f"padding {padding!r}", "numbers, 'valid' or 'same'")
    spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if set(stride) != {1} or any(span % 2 for span in spans):
        raise RefusedError("padding 'same' that is not equal on both sides", "padding in numbers")
    return tuple(span // 2 for span in spans)


def tuple_of(value: Any, rank: int, name: str) -> Shape:
    """Read one integer, or one for each dimension."""
    array = np.asarray(value).reshape(-1)
    if array.dtype.kind not in "iuf" or (array != np.rint(array)).any() or array.size not in (1, rank):
        raise RefusedError(f"{name} is {value!r}", f"one integer, or {rank}")
    numbers = tuple(int(v) for v in array)
    return numbers * rank if len(numbers) == 1 else numbers


def pair_of(value: Any, name: str) -> tuple[int, int]:
    """Read one integer, or (vertical, horizontal)."""
    vertical, horizontal = tuple_of(value, 2, name)
    return vertical, horizontal


def delayed(value: Sum) -> Sum:
    """The same one timestep later: what goes round a loop."""
    return replace(value, terms=tuple(replace(term, delay=1) for term in value.terms))  # type: ignore[call-arg]
