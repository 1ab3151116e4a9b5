"""The pins' output port: results, end markers and ready tokens leave by it, one after the other in order of arrival."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.copies import tree_of
from sfnhw.sim.by_place import sums
from sfnhw.sim.counts import Counts, leaves_at_pins
from sfnhw.sim.parts import PartTable
from sfnhw.sim.route_nodes import ranges
from sfnhw.sim.table_cache import derived
from sfnhw.sim.tables import Fabric, SliceTable, Tables

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


def over_pins(f: Fabric, flits: NDArray[np.integer]) -> Ints:
    """Cycles that packets of so many flits take over the pins, each way: at least one a flit."""
    return np.maximum(flits, -(-flits * f.io_flit_cycles_num // f.io_flit_cycles_den)).astype(np.int64)


def cycles_out(s: SliceTable, f: Fabric, packets: Ints, flits: Ints, control: Ints) -> int:
    """Cycles that the pins' output port is taken; (slices,) packets of each that leave, their flits, and control packets.

    Packets of one length take whole cycles each; those of several spikes are taken to follow one another without a gap.
    """
    own = np.where(s.form > 0, over_pins(f, flits), packets * over_pins(f, s.flits))
    return int(own.sum() + control.sum() * over_pins(f, np.ones(1, np.int64))[0])


def pins_taken(tables: Tables, counts: Counts) -> int:
    """Cycles that the pins' output port is taken by what is counted, all samples: see `Timing.pins_busy`."""
    leaving, n, slices = derived(leaves_at_pins, tables), tables.nodes, tables.slices
    nodes = (counts.nodes.packets, counts.nodes.flits, counts.nodes.control)
    by_slice = sums(nodes, n.owner[leaving], len(slices.neurons), leaving)
    return cycles_out(slices, tables.fabric, *(part.sum(axis=1) for part in by_slice))


class Leaving(NamedTuple):
    """What leaves over the pins.

    Attributes
    ----------
    outputs : (results,) slices that send packets and end markers there; tree : of each, its tree (`NodeTable.roots`).
    tellers : (tellers,) slices that send ready tokens there; tokens : (tellers,) of each of their parts, in each window.
    nodes : all route nodes with an exit there.
    """

    outputs: Ints
    tree: Ints
    tellers: Ints
    tokens: Ints
    nodes: Ints

    def of_parts(self, q: PartTable) -> "Leaving":
        """Return the same of parts in place of slices, those of each slice in a row."""

        def parts(slices: Ints) -> Ints:
            return ranges(q.first[slices], q.many[slices])

        tree, tokens = (
            np.repeat(of, q.many[who]) for of, who in ((self.tree, self.outputs), (self.tokens, self.tellers))
        )
        return Leaving(parts(self.outputs), tree, parts(self.tellers), tokens, self.nodes)


def leaving_of(tables: Tables) -> Leaving:
    """Return it."""
    n = tables.nodes
    nodes = leaves_at_pins(tables)
    packets, told = nodes[nodes < n.packet_nodes], nodes[nodes >= n.packet_nodes]
    tree = tree_of(n.link[: n.packet_nodes], n.roots)[packets] if len(packets) else np.zeros(0, np.int64)
    tellers, tokens = np.unique(n.owner[told], return_counts=True)
    return Leaving(n.owner[packets].astype(np.int64), tree, tellers.astype(np.int64), tokens.astype(np.int64), nodes)


def served(comes: Reals, takes: Reals) -> Reals:
    """(items, columns) when one server is done with each item, in order of arrival, each column by itself.

    comes, takes : (items, columns) the cycle in which each comes, infinite for those that never do, and the cycles it takes.
    """
    order = np.argsort(comes, axis=0, kind="stable")
    takes = np.take_along_axis(takes, order, 0)
    upto = takes.cumsum(axis=0)
    begin = np.maximum.accumulate(np.take_along_axis(comes, order, 0) - (upto - takes), axis=0)
    out = np.empty_like(upto)
    np.put_along_axis(out, order, begin + upto, axis=0)
    return out


class Comes(NamedTuple):
    """What comes to the port in a run: cycles, infinite where nothing does.

    Attributes
    ----------
    results, markers : (T, outputs, columns) the first packet of each timestep, and its end marker; takes : of all its packets.
    words : (windows, tellers, columns) ready tokens, so many of each teller at once: tokens (tellers,).
    word : (columns,) cycles that a control packet takes.
    """

    results: Reals
    takes: Reals
    markers: Reals
    words: Reals
    tokens: Ints
    word: Reals

    def left(self) -> tuple[Reals, Reals]:
        """(T, outputs, columns) the cycle in which each end marker is out, behind its results; (windows, tellers, columns) each word.

        In a packet's last cycle at the port it is out. What comes over some time is taken to be there from its first packet on.
        """
        columns = self.word.shape
        parts = (self.words, self.results, self.markers)
        comes = [part.reshape(-1, *columns) for part in parts]
        told = np.broadcast_to(self.tokens[:, None] * self.word, self.words.shape)
        ends = np.broadcast_to(self.word, self.markers.shape)
        takes = [part.reshape(-1, *columns) for part in (told, self.takes, ends)]
        done = served(np.concatenate(comes), np.concatenate(takes)) - 1.0
        words, markers = done[: len(comes[0])], done[len(done) - len(comes[2]) :]
        return markers.reshape(self.markers.shape), words.reshape(self.words.shape)
