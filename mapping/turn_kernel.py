"""Which trees go along columns first, so that the fullest link carries least: the kernels of `sfnhw.mapping.turns`."""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.route_kernel import Ints


class Ways(NamedTuple):
    """Both ways of each tree. Way 2·t goes along the row first, 2·t + 1 along the column; CSR of links, and back."""

    first: Ints  # (2·trees + 1,)
    links: Ints
    weight: Ints  # (trees,) flits over each link
    link_first: Ints  # (links of the mesh + 1,) ways that pass a link
    link_ways: Ints


@nb.njit(nogil=True, cache=True)
def add(w: Ways, loads: Ints, way: int, amount: int) -> None:
    """Load the links of a way."""
    for i in range(w.first[way], w.first[way + 1]):
        loads[w.links[i]] += amount


@nb.njit(nogil=True, cache=True)
def peak(w: Ways, loads: Ints, way: int) -> int:
    """Load of the fullest link of a way; 0 where it has none."""
    most = 0
    for i in range(w.first[way], w.first[way + 1]):
        most = max(most, loads[w.links[i]])
    return most


@nb.njit(nogil=True, cache=True)
def loads_of(w: Ways, turned: NDArray[np.int64]) -> Ints:
    """(links of the mesh,) loads with each tree on one of its ways."""
    loads = np.zeros(len(w.link_first) - 1, np.int64)
    for tree in range(len(w.weight)):
        add(w, loads, 2 * tree + turned[tree], w.weight[tree])
    return loads


@nb.njit(nogil=True, cache=True)
def greedy(w: Ways, order: Ints) -> Ints:
    """(trees,) ways: tree by tree, each where it meets the lesser load, then where it has fewer links, then along rows."""
    loads = np.zeros(len(w.link_first) - 1, np.int64)
    turned = np.zeros(len(w.weight), np.int64)
    for tree in order:
        row, column = 2 * tree, 2 * tree + 1
        more = peak(w, loads, row) - peak(w, loads, column)
        if more == 0:
            more = (w.first[row + 1] - w.first[row]) - (w.first[column + 1] - w.first[column])
        turned[tree] = 1 if more > 0 else 0
        add(w, loads, row + turned[tree], w.weight[tree])
    return turned


@nb.njit(nogil=True, cache=True)
def relieve(w: Ways, turned: Ints, loads: Ints, steps: int) -> None:
    """Turn a tree off the fullest link onto links that all stay below it, as low as can be, as long as there is one.

    steps : links looked at, at most; so that it ends in time where there are very many trees.
    """
    while steps > 0:
        fullest = np.argmax(loads)
        best, least = -1, loads[fullest]
        for i in range(w.link_first[fullest], w.link_first[fullest + 1]):
            way = w.link_ways[i]
            tree = way >> 1
            if turned[tree] != way & 1:
                continue
            other = way ^ 1
            add(w, loads, way, -w.weight[tree])
            now = peak(w, loads, other) + w.weight[tree]
            add(w, loads, way, w.weight[tree])
            steps -= 2 * (w.first[way + 1] - w.first[way]) + w.first[other + 1] - w.first[other]
            if now < least:
                best, least = tree, now
        if best < 0:
            break
        add(w, loads, 2 * best + turned[best], -w.weight[best])
        turned[best] ^= 1
        add(w, loads, 2 * best + turned[best], w.weight[best])


@nb.njit(nogil=True, cache=True)
def shorten(w: Ways, turned: Ints, loads: Ints, order: Ints) -> None:
    """Turn trees to the way of fewer links where no link gets fuller than the fullest is."""
    most = loads.max() if len(loads) else 0
    for tree in order:
        way = 2 * tree + turned[tree]
        other = way ^ 1
        if w.first[other + 1] - w.first[other] >= w.first[way + 1] - w.first[way]:
            continue
        add(w, loads, way, -w.weight[tree])
        if peak(w, loads, other) + w.weight[tree] <= most:
            turned[tree] ^= 1
            way = other
        add(w, loads, way, w.weight[tree])
