"""Walking the routing tables: from the roots, along the lists of children alone, all trees at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.verification.report import Violation

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping
    from sfnhw.mapping.routes import Routes

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Walk:
    """What a walk met.

    Attributes
    ----------
    owner, terminal : (exits,) each packet handed over: the slice whose packet, and to what.
    trees, nodes, links : walked.
    entries : (routers,) nodes met at each router: what its multicast table must hold.
    violations : on the way.
    """

    owner: Ints
    terminal: Ints
    trees: int
    nodes: int
    links: int
    entries: Ints
    violations: list[Violation]


def walk(mapping: "Mapping", routes: "Routes", kind: str) -> Walk:
    """Follow every tree of `routes`; `kind` of the violations: route or tokens."""
    slices = np.repeat(np.arange(len(mapping.slices)), np.diff(routes.root_first))
    trees = np.arange(len(slices))
    nodes = routes.roots.astype(np.int64)
    found: list[Violation] = []
    found += _named(
        kind,
        routes,
        nodes[routes.router[nodes] != _routers(mapping, mapping.terminals[slices])],
        "a root is not at the router of its slice",
    )
    entered = (routes.parent[nodes] != -1) | (routes.link[nodes] != -1)
    found += _named(kind, routes, nodes[entered], "is a root, and names a parent or a link")
    seen = np.zeros(len(routes), np.int64)
    went = _Turns(mapping, len(trees))
    on_row, on_column = np.zeros((2, len(nodes)), bool)  # whether a row, a column, was travelled before
    met: list[tuple[Ints, Ints, Ints]] = []  # tree, router, node
    none = np.zeros(0, np.int64)
    exits: list[tuple[Ints, Ints, Ints]] = [(none, none, none)]  # owner, terminal, tree
    links = 0
    while len(nodes):
        np.add.at(seen, nodes, 1)
        again = seen[nodes] > 1
        found += _named(kind, routes, np.unique(nodes[again]), "is reached twice: a cycle, or two parents")
        found += _named(kind, routes, nodes[routes.owner[nodes] != slices], "belongs to another slice than its tree")
        met.append((trees, routes.router[nodes].astype(np.int64), nodes))
        exits.append(_exits(mapping, routes, kind, nodes, slices, trees, found))
        # A node seen before was followed then: a cycle ends here.
        counts = np.where(again, 0, np.diff(routes.child_first)[nodes])
        child = routes.children[_spans(routes.child_first[nodes], counts)].astype(np.int64)
        parent = np.repeat(nodes, counts)
        vertical = _hops(mapping, routes, kind, parent, child, found)
        nodes, slices, trees = child, np.repeat(slices, counts), np.repeat(trees, counts)
        on_row, on_column = np.repeat(on_row, counts), np.repeat(on_column, counts)
        found += went.faults(kind, routes, nodes, trees, on_column & ~vertical, on_row & vertical)
        on_row, on_column = on_row | ~vertical, on_column | vertical
        links += len(child)
    found += went.mixed(kind, routes)
    found += _named(kind, routes, np.flatnonzero(seen == 0), "belongs to no tree")
    found += _crossings(routes, kind, met)
    owner, terminal, tree = (np.concatenate(part) for part in zip(*exits, strict=True))
    if mapping.chip.noc.cast == "unicast":
        several = np.flatnonzero(np.bincount(tree, minlength=len(routes.roots)) > 1)
        found += _named(
            kind,
            routes,
            routes.roots[several].astype(np.int64),
            "is a path to several targets, and the chip is unicast",
        )
    else:
        several = np.flatnonzero(np.diff(routes.root_first) > 1)
        found += [Violation(kind, f"slice {s}", "has several trees, and the chip is multicast") for s in several]
    at = np.concatenate([none, *(router for _, router, _ in met)])
    entries = np.bincount(at, minlength=mapping.chip.routers)
    return Walk(owner, terminal, len(routes.roots), int((seen > 0).sum()), links, entries, found)


class _Turns:
    """What turns trees make: rows after columns are against XY, columns after rows against YX; o1turn: a tree makes one kind."""

    def __init__(self, mapping: "Mapping", trees: int) -> None:
        self.routing = mapping.chip.noc.routing
        self.to_row, self.to_column = np.zeros((2, trees), bool)

    def faults(
        self,
        kind: str,
        routes: "Routes",
        nodes: Ints,
        trees: Ints,
        to_row: NDArray[np.bool_],
        to_column: NDArray[np.bool_],
    ) -> list[Violation]:
        """Note the turns into `nodes`, and return those that are wrong by themselves."""
        self.to_row[trees[to_row]] = True
        self.to_column[trees[to_column]] = True
        if self.routing == "xy":
            return _named(kind, routes, nodes[to_row], "is along a row after a column, against xy routing")
        if self.routing == "yx":
            return _named(kind, routes, nodes[to_column], "is along a column after a row, against yx routing")
        return []

    def mixed(self, kind: str, routes: "Routes") -> list[Violation]:
        """Return the trees that turn both ways where each must keep to one order."""
        if self.routing != "o1turn":
            return []
        both = routes.roots[self.to_row & self.to_column].astype(np.int64)
        return _named(kind, routes, both, "is the root of a tree that turns both ways, against o1turn routing")


def reached(mapping: "Mapping", found: Walk, targets: set[tuple[int, int]], kind: str) -> Iterator[Violation]:
    """What the walk's hand-overs lack, have too much of, or have twice, against (slice, terminal) as they should be."""
    got, times = np.unique(np.stack([found.owner, found.terminal], axis=1), axis=0, return_counts=True)
    met = {(int(a), int(b)): int(n) for (a, b), n in zip(got, times, strict=True)}
    verb = "packets" if kind == "route" else "ready tokens"
    for owner, terminal in sorted(targets - met.keys()):
        yield Violation(kind, _slice(mapping, owner), f"its {verb} do not reach {_place(mapping, terminal)}")
    for (owner, terminal), n in met.items():
        if (owner, terminal) not in targets:
            text = f"its {verb} reach {_place(mapping, terminal)}, which has no use for them"
            yield Violation(kind, _slice(mapping, owner), text)
        if n > 1:
            yield Violation(kind, _slice(mapping, owner), f"its {verb} reach {_place(mapping, terminal)} {n} times")


def _slice(mapping: "Mapping", index: int) -> str:
    return f"slice {index} of {mapping.slices[index].population!r}"


def _place(mapping: "Mapping", terminal: int) -> str:
    return "the pins" if terminal == mapping.io else f"core {terminal}"


def _routers(mapping: "Mapping", terminals: NDArray[np.int64]) -> Ints:
    x, y = mapping.chip.io.router
    pins = x + mapping.chip.columns * y
    return np.where(terminals == mapping.chip.cores, pins, terminals // mapping.chip.noc.cores_per_router)


def _spans(first: NDArray[np.int64], counts: NDArray[np.int64]) -> Ints:
    """Indices first[i] .. first[i] + counts[i] − 1, for all i end to end."""
    start = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(first - start, counts)


def _exits(
    mapping: "Mapping", routes: "Routes", kind: str, nodes: Ints, slices: Ints, trees: Ints, found: list[Violation]
) -> tuple[Ints, Ints, Ints]:
    counts = np.diff(routes.exit_first)[nodes]
    terminal = routes.exits[_spans(routes.exit_first[nodes], counts)].astype(np.int64)
    at = np.repeat(nodes, counts)
    wrong = routes.router[at] != _routers(mapping, terminal)
    found += _named(kind, routes, at[wrong], "hands packets to a core of another router")
    return np.repeat(slices, counts), terminal, np.repeat(trees, counts)


def _hops(
    mapping: "Mapping", routes: "Routes", kind: str, parent: Ints, child: Ints, found: list[Violation]
) -> NDArray[np.bool_]:
    """Check that each child is one link from its parent, over the link that it names; return which links are vertical."""
    columns = mapping.chip.columns
    y0, x0 = np.divmod(routes.router[parent].astype(np.int64), columns)
    y1, x1 = np.divmod(routes.router[child].astype(np.int64), columns)
    dx, dy = x1 - x0, y1 - y0
    direction = np.select([dx == 1, dx == -1, dy == 1], [0, 1, 2], 3)  # east, west, south, north
    far = np.abs(dx) + np.abs(dy) != 1
    found += _named(kind, routes, child[far], "is not beside the router before it")
    link = 4 * routes.router[parent].astype(np.int64) + direction
    found += _named(kind, routes, child[~far & (routes.link[child] != link)], "is not at the end of the link it names")
    found += _named(kind, routes, child[routes.parent[child] != parent], "names another parent than leads to it")
    return np.asarray(direction >= 2)


def _crossings(routes: "Routes", kind: str, met: list[tuple[Ints, Ints, Ints]]) -> list[Violation]:
    """Trees that pass one router twice."""
    if not met:
        return []
    tree, router, node = (np.concatenate(part) for part in zip(*met, strict=True))
    _, first, times = np.unique(np.stack([tree, router]), axis=1, return_index=True, return_counts=True)
    return _named(kind, routes, node[first[times > 1]], "is passed twice by one tree: a cycle of links")


def _named(kind: str, routes: "Routes", nodes: NDArray[np.int64], text: str) -> list[Violation]:
    return [
        Violation(kind, f"node {n} of slice {int(routes.owner[n])} at router {int(routes.router[n])}", text)
        for n in nodes.tolist()
    ]
