"""Arithmetic on weights of which perhaps only the shape exists (`sfnhw.convert.size_of`)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.convert.values import Reals, Shape


def hollow(shape: Shape) -> Any:
    """Ones of a shape that take no memory."""
    return np.broadcast_to(np.float64(1.0), shape)


def is_hollow(array: NDArray[Any]) -> bool:
    """Whether an array stands for its shape alone; one number is a number."""
    return array.size > 1 and not any(array.strides)


def scaled(weight: Reals, factor: Reals) -> Reals:
    """weight · factor, of the weight's shape; a shape stays a shape."""
    return weight if is_hollow(weight) else weight * factor


def with_columns(weight: Reals, order: NDArray[np.int64]) -> Reals:
    """(rows, columns) of which column `order[i]` is column i of `weight`; `order` is a permutation."""
    if is_hollow(weight):
        return weight
    moved = np.empty_like(weight)
    moved[:, order] = weight
    return moved


def applied(weight: Reals, values: Reals) -> Reals:
    """weight (rows, columns) @ values (columns, ...); a shape counts as ones, and is not made for it."""
    if is_hollow(weight):
        return np.broadcast_to(values.sum(axis=0), (len(weight), *values.shape[1:]))
    return weight @ values
