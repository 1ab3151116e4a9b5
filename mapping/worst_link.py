"""Load that the fullest link has at least, wherever the slices sit and whichever way their trees go.

What a net carries goes over a link whole: a tree does not split its flits. So at a place with m links the nets that must
pass there are jobs on m machines, and a bound of the makespan is one of the fullest link. Three kinds of place:

- the pins: what enters or leaves there and cannot stay at their router passes the links of that router;
- a core: what ends at one comes in, and what it sends goes out, by at most four links;
- a cut through the mesh between two columns or rows: nets too wide for one side pass it, and where the mesh is so full that
  some nodes must sit on the narrower side, so do the nets around them that are too wide for that side.

And no place: some link carries the mean, or more.

It is weak where nets are narrow: then nothing says that a net must pass a cut. Layers that follow one another can be
laid from side to side, with no more than one layer's packets through any cut, so there the cuts are no bottleneck either:
the links around the pins and around busy cores are. It is weak there too, since trees in dimension order cannot choose
their link freely: it counts how many nets must share few links, and not which. (A spectral bound of the bisection,
after Donath and Hoffman 1973, is not used: see docs/placement.md.)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.placement.problem import Ints, Mesh
from sfnhw.mapping.traffic import PINS, Nets
from sfnhw.units import ceil_div


def least_worst_link(nets: Nets, mesh: Mesh, traffic: int) -> int:
    """Load of the fullest link in the unit of the weights; see the module.

    traffic : a bound of Σ weight × links (`sfnhw.mapping.bounds.least_traffic`): some link has the mean or more.
    Nets with the same ends may be one only where their trees go the same way.
    """
    columns, rows = mesh.columns, mesh.rows
    links = 2 * ((columns - 1) * rows + columns * (rows - 1))
    if not links or not len(nets):
        return 0
    return max(ceil_div(traffic, links), _at_pins(nets, mesh), _at_cores(nets, mesh), _at_cuts(nets, mesh))


def makespan(jobs: NDArray[Any], machines: int) -> int:
    """Load that the fullest of some machines has at least: of k·m + 1 jobs on m machines, k + 1 share one.

    The mean, the largest job, and the bounds of Dell'Amico and Martello (1995) for the largest jobs.
    """
    jobs = np.sort(jobs)[::-1].astype(np.int64)
    if not len(jobs):
        return 0
    sums = np.concatenate([[0], np.cumsum(jobs)])
    k = np.arange((len(jobs) - 1) // machines + 1)
    together = sums[k * machines + 1] - sums[k * machines - k]
    return max(ceil_div(int(sums[-1]), machines), int(together.max()))


def _spared(root: Ints, weight: Ints, spared: int, machines: int) -> int:
    """Bound of jobs where those of some roots, whichever, need not go: of the sum, and of the largest job of each root."""
    if not spared:
        return makespan(weight, machines)
    _, of = np.unique(root, return_inverse=True)
    largest = np.zeros(of.max(initial=-1) + 1, np.int64)
    np.maximum.at(largest, of, weight)
    total = np.sort(np.bincount(of, weight))[: max(0, len(largest) - spared)].sum()
    return max(ceil_div(int(total), machines), makespan(np.sort(largest)[::-1][spared:], machines))


def _at_pins(nets: Nets, mesh: Mesh) -> int:
    """Only nodes that sit at the pins' router, as many as it has cores, are spared its links."""
    y, x = divmod(mesh.io_router, mesh.columns)
    machines = sum((x > 0, x < mesh.columns - 1, y > 0, y < mesh.rows - 1))
    entering = nets.weight[(nets.root == PINS) & (np.diff(nets.first) > mesh.each)]
    leaving = _spared(nets.root[nets.to_pins], nets.weight[nets.to_pins], mesh.each, machines)
    return max(makespan(entering, machines), leaving)


def _at_cores(nets: Nets, mesh: Mesh) -> int:
    """Nodes of one router are spared what they send one another; what the pins send may come from it too."""
    ends = np.diff(nets.first)
    machines = min(2, mesh.columns - 1) + min(2, mesh.rows - 1)
    owner = np.repeat(np.arange(len(nets)), ends)
    inner = nets.root[owner] != PINS
    root, leaf, weight = nets.root[owner][inner], nets.leaves[inner], nets.weight[owner][inner]
    sends = np.flatnonzero((nets.root != PINS) & (ends > mesh.each - 1))
    best = 0
    for part in _by(leaf):
        best = max(best, _spared(root[part], weight[part], mesh.each - 1, machines))
    for part in _by(nets.root[sends]):
        best = max(best, makespan(nets.weight[sends[part]], machines))
    return best


def _by(key: Ints) -> list[Ints]:
    """Indices of each value of a key."""
    order = np.argsort(key, kind="stable")
    return [part for part in np.split(order, np.flatnonzero(np.diff(key[order])) + 1) if len(part)]


def _at_cuts(nets: Nets, mesh: Mesh) -> int:
    """Between each two columns, and each two rows."""
    y, x = divmod(mesh.io_router, mesh.columns)
    best = 0
    for lanes, length, pins in ((mesh.rows, mesh.columns, x), (mesh.columns, mesh.rows, y)):
        for cut in range(1, length):
            sides = cut * lanes * mesh.each, (length - cut) * lanes * mesh.each
            best = max(best, at_cut(nets, sides, int(pins >= cut), lanes))
    return best


def at_cut(nets: Nets, sides: tuple[int, int], pins: int, lanes: int) -> int:
    """Load of the fullest of `lanes` links each way between sides of so many cores; `pins` : the side where the pins are."""
    ends, small, large = np.diff(nets.first), min(sides), max(sides)
    entering, leaving = nets.root == PINS, nets.to_pins
    nodes = ends + ~entering  # beside the pins
    crossing = nodes > np.where(entering | leaving, sides[pins], large)
    # From the pins it is away from their side.
    away = int(nets.weight[entering & crossing].sum())
    both = int(nets.weight[crossing].sum())
    if (held := nets.nodes - large) > 0:
        # So many nodes or more are on the small side: each with its nets that cannot be there whole. A net is there with
        # no more than `small` nodes, so each answers for that part of its weight.
        wide = np.flatnonzero((nodes > small) & ~crossing & ~entering & ~leaving)
        own = np.bincount(nets.root[wide], nets.weight[wide], nets.nodes)
        mine = np.isin(np.repeat(np.arange(len(nets)), ends), wide)
        own += np.bincount(nets.leaves[mine], np.repeat(nets.weight, ends)[mine], nets.nodes)
        both += ceil_div(int(np.sort(own)[:held].sum()), small)
    return max(ceil_div(away, lanes), ceil_div(both, 2 * lanes))
