"""How long channels are taken by a packet: links, and those between a router and its cores or the pins, each way.

A packet of F flits takes a channel for

    max(F · cycles of a flit, F · max(1, SA), (stages + F · max(1, SA)) / V, F · round trip / (V · B)) cycles.

A router gives an output port one flit in each switch allocation (SA cycles). A virtual channel serves one packet at a time:
at a router's input through RC and VA (`stages`) and then SA for each flit; on the way out to a core, where none is routed
again, from VA on. A place in a buffer of B flits is used again when its credit is back (docs/noc.md). And V virtual channels
share a channel: all of them, or with `o1turn` on a link those of the packet's tree, while the channel is taken for its
flits by everybody.

The kernel keeps time in `ticks` of a cycle, a number that all of these are whole in.
"""

from math import gcd, lcm
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.units import ceil_div

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Whole = NDArray[np.integer]

# Virtual channels that a packet may take on a link: all; with o1turn the lower ones for trees that go along rows first, else
# the upper.
ANY, ROWS_FIRST, COLUMNS_FIRST = 0, 1, 2
# Round trips over places are rounded up to this part of a cycle, where they are no whole number of a greater one.
FINEST = 64


class Taken(NamedTuple):
    """Parts of a cycle (`ChannelTimes.parts`) that a packet takes a virtual channel: see `parts_taken`."""

    flit: int  # a credit's round trip over the places of a buffer; at a port V times what a flit takes it, if that is more
    packet: int  # stages that a packet goes through once
    serial: int  # switch allocation of a flit


class ChannelTimes(NamedTuple):
    """Numbers of a chip's channels."""

    ticks: int  # of a cycle
    parts: int  # of a cycle, in which the time of virtual channels is given
    moves: int  # cycles in which a router gives an output port one flit
    crossing: int  # cycles of the switch
    link: Taken
    exit: Taken  # from a router to a core or the pins
    entry: Taken  # into a router from there
    # Ticks that a channel is taken for each part that one of its virtual channels is: of those of each class above.
    share: int
    share_rows_first: int
    share_columns_first: int

    @property
    def shares(self) -> Ints:
        """(classes,) ticks for each part of a cycle of a virtual channel."""
        return np.array([self.share, self.share_rows_first, self.share_columns_first])

    @property
    def classes(self) -> int:
        """Of virtual channels on a link, ANY included: 1, with o1turn 3."""
        return 1 if self.share_columns_first == self.share else 3


def channels_of(chip: Chip) -> ChannelTimes:
    """Return the numbers of a chip's channels. Of the links on a chip the slowest one's credits count."""
    noc, V = chip.noc, chip.noc.virtual_channels
    link = max(noc.link_cycles, noc.vertical_link_cycles or 0)
    back = link if noc.credit_cycles is None else noc.credit_cycles
    to_core = 1 if noc.credit_cycles is None else noc.credit_cycles
    moves = max(1, noc.switch_alloc_cycles)
    stages, inject, eject = noc.route_cycles + noc.vc_alloc_cycles, *interface_of(chip)
    # From a flit's switch allocation (at a core: from its first cycle on the way) to the next one's into the same place.
    trips = (
        noc.switch_alloc_cycles + noc.switch_cycles + link + stages + moves + back,
        noc.switch_alloc_cycles + noc.switch_cycles + eject + to_core + 1,
        inject + stages + moves + to_core,
    )
    B = noc.buffer_flits
    parts = 1
    if B is not None:
        # Where the places are more than the cycles the round trip never counts.
        parts = min(FINEST, lcm(*(B // gcd(B, trip) for trip in trips if trip > B), 1))
    classes = (V, V - V // 2, V // 2) if noc.routing == "o1turn" else (V, V, V)
    ticks = parts * lcm(*classes)
    flit = [0 if B is None else ceil_div(trip * parts, B) for trip in trips]
    # At ports, which all virtual channels share, the flits themselves are in the same number.
    flit[1:] = [max(each, parts * moves * V) for each in flit[1:]]
    once = (stages, noc.vc_alloc_cycles, stages)
    taken = [Taken(each, parts * hold, parts * moves) for each, hold in zip(flit, once, strict=True)]
    shares = [ticks // parts // many for many in classes]
    return ChannelTimes(
        ticks,
        parts,
        moves,
        crossing=noc.switch_cycles,
        link=taken[0],
        exit=taken[1],
        entry=taken[2],
        share=shares[0],
        share_rows_first=shares[1],
        share_columns_first=shares[2],
    )


# Cycles from the last router to the core, of a network interface's; the others are those into the first router. Together
# they are the "3" of T0 = H·(RC+VA+SA+ST) + (H−1)·L + 3 + (flits − 1) for a network interface of three cycles.
EJECTION_CYCLES = 1


def interface_of(chip: Chip) -> tuple[int, int]:
    """Cycles from the end of the injection queue to the first router, and from the last router to the core."""
    cycles = chip.noc.interface_cycles
    return max(0, cycles - EJECTION_CYCLES), min(cycles, EJECTION_CYCLES)


def parts_taken(taken: Taken, flits: int) -> int:
    """Parts of a cycle that a packet of so many flits takes a virtual channel."""
    return max(flits * taken.flit, taken.packet + flits * taken.serial)


def tail_cycles(flits: int, moves: int, crossing: int) -> int:
    """Cycles from a packet's first flit to its last, at the end of its way.

    A router sends on a flit each `moves` cycles, and a switch that is slower takes what waits when it is through with what
    it took before, which then leaves one flit a cycle (`sfnhw.sim.noc.NocConfig.switch_drag_cycles`).
    """
    behind = flits - 1
    if behind == 0 or crossing <= moves:
        return behind * moves
    begins = -(-behind * moves // crossing) * crossing
    return begins + behind - 1 - (begins - crossing) // moves


def cycles_taken(
    c: ChannelTimes,
    taken: Taken,
    flits: Reals | Ints,
    packets: Reals | Ints,
    slow: Reals | Ints | float,
    share: Ints | int,
) -> Reals:
    """Cycles that so many packets take a channel with so many flits in all, each as many as the mean.

    slow : cycles that a flit holds the channel. share : one of `ChannelTimes.shares`. All broadcast.
    """
    held = np.maximum(flits * taken.flit, packets * taken.packet + flits * taken.serial)
    return np.maximum(flits * np.maximum(slow, c.moves), held * share / c.ticks)


def vc_classes(chip: Chip, link: Whole, child_first: Whole, children: Whole) -> NDArray[np.int8]:
    """(nodes,) class of virtual channels of each route node's tree: with o1turn those of its order, so that turns make no cycle.

    link : (nodes,) into each, −1 at a root; child_first, children : CSR of the nodes behind each.
    """
    out = np.full(len(link), ANY, np.int8)
    if chip.noc.routing != "o1turn":
        return out
    parent = parents_of(child_first, children)
    root = np.arange(len(out))
    while (parent[root] >= 0).any():
        root = np.where(parent[root] >= 0, parent[root], root)
    # A tree turns from columns into rows, or it may pass as one that goes along rows first.
    turns = np.zeros(len(out), np.bool_)
    inner = np.flatnonzero((parent >= 0) & (link >= 0))
    inner = inner[link[parent[inner]] >= 0]
    turning = inner[(link[parent[inner]] % 4 >= 2) & (link[inner] % 4 < 2)]
    turns[root[turning]] = True
    return np.where(turns[root], np.int8(COLUMNS_FIRST), np.int8(ROWS_FIRST))


def parents_of(child_first: Whole, children: Whole) -> Ints:
    """(nodes,) the route node before each, −1 at a root."""
    parent = np.full(len(child_first) - 1, -1, np.int64)
    parent[children] = np.repeat(np.arange(len(parent)), np.diff(child_first))
    return parent
