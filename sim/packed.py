"""The tables of one run as the packet kernel reads them: records of 32-bit words, what is used together side by side.

A packet that enters a router needs a handful of numbers of its node, of each link on from there and of each slice behind
each exit. From arrays of their own every one of them is another miss of the cache, and an array in a tuple costs Numba a
reference count at each touch: records in a few plain arrays are several times faster.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.parts import PartTable, alike
from sfnhw.sim.tables import Tables

Ints = NDArray[np.int64]
Words = NDArray[np.int32]


# Columns of the records.
OWNER, EDGES, EDGES_END, EXITS, EXITS_END, BEHIND, LANE, SHARE = range(8)
CHILD, LINK, LINK_CYCLES, FLIT_CYCLES = range(4)
TERMINAL, CALLS, CALLS_END = range(3)
(
    WHOM, TARGET, CORE, POPULATION, KIND, POSITIONS, RUN_FIRST, RUN_STRIDE, TAPS_FIRST, TAPS_STRIDE, COST_FIRST, FEEDS,
    LATER, COLUMNS, SOURCE, ALONE,
) = range(16)  # fmt: skip
# Kinds of calls.
ADDS, STAYS, STREAMS = 0, 1, 2


class Packed(NamedTuple):
    """Records, end to end; the columns have the names above, and what is beyond them is empty.

    Attributes
    ----------
    nodes : (nodes · 8,) slice that owns the node; its edges; its exits; the number of calls behind all of these; how far behind
        a link is what keeps time of the virtual channels that its tree may take there (0: the link itself, all may be
        taken); their share (`Channels.shares`).
    edges : (edges · 4,) node at the other end, link, cycles of the link, cycles that a flit holds it.
    exits : (exits · 4,) terminal; its calls.
    calls : (calls · 16,) what a packet does behind an exit: at one of packets WHOM is the connection, and the rest is that
        connection, TARGET the first part of its slice; at one of ready tokens WHOM is the first part of the source slice
        that they are for. FEEDS: where `feed_first` has the parts that the sender's row 0 feeds, or tells; LATER: in which
        window, so many later. The rest is 0.
    runs, taps, costs : pools, as in `sfnhw.sim.tables.RowTable`.
    roots, ready_roots : (slices + 1,) and the nodes, as in `sfnhw.sim.tables.NodeTable`.
    copy_first : (neurons + 1,) into `roots`, behind those of the slices: the paths that each neuron's own packets take; or
        empty.
    parts : who waits for whom, and how much (`sfnhw.sim.parts`).
    """

    nodes: Words
    edges: Words
    exits: Words
    calls: Words
    runs: NDArray[np.uint16] | Words
    taps: Words
    costs: Ints
    root_first: Ints
    roots: Ints
    ready_root_first: Ints
    ready_roots: Ints
    copy_first: Ints
    parts: PartTable


def pack(tables: Tables) -> Packed:
    """Lay the tables out for the kernel."""
    s, r, n, q, f = tables.slices, tables.rows, tables.nodes, tables.parts, tables.fabric
    calls = np.zeros((len(n.rows), 16), np.int32)
    upto = int(n.row_first[n.exit_first[n.packet_nodes]])
    at_packets, row = slice(0, upto), n.rows[:upto]
    calls[:upto, WHOM], calls[upto:, WHOM] = row, q.first[n.rows[upto:]]
    calls[upto:, FEEDS], calls[upto:, LATER] = q.token_feeds, q.token_delay
    # End markers and tokens wake as many parts as any row of their slice feeds.
    sender = np.concatenate(
        [r.source[row], np.repeat(np.repeat(n.owner, np.diff(n.exit_first)), np.diff(n.row_first))[upto:]]
    )
    kind = np.where(r.stationary, STAYS, np.where(r.streams, STREAMS, ADDS))
    # A packet of a slice that works whole is of row 0.
    apart = np.where(q.many[r.source] > 1, q.columns[r.source], r.positions)
    columns = (
        q.first[r.target], s.terminal[r.target], s.population[r.target], kind, r.positions, r.run_first, r.run_stride,
        r.taps_first, r.taps_stride, r.cost_first, q.marker_feeds, q.marker_delay, apart, r.source, r.alone,
    )  # fmt: skip
    for place, column in enumerate(columns, TARGET):
        calls[at_packets, place] = column[row]
    wakes = np.concatenate([[0], np.cumsum(_most(q, calls[:, FEEDS], sender))]).astype(np.int64)
    behind = np.diff(wakes[n.row_first[n.exit_first]])
    n_edges, lane, share = (
        (n.child_first[:-1], n.child_first[1:]),
        4 * f.routers * n.vc_class,
        f.channels.shares[n.vc_class],
    )
    return Packed(
        nodes=_records(8, n.owner, *n_edges, n.exit_first[:-1], n.exit_first[1:], behind, lane, share),
        edges=_records(4, n.children, n.link[n.children], n.link_cycles[n.children], n.flit_cycles[n.children]),
        exits=_records(4, n.exits, n.row_first[:-1], n.row_first[1:]),
        calls=calls.reshape(-1),
        runs=r.runs,
        taps=r.taps,
        costs=r.costs.reshape(-1),
        root_first=n.root_first,
        roots=np.concatenate([n.roots, n.roots[n.copies]]),
        ready_root_first=n.ready_root_first,
        ready_roots=n.ready_roots,
        copy_first=len(n.roots) + n.copy_first,
        parts=q,
    )


def _most(q: PartTable, feeds: Words, sender: Ints) -> Ints:
    """(calls,) parts that any row of the sender feeds there, at most; 1 at least."""
    many = np.diff(q.feed_first)
    if q.first[-1] == len(q.columns):
        return np.maximum(many[feeds], 1)
    one, which = alike(feeds.astype(np.int64), sender)
    most = [many[at : at + rows].max(initial=1) for at, rows in zip(feeds[one], q.many[sender[one]], strict=True)]
    return np.array(most, np.int64)[which]


def _records(width: int, *columns: Ints) -> Words:
    out = np.zeros((len(columns[0]), width), np.int32)
    for place, column in enumerate(columns):
        out[:, place] = column
    return out.reshape(-1)
