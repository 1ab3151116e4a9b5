"""Moves that relieve the fullest links: loads of all links under XY routing, kept true while nodes move."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER
from sfnhw.mapping.placement.anneal_kernel import Scratch, below, forget, make_move, near, partner, price_move
from sfnhw.mapping.placement.tree_kernel import NONE, ONE, Bits, Forest, Graph, Ints, root_place, trailing_zeros

EAST, WEST, SOUTH, NORTH = 0, 1, 2, 3  # as `sfnhw.mapping.routes.STEP`


@nb.njit(**INNER)
def span(bits: Bits, at: int, words: int) -> tuple[int, int]:
    """Lowest and highest set bit; there is one."""
    low, high = -1, -1
    for w in range(words):
        word = bits[at + w]
        while word != NONE:
            high = 64 * w + trailing_zeros(word)  # type: ignore[call-arg]
            low = high if low < 0 else low
            word &= word - ONE
    return low, high


@nb.njit(**INNER)
def put_on(loads: Ints, link: int, amount: int, limit: int) -> float:
    """Load one link; returns by how much the square of what it carries beyond a limit grows."""
    before = max(0, loads[link] - limit)
    loads[link] += amount
    after = max(0, loads[link] - limit)
    return float(after) * after - float(before) * before


@nb.njit(**INNER)
def load_tree(f: Forest, g: Graph, net: int, loads: Ints, amount: int, limit: int) -> float:
    """Load all links of a net's tree; returns as `put_on`."""
    z = g.sizes
    sx, sy = root_place(f, g, net)
    left, right, grown = sx, sx, 0.0
    for w in range(z.net_words):
        word = f.columns[net * z.net_words + w]
        while word != NONE:
            x = 64 * w + trailing_zeros(word)  # type: ignore[call-arg]
            word &= word - ONE
            left, right = min(left, x), max(right, x)
            low, high = span(f.rows, (net * z.mesh_columns + x) * z.column_words, z.column_words)
            for y in range(sy, high):
                grown += put_on(loads, 4 * (x + z.mesh_columns * y) + SOUTH, amount, limit)
            for y in range(low, sy):
                grown += put_on(loads, 4 * (x + z.mesh_columns * (y + 1)) + NORTH, amount, limit)
    for x in range(sx, right):
        grown += put_on(loads, 4 * (x + z.mesh_columns * sy) + EAST, amount, limit)
    for x in range(left, sx):
        grown += put_on(loads, 4 * (x + 1 + z.mesh_columns * sy) + WEST, amount, limit)
    return grown


@nb.njit(nogil=True, cache=True)
def load_all(f: Forest, g: Graph, loads: Ints) -> None:
    """Loads of all links, from scratch."""
    loads[:] = 0
    for net in range(g.root.shape[0]):
        load_tree(f, g, net, loads, g.weight[net], 0)


@nb.njit(**INNER)
def passes(f: Forest, g: Graph, net: int, link: int) -> bool:
    """Whether a net's tree goes over a link."""
    z = g.sizes
    sx, sy = root_place(f, g, net)
    router, way = link // 4, link % 4
    x, y = router % z.mesh_columns, router // z.mesh_columns
    if way >= SOUTH:
        if f.columns[net * z.net_words + (x >> 6)] >> np.uint64(x & 63) & ONE == NONE:
            return False
        low, high = span(f.rows, (net * z.mesh_columns + x) * z.column_words, z.column_words)
        return sy <= y < high if way == SOUTH else low < y <= sy
    if y != sy:
        return False
    low, high = span(f.columns, net * z.net_words, z.net_words)
    return sx <= x < high if way == EAST else low < x <= sx


@nb.njit(**INNER)
def try_move(
    f: Forest, g: Graph, s: Scratch, loads: Ints, node: int, target: int, limit: int, room: int
) -> tuple[int, bool]:
    """Make a move if it takes load off links beyond a limit, and Σ weight × links grows by no more than `room`.

    Returns the change of Σ weight × links, and whether it was made.
    """
    source = f.core[node]
    change, n = price_move(f, g, s, node, target)
    if change > room:
        forget(s, n)
        return 0, False
    grown = 0.0
    for k in range(n):
        grown += load_tree(f, g, s.touched[k], loads, -g.weight[s.touched[k]], limit)
    make_move(f, g, s, node, target, n)
    for k in range(n):
        grown += load_tree(f, g, s.touched[k], loads, g.weight[s.touched[k]], limit)
    if grown < 0:
        forget(s, n)
        return change, True
    for k in range(n):
        load_tree(f, g, s.touched[k], loads, -g.weight[s.touched[k]], limit)
    forget(s, n)
    _, n = price_move(f, g, s, node, source)
    make_move(f, g, s, node, source, n)
    for k in range(n):
        load_tree(f, g, s.touched[k], loads, g.weight[s.touched[k]], limit)
    forget(s, n)
    return 0, False


@nb.njit(**INNER)
def someone(g: Graph, s: Scratch, net: int) -> int:
    """A random end of a net; its root half of the times; −1 where that is the pins."""
    size = g.first[net + 1] - g.first[net]
    if size == 0 or below(s.random, 2) == 0:
        return g.root[net]
    return g.leaves[g.first[net] + below(s.random, size)]


@nb.njit(**INNER)
def beside(f: Forest, g: Graph, s: Scratch, node: int) -> int:
    """A random core beside another end of one of a node's nets, or near its own, or anywhere."""
    z = g.sizes
    x, y, radius = f.x[node], f.y[node], 3
    how = below(s.random, 3)
    if how == 0:
        x, y = partner(f, g, s, node)
        radius = 1
    elif how == 1:
        radius = z.mesh_columns + z.mesh_rows
    return near(z, g.each, s.random, x, y, radius)


@nb.njit(nogil=True, cache=True)
def lower(
    f: Forest, g: Graph, s: Scratch, loads: Ints, free: NDArray[np.bool_], limit: int, room: int, tries: int, quiet: int
) -> tuple[int, int, bool]:
    """Move ends of the nets over the fullest link until no link carries more than a limit.

    loads : (links,) of the placement as it is; kept true.
    free : (nodes,) who may move.
    room : by how much Σ weight × links may grow.
    tries, quiet : moves, at most, and how many in a row may be in vain.
    Returns the room and the tries that are left, and whether it was done.
    """
    on = np.zeros(g.root.shape[0], np.int64)
    known, failed = 0, 0
    while tries > 0 and failed < quiet:
        if failed == 0:
            fullest = np.argmax(loads)
            if loads[fullest] <= limit:
                break
            known = 0
            for net in range(g.root.shape[0]):
                if passes(f, g, net, fullest):
                    on[known] = net
                    known += 1
        tries -= 1
        failed += 1
        node = someone(g, s, on[below(s.random, known)])
        if node < 0 or not free[node]:
            continue
        target = beside(f, g, s, node)
        if target // g.each == f.core[node] // g.each or g.locked[target]:
            continue
        change, made = try_move(f, g, s, loads, node, target, limit, room)
        if made:
            room -= change
            failed = 0
    return room, tries, loads.max() <= limit
