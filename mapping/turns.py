"""Which way each tree goes: by the chip's routing, and where it leaves the choice, so that the fullest link carries least."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping.routes import Ints, Routes, Targets, Trees, route
from sfnhw.mapping.traffic import Traffic

if TYPE_CHECKING:
    from sfnhw.mapping.turn_kernel import Ways

# Links looked at while trees are turned off the fullest link, from each start: a few seconds at most.
STEPS = 300_000_000


def lay_routes(
    chip: Chip, terminals: Ints, forward: Targets, back: Targets, traffic: Traffic | None
) -> tuple[Routes, Routes]:
    """Lay the trees of packets, and those of ready tokens, by `noc.routing`.

    Parameters
    ----------
    terminals : (slices,) where each slice is.
    forward, back : whom each slice's packets, and its tokens, must reach.
    traffic : what they weigh, where the routing is a choice (`o1turn`); else it is not looked at.
    """
    noc, (x, y) = chip.noc, chip.io.router
    multicast = noc.cast == "multicast"

    def laid(targets: Targets, yx: bool | NDArray[np.bool_]) -> Routes:
        place = (chip.columns, chip.rows, int(x + chip.columns * y), multicast, noc.cores_per_router)
        return route(terminals, targets, *place, yx)

    if noc.routing != "o1turn" or traffic is None:
        return laid(forward, noc.routing == "yx"), laid(back, noc.routing == "yx")
    weights = [
        flits[Trees.of(targets, multicast).owner]
        for targets, flits in ((forward, traffic.forward), (back, traffic.back))
    ]
    turned = choose(
        [laid(forward, False), laid(back, False)], [laid(forward, True), laid(back, True)], weights, 4 * chip.routers
    )
    return laid(forward, turned[: len(weights[0])]), laid(back, turned[len(weights[0]) :])


def choose(along_rows: list[Routes], along_columns: list[Routes], weights: list[Ints], links: int) -> NDArray[np.bool_]:
    """(trees,) whether each tree goes along the column first, so that the fullest link is as empty as the search gets it.

    Three starts: all trees along rows, all along columns, and each in turn, heaviest first, where it meets the lesser
    load. From each, trees are turned off the fullest link as long as that relieves it; the best is kept, and its trees
    take the shorter way where that makes no link fuller than the fullest. So it is never fuller than under XY or YX alone.

    Parameters
    ----------
    along_rows, along_columns : the same trees laid both ways, in parts.
    weights : flits over each link of the trees of each part.
    links : of the mesh.
    """
    from sfnhw.mapping import turn_kernel  # Numba

    ways = _ways(along_rows, along_columns, np.concatenate(weights), links)
    order = np.argsort(-ways.weight, kind="stable")
    count = len(ways.weight)
    tried = []
    for start in (np.zeros(count, np.int64), np.ones(count, np.int64), turn_kernel.greedy(ways, order)):
        loads = turn_kernel.loads_of(ways, start)
        turn_kernel.relieve(ways, start, loads, STEPS)
        turn_kernel.shorten(ways, start, loads, order)
        tried.append((int(loads.max(initial=0)), int(loads.sum()), start))
    return np.asarray(min(tried, key=lambda found: found[:2])[2] == 1)


def _ways(along_rows: list[Routes], along_columns: list[Routes], weight: Ints, links: int) -> "Ways":
    """Both ways of all trees as CSR."""
    from sfnhw.mapping.turn_kernel import Ways

    way, link = [], []
    base = 0
    for one, other in zip(along_rows, along_columns, strict=True):
        for turn, routes in enumerate((one, other)):
            tree = np.cumsum(routes.parent < 0) - 1
            on_link = routes.link >= 0
            way.append(2 * (base + tree[on_link]) + turn)
            link.append(routes.link[on_link].astype(np.int64))
        base += len(one.roots)
    ways, over = np.concatenate(way), np.concatenate(link)
    by_way, by_link = np.argsort(ways, kind="stable"), np.argsort(over, kind="stable")
    return Ways(
        np.searchsorted(ways[by_way], np.arange(2 * base + 1)),
        over[by_way],
        weight.astype(np.int64),
        np.searchsorted(over[by_link], np.arange(links + 1)),
        ways[by_link],
    )
