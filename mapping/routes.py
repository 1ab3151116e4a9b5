"""Routes: for each slice the tree of links that carries its packets to every core that needs them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Directions of the four links out of a router: east (+x), west, south (+y), north.
STEP = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True, eq=False)
class Routes:
    """Trees over routers. Nodes of one tree follow each other, a parent before its children.

    Terminals are what hangs on routers: core c on router c, and terminal `io` (= number of cores) on the router of
    the pins. Link 4·r + d leaves router r in direction d of `STEP`.

    Attributes
    ----------
    owner : (nodes,) int32, slice whose packets use the node.
    router : (nodes,) int32.
    parent : (nodes,) int32, −1 at a root.
    link : (nodes,) int32, link from the parent's router, −1 at a root.
    child_first, children : CSR (nodes + 1,), child nodes.
    core_exit, io_exit : (nodes,) bool, packets are handed to the core / to the pins here.
    root_first, roots : CSR (slices + 1,): the trees of each slice: one (multicast), or one for each destination.
    """

    owner: NDArray[np.int32]
    router: NDArray[np.int32]
    parent: NDArray[np.int32]
    link: NDArray[np.int32]
    child_first: NDArray[np.int64]
    children: NDArray[np.int32]
    core_exit: NDArray[np.bool_]
    io_exit: NDArray[np.bool_]
    root_first: NDArray[np.int64]
    roots: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.router)


def route(
    sources: NDArray[np.int64],
    destinations: list[list[int]],
    columns: int,
    rows: int,
    io_router: int,
    multicast: bool = True,
) -> Routes:
    """XY trees: along the source's row first, then along columns; the union of XY paths from one source is a tree.

    Parameters
    ----------
    sources : (slices,) terminal of each slice.
    destinations : terminals that each slice's packets must reach.
    multicast : one tree for all destinations; else one path for each.
    """
    cores = columns * rows

    def at(terminal: int) -> int:
        return io_router if terminal == cores else terminal

    owner: list[int] = []
    router: list[int] = []
    parent: list[int] = []
    link: list[int] = []
    core_exit: list[bool] = []
    io_exit: list[bool] = []
    roots: list[int] = []
    root_first = [0]
    for index, targets in enumerate(destinations):
        groups = [sorted(set(targets))] if multicast else [[t] for t in sorted(set(targets))]
        for group in groups:
            if not group:
                continue
            node_of: dict[int, int] = {}

            def visit(r: int, before: int, through: int, index: int = index, node_of: dict[int, int] = node_of) -> int:
                if r not in node_of:
                    node_of[r] = len(router)
                    owner.append(index)
                    router.append(r)
                    parent.append(before)
                    link.append(through)
                    core_exit.append(False)
                    io_exit.append(False)
                return node_of[r]

            start = at(int(sources[index]))
            roots.append(visit(start, -1, -1))
            for terminal in group:
                node, here = node_of[start], start
                for direction, there in _xy_path(start, at(terminal), columns):
                    node = visit(there, node, 4 * here + direction)
                    here = there
                if terminal == cores:
                    io_exit[node] = True
                else:
                    core_exit[node] = True
        root_first.append(len(roots))
    parents = np.array(parent, np.int32)
    order = np.argsort(parents, kind="stable")
    inner = order[np.searchsorted(parents[order], 0) :]
    counts = np.bincount(parents[inner], minlength=len(router)) if len(router) else np.zeros(0, np.int64)
    return Routes(
        np.array(owner, np.int32),
        np.array(router, np.int32),
        parents,
        np.array(link, np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        inner.astype(np.int32),
        np.array(core_exit, bool),
        np.array(io_exit, bool),
        np.array(root_first, np.int64),
        np.array(roots, np.int32),
    )


def _xy_path(start: int, end: int, columns: int) -> list[tuple[int, int]]:
    """(direction, router) of each hop, x before y."""
    (x, y), (gx, gy) = (start % columns, start // columns), (end % columns, end // columns)
    hops = []
    while (x, y) != (gx, gy):
        if x != gx:
            direction = 0 if gx > x else 1
        else:
            direction = 2 if gy > y else 3
        x, y = x + STEP[direction][0], y + STEP[direction][1]
        hops.append((direction, x + columns * y))
    return hops
