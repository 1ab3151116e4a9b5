"""Values between NIR nodes: sums of weighted spikes that wait for the neurons they are for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.network import AveragePool, Conv2d, Dense, Elementwise, Projection

# Of one node: a hundred images of 4096 × 4096 would be fewer.
MOST_VALUES = 2**31

Reals = NDArray[np.float64]
Shape = tuple[int, ...]


class RefusedError(Exception):
    """One node that cannot be said here: what, and what to do instead."""

    def __init__(self, what: str, instead: str = "") -> None:
        super().__init__(what + (f" (expected {instead})" if instead else ""))


def by_cause(refused: Mapping[str, str], what: str) -> str:
    """One text of what was refused (name → cause): each cause once, then the names it holds for, which are `what`."""
    names: dict[str, list[str]] = {}
    for name, cause in refused.items():
        names.setdefault(cause, []).append(name)
    return "; ".join(f"{cause}: {what}{'s' * (len(of) > 1)} {', '.join(of)}" for cause, of in names.items())


@dataclass(frozen=True, eq=False)
class Sum:
    """Σ projections + bias, before any neuron.

    Attributes
    ----------
    terms : projections whose target is not known yet; an Elementwise term is the spikes themselves × its weight.
    bias : (channels of the grid,).
    grid : shape of the population that it comes from or will become.
    shape : as NIR sees it; differs from the grid where flattened.
    name : of the node that made it.
    """

    terms: tuple[Projection, ...]
    bias: Reals
    grid: Shape
    shape: Shape
    name: str

    @property
    def positions(self) -> int:
        """Neurons for each channel."""
        return int(np.prod(self.grid[1:]))


def grid_of(shape: Shape) -> Shape:
    """(features,), (channels, 1, length) of a sequence, or (channels, height, width)."""
    if len(shape) not in (1, 2, 3) or min(shape) < 1:
        raise RefusedError(f"values of shape {shape}", "(features,), (channels, length) or (channels, height, width)")
    if prod(shape) > MOST_VALUES:
        raise RefusedError(f"values of shape {shape}", f"at most {MOST_VALUES:,} of them")
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def spikes(population: str, grid: Shape, shape: Shape, worth: Reals) -> Sum:
    """What a population sends, each spike worth `worth` (channels,) of the population's own units."""
    return Sum((Elementwise(population, "", worth),), np.zeros(grid[0]), grid, shape, population)


def added(values: list[Sum], name: str) -> Sum:
    """Return what several edges into one node bring."""
    first = values[0]
    for other in values[1:]:
        if other.grid != first.grid:
            raise RefusedError(f"its inputs have shapes {first.grid} and {other.grid}", "equal ones, which are added")
    if len(values) == 1:
        return first
    terms = tuple(term for value in values for term in value.terms)
    return Sum(terms, np.sum([value.bias for value in values], axis=0), first.grid, first.shape, name)


def dense(value: Sum, weight: Reals, bias: Reals, name: str) -> Sum:
    """W x + b; a linear layer in front of it is multiplied in."""
    if weight.ndim != 2:
        raise RefusedError(f"a weight of shape {weight.shape}", "(outputs, inputs)")
    if len(value.shape) != 1 or weight.shape[1] != value.shape[0]:
        raise RefusedError(
            f"a weight of shape {weight.shape} on an input of shape {value.shape}",
            "as many columns as inputs, flattened",
        )
    terms: list[Projection] = []
    for term in value.terms:
        if isinstance(term, Elementwise):
            columns = np.repeat(np.broadcast_to(term.weight, value.grid[0]), value.positions)
            terms.append(Dense(term.source, "", weight * columns, term.delay))
        elif isinstance(term, Dense):
            terms.append(replace(term, weight=weight @ term.weight))
        else:
            raise RefusedError("follows a convolution without a neuron between them", "a neuron, or one merged layer")
    whole = bias + weight @ np.repeat(value.bias, value.positions)
    return Sum(tuple(terms), whole, (len(weight),), (len(weight),), name)


def convolved(value: Sum, weight: Reals, bias: Reals, window: dict[str, Any], name: str, flat: bool) -> Sum:
    """Cross-correlation of spikes; `flat` for sequences of one row."""
    if len(value.grid) != 3 or grid_of(value.shape) != value.grid or len(value.shape) != (2 if flat else 3):
        raise RefusedError(f"a convolution on an input of shape {value.shape}")
    if value.bias.any():
        raise RefusedError("follows a layer with a bias without a neuron between them", "a neuron, or one merged layer")
    terms: list[Projection] = []
    for term in value.terms:
        if not isinstance(term, Elementwise):
            raise RefusedError("follows a linear layer without a neuron between them", "a neuron, or one merged layer")
        if value.grid[0] % window["groups"] or len(weight) % window["groups"]:
            raise RefusedError(
                f"{window['groups']} groups for {value.grid[0]} channels into {len(weight)}",
                "a number that divides both",
            )
        per_input = np.broadcast_to(term.weight, value.grid[0]).reshape(window["groups"], -1)
        rows = np.repeat(per_input, len(weight) // window["groups"], axis=0)
        if rows.shape != weight.shape[:2]:
            raise RefusedError(f"a weight of shape {weight.shape} on an input of shape {value.shape}")
        terms.append(Conv2d(term.source, "", weight * rows[:, :, None, None], delay=term.delay, **window))
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(
            value.grid[1:], window["padding"], window["dilation"], weight.shape[2:], window["stride"], strict=True
        )
    ]
    if min(size) < 1:
        raise RefusedError(f"a kernel of {weight.shape[2:]} on an input of shape {value.shape}", "a smaller kernel")
    grid = (len(weight), *size)
    return Sum(tuple(terms), bias, grid, (grid[0], grid[2]) if flat else grid, name)


def scaled(value: Sum, factor: Reals) -> Sum:
    """Multiply by (channels,)."""
    terms: list[Projection] = []
    for term in value.terms:
        if isinstance(term, AveragePool):
            raise RefusedError(
                "follows an average pool whose spikes no neuron or weight takes", "a Scale before the pool"
            )
        shape = (-1, *[1] * (term.weight.ndim - 1))
        terms.append(replace(term, weight=np.asarray(term.weight) * factor.reshape(shape)))  # type: ignore[call-arg]
    return replace(value, terms=tuple(terms), bias=value.bias * factor)


def flattened(value: Sum, start: int, end: int) -> Sum:
    """Join the dimensions from `start` to `end` as torch.flatten does, channel-major; the grid stays."""
    rank = len(value.shape)
    first, last = (start + rank if start < 0 else start), (end + rank if end < 0 else end)
    if not 0 <= first <= last < rank:
        raise RefusedError(f"flattens dimensions {start} to {end} of an input of shape {value.shape}")
    joined = int(np.prod(value.shape[first : last + 1]))
    return replace(value, shape=(*value.shape[:first], joined, *value.shape[last + 1 :]))


def pooled_grid(grid: Shape, kernel: Shape, stride: Shape, padding: Shape) -> Shape:
    """Shape behind a pool."""
    if len(grid) != 3:
        raise RefusedError(f"pooling on an input of shape {grid}", "(channels, height, width)")
    size = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(grid[1:], padding, kernel, stride, strict=True)]
    if min(size) < 1:
        raise RefusedError(f"a window of {kernel} on an input of shape {grid}", "a smaller window")
    return (grid[0], *size)


def pooled_convolution(term: Conv2d, kernel: Shape, stride: Shape) -> Conv2d:
    """The mean over windows of a convolution, as one convolution with a larger kernel; exact, the pool pads nothing.

    mean_{a} Σ_k w[k]·x[(o·s + a)·S + k·D − P]: tap a·S + k·D has Σ w[k] / window over all (a, k) that meet there.
    """
    (kh, kw), (dh, dw), (sh, sw) = term.weight.shape[2:], term.dilation, term.stride
    size = ((kernel[0] - 1) * sh + (kh - 1) * dh + 1, (kernel[1] - 1) * sw + (kw - 1) * dw + 1)
    weight = np.zeros((*term.weight.shape[:2], *size))
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            weight[:, :, a * sh : a * sh + (kh - 1) * dh + 1 : dh, b * sw : b * sw + (kw - 1) * dw + 1 : dw] += (
                term.weight
            )
    weight /= kernel[0] * kernel[1]
    return replace(term, weight=weight, stride=(sh * stride[0], sw * stride[1]), dilation=(1, 1))
