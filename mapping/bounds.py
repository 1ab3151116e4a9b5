"""Bounds that no mapping of the same slices can beat: cores, traffic over links, and the load of the worst link.

Each is a proof of how far from best a mapping may be, not an estimate of the best. Where they are weak:

- cores: slices are taken as they were cut; another cut might need fewer.
- traffic: tight for nets of many targets. Weak where many nets compete for the same neighbours: what two nets do to each
  other is seen only where they end at the same node.
- worst link: each term looks at one place (the pins, one core) or at the mean; it says nothing of the routes between.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.mapping import Mapping
from sfnhw.mapping.placement.problem import Ints, Mesh
from sfnhw.mapping.slices import LIMITS
from sfnhw.mapping.traffic import PINS, Nets


def fewest_cores(mapping: Mapping) -> int:
    """Cores that the slices of a mapping need at least: the largest of the packing bounds of a core's limits.

    For each limit the bound L2 of Martello and Toth (1990, section 8.3) for bin packing with indivisible items. Thresholds
    that are shared on a core count by populations: one table a core.
    """
    capacity = mapping.capacity
    on_cores = [d for d in mapping.demands if d.neurons]
    one_table = mapping.chip.core.threshold_unit.sharing == "core"
    least = int(bool(on_cores))
    for name in LIMITS:
        sizes = np.array([getattr(d, name) for d in on_cores], np.int64)
        if name == "registers" and one_table:
            held = {s.population for s, d in zip(mapping.slices, mapping.demands, strict=True) if d.registers}
            least = max(least, len(held))
        elif len(sizes):
            least = max(least, packing_bound(sizes, getattr(capacity, name)))
    return least


def packing_bound(sizes: Ints, capacity: int) -> int:
    """Bins that items need at least: L2 of Martello and Toth, over all thresholds up to half a bin.

    For a threshold K, items above capacity − K have a bin each; those above half a bin too, whose gaps take items of at
    least K; what is left over fills further bins.
    """
    sizes = np.sort(sizes[sizes > 0])
    if not len(sizes):
        return 0
    sums = np.concatenate([[0], np.cumsum(sizes)])
    half = int(np.searchsorted(sizes, capacity // 2, "right"))
    best = len(sizes) - half
    for k in np.unique(np.concatenate([[0], sizes[:half]])).tolist():
        alone = int(np.searchsorted(sizes, capacity - k, "right"))
        alone = max(alone, half)
        small = int(np.searchsorted(sizes, k, "left"))
        gaps = (alone - half) * capacity - int(sums[alone] - sums[half])
        left_over = int(sums[half] - sums[small]) - gaps
        best = max(best, len(sizes) - half + max(0, -(-left_over // capacity)))
    return best


def least_traffic(nets: Nets, mesh: Mesh) -> int:
    """Σ weight × links that every placement has at least, in the unit of the weights.

    A tree that reaches k routers beside its root's has k links or more, and as many as its farthest end is hops away. So
    for each node the nets that end there, each counted at one of its ends, must share out the places around it, no more
    than 4 at one hop, 8 at two, and so on: the cheapest assignment of their roots to places is a bound, and so is the sum
    over all nodes.
    """
    alone = least_links(nets, mesh)
    centre, other = _centres(nets)
    places = hops_around(mesh, nets.nodes)
    bound = int((nets.weight * alone).sum())
    counted = np.flatnonzero(centre != PINS)
    order = counted[np.argsort(centre[counted], kind="stable")]
    for mine in np.split(order, np.flatnonzero(np.diff(centre[order])) + 1):
        bound += _crowding(mine, other, nets.weight, alone, places)
    return bound


def _centres(nets: Nets) -> tuple[Ints, Ints]:
    """For each net the node around which it is counted, and the node that must find a place there; `PINS` for none.

    The end at which most nets end, and the root; for a net of one end also the other way round.
    """
    owner = np.repeat(np.arange(len(nets)), np.diff(nets.first))
    single = (np.diff(nets.first) == 1) & (nets.root != PINS)
    busy = np.bincount(nets.leaves, minlength=nets.nodes)
    busy = busy + np.bincount(nets.root[single], minlength=nets.nodes)
    centre = np.full(len(nets), PINS, np.int64)
    order = np.lexsort((nets.leaves, -busy[nets.leaves], owner))
    _, first = np.unique(owner[order], return_index=True)
    centre[owner[order][first]] = nets.leaves[order][first]
    centre[nets.root == PINS] = PINS
    other = nets.root.copy()
    turn = np.flatnonzero(single)
    turn = turn[busy[nets.root[turn]] > busy[centre[turn]]]
    centre[turn], other[turn] = other[turn], centre[turn]
    return centre, other


def least_links(nets: Nets, mesh: Mesh) -> Ints:
    """(nets,) fewest links of each net's tree by itself: routers that its ends fill beside the root's router."""
    ends = np.diff(nets.first)
    free = np.where(nets.root == PINS, mesh.each, mesh.each - 1)  # ends that may share the root's router
    return np.maximum(0, -(-(ends - free) // mesh.each))


def hops_around(mesh: Mesh, nodes: int) -> Ints:
    """(nodes,) hops from a router to the nearest cores other than one of its own, in order, on a mesh without borders."""
    hops, out = 0, [0] * (mesh.each - 1)
    while len(out) < nodes:
        hops += 1
        out += [hops] * (4 * hops * mesh.each)
    return np.array(out[:nodes], np.int64)


def _crowding(mine: Ints, other: Ints, weight: Ints, alone: Ints, places: Ints) -> int:
    """Weight × links that nets around one node have more than each by itself, because their other nodes crowd there."""
    if not len(mine):
        return 0
    nodes, index = np.unique(other[mine], return_inverse=True)
    hops = places[: len(nodes)]
    if hops[-1] <= alone[mine].min():
        return 0
    from scipy.optimize import linear_sum_assignment

    more = weight[mine][:, None] * np.maximum(0, hops[None, :] - alone[mine][:, None])
    price = np.zeros((len(nodes), len(hops)), np.int64)
    np.add.at(price, index, more)
    rows, columns = linear_sum_assignment(price)
    return int(price[rows, columns].sum())


def least_worst_link(nets: Nets, mesh: Mesh, traffic: int) -> int:
    """Load that the fullest link has at least, in the unit of the weights: the largest of three places.

    traffic : a bound of Σ weight × links (`least_traffic`): some link has the mean or more.
    The pins: what enters (leaves) there and cannot stay at their router passes the links of that router. A core: what ends
    at one, but for what comes from cores of the same router, comes in by at most four links; what it sends goes out by them.
    """
    columns, rows = mesh.columns, mesh.rows
    links = 2 * ((columns - 1) * rows + columns * (rows - 1))
    if not links:
        return 0
    bounds = [-(-traffic // links)]
    y, x = divmod(mesh.io_router, columns)
    at_pins = sum((x > 0, x < columns - 1, y > 0, y < rows - 1))
    most = min(2, columns - 1) + min(2, rows - 1)
    ends = np.diff(nets.first)
    # Only nodes that sit at the pins' router, as many as it has cores, are spared.
    entering = nets.weight[(nets.root == PINS) & (ends > mesh.each)].sum()
    leaving = np.bincount(nets.root[nets.to_pins], nets.weight[nets.to_pins], nets.nodes)
    bounds += [-(-int(entering) // at_pins), -(-_but_largest(leaving, mesh.each) // at_pins)]
    owner = np.repeat(np.arange(len(nets)), ends)
    inner = nets.root[owner] != PINS
    root, leaf, weight = nets.root[owner][inner], nets.leaves[inner], nets.weight[owner][inner]
    order = np.argsort(leaf, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(leaf[order])) + 1):
        if len(part):
            bounds.append(-(-_but_largest(np.bincount(root[part], weight[part]), mesh.each - 1) // most))
    sends = (nets.root != PINS) & (ends > mesh.each - 1)
    out = np.bincount(nets.root[sends], nets.weight[sends], nets.nodes)
    return max(*bounds, -(-int(out.max(initial=0)) // most))


def _but_largest(weights: NDArray[Any], spared: int) -> int:
    """Sum of all but the largest few."""
    ordered = np.sort(weights)
    return int(ordered[: max(0, len(ordered) - spared)].sum())
