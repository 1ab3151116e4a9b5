"""Along a Hilbert-like curve: slices that follow one another in the network stay close in both directions."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.placement.problem import Ints, Problem, along


def hilbert_cores(problem: Problem) -> Ints:
    """(nodes,) cores: nodes in network order along the curve."""
    return problem.seated(along(hilbert(problem.mesh.columns, problem.mesh.rows), problem.mesh, problem.nodes))


def hilbert(columns: int, rows: int) -> NDArray[np.int64]:
    """(columns·rows,) router ids x + columns·y along a generalised Hilbert curve.

    A rectangle of any size is split into three smaller ones, each walked so that ends meet (Červený's "gilbert",
    BSD); steps are to neighbours, except one diagonal step where both sizes are odd/even in an awkward way.
    """
    if columns >= rows:
        points = _walk(0, 0, columns, 0, 0, rows)
    else:
        points = _walk(0, 0, 0, rows, columns, 0)
    return np.array([x + columns * y for x, y in points], np.int64)


def _walk(x: int, y: int, ax: int, ay: int, bx: int, by: int) -> Iterator[tuple[int, int]]:
    """Points of the rectangle spanned from (x, y) by the major axis a and the minor axis b."""
    width, height = abs(ax + ay), abs(bx + by)
    dax, day = _sign(ax), _sign(ay)
    dbx, dby = _sign(bx), _sign(by)
    if height == 1:
        for i in range(width):
            yield x + i * dax, y + i * day
        return
    if width == 1:
        for i in range(height):
            yield x + i * dbx, y + i * dby
        return
    ax2, ay2, bx2, by2 = _half(ax), _half(ay), _half(bx), _half(by)
    if 2 * width > 3 * height:
        if abs(ax2 + ay2) % 2 and width > 2:  # an even split keeps the ends adjacent
            ax2, ay2 = ax2 + dax, ay2 + day
        yield from _walk(x, y, ax2, ay2, bx, by)
        yield from _walk(x + ax2, y + ay2, ax - ax2, ay - ay2, bx, by)
        return
    if abs(bx2 + by2) % 2 and height > 2:
        bx2, by2 = bx2 + dbx, by2 + dby
    yield from _walk(x, y, bx2, by2, ax2, ay2)
    yield from _walk(x + bx2, y + by2, ax, ay, bx - bx2, by - by2)
    corner_x, corner_y = x + (ax - dax) + (bx2 - dbx), y + (ay - day) + (by2 - dby)
    yield from _walk(corner_x, corner_y, -bx2, -by2, -(ax - ax2), -(ay - ay2))


def _half(n: int) -> int:
    return n // 2  # floors, as the curve's construction wants for negative axes too


def _sign(n: int) -> int:
    return (n > 0) - (n < 0)
