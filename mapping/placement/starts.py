"""Where a search starts: the walks over the mesh, turned and mirrored, with the nodes in several orders."""

from collections.abc import Iterator

import numpy as np

from sfnhw.mapping.placement.hilbert import hilbert, hilbert_cores
from sfnhw.mapping.placement.problem import Ints, Mesh, Problem, along
from sfnhw.mapping.placement.random_cores import random_cores
from sfnhw.mapping.placement.sequential import sequential, sequential_cores
from sfnhw.mapping.traffic import Nets


def starts(problem: Problem) -> Iterator[Ints]:
    """Yield placements: the baselines first, as they are, then walks over the whole mesh and over the smallest parts of it
    that hold all nodes beside the pins, in 8 orientations, with nodes in network order and by traffic."""
    mesh, nodes = problem.mesh, problem.nodes
    yield hilbert_cores(problem)
    yield sequential_cores(problem)
    yield random_cores(problem)
    orders = [np.arange(nodes), by_traffic(problem.nets)]
    tiles = -(-nodes // mesh.each)
    for width, height in sorted(_parts(mesh, tiles)):
        for walk in _walks(width, height):
            cores = along(_beside_pins(walk, width, height, mesh), mesh, nodes)
            for order in orders:
                placed = np.empty(nodes, np.int64)
                placed[order] = cores
                yield problem.seated(placed)


def _parts(mesh: Mesh, tiles: int) -> set[tuple[int, int]]:
    """Sizes (width, height) of parts of the mesh with room for so many tiles: all, full rows, full columns, a square."""
    side = min(max(int(np.ceil(np.sqrt(tiles))), -(-tiles // mesh.rows)), mesh.columns)
    return {
        (mesh.columns, mesh.rows),
        (mesh.columns, -(-tiles // mesh.columns)),
        (-(-tiles // mesh.rows), mesh.rows),
        (side, -(-tiles // side)),
    }


def _walks(width: int, height: int) -> Iterator[Ints]:
    """(width·height,) positions x + width·y of both walks in 8 orientations."""
    for walk in (hilbert, sequential):
        for across in (False, True):
            tiles = walk(height, width) if across else walk(width, height)
            y, x = np.divmod(tiles, height if across else width)
            if across:
                x, y = y, x
            for mirror_x in (x, width - 1 - x):
                for mirror_y in (y, height - 1 - y):
                    yield mirror_x + width * mirror_y


def _beside_pins(walk: Ints, width: int, height: int, mesh: Mesh) -> Ints:
    """Routers of a part's positions, the part being in the middle of the pins' column and row as far as it can."""
    y, x = np.divmod(walk, width)
    pin_y, pin_x = divmod(mesh.io_router, mesh.columns)
    left = min(max(0, pin_x - width // 2), mesh.columns - width)
    top = min(max(0, pin_y - height // 2), mesh.rows - height)
    return x + left + mesh.columns * (y + top)


def by_traffic(nets: Nets) -> Ints:
    """(nodes,) an order in which each node is the one most tied to those before it: Σ weight / ends of shared nets.

    It begins with what the pins send to; a net ties its ends once one of them is in the order.
    """
    tie, done = np.zeros(nets.nodes), np.zeros(nets.nodes, np.bool_)
    live = np.zeros(len(nets), np.bool_)
    owner = np.repeat(np.arange(len(nets)), np.diff(nets.first))
    rooted = np.flatnonzero(nets.root >= 0)
    end, net = np.concatenate([nets.leaves, nets.root[rooted]]), np.concatenate([owner, rooted])
    by_node, by_net = np.argsort(end, kind="stable"), np.argsort(net, kind="stable")
    node_first = np.searchsorted(end[by_node], np.arange(nets.nodes + 1))
    net_first = np.searchsorted(net[by_net], np.arange(len(nets) + 1))
    share = nets.weight / np.maximum(1, np.diff(net_first))
    order = np.empty(nets.nodes, np.int64)

    def wake(which: Ints) -> None:
        for e in which:
            live[e] = True
            tie[end[by_net[net_first[e] : net_first[e + 1]]]] += share[e]

    wake(np.flatnonzero(nets.root < 0))
    for i in range(nets.nodes):
        node = int(np.argmax(np.where(done, -1.0, tie)))
        order[i], done[node] = node, True
        mine = net[by_node[node_first[node] : node_first[node + 1]]]
        wake(mine[~live[mine]])
    return order
