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

from sfnhw.mapping.copies import tree_of
from sfnhw.sim.route_nodes import NodeTable, begins, ranges
from sfnhw.sim.tables import Tables
from sfnhw.sim.words import check_most

Ints = NDArray[np.int64]
Words = NDArray[np.int32]

# Columns of items: the item that a packet goes on to; the channel of that; flits of a packet; where `more` has further ones
# (−1: nowhere). Those of an exit: its first call (`sfnhw.sim.packed`), and where its calls end, flits, slice that owns it.
NEXT_ITEM, NEXT_CHANNEL, FLITS, MORE = 0, 1, 2, 3
CALLED, CALLED_END, OUT_OWNER = 0, 1, 3
# Columns of channels: first item; link, or terminal; whether it is a link; its cycles; those a flit holds it.
FIRST_ITEM, WHERE, IS_LINK, CYCLES, FLIT_CYCLES = range(5)


class Channels(NamedTuple):
    """Where packets go, sorted by channel. An item is one way out of a route node: an edge, or an exit.

    Attributes
    ----------
    channels : ((channels + 1) · 8,) flat, in order; the last one only says where items end.
    items : (items · 4,) flat.
    more : lists: how many, then item and channel of each.
    tree_of_item : (items,) its tree.
    roots : (roots · 4,) flat, as items: the ways out of each tree's root; the column of flits is empty.
    tree : (roots · 2,) flat: nodes, and exits.
    tree_of_node : (packet nodes,) tree, as a place in `NodeTable.roots`.
    owner : (trees,) slice.
    vc_class : (items,) which virtual channels of a link its tree may take (`sfnhw.sim.channels`); empty where all take any.
    levels : channels that a packet passes at most.
    """

    channels: Words
    items: Words
    more: Words
    tree_of_item: Words
    roots: Words
    tree: Words
    tree_of_node: Words
    owner: Words
    vc_class: NDArray[np.int8]
    levels: int


class _Ways(NamedTuple):
    """Ways out of route nodes: (ways,) node, node at the other end of an edge (−1: an exit), channel; (nodes + 1,) first."""

    node: Ints
    child: Ints
    channel: Ints
    first: Ints


def order_channels(tables: Tables) -> Channels | None:
    """Return the channels in order, or None where timesteps cannot be run channel by channel.

    That is so without a barrier, where packets hold several spikes or slices work row by row, and where channels go round in
    a circle, as they may where some packets turn left and others right (`noc.routing: o1turn`).
    """
    n, s, links, terminals = tables.nodes, tables.slices, 4 * tables.fabric.routers, tables.fabric.cores + 1
    whole = not s.form.any() and (tables.parts.many == 1).all() and not tables.rows.streams.any()
    if not tables.fabric.barrier or not whole:
        return None
    ways = _ways_out(n, links)
    if len(ways.node) == 0 or (np.diff(ways.first) == 0).any():
        return None
    check_most(len(ways.node), "links and exits of routes")
    # What feeds a way out: the link into its node; at a root, the port of the terminal.
    is_root = np.isin(ways.node, n.roots)
    up = np.where(is_root, links + terminals + s.terminal[n.owner[ways.node]], n.link[ways.node]).astype(np.int64)
    level = _levels(up, ways.channel, links + 2 * terminals)
    if level is None:
        return None
    used = np.unique(ways.channel)
    used = used[np.argsort(level[used], kind="stable")]
    rank = np.zeros(links + 2 * terminals, np.int64)
    rank[used] = np.arange(len(used))
    order = np.argsort(rank[ways.channel], kind="stable")
    node, channel, roots = ways.node[order], ways.channel[order], n.roots
    tree_of_node = tree_of(n.link[: n.packet_nodes], roots)
    items, behind, more = _items(ways, order, rank[channel], n)
    items[:, FLITS] = s.flits[n.owner[node]]
    at_exit = channel >= links
    items[at_exit, OUT_OWNER] = n.owner[node[at_exit]]
    exits = np.bincount(tree_of_node[ways.node], ways.channel >= links, minlength=len(roots)).astype(np.int64)
    return Channels(
        channels=_words(_records(channel, links, n)),
        items=_words(items),
        more=_words(more),
        tree_of_item=_words(tree_of_node[node]),
        roots=_words(behind),
        tree=_words(np.stack([np.bincount(tree_of_node, minlength=len(roots)), exits], axis=1)),
        tree_of_node=_words(tree_of_node),
        owner=_words(n.owner[roots]),
        vc_class=n.vc_class[node] if tables.fabric.channels.classes > 1 else np.zeros(0, np.int8),
        levels=int(level[used].max()) + 1,
    )


def _ways_out(n: NodeTable, links: int) -> _Ways:
    """Of each node of the packet trees: edges, then exits."""
    nodes = n.packet_nodes
    edges, exits = n.child_first[: nodes + 1].astype(np.int64), n.exit_first[: nodes + 1].astype(np.int64)
    first = edges + exits
    node = np.repeat(np.arange(nodes), np.diff(first))
    is_edge = np.arange(first[-1]) - first[node] < np.diff(edges)[node]
    child, channel = np.full(len(node), -1, np.int64), np.zeros(len(node), np.int64)
    child[is_edge] = n.children[: edges[-1]]
    channel[is_edge] = n.link[child[is_edge]]
    channel[~is_edge] = links + n.exits[: exits[-1]]
    return _Ways(node, child, channel, first)


def _records(channel: Ints, links: int, n: NodeTable) -> Ints:
    """(channels + 1, 8) columns of channels; channel : (items,) sorted."""
    starts = begins(channel)
    where = channel[starts]
    is_link = where < links
    out = np.zeros((len(starts) + 1, 8), np.int64)
    out[:, FIRST_ITEM] = np.append(starts, len(channel))
    out[:-1, WHERE], out[:-1, IS_LINK] = np.where(is_link, where, where - links), is_link
    out[:-1, CYCLES] = np.where(is_link, n.link_cycles[where * is_link], 0)
    out[:-1, FLIT_CYCLES] = np.where(is_link, n.flit_cycles[where * is_link], 0)
    return out


def _items(ways: _Ways, order: Ints, rank: Ints, n: NodeTable) -> tuple[Ints, Ints, Ints]:
    """(items, 4), (trees, 4) the columns of what is behind items and roots, and the pool of further ones.

    order : (items,) way out that each of them is; rank : (items,) its channel.
    """
    item_of = np.empty(len(order), np.int64)
    item_of[order] = np.arange(len(order))
    to = np.concatenate([ways.child[order], n.roots])
    out = np.zeros((len(to), 4), np.int64)
    out[:, MORE] = -1
    is_exit = np.flatnonzero(to < 0)
    exits = (np.cumsum(ways.child < 0) - 1)[order[is_exit]]
    out[is_exit, CALLED], out[is_exit, CALLED_END] = n.row_first[exits], n.row_first[exits + 1]
    inner = np.flatnonzero(to >= 0)
    begin, many = ways.first[to[inner]], ways.first[to[inner] + 1] - ways.first[to[inner]]
    one = item_of[begin]
    out[inner, NEXT_ITEM], out[inner, NEXT_CHANNEL] = one, rank[one]
    some = many > 1
    begin, further = begin[some], many[some] - 1
    at = np.cumsum(1 + 2 * further) - 1 - 2 * further
    out[inner[some], MORE] = at
    more = np.zeros(int((1 + 2 * further).sum()), np.int64)
    more[at] = further
    place = ranges(np.zeros(len(further), np.int64), further)
    one = item_of[np.repeat(begin, further) + 1 + place]
    at = np.repeat(at, further) + 1 + 2 * place
    more[at], more[at + 1] = one, rank[one]
    return out[: len(order)], out[len(order) :], more


def _words(values: NDArray[np.integer]) -> Words:
    return np.ascontiguousarray(values, np.int32).reshape(-1)


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
