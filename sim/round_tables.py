"""The tables of a mapping in rounds: for counting and pricing, not for running."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import FormatChoice
from sfnhw.mapping.rounds import Load, Round
from sfnhw.sim.channels import vc_classes
from sfnhw.sim.route_nodes import NodeTable
from sfnhw.sim.tables import SliceTable, Tables, build_tables
from sfnhw.sim.words import Words, check_most, narrowed

Ints = NDArray[np.int64]


def joined_tables(
    mapping: Mapping, tables: Sequence[Tables], loads: Sequence[Load], formats: dict[str, FormatChoice]
) -> Tables:
    """Put the rounds' tables together.

    Slices are those of the whole mapping, and after them one for each that a round replays from the pins. Nodes are those
    of the packets of all rounds, then of ready tokens, then of loads; their owners are slices of the whole.
    """
    own = build_tables(mapping, {name: choice.format for name, choice in formats.items()})
    slices = _slices(mapping, own.slices)
    # What starts when is a matter of each round; only how many parts slices have is read.
    again = np.concatenate([r.home[r.replayed] for r in mapping.rounds])
    count = np.concatenate([own.parts.many, own.parts.many[again]])
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return own._replace(
        slices=slices, nodes=_nodes(mapping, own.nodes, tables, loads), parts=own.parts._replace(first=first)
    )


def rows_of(mapping: Mapping, r: Round) -> Ints:
    """(connections of a round,) their places among those of the whole mapping."""
    whole, c = mapping.connections, r.mapping.connections
    n, m = len(mapping.slices), len(mapping.network.projections)

    def key(source: NDArray[np.integer], target: NDArray[np.integer], projection: NDArray[np.integer]) -> Ints:
        return (source.astype(np.int64) * n + target) * m + projection

    known = key(whole.source, whole.target, whole.projection)
    order = np.argsort(known)
    wanted = key(r.home[c.source], r.home[c.target], r.projections[c.projection])
    return np.asarray(order[np.searchsorted(known[order], wanted)])


def _slices(mapping: Mapping, whole: SliceTable) -> SliceTable:
    again = np.concatenate([r.home[r.replayed] for r in mapping.rounds])
    copies = {
        name: np.concatenate([values, values[again]])
        for name, values in whole._asdict().items()
        if name not in ("first_neuron", "terminal")
    }
    return SliceTable(
        **copies,
        terminal=np.concatenate([whole.terminal, np.full(len(again), mapping.io)]),
        first_neuron=np.concatenate([[0], np.cumsum(copies["neurons"])]).astype(np.int64),
    )


def _nodes(mapping: Mapping, whole: NodeTable, tables: Sequence[Tables], loads: Sequence[Load]) -> NodeTable:
    """Trees of the whole mapping as they are, and the loads' behind them.

    What a packet is for at an exit depends on the round: it is left out.
    """
    routes = [load.routes for load in loads]
    shift = np.concatenate([[len(whole.owner)], len(whole.owner) + np.cumsum([len(r) for r in routes])])
    owners = [r.home[load.slices[load.routes.owner]] for r, load in zip(mapping.rounds, loads, strict=True)]
    exits = np.concatenate([whole.exits, *(r.exits for r in routes)])
    check_most(int(shift[-1]), "route nodes")

    def pointers(before: Words, name: str) -> Words:
        counts = np.concatenate([np.diff(before), *(np.diff(getattr(r, name)) for r in routes)])
        return narrowed(np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]), "route nodes")

    child_first = pointers(whole.child_first, "child_first")
    children = narrowed(
        np.concatenate([whole.children, *(r.children + at for r, at in zip(routes, shift, strict=False))]),
        "route nodes",
    )
    link = np.concatenate([whole.link, *(r.link for r in routes)])
    return whole._replace(
        owner=narrowed(np.concatenate([whole.owner, *owners]), "slices"),
        router=np.concatenate([whole.router, *(r.router for r in routes)]),
        link=link,
        child_first=child_first,
        children=children,
        exit_first=pointers(whole.exit_first, "exit_first"),
        exits=exits,
        row_first=np.zeros(len(exits) + 1, np.int32),
        rows=np.zeros(0, np.int32),
        vc_class=vc_classes(mapping.chip, link, child_first, children),
    )
