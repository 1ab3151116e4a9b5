"""How long each event of a log was waited for, and what the way of each packet took: from the kernel's records and the routes.

The records say when units are taken, not who waited for what. A packet's way is that of its root: copies of one packet
(unicasts, bursts) that share a link share all links before it, since they leave the same router in dimension order, so on
each link, and at each port, they come in the order in which they were injected; with `o1turn` those that take the same virtual
channels, which the number of a link in a record says.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.bundles import Bundles
from sfnhw.sim.event_records import AXON, BEGIN, EJECT, FRAME, INDEX, INJECT, KIND, LINK, MORE, SYNAPSE, WHERE, WHO
from sfnhw.sim.event_records import END as ENDS
from sfnhw.sim.route_nodes import ranges
from sfnhw.sim.tables import Tables

Ints = NDArray[np.int64]
NONE = -1


class Waits(NamedTuple):
    """Cycles, one entry a record; −1 where there is none.

    Attributes
    ----------
    wait : from when the packet could have had the unit until it did. Of `inject`: since it was ready; of `link` and `eject`:
        since the router had passed it, had it come there from its port at once; of `axon`: since its delivery (for an operand, too); of `synapse`: since its look-up.
    injection_wait, injection, hops, link_wait : of an `eject`, what came before it: waiting for the port; the port, until
        the head is at the first router, had that taken it at once; routers and links as in an empty network; waiting for links. With the wait of the
        `eject` and its own cycles they add up to the packet's latency.
    """

    wait: Ints
    injection_wait: Ints
    injection: Ints
    hops: Ints
    link_wait: Ints


class _Ways(NamedTuple):
    """From its root to each route node: routers passed, cycles of links, cycles more for each flit (between chips)."""

    parent: Ints
    routers: Ints
    links: Ints
    slow: Ints


def waits_of(records: Ints, tables: Tables, bundles: Bundles | None) -> Waits:
    """Return the waits of a log.

    Parameters
    ----------
    records : (events, WIDTH) of `sfnhw.sim.event_records`, in the order in which the kernel wrote them; the end may be cut.
    bundles : the packets of the run, where they hold several spikes.
    """
    kind, n, f = records[:, KIND], tables.nodes, tables.fabric
    out = Waits(*(np.full(len(records), NONE, np.int64) for _ in Waits._fields))
    packet = _packets(records, tables)
    copies = np.flatnonzero(kind == INJECT)
    root = _roots(records[copies], _rank(packet[copies]), tables)
    begin, flits = records[copies, BEGIN], _flits(records[copies], tables, bundles)
    out.wait[copies] = begin - records[copies, MORE]
    # Every copy at every node of its tree, one entry each.
    first, size = _trees(tables)
    nodes = size[np.searchsorted(first, root)]
    copy, node = np.repeat(np.arange(len(copies)), nodes), ranges(root, nodes)
    start = np.cumsum(nodes) - nodes
    ways, places = _ways(tables), 12 * f.routers + f.cores + 1
    head = np.full(len(node), NONE, np.int64)  # cycle in which the copy's head enters the node
    head[start] = records[copies, ENDS] - flits + f.injection_cycles

    links = np.flatnonzero(kind == LINK)
    inner = np.flatnonzero(n.link[node] >= 0)
    at = inner[
        _nth(
            packet[copies[copy[inner]]] * places
            + n.link[node[inner]]
            + 4 * f.routers * n.vc_class[node[inner]].astype(np.int64),
            packet[links] * places + records[links, WHERE],
        )
    ]
    held = records[links, ENDS] - records[links, BEGIN]
    head[at] = records[links, BEGIN] + n.link_cycles[n.link[node[at]]] + held - flits[copy[at]]
    before = start[copy[at]] + ways.parent[node[at]] - root[copy[at]]
    out.wait[links] = records[links, BEGIN] - head[before] - f.router_cycles

    ejects = np.flatnonzero(kind == EJECT)
    exits = n.exit_first[node + 1] - n.exit_first[node]
    there = np.repeat(np.arange(len(node)), exits)
    terminal = n.exits[ranges(n.exit_first[node], exits)]
    at = there[_nth(packet[copies[copy[there]]] * places + terminal, packet[ejects] * places + records[ejects, WHERE])]
    out.wait[ejects] = records[ejects, BEGIN] - head[at] - f.router_cycles
    of, passed = copy[at], node[at]
    out.injection_wait[ejects] = out.wait[copies[of]]
    out.injection[ejects] = head[start[of]] - begin[of]
    on_way = ways.routers[passed] * f.router_cycles + ways.links[passed] + flits[of] * ways.slow[passed]
    out.hops[ejects] = on_way + f.router_cycles
    out.link_wait[ejects] = head[at] - head[start[of]] - on_way
    _at_cores(records, tables, packet, bundles is not None, out.wait)
    return out


def _at_cores(records: Ints, tables: Tables, packet: Ints, bundled: bool, wait: Ints) -> None:
    """Enter the waits for look-ups and lanes; that for a look-up stays open where the delivery is not in the log."""
    kind, r, places = records[:, KIND], tables.rows, tables.fabric.cores + 1
    ejects, looked = np.flatnonzero(kind == EJECT), np.flatnonzero(kind == AXON)
    if not len(looked):
        return
    core = packet[looked] * places + records[looked, WHERE]
    # Of packets alike, each delivery is looked up once for a connection; a packet of several spikes is one of its kind.
    rank = np.zeros_like(core) if bundled else _rank(packet[looked] * len(r.source) + records[looked, WHO])
    keys = packet[ejects] * places + records[ejects, WHERE]
    order = np.argsort(keys, kind="stable")
    place = np.searchsorted(keys[order], core) + rank
    known = place < len(keys)
    known[known] = keys[order[place[known]]] == core[known]
    delivered = ejects[order[place[known]]]
    # What streams to a product is let go when the stationary operand is complete, be it in the last router still: no wait.
    wait[looked[known]] = np.maximum(0, records[looked[known], BEGIN] - records[delivered, ENDS])
    # The kernel writes down the lanes' work right after the look-up.
    lanes = np.flatnonzero(kind == SYNAPSE)
    last = looked[np.searchsorted(looked, lanes) - 1]
    wait[lanes] = records[lanes, BEGIN] - records[last, ENDS]


def _packets(records: Ints, tables: Tables) -> Ints:
    """(events,) number of the packet (copies, and spikes of a burst, have the same); −1 at walks and at the lanes."""
    kind, who = records[:, KIND], records[:, WHO]
    at_row = kind == AXON
    own = who.copy()
    own[at_row] = tables.rows.source[who[at_row]]
    some = (kind == INJECT) | (kind == LINK) | (kind == EJECT) | at_row
    index, frame, own = records[some, INDEX], records[some, FRAME], own[some]
    least = int(index.min(initial=0))
    span = int(index.max(initial=0)) - least + 1
    out = np.full(len(records), NONE, np.int64)
    keys = (frame * len(tables.slices.neurons) + own) * span + index - least
    out[some] = np.unique(keys, return_inverse=True)[1].reshape(-1)
    return out


def _roots(injected: Ints, rank: Ints, tables: Tables) -> Ints:
    """(copies,) node at which each copy's way begins; rank: of the copy among those of its packet, bursts one by one."""
    n, s = tables.nodes, tables.slices
    own, index = injected[:, WHO], injected[:, INDEX]
    low, many = n.root_first[own], np.diff(n.root_first)[own]
    place = low + rank % np.maximum(many, 1)
    token = (index < 0) & (index % 2 == 0)
    if tables.fabric.per_neuron:
        spike = index >= 0
        neuron = s.first_neuron[own[spike]] + index[spike]
        first, count = n.copy_first[neuron], n.copy_first[neuron + 1] - n.copy_first[neuron]
        place[spike] = first + rank[spike] % count
    out = np.zeros(len(own), np.int64)
    out[~token] = n.starts[place[~token]]
    out[token] = n.ready_roots[n.ready_root_first[own[token]] + rank[token]]
    return out


def _flits(injected: Ints, tables: Tables, bundles: Bundles | None) -> Ints:
    """(copies,) flits of each packet: 1 of an end marker or a token."""
    own, index = injected[:, WHO], injected[:, INDEX]
    spike = index >= 0
    out = np.ones(len(own), np.int64)
    if bundles is None:
        out[spike] = tables.slices.flits[own[spike]]
    else:
        frame = injected[spike, FRAME] * len(tables.slices.neurons) + own[spike]
        out[spike] = bundles.flits[bundles.first[frame] + index[spike]]
    return out


def _trees(tables: Tables) -> tuple[Ints, Ints]:
    """First node of each tree, ascending, and its nodes: those of a tree follow one another."""
    n = tables.nodes
    first = np.concatenate([n.roots, n.ready_roots]).astype(np.int64)
    return first, np.diff(np.append(first, len(n.owner)))


def _ways(tables: Tables) -> _Ways:
    n = tables.nodes
    parent = np.full(len(n.owner), NONE, np.int64)
    parent[n.children] = np.repeat(np.arange(len(n.owner)), np.diff(n.child_first))
    inner = parent >= 0
    sums = np.stack([inner.astype(np.int64), n.link_cycles[n.link] * inner, (n.flit_cycles[n.link] - 1) * inner])
    above = parent.copy()
    while (above >= 0).any():  # twice as far with each turn
        some = above >= 0
        sums[:, some] += sums[:, above[some]]
        above[some] = above[above[some]]
    return _Ways(parent, *sums)


def _rank(keys: Ints) -> Ints:
    """Place of each entry among those of the same key."""
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[order], prepend=NONE - 1))
    out = np.empty(len(keys), np.int64)
    out[order] = np.arange(len(keys)) - np.repeat(begins, np.diff(np.append(begins, len(keys))))
    return out


def _nth(expected: Ints, found: Ints) -> Ints:
    """(found,) the place in `expected` of the entry with the same key that is as manieth as the one found."""
    order = np.argsort(expected, kind="stable")
    return np.asarray(order[np.searchsorted(expected[order], found) + _rank(found)])
