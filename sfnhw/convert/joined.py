"""Concatenations: values side by side along an axis, each of its own population.

A chip has no concatenation to do: what works on one is a sum of what works on its parts (a convolution, a linear layer),
or works on each part by itself (normalisation, ReLU, pooling).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.layout import same_map
from sfnhw.convert.values import Call, Joined, Pooled, Spikes, Sum, UnsupportedError, Value

if TYPE_CHECKING:
    from sfnhw.convert.plan import Plan

# Operations that treat every channel by itself, by short name.
PER_CHANNEL = (
    *("relu", "relu6", "hardtanh", "clamp", "clamp_min", "gelu", "batch_norm", "add", "sub", "rsub", "mul", "div"),
    *("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "max_pool1d", "max_pool2d"),
    *("upsample_nearest1d", "upsample_nearest2d", "mean"),
)


class Piece(NamedTuple):
    """Entries of an axis that come from one part, and the part seen as those entries."""

    entries: NDArray[np.int64]
    value: Spikes | Sum | Pooled


def join(parts: "list[Spikes | Sum | Pooled | Joined]", axis: int) -> Joined:
    """Values side by side; concatenations among them are taken apart."""
    flat: list[Spikes | Sum | Pooled] = []
    maps = []
    for part in parts:
        start = sum(p.index.size for p in flat)
        if isinstance(part, Joined):
            maps.append(part.index + start)
            flat += part.parts
        else:
            maps.append(np.arange(part.index.size).reshape(part.shape) + start)
            flat.append(part)
    return Joined(tuple(flat), np.concatenate(maps, axis=axis))


def pieces(value: "Spikes | Sum | Pooled | Joined", axis: int) -> list[Piece]:
    """Cut a value so that each piece comes from one part: which entries of the axis, and what stands there.

    Raises
    ------
    UnsupportedError : an entry of the axis mixes parts.
    """
    if not isinstance(value, Joined):
        return [Piece(np.arange(value.shape[axis]), value)]
    moved = np.moveaxis(value.index, axis, 0)
    starts = np.cumsum([0] + [part.index.size for part in value.parts])
    which = np.searchsorted(starts, moved.reshape(len(moved), -1), side="right") - 1
    if (which != which[:, :1]).any():
        raise UnsupportedError(
            f"axis {axis} of {value.shape[1:]} mixes the parts of a concatenation", "concatenate along the channels"
        )
    found = []
    for k in dict.fromkeys(which[:, 0].tolist()):
        entries = np.flatnonzero(which[:, 0] == k)
        index = value.parts[k].index.ravel()[moved[entries] - starts[k]]
        found.append(Piece(entries, replace(value.parts[k], index=np.moveaxis(index, 0, axis))))
    return found


def in_order(cut: list[Piece]) -> bool:
    """Whether the pieces laid end to end are the axis as it was."""
    return bool((np.diff(np.concatenate([piece.entries for piece in cut])) == 1).all())


def added(sums: list[Sum]) -> Sum:
    """Sum of the shares that the parts of a concatenation have in one layer's result."""
    total = sums[0]
    for other in sums[1:]:
        if total.grid != other.grid or not same_map(total.index, other.index):
            raise UnsupportedError("parts of a concatenation in different orders", "bring them to one order before")
        size = max(total.bias.size, other.bias.size)
        bias = np.repeat(total.bias, size // total.bias.size) + np.repeat(other.bias, size // other.bias.size)
        total = replace(total, terms=total.terms + other.terms, bias=bias)
    return total


def build(builder: "Callable[[Plan, Call], Value]", plan: "Plan", call: Call) -> Value:
    """Call a builder; where its argument is a concatenation and it treats channels one by one, call it for each part."""
    joined = {name: v for name, v in call.arguments.items() if isinstance(v, Joined)}
    if not joined or call.short not in PER_CHANNEL or (call.short == "mean" and not _keeps_channels(call)):
        return builder(plan, call)
    cuts = {name: pieces(value, 1) for name, value in joined.items()}
    splits = [[piece.entries.tolist() for piece in cut] for cut in cuts.values()]
    others = any(isinstance(v, Spikes | Sum | Pooled) for v in call.arguments.values())
    if others or splits.count(splits[0]) != len(splits) or not all(in_order(cut) for cut in cuts.values()):
        raise UnsupportedError(
            "a concatenation meets values that are not cut in the same way", "concatenate after this operation"
        )
    results: list[Any] = []
    for i, entries in enumerate(splits[0]):
        arguments = {
            name: cuts[name][i].value if name in cuts else _share(value, np.array(entries), call)
            for name, value in call.arguments.items()
        }
        shape = (call.shape[0], len(entries), *call.shape[2:])
        results.append(builder(plan, replace(call, arguments=arguments, shape=shape)))
    return join(results, 1)


def _keeps_channels(call: Call) -> bool:
    """Whether a mean leaves the channels, axis 1, apart."""
    axes, rank = call.plain("dim"), len(call.arguments["self"].shape)
    return 1 not in {axis % rank for axis in ([axes] if isinstance(axes, int) else axes)}


def _share(value: Any, entries: NDArray[np.int64], call: Call) -> Any:
    """Those entries of a constant that belong to some channels; what has none for each channel stays."""
    if not isinstance(value, np.ndarray):
        return value
    axis = 0 if call.short == "batch_norm" else value.ndim - len(call.shape) + 1
    return np.take(value, entries, axis) if axis >= 0 and value.ndim and value.shape[axis] > 1 else value
