"""What is alike at route nodes and connections: counts are added up by it once, and expanded into actions and prices from there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.tables import Tables
from sfnhw.sim.words import Words, narrowed

Ints = NDArray[np.int64]


class NodePlaces(NamedTuple):
    """Places of route nodes: those that are entered by one link, with packets of one population and of as many flits; and the
    roots of each slice at one router (loads of rounds begin at the pins, the slice's own packets at its core).

    Attributes
    ----------
    key : (nodes,) place of each node.
    router, link, population, flits : (places,) of its nodes; link −1 at roots; flits of a packet of one spike.
    owner : (places,) slice whose roots they are; −1: they are none.
    """

    key: Words
    router: Ints
    link: Ints
    population: Ints
    flits: Ints
    owner: Ints


def node_places(tables: Tables) -> NodePlaces:
    """Find them."""
    s, n = tables.slices, tables.nodes
    _, kind = np.unique(np.stack([s.population, s.flits]), axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    owner, link = n.owner.astype(np.int64), n.link.astype(np.int64)
    kinds = int(kind.max(initial=0)) + 1
    routers = int(n.router.max(initial=0)) + 1
    code = np.where(link < 0, owner * routers + n.router, len(kind) * routers + link * kinds + kind[owner])
    _, one, key = np.unique(code, return_index=True, return_inverse=True)
    return NodePlaces(
        key=narrowed(key.reshape(-1), "places of route nodes"),
        router=n.router[one].astype(np.int64),
        link=link[one],
        population=s.population[owner[one]],
        flits=s.flits[owner[one]],
        owner=np.where(link[one] < 0, owner[one], -1),
    )


class RowPlaces(NamedTuple):
    """Connections of one projection into one slice; key : (connections,) place of each; the rest : (places,)."""

    key: Ints
    target: Ints
    projection: Ints
    alone: NDArray[np.bool_]  # as of `sfnhw.sim.tables.RowTable`: a matter of the projection


def row_places(tables: Tables) -> RowPlaces:
    """Find them."""
    r = tables.rows
    many = int(r.projection.max(initial=0)) + 1
    places, one, key = np.unique(
        r.target.astype(np.int64) * many + r.projection, return_index=True, return_inverse=True
    )
    return RowPlaces(key.reshape(-1), *np.divmod(places, many), r.alone[one])
