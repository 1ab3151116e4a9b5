"""Routes: for each slice the tree of links that carries its packets to every core that needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

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


class Targets(NamedTuple):
    """Whom each slice's packets must reach. CSR: `terminals` of slice s are those from `first[s]` to `first[s + 1]`, ascending, each once."""

    first: Ints
    terminals: Ints

    @classmethod
    def of(cls, slices: Ints, terminals: Ints, count: int) -> "Targets":
        """Gather (slice, terminal) pairs, in any order and as often as you like, of `count` slices."""
        width = int(terminals.max(initial=0)) + 1
        keys = np.unique(slices.astype(np.int64) * width + terminals)
        owner, terminal = np.divmod(keys, width)
        return cls(np.searchsorted(owner, np.arange(count + 1)).astype(np.int64), terminal)


class Trees(NamedTuple):
    """What is to be laid: for each tree its slice, and the terminals that it reaches (CSR)."""

    owner: Ints
    first: Ints
    terminals: Ints

    @classmethod
    def of(cls, targets: Targets, multicast: bool) -> "Trees":
        """One tree for all that a slice reaches, if anything; or (unicast) one for each."""
        count = np.diff(targets.first)
        owner = np.repeat(np.arange(len(count)), count)
        if not multicast:
            return cls(owner, np.arange(len(owner) + 1), targets.terminals)
        some = np.flatnonzero(count)
        return cls(some, np.concatenate([[0], np.cumsum(count[some])]).astype(np.int64), targets.terminals)


def route(
    sources: Ints,
    destinations: Targets | Sequence[Sequence[int]],
    columns: int,
    rows: int,
    io_router: int,
    multicast: bool = True,
    cores_per_router: int = 1,
    yx: bool | NDArray[np.bool_] = False,
) -> Routes:
    """Lay trees in dimension order. The union of XY paths from one source is a tree, and that of YX paths too.

    Parameters
    ----------
    sources : (slices,) terminal of each slice.
    destinations : terminals that each slice's packets must reach.
    multicast : one tree for all destinations; else one path for each.
    cores_per_router : cores of a tile.
    yx : (trees,) which trees go along the source's column first, then along rows; False: along the row first.
    """
    from sfnhw.mapping.route_kernel import lay, tree_sizes  # Numba

    if not isinstance(destinations, Targets):
        owner = np.repeat(np.arange(len(destinations)), [len(d) for d in destinations])
        destinations = Targets.of(owner, np.array([t for d in destinations for t in d], np.int64), len(destinations))
    trees = Trees.of(destinations, multicast)
    routers = columns * rows

    def at(terminal: Ints) -> Ints:
        return np.where(terminal == routers * cores_per_router, io_router, terminal // cores_per_router)

    starts, ends = at(np.asarray(sources, np.int64)[trees.owner]), at(trees.terminals)
    turned = np.broadcast_to(np.asarray(yx, np.bool_), len(trees.owner)).copy()
    sizes = tree_sizes(starts, trees.first, ends, columns, routers, turned)
    nodes = int(sizes.sum())
    router, parent, link = (np.zeros(nodes, np.int32) for _ in range(3))
    node = np.zeros(len(ends), np.int64)
    lay(starts, trees.first, ends, columns, routers, turned, router, parent, link, node)
    inner = np.flatnonzero(parent >= 0)
    children = inner[np.argsort(parent[inner], kind="stable")]
    return Routes(
        np.repeat(trees.owner, sizes).astype(np.int32),
        router,
        parent,
        link,
        _ascending(parent[inner], nodes),
        children.astype(np.int32),
        _ascending(node, nodes),
        trees.terminals[np.argsort(node, kind="stable")].astype(np.int32),
        np.searchsorted(trees.owner, np.arange(len(sources) + 1)).astype(np.int64),
        (np.cumsum(sizes) - sizes).astype(np.int32),
    )


def _ascending(of: NDArray[Any], count: int) -> Ints:
    """(count + 1,) CSR pointers of things that each belong to one of `count`."""
    return np.concatenate([[0], np.cumsum(np.bincount(of, minlength=count))]).astype(np.int64)
