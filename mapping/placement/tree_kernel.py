"""Links of multicast trees under XY routing, whole and after a move: the kernels of placement.

The union of the XY paths from a root (sx, sy) is a trunk in row sy over all columns with a leaf, and in each of these
columns the way from sy to its lowest and to its highest leaf. So a net needs, for each column, only the set of rows in
which it has leaves: one bit a row (`Forest.rows`), and one bit for each column that is not empty (`Forest.columns`).
A leaf that moves changes two columns and the ends of the trunk; a root that moves is counted over all columns.
"""

from typing import NamedTuple

import numba as nb
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]

WORD = 64


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
    mesh_columns: int
    mesh_rows: int
    each: int
    io_router: int


class Forest(NamedTuple):
    """Where nodes are, and what their trees look like; changed in place."""

    core: Ints  # (nodes,)
    occupant: Ints  # (cores,) node, or −1
    rows: Bits  # (nets × columns × words,) rows with a leaf
    columns: Bits  # (nets × words,) columns with a leaf
    count: NDArray[np.uint16]  # (nets × routers,) leaves at a router; empty where a router has one core
    links: Ints  # (nets,) links of each tree


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(typing_context, value):  # type: ignore[no-untyped-def] # noqa: ARG001
    """Position of the lowest set bit of a uint64 that is not 0."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def] # noqa: ARG001
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), build


@intrinsic  # type: ignore[untyped-decorator]
def leading_zeros(typing_context, value):  # type: ignore[no-untyped-def] # noqa: ARG001
    """Zeros above the highest set bit of a uint64 that is not 0."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def] # noqa: ARG001
        return builder.ctlz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), build


@nb.njit(nogil=True, cache=True)
def words_of(length: int) -> int:
    """Words that hold as many bits."""
    return (length + WORD - 1) // WORD


@nb.njit(nogil=True, cache=True)
def reach(bits: Bits, at: int, words: int, drop: int, add: int, start: int) -> int:
    """Links from `start` down to the lowest and up to the highest bit; −1 where there is none.

    drop, add : a bit to be seen as cleared, and one as set; −1: none.
    """
    low, high = -1, -1
    for w in range(words):
        word = bits[at + w]
        if drop >= 0 and drop // WORD == w:
            word &= ~(np.uint64(1) << np.uint64(drop % WORD))
        if add >= 0 and add // WORD == w:
            word |= np.uint64(1) << np.uint64(add % WORD)
        if word != np.uint64(0):
            if low < 0:
                low = w * WORD + trailing_zeros(word)
            high = w * WORD + WORD - 1 - leading_zeros(word)
    if low < 0:
        return -1
    return max(0, high - start) + max(0, start - low)


@nb.njit(nogil=True, cache=True)
def tree_links(f: Forest, g: Graph, net: int, root: int, gone: int, new: int) -> int:
    """Links of one net's tree from router `root`, with a leaf gone from one router and a new one at another (−1: none)."""
    columns, each_column, each_net = g.mesh_columns, words_of(g.mesh_rows), words_of(g.mesh_columns)
    sx, sy = root % columns, root // columns
    gone_x, gone_y = (gone % columns, gone // columns) if gone >= 0 else (-1, -1)
    new_x, new_y = (new % columns, new // columns) if new >= 0 else (-1, -1)
    low, high, total = sx, sx, 0
    for w in range(each_net):
        word = f.columns[net * each_net + w]
        if new_x >= 0 and new_x // WORD == w:
            word |= np.uint64(1) << np.uint64(new_x % WORD)
        while word != np.uint64(0):
            x = w * WORD + trailing_zeros(word)
            word &= word - np.uint64(1)
            drop = gone_y if x == gone_x else -1
            add = new_y if x == new_x else -1
            links = reach(f.rows, (net * columns + x) * each_column, each_column, drop, add, sy)
            if links >= 0:
                total += links
                low, high = min(low, x), max(high, x)
    return total + high - low


@nb.njit(nogil=True, cache=True)
def leaf_change(f: Forest, g: Graph, net: int, root: int, gone: int, new: int) -> int:
    """Links more of one net's tree when one leaf goes from a router (−1: another leaf stays there) to another."""
    columns, each_column, each_net = g.mesh_columns, words_of(g.mesh_rows), words_of(g.mesh_columns)
    sx, sy = root % columns, root // columns
    new_x, new_y = new % columns, new // columns
    gone_x, gone_y = (gone % columns, gone // columns) if gone >= 0 else (-1, -1)
    at = (net * columns + new_x) * each_column
    before = max(0, reach(f.rows, at, each_column, -1, -1, sy))
    if gone_x == new_x:
        return reach(f.rows, at, each_column, gone_y, new_y, sy) - before
    change = reach(f.rows, at, each_column, -1, new_y, sy) - before
    empty = -1
    if gone >= 0:
        at = (net * columns + gone_x) * each_column
        after = reach(f.rows, at, each_column, gone_y, -1, sy)
        change += max(0, after) - reach(f.rows, at, each_column, -1, -1, sy)
        if after < 0:
            empty = gone_x
    trunk = reach(f.columns, net * each_net, each_net, -1, -1, sx)
    return change + reach(f.columns, net * each_net, each_net, empty, new_x, sx) - trunk


@nb.njit(nogil=True, cache=True)
def add_leaf(f: Forest, g: Graph, net: int, router: int) -> None:
    """Set the bits of a leaf."""
    columns, each_column, each_net = g.mesh_columns, words_of(g.mesh_rows), words_of(g.mesh_columns)
    x, y = router % columns, router // columns
    f.rows[(net * columns + x) * each_column + y // WORD] |= np.uint64(1) << np.uint64(y % WORD)
    f.columns[net * each_net + x // WORD] |= np.uint64(1) << np.uint64(x % WORD)
    if g.each > 1:
        f.count[net * columns * g.mesh_rows + router] += 1


@nb.njit(nogil=True, cache=True)
def last_leaf(f: Forest, g: Graph, net: int, router: int) -> bool:
    """Whether no other leaf of the net would stay at a router that one leaves."""
    if g.to_pins[net] and router == g.io_router:
        return False
    return g.each == 1 or f.count[net * g.mesh_columns * g.mesh_rows + router] == 1


@nb.njit(nogil=True, cache=True)
def drop_leaf(f: Forest, g: Graph, net: int, router: int) -> None:
    """Clear the bits of a leaf, unless another one stays at its router."""
    columns, each_column, each_net = g.mesh_columns, words_of(g.mesh_rows), words_of(g.mesh_columns)
    last = last_leaf(f, g, net, router)
    if g.each > 1:
        f.count[net * columns * g.mesh_rows + router] -= 1
    if not last:
        return
    x, y = router % columns, router // columns
    at = (net * columns + x) * each_column
    f.rows[at + y // WORD] &= ~(np.uint64(1) << np.uint64(y % WORD))
    if reach(f.rows, at, each_column, -1, -1, 0) < 0:
        f.columns[net * each_net + x // WORD] &= ~(np.uint64(1) << np.uint64(x % WORD))


@nb.njit(nogil=True, cache=True)
def root_router(f: Forest, g: Graph, net: int) -> int:
    """Router that a net starts from."""
    return g.io_router if g.root[net] < 0 else f.core[g.root[net]] // g.each


@nb.njit(nogil=True, cache=True)
def plant(f: Forest, g: Graph) -> int:
    """Build all trees from `f.core`; return Σ weight × links."""
    f.occupant[:] = -1
    f.rows[:] = np.uint64(0)
    f.columns[:] = np.uint64(0)
    f.count[:] = 0
    for node in range(f.core.shape[0]):
        f.occupant[f.core[node]] = node
    total = 0
    for net in range(g.root.shape[0]):
        for i in range(g.first[net], g.first[net + 1]):
            add_leaf(f, g, net, f.core[g.leaves[i]] // g.each)
        if g.to_pins[net]:
            add_leaf(f, g, net, g.io_router)
            if g.each > 1:  # the pins are asked for by themselves (`last_leaf`)
                f.count[net * g.mesh_columns * g.mesh_rows + g.io_router] -= 1
        f.links[net] = tree_links(f, g, net, root_router(f, g, net), -1, -1)
        total += g.weight[net] * f.links[net]
    return total
