"""The tables of one run as the packet kernel reads them: records of 32-bit words, what is used together side by side.

A packet that enters a router needs a handful of numbers of its node, of each link on from there and of each slice behind
each exit. From arrays of their own every one of them is another miss of the cache: records in a few plain arrays
are several times faster.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.parts import PartTable, alike
from sfnhw.sim.tables import Tables

Ints = NDArray[np.int64]
Words = NDArray[np.int32]


# Columns of the records. A list ends where that of the next record begins: column NODE + EDGES is its EDGES.
NODE, EDGE, EXIT, CALL = 4, 4, 2, 16  # words of a record
OWNER, EDGES, EXITS, VC_CLASS = range(4)
EDGES_END, EXITS_END = NODE + EDGES, NODE + EXITS
CHILD, LINK, LINK_CYCLES, FLIT_CYCLES = range(4)
TERMINAL, CALLS = range(2)
CALLS_END = EXIT + CALLS
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
    nodes : ((nodes + 1) · 4,) slice that owns the node; its first edge; its first exit; which virtual channels its tree may
        take (`sfnhw.sim.channels`).
    edges : (edges · 4,) node at the other end, link, cycles of the link, cycles that a flit holds it.
    exits : ((exits + 1) · 2,) terminal; its first call.
    calls : (calls · 16,) what a packet does behind an exit: at one of packets WHOM is the connection, and the rest is that
        connection, TARGET the first part of its slice; at one of ready tokens WHOM is the first part of the source slice
        that they are for. FEEDS: where `feed_first` has the parts that the sender's row 0 feeds, or tells; LATER: in which
        window, so many later. The rest is 0.
    runs, taps, costs : pools, as in `sfnhw.sim.tables.RowTable`.
    root_first, roots, ready_root_first, ready_roots, copy_first : as in `sfnhw.sim.tables.NodeTable`; roots are its `starts`.
    behind : calls behind all exits of a node, and parts that they wake, at most.
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
    roots: Words
    ready_root_first: Ints
    ready_roots: Words
    copy_first: Ints
    behind: int
    parts: PartTable


def pack(tables: Tables) -> Packed:
    """Lay the tables out for the kernel."""
    n = tables.nodes
    calls, wakes = _calls(tables, len(n.rows))
    upto = np.concatenate([[0], np.cumsum(wakes)]).astype(np.int64)
    behind = np.diff(upto[n.row_first[n.exit_first]])
    link = n.link[n.children]
    return Packed(
        nodes=_records(
            NODE,
            np.append(n.owner, 0),
            n.child_first,
            n.exit_first,
            np.append(n.vc_class, 0),
        ),
        edges=_records(EDGE, n.children, link, n.link_cycles[link], n.flit_cycles[link]),
        exits=_records(EXIT, np.append(n.exits, 0), n.row_first),
        calls=calls.reshape(-1),
        runs=tables.rows.runs,
        taps=tables.rows.taps,
        costs=tables.rows.costs.reshape(-1),
        root_first=n.root_first,
        roots=n.starts,
        ready_root_first=n.ready_root_first,
        ready_roots=n.ready_roots,
        copy_first=n.copy_first,
        behind=int(behind.max(initial=0)),
        parts=tables.parts,
    )


def _calls(tables: Tables, many: int) -> tuple[Words, Ints]:
    """(calls, 16) records of the first so many calls; (calls,) parts that any row of the sender feeds there, at most."""
    s, r, n, q = tables.slices, tables.rows, tables.nodes, tables.parts
    calls = np.zeros((many, CALL), np.int32)
    upto = int(n.row_first[n.exit_first[n.packet_nodes]])
    row, told = n.rows[:upto], n.rows[upto:many]
    calls[:upto, WHOM], calls[upto:, WHOM] = row, q.first[told]
    calls[upto:, FEEDS], calls[upto:, LATER] = q.token_feeds[: len(told)], q.token_delay[: len(told)]
    # End markers and tokens wake as many parts as any row of their slice feeds.
    sender = np.concatenate(
        [r.source[row], np.repeat(np.repeat(n.owner, np.diff(n.exit_first)), np.diff(n.row_first))[upto:many]]
    )
    kind = np.where(r.stationary, STAYS, np.where(r.streams, STREAMS, ADDS))
    # A packet of a slice that works whole is of row 0.
    apart = np.where(q.many[r.source] > 1, q.columns[r.source], r.positions)
    columns = (
        q.first[r.target], s.terminal[r.target], s.population[r.target], kind, r.positions, r.run_first, r.run_stride,
        r.taps_first, r.taps_stride, r.cost_first, q.marker_feeds, q.marker_delay, apart, r.source, r.alone,
    )  # fmt: skip
    for place, column in enumerate(columns, TARGET):
        calls[:upto, place] = column[row]
    return calls, _most(q, calls[:, FEEDS], sender)


def _most(q: PartTable, feeds: Words, sender: NDArray[np.integer]) -> Ints:
    """(calls,) parts that any row of the sender feeds there, at most; 1 at least."""
    many = np.diff(q.feed_first)
    if q.first[-1] == len(q.columns):
        return np.maximum(many[feeds], 1)
    one, which = alike(feeds.astype(np.int64), sender.astype(np.int64))
    most = [many[at : at + rows].max(initial=1) for at, rows in zip(feeds[one], q.many[sender[one]], strict=True)]
    return np.array(most, np.int64)[which]


def _records(width: int, *columns: NDArray[np.integer]) -> Words:
    out = np.zeros((len(columns[0]), width), np.int32)
    for place, column in enumerate(columns):
        out[:, place] = column
    return out.reshape(-1)
