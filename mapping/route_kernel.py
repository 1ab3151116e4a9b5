"""Trees laid router by router: the kernels of `sfnhw.mapping.routes`."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@nb.njit(nogil=True, cache=True)
def before(start: int, here: int, columns: int, yx: bool) -> int:
    """The router before `here` on the way from `start`: along the row first, then the column, or (yx) the other way round."""
    x, y = here % columns, here // columns
    start_x, start_y = start % columns, start // columns
    # The last stretch of the way is along the dimension that comes second, unless there is nothing to go there.
    along_row = x != start_x if yx else y == start_y
    if along_row:
        return here - 1 if x > start_x else here + 1
    return here - columns if y > start_y else here + columns


@nb.njit(nogil=True, cache=True)
def tree_sizes(starts: Ints, first: Ints, ends: Ints, columns: int, routers: int, yx: NDArray[np.bool_]) -> Ints:
    """(trees,) routers of each tree; see `lay`."""
    seen = np.full(routers, -1, np.int64)  # the last tree that came by
    sizes = np.ones(len(starts), np.int64)
    for tree in range(len(starts)):
        start = starts[tree]
        seen[start] = tree
        for e in range(first[tree], first[tree + 1]):
            here = ends[e]
            while seen[here] != tree:
                seen[here] = tree
                sizes[tree] += 1
                here = before(start, here, columns, yx[tree])
    return sizes


@nb.njit(nogil=True, cache=True)
def lay(
    starts: Ints,
    first: Ints,
    ends: Ints,
    columns: int,
    routers: int,
    yx: NDArray[np.bool_],
    router: NDArray[np.int32],
    parent: NDArray[np.int32],
    link: NDArray[np.int32],
    node_of_end: Ints,
) -> None:
    """Write the nodes of all trees: of each its root, then what each end in turn adds, from the tree outwards.

    starts : (trees,) router of each root.
    first, ends : CSR (trees + 1,), routers to be reached.
    yx : (trees,) whether a tree goes along the column first.
    router, parent, link : (nodes,) out; see `Routes`.
    node_of_end : (ends,) out, the node at which each end is.
    """
    seen = np.full(routers, -1, np.int64)
    node_of = np.zeros(routers, np.int64)
    path = np.zeros(routers, np.int64)
    n = 0
    for tree in range(len(starts)):
        start = starts[tree]
        router[n], parent[n], link[n] = start, -1, -1
        seen[start], node_of[start] = tree, n
        n += 1
        for e in range(first[tree], first[tree + 1]):
            here, hops = ends[e], 0
            while seen[here] != tree:
                path[hops] = here
                hops += 1
                here = before(start, here, columns, yx[tree])
            for k in range(hops - 1, -1, -1):
                there = path[k]
                step = there - here
                # A mesh of one column has no links along rows: there a step of 1 is one down.
                vertical = step == columns or step == -columns
                direction = (2 if step > 0 else 3) if vertical else (0 if step > 0 else 1)
                router[n], parent[n], link[n] = there, node_of[here], 4 * here + direction
                seen[there], node_of[there] = tree, n
                n += 1
                here = there
            node_of_end[e] = node_of[ends[e]]
