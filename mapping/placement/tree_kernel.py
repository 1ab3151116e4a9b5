"""Links of multicast trees under XY routing, whole and after a move: the kernels of placement.

The union of the XY paths from a root (sx, sy) is a trunk in row sy over all columns with a leaf, and in each of these
columns the way from sy to its lowest and to its highest leaf. So a net needs, for each column, only the set of rows in
which it has leaves: one bit a row (`Forest.rows`), and one bit for each column that is not empty (`Forest.columns`).
A leaf that moves changes two columns and the ends of the trunk; a root that moves is counted over all columns.

Kernels that are called for each net take single arrays: a tuple of arrays costs more to pass than the tree to count.
"""

from typing import NamedTuple

import numba as nb
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from sfnhw.kernel_cache import INNER

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
Ends = tuple[int, int, int, int]

WORD = 64  # bits; also the 6 and the 63 of the shifts below
ONE, NONE = np.uint64(1), np.uint64(0)


class Sizes(NamedTuple):
    """Of the mesh, and of the sets of bits."""

    mesh_columns: int
    mesh_rows: int
    column_words: int  # words of one column's rows
    net_words: int  # words of one net's columns
    chip_columns: int  # of one chip of a board
    chip_rows: int
    extra: int  # links that a link between chips weighs beyond one; 0 where there is one chip


class Graph(NamedTuple):
    """Nets by net and by node; numbers of the mesh. See `sfnhw.mapping.traffic.Nets` and `Mesh`."""

    root: Ints
    first: Ints
    leaves: Ints
    to_pins: NDArray[np.bool_]
    weight: Ints
    leaf_first: Ints  # (nodes + 1,) nets in which a node is a leaf
    leaf_nets: Ints
    root_first: Ints  # (nodes + 1,) nets of which it is the root
    root_nets: Ints
    movable: Ints  # nodes that may move
    locked: NDArray[np.bool_]  # (cores,) whose node may not
    sizes: Sizes
    each: int
    io_x: int
    io_y: int


class Forest(NamedTuple):
    """Where nodes are, and what their trees look like; changed in place."""

    core: Ints  # (nodes,)
    x: Ints  # (nodes,) of its router
    y: Ints
    occupant: Ints  # (cores,) node, or −1
    rows: Bits  # (nets × columns × words,) rows with a leaf
    columns: Bits  # (nets × words,) columns with a leaf
    held: NDArray[np.uint16]  # (nets × routers,) nodes that are leaves at a router; empty where a router has one core
    links: Ints  # (nets,) links of each tree


@intrinsic
def trailing_zeros(typing_context, value):  # type: ignore[no-untyped-def]
    """Position of the lowest set bit of a uint64 that is not 0."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), build


@intrinsic
def leading_zeros(typing_context, value):  # type: ignore[no-untyped-def]
    """Zeros above the highest set bit of a uint64 that is not 0."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctlz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), build


@nb.njit(**INNER)
def reach(bits: Bits, at: int, words: int, drop: int, add: int, start: int, side: int, extra: int) -> int:
    """Links from `start` down to the lowest and up to the highest bit; −1 where there is none.

    drop, add : a bit to be seen as cleared, and one as set; −1: none.
    side, extra : a link over every side-th place weighs so much more than 1.
    """
    low, high = -1, -1
    for w in range(words):
        word = bits[at + w]
        if drop >= 0 and drop >> 6 == w:
            word &= ~(ONE << np.uint64(drop & 63))
        if add >= 0 and add >> 6 == w:
            word |= ONE << np.uint64(add & 63)
        if word != NONE:
            if low < 0:
                low = 64 * w + trailing_zeros(word)  # type: ignore[call-arg]
            high = 64 * w + 63 - leading_zeros(word)  # type: ignore[call-arg]
    if low < 0:
        return -1
    links = max(0, high - start) + max(0, start - low)
    if extra:
        links += extra * (max(0, high // side - start // side) + max(0, start // side - low // side))
    return links


@nb.njit(**INNER)
def tree_links(
    rows: Bits, columns: Bits, net: int, z: Sizes, sx: int, sy: int, gone_x: int, gone_y: int, new_x: int, new_y: int
) -> int:
    """Links of one net's tree from router (sx, sy), with a leaf gone from one router and a new one at another (−1: none)."""
    low, high, total = sx, sx, 0
    for w in range(z.net_words):
        word = columns[net * z.net_words + w]
        if new_x >= 0 and new_x >> 6 == w:
            word |= ONE << np.uint64(new_x & 63)
        while word != NONE:
            x = 64 * w + trailing_zeros(word)  # type: ignore[call-arg]
            word &= word - ONE
            drop = gone_y if x == gone_x else -1
            add = new_y if x == new_x else -1
            links = reach(
                rows, (net * z.mesh_columns + x) * z.column_words, z.column_words, drop, add, sy, z.chip_rows, z.extra
            )
            if links >= 0:
                total += links
                low, high = min(low, x), max(high, x)
    if z.extra:
        total += z.extra * (high // z.chip_columns - low // z.chip_columns)
    return total + high - low


@nb.njit(**INNER)
def leaf_change(
    rows: Bits, columns: Bits, net: int, z: Sizes, sx: int, sy: int, gone_x: int, gone_y: int, new_x: int, new_y: int
) -> int:
    """Links more of one net's tree when one leaf goes from a router (−1: another leaf stays there) to another."""
    words, side, extra = z.column_words, z.chip_rows, z.extra
    at = (net * z.mesh_columns + new_x) * words
    before = max(0, reach(rows, at, words, -1, -1, sy, side, extra))
    if gone_x == new_x:
        return reach(rows, at, words, gone_y, new_y, sy, side, extra) - before
    change = reach(rows, at, words, -1, new_y, sy, side, extra) - before
    empty = -1
    if gone_x >= 0:
        at = (net * z.mesh_columns + gone_x) * words
        after = reach(rows, at, words, gone_y, -1, sy, side, extra)
        change += max(0, after) - reach(rows, at, words, -1, -1, sy, side, extra)
        if after < 0:
            empty = gone_x
    at = net * z.net_words
    trunk = reach(columns, at, z.net_words, -1, -1, sx, z.chip_columns, extra)
    return change + reach(columns, at, z.net_words, empty, new_x, sx, z.chip_columns, extra) - trunk


@nb.njit(**INNER)
def add_leaf(rows: Bits, columns: Bits, net: int, z: Sizes, x: int, y: int) -> None:
    """Set the bits of a leaf."""
    rows[(net * z.mesh_columns + x) * z.column_words + (y >> 6)] |= ONE << np.uint64(y & 63)
    columns[net * z.net_words + (x >> 6)] |= ONE << np.uint64(x & 63)


@nb.njit(**INNER)
def last_leaf(count: NDArray[np.uint16], net: int, z: Sizes, each: int, x: int, y: int) -> bool:
    """Whether no other node that is a leaf of the net is at the router of one; the pins are not a node."""
    return each == 1 or count[(net * z.mesh_rows + y) * z.mesh_columns + x] == 1


@nb.njit(**INNER)
def drop_leaf(rows: Bits, columns: Bits, net: int, z: Sizes, x: int, y: int) -> None:
    """Clear the bits of a leaf."""
    at = (net * z.mesh_columns + x) * z.column_words
    rows[at + (y >> 6)] &= ~(ONE << np.uint64(y & 63))
    if reach(rows, at, z.column_words, -1, -1, 0, 1, 0) < 0:
        columns[net * z.net_words + (x >> 6)] &= ~(ONE << np.uint64(x & 63))


@nb.njit(**INNER)
def shift_leaf(
    rows: Bits, columns: Bits, count: NDArray[np.uint16], net: int, z: Sizes, each: int, pins: bool, ends: Ends
) -> None:
    """Move a leaf from router (ax, ay) to (bx, by); `pins`: whether the net also ends at the pins of the first."""
    ax, ay, bx, by = ends
    if not pins and last_leaf(count, net, z, each, ax, ay):
        drop_leaf(rows, columns, net, z, ax, ay)
    add_leaf(rows, columns, net, z, bx, by)
    if each > 1:
        count[(net * z.mesh_rows + ay) * z.mesh_columns + ax] -= 1
        count[(net * z.mesh_rows + by) * z.mesh_columns + bx] += 1


@nb.njit(**INNER)
def root_place(f: Forest, g: Graph, net: int) -> tuple[int, int]:
    """Router (x, y) that a net starts from."""
    root = g.root[net]
    if root < 0:
        return g.io_x, g.io_y
    return f.x[root], f.y[root]


@nb.njit(**INNER)
def seat(f: Forest, g: Graph, node: int, core: int) -> None:
    """Note where a node is."""
    f.core[node], f.occupant[core] = core, node
    router = core // g.each
    f.x[node], f.y[node] = router % g.sizes.mesh_columns, router // g.sizes.mesh_columns


@nb.njit(nogil=True, cache=True)
def plant(f: Forest, g: Graph) -> int:
    """Build all trees from `f.core`; return Σ weight × links."""
    f.occupant[:] = -1
    f.rows[:] = NONE
    f.columns[:] = NONE
    f.held[:] = 0
    for node in range(f.core.shape[0]):
        seat(f, g, node, f.core[node])
    rows, columns, count, z = f.rows, f.columns, f.held, g.sizes
    total = 0
    for net in range(g.root.shape[0]):
        if g.to_pins[net]:
            add_leaf(rows, columns, net, z, g.io_x, g.io_y)
        for i in range(g.first[net], g.first[net + 1]):
            x, y = f.x[g.leaves[i]], f.y[g.leaves[i]]
            add_leaf(rows, columns, net, z, x, y)
            if g.each > 1:  # of nodes only: the pins are asked for by themselves
                count[(net * z.mesh_rows + y) * z.mesh_columns + x] += 1
        sx, sy = (g.io_x, g.io_y) if g.root[net] < 0 else (f.x[g.root[net]], f.y[g.root[net]])
        f.links[net] = tree_links(rows, columns, net, z, sx, sy, -1, -1, -1, -1)
        total += g.weight[net] * f.links[net]
    return total
