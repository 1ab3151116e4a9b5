"""Channels of a mapping's routes in an order in which each comes after those that feed it, where there is one.

A channel is what serves packets one after the other: a link, or the port of a core or of the pins. Where routes turn as
dimension-order routing does, what arrives at a channel has only passed channels before it in this order (the acyclic channel
dependency graph by which such routing is free of deadlock: Dally and Seitz 1987, theorem 1). Then a timestep whose packets do
not wait for each other's work can be run channel by channel: `sfnhw.sim.step_kernel`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sfnhw.sim.tables import Tables
from sfnhw.sim.words import check_most

Ints = NDArray[np.int64]
Words = NDArray[np.int32]

# A slice's number has so many bits where timesteps are run (`sfnhw.sim.step_emission`).
SLICE_BITS = 24
MOST_SLICES = 1 << SLICE_BITS
# Columns of items: the item that a packet goes on to; the channel of that; flits of a packet; where `more` has further ones
# (−1: nowhere). Those of an exit: its place among exits, nothing, flits, slice that owns it.
NEXT_ITEM, NEXT_CHANNEL, FLITS, MORE = 0, 1, 2, 3
OUT, OUT_OWNER = 0, 3
# Columns of channels: first item; link, or terminal; whether it is a link; its cycles; those a flit holds it.
FIRST_ITEM, WHERE, IS_LINK, CYCLES, FLIT_CYCLES = range(5)


class Channels(NamedTuple):
    """Where packets go, sorted by channel. An item is one way out of a route node: an edge, or an exit.

    Attributes
    ----------
    channels : ((channels + 1) · 8,) flat, in order; the last one only says where items end.
    items : (items · 4,) flat.
    more : lists: how many, then item and channel of each.
    root_of_item, root_of_node : (items,), (packet nodes,) tree, as a place in `NodeTable.roots`.
    roots : (roots · 4,) flat, as items: the ways out of each tree's root; the column of flits is empty.
    tree : (roots · 2,) flat: nodes, and exits.
    root_of : for each entry of `NodeTable.starts` its tree.
    owner : (trees,) slice.
    levels : channels that a packet passes at most.
    """

    channels: Words
    items: Words
    more: Words
    root_of_item: Words
    root_of_node: Words
    roots: Words
    tree: Words
    root_of: Words
    owner: Words
    levels: int


def order_channels(tables: Tables) -> Channels | None:
    """Return the channels in order, or None where timesteps cannot be run channel by channel.

    That is so without a barrier, where packets hold several spikes or slices work row by row, and where channels go round in
    a circle, as the links of a torus do.
    """
    whole = not tables.slices.form.any() and (tables.parts.many == 1).all() and not tables.rows.streams.any()
    if not tables.fabric.barrier or not whole or len(tables.slices.neurons) > MOST_SLICES:
        return None
    n, s, links = tables.nodes, tables.slices, 4 * tables.fabric.routers
    nodes, roots = n.packet_nodes, n.roots
    edges, exits = n.child_first[: nodes + 1].astype(np.int64), n.exit_first[: nodes + 1].astype(np.int64)
    ways = np.diff(edges) + np.diff(exits)
    first = np.concatenate([[0], np.cumsum(ways)]).astype(np.int64)
    if first[-1] == 0:
        return None
    check_most(int(first[-1]), "links and exits of routes")
    # Ways out, node by node: edges, then exits.
    node = np.repeat(np.arange(nodes), ways)
    within = np.arange(first[-1]) - first[node]
    is_link = within < np.diff(edges)[node]
    child = np.full(len(node), -1, np.int64)
    child[is_link] = n.children[: edges[-1]]
    exit_ = np.full(len(node), -1, np.int64)
    exit_[~is_link] = np.arange(exits[-1])
    channel = np.where(is_link, n.link[child], 0).astype(np.int64)
    channel[~is_link] = links + n.exits[: exits[-1]]
    is_root = np.zeros(nodes, np.bool_)
    is_root[roots] = True
    terminals = tables.fabric.cores + 1
    up = np.where(is_root[node], links + terminals + s.terminal[n.owner[node]], n.link[node]).astype(np.int64)
    level = _levels(up, channel, links + 2 * terminals)
    if level is None:
        return None
    used = np.unique(channel)
    used = used[np.argsort(level[used], kind="stable")]
    rank = np.zeros(links + 2 * terminals, np.int64)
    rank[used] = np.arange(len(used))
    order = np.argsort(rank[channel], kind="stable")
    item_of = np.empty(len(order), np.int64)
    item_of[order] = np.arange(len(order))
    channel, node, child, exit_ = channel[order], node[order], child[order], exit_[order]
    starts = np.flatnonzero(np.r_[True, channel[1:] != channel[:-1]])
    flits = s.flits[n.owner[node]]
    # What is behind an item, and behind a root.
    to = np.concatenate([child, roots])
    columns, more = _onward(to, first, item_of, rank[channel])
    items = np.zeros((len(order), 4), np.int64)
    items[:], behind = columns[: len(order)], columns[len(order) :]
    at_exit = child < 0
    items[at_exit, OUT], items[at_exit, OUT_OWNER] = exit_[at_exit], n.owner[node[at_exit]]
    items[:, FLITS] = flits
    root_of_node = _roots(n.children[: edges[-1]], np.repeat(np.arange(nodes), np.diff(edges)), roots, nodes)
    records = np.zeros((len(starts) + 1, 8), np.int64)
    links_here = channel[starts] < links
    records[:, FIRST_ITEM] = np.r_[starts, len(order)]
    records[:-1, WHERE] = np.where(links_here, channel[starts], channel[starts] - links)
    records[:-1, IS_LINK] = links_here
    records[:-1, CYCLES][links_here] = n.link_cycles[channel[starts[links_here]]]
    records[:-1, FLIT_CYCLES][links_here] = n.flit_cycles[channel[starts[links_here]]]
    tree = np.stack(
        [
            np.bincount(root_of_node, minlength=len(roots)),
            np.bincount(root_of_node, np.diff(exits), minlength=len(roots)).astype(np.int64),
        ],
        axis=1,
    )
    words = [
        np.ascontiguousarray(each, np.int32).reshape(-1)
        for each in (
            records,
            items,
            more,
            root_of_node[node],
            root_of_node,
            behind,
            tree,
            np.concatenate([np.arange(len(roots)), n.copies]),
            n.owner[roots],
        )
    ]
    return Channels(*words, levels=int(level[used].max()) + 1)


def _levels(up: Ints, channel: Ints, size: int) -> Ints | None:
    """(size,) how many channels come before each at most, or None where any comes before itself."""
    pairs = np.unique(up * size + channel)
    before, after = np.divmod(pairs, size)
    graph = coo_array((np.ones(len(pairs), np.int8), (before, after)), shape=(size, size))
    if connected_components(graph, connection="strong", return_labels=False) < size or (before == after).any():
        return None
    level = np.zeros(size, np.int64)
    while True:
        further = level.copy()
        np.maximum.at(further, after, level[before] + 1)
        if (further == level).all():
            return level
        level = further


def _onward(to: Ints, first: Ints, item_of: Ints, rank: Ints) -> tuple[Ints, Ints]:
    """(ways, 4) the columns of what is behind nodes (−1: none), and the pool of further ones."""
    out = np.zeros((len(to), 4), np.int64)
    out[:, MORE] = -1
    inner = np.flatnonzero(to >= 0)
    begin, ways = first[to[inner]], first[to[inner] + 1] - first[to[inner]]
    some = inner[ways > 0]
    out[inner[ways == 0], NEXT_ITEM] = -1
    one = item_of[begin[ways > 0]]
    out[some, NEXT_ITEM], out[some, NEXT_CHANNEL] = one, rank[one]
    many = ways > 1
    begin, ways = begin[many], ways[many]
    size = 1 + 2 * (ways - 1)
    at = np.cumsum(size) - size
    out[inner[many], MORE] = at
    more = np.zeros(int(size.sum()), np.int64)
    more[at] = ways - 1
    which = np.repeat(np.arange(len(ways)), ways - 1)
    k = np.arange(len(which)) - np.repeat(np.cumsum(ways - 1) - (ways - 1), ways - 1)
    further = item_of[begin[which] + 1 + k]
    more[at[which] + 1 + 2 * k], more[at[which] + 2 + 2 * k] = further, rank[further]
    return out, more


def _roots(children: Ints, parents: Ints, roots: Ints, nodes: int) -> Ints:
    """(nodes,) tree of each node, as a place among the roots."""
    above = np.arange(nodes)
    above[children] = parents
    while True:
        further = above[above]
        if (further == above).all():
            break
        above = further
    place = np.zeros(nodes, np.int64)
    place[roots] = np.arange(len(roots))
    return place[above]
