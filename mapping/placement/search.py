"""A placement under search: flat arrays of one problem, and the kernels applied to them."""

import numpy as np

from sfnhw.kernel_cache import drop_stale
from sfnhw.mapping.placement import anneal_kernel, relief_kernel, tree_kernel
from sfnhw.mapping.placement.anneal_kernel import Scratch
from sfnhw.mapping.placement.problem import FREE, Ints, Mesh
from sfnhw.mapping.placement.tree_kernel import WORD, Forest, Graph, Sizes
from sfnhw.mapping.traffic import Nets

drop_stale(anneal_kernel.anneal, "tree_kernel")
drop_stale(relief_kernel.lower, "anneal_kernel", "tree_kernel")


class Search:
    """Trees of all nets, kept true while nodes move; those with a `fixed` core do not. Numba compiles, or loads, the kernels on first use."""

    def __init__(self, nets: Nets, mesh: Mesh, seed: int = 0, fixed: Ints | None = None) -> None:
        self.graph = _graph(nets, mesh, np.full(nets.nodes, FREE) if fixed is None else fixed)
        routers = mesh.columns * mesh.rows
        self.forest = Forest(
            core=np.zeros(nets.nodes, np.int64),
            x=np.zeros(nets.nodes, np.int64),
            y=np.zeros(nets.nodes, np.int64),
            occupant=np.full(mesh.cores, -1, np.int64),
            rows=np.zeros(len(nets) * mesh.columns * self.graph.sizes.column_words, np.uint64),
            columns=np.zeros(len(nets) * self.graph.sizes.net_words, np.uint64),
            held=np.zeros(len(nets) * routers if mesh.each > 1 else 0, np.uint16),
            links=np.zeros(len(nets), np.int64),
        )
        state = np.random.SeedSequence(seed).generate_state(1, np.uint64) | np.uint64(1)  # never 0
        self.scratch = Scratch(
            np.zeros(len(nets), np.uint8), np.zeros(len(nets), np.int64), np.zeros(len(nets), np.int64), state
        )
        self.cost = 0

    def put(self, cores: Ints) -> int:
        """Place all nodes anew; returns Σ weight × links."""
        self.forest.core[:] = cores
        self.cost = int(tree_kernel.plant(self.forest, self.graph))
        return self.cost

    def move(self, node: int, target: int) -> int:
        """Move a node to a core, and who is there back; returns the change of the cost."""
        change, touched = anneal_kernel.price_move(self.forest, self.graph, self.scratch, node, target)
        anneal_kernel.make_move(self.forest, self.graph, self.scratch, node, target, touched)
        anneal_kernel.forget(self.scratch, touched)
        self.cost += int(change)
        return int(change)

    def mean_rise(self, samples: int) -> float:
        """See `anneal_kernel.mean_rise`."""
        return float(anneal_kernel.mean_rise(self.forest, self.graph, self.scratch, samples))

    def anneal(self, moves: int, hot: float, cooling: float, radius: int, best: Ints, least: int) -> tuple[int, int]:
        """See `anneal_kernel.anneal`; returns the least cost seen and the moves accepted."""
        self.cost, least, accepted = anneal_kernel.anneal(
            self.forest, self.graph, self.scratch, moves, hot, cooling, radius, best, self.cost, least
        )
        return int(least), int(accepted)

    def descend(self, moves: int) -> int:
        """See `anneal_kernel.descend`; returns the moves tried."""
        self.cost, tried = anneal_kernel.descend(self.forest, self.graph, self.scratch, self.cost, moves)
        return int(tried)

    def loads(self) -> Ints:
        """(4 · routers,) Σ weight over each link; see `sfnhw.mapping.routes.Routes` for their numbers."""
        loads = np.zeros(4 * self.graph.sizes.mesh_columns * self.graph.sizes.mesh_rows, np.int64)
        relief_kernel.load_all(self.forest, self.graph, loads)
        return loads

    def lower(self, loads: Ints, limit: int, most: int, tries: int, quiet: int) -> tuple[int, bool]:
        """See `relief_kernel.lower`; `most`: what the cost may become. Returns the tries that are left, and whether it was done."""
        free = np.zeros(len(self.forest.core), np.bool_)
        free[self.graph.movable] = True
        room = most - self.cost
        left, tries, done = relief_kernel.lower(
            self.forest, self.graph, self.scratch, loads, free, limit, room, tries, quiet
        )
        self.cost = most - int(left)
        return int(tries), bool(done)


def _graph(nets: Nets, mesh: Mesh, fixed: Ints) -> Graph:
    locked = np.zeros(mesh.cores, np.bool_)
    locked[fixed[fixed != FREE]] = True
    owner = np.repeat(np.arange(len(nets)), np.diff(nets.first))
    rooted = np.flatnonzero(nets.root >= 0)
    return Graph(
        nets.root,
        nets.first,
        nets.leaves,
        nets.to_pins,
        nets.weight,
        *_by_node(nets.leaves, owner, nets.nodes),
        *_by_node(nets.root[rooted], rooted, nets.nodes),
        np.flatnonzero(fixed == FREE),
        locked,
        Sizes(
            mesh.columns,
            mesh.rows,
            -(-mesh.rows // WORD),
            -(-mesh.columns // WORD),
            mesh.chip_columns,
            mesh.chip_rows,
            mesh.crossing - 1,
        ),
        mesh.each,
        mesh.io_router % mesh.columns,
        mesh.io_router // mesh.columns,
    )


def _by_node(node: Ints, net: Ints, nodes: int) -> tuple[Ints, Ints]:
    """CSR of the nets at each node."""
    order = np.argsort(node, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=nodes))]).astype(np.int64)
    return first, net[order].astype(np.int64)
