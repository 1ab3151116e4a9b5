"""A placement problem: nodes (groups of slices that share a core), the nets between them, and the mesh."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.traffic import Nets

Ints = NDArray[np.int64]
# In `Problem.fixed`: the placer may choose.
FREE = -1


class Mesh(NamedTuple):
    """The routers and what hangs on them; core c hangs on router x + columns·y = c // each.

    Attributes
    ----------
    columns, rows : routers.
    each : cores of a router.
    io_router : where the pins are.
    """

    columns: int
    rows: int
    each: int
    io_router: int

    @property
    def cores(self) -> int:
        """Number of cores."""
        return self.columns * self.rows * self.each


@dataclass(frozen=True, eq=False)
class Problem:
    """What a placer is given. It returns (nodes,) int64: the core of each node, no core twice.

    Attributes
    ----------
    mesh : where nodes may sit.
    nets : who must hear whom, with weights.
    fixed : (nodes,) core of each node that the user placed, `FREE` elsewhere; None: all are free.
    seed : of everything random.
    moves : moves that a search may try; None: as many as the placer thinks right.
    progress : called as progress(moves tried, moves in all).
    """

    mesh: Mesh
    nets: Nets
    fixed: Ints | None = None
    seed: int = 0
    moves: int | None = None
    progress: Callable[[int, int], None] | None = None

    @property
    def nodes(self) -> int:
        """Nodes to be placed."""
        return self.nets.nodes

    def seated(self, cores: Ints) -> Ints:
        """(nodes,) cores with the fixed nodes at theirs; who was there takes their place."""
        at = np.array(cores, np.int64)
        if self.fixed is None:
            return at
        for node in np.flatnonzero(self.fixed != FREE):
            there = np.flatnonzero(at == self.fixed[node])
            at[there] = at[node]
            at[node] = self.fixed[node]
        return at


def along(tiles: Ints, mesh: Mesh, nodes: int) -> Ints:
    """(nodes,) cores along a walk over the routers, all cores of a router one after the other."""
    return (tiles[:, None] * mesh.each + np.arange(mesh.each)).ravel()[:nodes]
