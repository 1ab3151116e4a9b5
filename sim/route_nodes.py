"""The route nodes of a mapping as flat arrays: trees of packets, then, but under a barrier, those of ready tokens."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.chip.links import between_chips, link_cycles, link_flit_cycles
from sfnhw.mapping import Mapping
from sfnhw.mapping.copies import neuron_copies
from sfnhw.mapping.routes import Routes
from sfnhw.sim.channels import vc_classes
from sfnhw.sim.words import Words, check_most, narrowed

Ints = NDArray[np.int64]


class NodeTable(NamedTuple):
    """Route nodes: the trees of the slices' packets, then those of the ready tokens (under a barrier there are none).

    What a link is like is told by link, with that of no link at last: ``link_cycles[link]`` is right at roots too.
    """

    owner: Words
    router: Words
    link: Words  # that leads into the node; −1 at a root
    link_cycles: Ints  # (4·routers + 1,) of each link; 0 of none
    flit_cycles: Ints  # (4·routers + 1,) that a flit holds it: more than 1 only between chips; 1 of none
    crossing: NDArray[np.bool_]  # (4·routers + 1,) it leads from one chip to another
    child_first: Words
    children: Words
    exit_first: Words
    exits: Words  # terminals: cores, and at last the pins
    # What a packet that leaves at an exit is for: connections (packet trees), source slices (token trees).
    row_first: Words  # (exits + 1,)
    rows: Words
    # Roots of the slices' trees; behind them, where packets go to what their own neuron feeds, those of its paths.
    root_first: Ints  # (slices + 1,) into `starts`
    starts: Words
    ready_root_first: Ints
    ready_roots: Words
    packet_nodes: int  # nodes below this index belong to packet trees
    copy_first: Ints  # (neurons + 1,) into `starts`: the paths of each neuron; else empty
    vc_class: NDArray[np.int8]  # which virtual channels its tree may take (`sfnhw.sim.channels`)

    @property
    def roots(self) -> Words:
        """(trees,) roots of the trees of packets, in ascending order."""
        return self.starts[: self.root_first[-1]]

    @property
    def copies(self) -> Ints:
        """Places among `roots` of the paths of the neurons, one neuron's after another's; see `copy_first`."""
        return np.searchsorted(self.roots, self.starts[self.root_first[-1] :]).astype(np.int64)


def node_table(mapping: Mapping) -> NodeTable:
    """Lay out the routes of a mapping; raises SimulationError where they are more than 32 bits can number."""
    a, b = mapping.routes, _token_routes(mapping)
    shift, trees = len(a), len(a.roots)
    check_most(len(a) + len(b), "route nodes")
    row_first, rows = _exits(mapping, b)
    check_most(len(rows), "connections and ready tokens")
    starts, copy_first = a.roots, np.zeros(0, np.int64)
    if mapping.chip.noc.destinations == "neuron":
        copies = neuron_copies(mapping)
        check_most(trees + len(copies.places), "paths of neurons")
        starts, copy_first = np.concatenate([starts, starts[copies.places]]), trees + copies.first
    link = narrowed(np.concatenate([a.link, b.link]), "links")
    child_first = narrowed(np.concatenate([a.child_first, b.child_first[1:] + a.child_first[-1]]), "route nodes")
    children = narrowed(np.concatenate([a.children, b.children + shift]), "route nodes")
    return NodeTable(
        owner=narrowed(np.concatenate([a.owner, b.owner]), "slices"),
        router=narrowed(np.concatenate([a.router, b.router]), "routers"),
        link=link,
        **links_of(mapping.chip),
        child_first=child_first,
        children=children,
        exit_first=narrowed(np.concatenate([a.exit_first, b.exit_first[1:] + a.exit_first[-1]]), "exits of routes"),
        exits=narrowed(np.concatenate([a.exits, b.exits]), "terminals"),
        row_first=narrowed(row_first, "connections and ready tokens"),
        rows=narrowed(rows, "connections"),
        root_first=a.root_first,
        starts=narrowed(starts, "route nodes"),
        ready_root_first=b.root_first,
        ready_roots=narrowed(b.roots + shift, "route nodes"),
        packet_nodes=shift,
        copy_first=copy_first,
        vc_class=vc_classes(mapping.chip, link, child_first, children),
    )


def links_of(chip: Chip) -> dict[str, Any]:
    """Columns of `NodeTable` by link."""
    link = np.append(np.arange(4 * chip.routers), -1)
    return {
        "link_cycles": link_cycles(chip, link),
        "flit_cycles": link_flit_cycles(chip, link),
        "crossing": between_chips(chip, link),
    }


def tokens_told(nodes: NodeTable) -> tuple[Ints, Ints]:
    """(items of the token trees,) slice that sends the token, and slice that it is for."""
    exits = np.repeat(np.repeat(nodes.owner, np.diff(nodes.exit_first)), np.diff(nodes.row_first))
    first = nodes.row_first[nodes.exit_first[nodes.packet_nodes]]
    return exits[first:].astype(np.int64), nodes.rows[first:].astype(np.int64)


def _token_routes(mapping: Mapping) -> Routes:
    """Trees of the ready tokens; no tree under a barrier, where no slice sends any."""
    if mapping.chip.execution.mode != "barrier":
        return mapping.ready_routes
    none, ends = np.zeros(0, np.int32), np.zeros(1, np.int64)
    return Routes(
        owner=none, router=none, parent=none, link=none, child_first=ends, children=none, exit_first=ends, exits=none,
        root_first=np.zeros(len(mapping.slices) + 1, np.int64), roots=none,
    )  # fmt: skip


def _exits(mapping: Mapping, back: Routes) -> tuple[Ints, Ints]:
    """For each exit of each node what its packets are for, as CSR (first, items): connections, or source slices.

    Nothing is at the pins for results. Items are in ascending order. back : trees of ready tokens.
    """
    c, terminals, size = mapping.connections, mapping.terminals, mapping.chip.cores + 1
    source, target = c.source.astype(np.int64), c.target.astype(np.int64)
    packets = source * size + terminals[target]
    order = np.argsort(packets, kind="stable")
    # A source is told once by each core, through however many projections it feeds the slice there.
    many = len(terminals)
    tokens, slices = np.divmod(np.unique((target * size + terminals[source]) * many + source), many)
    counts, items = [], []
    for routes, keys, what in (
        (mapping.routes, packets[order], order),
        (back, tokens, slices),
    ):
        asked = np.repeat(routes.owner, np.diff(routes.exit_first)).astype(np.int64) * size + routes.exits
        first, last = (np.searchsorted(keys, asked, side) for side in ("left", "right"))
        counts.append(last - first)
        items.append(what[ranges(first, last - first)])
    return np.concatenate([[0], np.cumsum(np.concatenate(counts))]), np.concatenate(items)


def begins(values: NDArray[np.integer]) -> Ints:
    """Return where each value begins; values : sorted, none is negative."""
    return np.flatnonzero(np.diff(values, prepend=-1))


def ranges(first: NDArray[np.integer], counts: NDArray[np.integer]) -> Ints:
    """Return first[0], first[0] + 1, … (counts[0] of them), then first[1], … as one array."""
    starts = np.cumsum(counts, dtype=np.int64) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - starts, counts)
