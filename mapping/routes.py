"""Routes: for each slice the tree of links that carries its packets to every core that needs them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Directions of the four links out of a router: east (+x), west, south (+y), north.
STEP = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True, eq=False)
class Routes:
    """Trees over routers. Nodes of one tree follow each other, a parent before its children.

    Terminals are what hangs on routers: core c on router c // cores_per_router, and terminal `io` (= number of cores) on
    the router of the pins. Link 4·r + d leaves router r in direction d of `STEP`.

    Attributes
    ----------
    owner : (nodes,) int32, slice whose packets use the node.
    router : (nodes,) int32.
    parent : (nodes,) int32, −1 at a root.
    link : (nodes,) int32, link from the parent's router, −1 at a root.
    child_first, children : CSR (nodes + 1,), child nodes.
    exit_first, exits : CSR (nodes + 1,), terminals that packets are handed to at a node, in order; the pins come last.
    root_first, roots : CSR (slices + 1,): the trees of each slice: one (multicast), or one for each destination.
    """

    owner: NDArray[np.int32]
    router: NDArray[np.int32]
    parent: NDArray[np.int32]
    link: NDArray[np.int32]
    child_first: NDArray[np.int64]
    children: NDArray[np.int32]
    exit_first: NDArray[np.int64]
    exits: NDArray[np.int32]
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
    cores_per_router: int = 1,
) -> Routes:
    """XY trees: along the source's row first, then along columns; the union of XY paths from one source is a tree.

    Parameters
    ----------
    sources : (slices,) terminal of each slice.
    destinations : terminals that each slice's packets must reach.
    multicast : one tree for all destinations; else one path for each.
    cores_per_router : cores of a tile.
    """
    cores = columns * rows * cores_per_router

    def at(terminal: int) -> int:
        return io_router if terminal == cores else terminal // cores_per_router

    forest = _Forest(columns)
    root_first = [0]
    for index, targets in enumerate(destinations):
        groups = [sorted(set(targets))] if multicast else [[t] for t in sorted(set(targets))]
        for group in groups:
            if group:
                forest.grow(index, at(int(sources[index])), [(at(t), t) for t in group])
        root_first.append(len(forest.roots))
    parents = np.array(forest.parent, np.int32)
    order = np.argsort(parents, kind="stable")
    inner = order[np.searchsorted(parents[order], 0) :]
    counts = np.bincount(parents[inner], minlength=len(parents)) if len(parents) else np.zeros(0, np.int64)
    return Routes(
        np.array(forest.owner, np.int32),
        np.array(forest.router, np.int32),
        parents,
        np.array(forest.link, np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        inner.astype(np.int32),
        np.concatenate([[0], np.cumsum([len(e) for e in forest.exits])]).astype(np.int64),
        np.array([terminal for exits in forest.exits for terminal in exits], np.int32),
        np.array(root_first, np.int64),
        np.array(forest.roots, np.int32),
    )


class _Forest:
    """Trees as lists, a node at a time."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.owner: list[int] = []
        self.router: list[int] = []
        self.parent: list[int] = []
        self.link: list[int] = []
        self.exits: list[list[int]] = []
        self.roots: list[int] = []

    def grow(self, owner: int, start: int, ends: list[tuple[int, int]]) -> None:
        """Add one tree from router `start` to routers, each with the terminal that packets are handed to there."""
        node_of = {start: self._add(owner, start, -1, -1)}
        self.roots.append(node_of[start])
        for end, terminal in ends:
            # Back from the end to where the tree already goes, then forwards: each node is made once.
            missing, here = [], end
            while here not in node_of:
                before, direction = self._before(start, here)
                missing.append((before, here, 4 * before + direction))
                here = before
            for before, here, link in reversed(missing):
                node_of[here] = self._add(owner, here, node_of[before], link)
            self.exits[node_of[end]].append(terminal)

    def _before(self, start: int, here: int) -> tuple[int, int]:
        """Return the router before `here` on the XY path from `start` (x first, then y), and the direction of the hop."""
        row, start_row = here // self.columns, start // self.columns
        if row != start_row:
            direction = 2 if row > start_row else 3
        else:
            direction = 0 if here > start else 1
        x, y = STEP[direction]
        return here - x - self.columns * y, direction

    def _add(self, owner: int, router: int, parent: int, link: int) -> int:
        self.owner.append(owner)
        self.router.append(router)
        self.parent.append(parent)
        self.link.append(link)
        self.exits.append([])
        return len(self.router) - 1
