"""A placement problem: nodes (groups of slices that share a core), the nets between them, and the mesh."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.chip.links import chip_link_weight
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
    chip_columns, chip_rows : routers of one chip of a board; the whole mesh where there is one.
    crossing : links on a chip that one link between chips is as dear as.
    """

    columns: int
    rows: int
    each: int
    io_router: int
    chip_columns: int
    chip_rows: int
    crossing: int

    @classmethod
    def of_one_chip(cls, columns: int, rows: int, each: int = 1, io_router: int = 0) -> "Mesh":
        """Return a mesh without links between chips."""
        return cls(columns, rows, each, io_router, columns, rows, 1)

    @classmethod
    def of(cls, chip: Chip) -> "Mesh":
        """Return a chip's mesh, or a board's."""
        x, y = chip.io.router
        io_router, each = int(x + chip.columns * y), chip.noc.cores_per_router
        crossing = chip_link_weight(chip)
        return cls(chip.columns, chip.rows, each, io_router, chip.noc.columns, chip.noc.rows, crossing)

    @property
    def cores(self) -> int:
        """Number of cores."""
        return self.columns * self.rows * self.each

    def transposed(self) -> "Mesh":
        """Return the mesh with columns for rows: its XY trees are this one's YX trees."""
        y, x = divmod(self.io_router, self.columns)
        io_router = y + self.rows * x
        return Mesh(self.rows, self.columns, self.each, io_router, self.chip_rows, self.chip_columns, self.crossing)

    def transpose(self, cores: Ints) -> Ints:
        """(nodes,) where these cores are on the transposed mesh; negative numbers stay as they are."""
        router, port = np.divmod(cores, self.each)
        y, x = np.divmod(router, self.columns)
        return np.where(cores < 0, cores, (y + self.rows * x) * self.each + port)


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
    routing : of the trees: "xy", "yx" or "o1turn" (`noc.routing`).
    """

    mesh: Mesh
    nets: Nets
    fixed: Ints | None = None
    seed: int = 0
    moves: int | None = None
    progress: Callable[[int, int], None] | None = None
    routing: str = "xy"

    @property
    def nodes(self) -> int:
        """Nodes to be placed."""
        return self.nets.nodes

    def transposed(self) -> "Problem":
        """Return the problem on the transposed mesh, whose XY trees are this one's YX trees."""
        fixed = None if self.fixed is None else self.mesh.transpose(self.fixed)
        return replace(self, mesh=self.mesh.transposed(), fixed=fixed, routing="xy")

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
