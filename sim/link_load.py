"""How long links can take no packet: more than their flits' cycles, where routers or credits are slower."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.channels import cycles_taken
from sfnhw.sim.counts import Counts
from sfnhw.sim.route_nodes import NodeTable
from sfnhw.sim.tables import Fabric, Tables

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

# Beyond this share of an interval a link's queue is long, which the closed form does not see: of M/D/1 the mean wait is
# ρ / (2 (1 − ρ)), 1.2 times the service at 0.7.
MOST_ANALYTIC_UTILISATION = 0.7


def taken_by_nodes(n: NodeTable, f: Fabric, flits: Reals | Ints, packets: Reals | Ints, control: Reals | Ints) -> Reals:
    """(4·routers,) cycles that links are taken; flits, packets, control : (route nodes,) through each.

    As `sfnhw.sim.channels` has it; packets of several lengths as long as their mean one. With `o1turn` a link is taken as
    long as the virtual channels of the class that has the more to do.
    """
    over, c = np.flatnonzero(n.link >= 0), f.channels
    link, vc_class = n.link[over], n.vc_class[over]
    slow = n.flit_cycles[link]

    def taken(share: Ints | int) -> Reals:
        spikes = cycles_taken(c, c.link, flits[over], packets[over], slow, share)
        return spikes + cycles_taken(c, c.link, control[over], control[over], slow, share)

    most = np.bincount(link, taken(c.share), 4 * f.routers).astype(float)
    if vc_class.any():
        of_class = taken(c.shares[vc_class])
        for one in np.unique(vc_class):
            most = np.maximum(most, np.bincount(link, of_class * (vc_class == one), 4 * f.routers))
    return most


def links_taken(tables: Tables, counts: Counts) -> Reals:
    """(4·routers,) cycles that links are taken by what is counted, all samples."""
    flits, packets, control = (
        part.total() for part in (counts.nodes.flits, counts.nodes.packets, counts.nodes.control)
    )
    return taken_by_nodes(tables.nodes, tables.fabric, flits, packets, control)


def link_utilisation(tables: Tables, counts: Counts, samples: int, interval: float) -> float:
    """Share of the interval of samples back to back in which the most loaded link can take no packet; 0 without links."""
    return min(1.0, float(links_taken(tables, counts).max(initial=0.0)) / samples / max(1.0, interval))


def warnings_of_closed_form(tables: Tables, counts: Counts, samples: int, interval: float) -> tuple[str, ...]:
    """What a reader of times at fidelity `analytic` must know."""
    share = link_utilisation(tables, counts, samples, interval)
    if share <= MOST_ANALYTIC_UTILISATION:
        return ()
    return (
        f"the most loaded link is taken for {share:.0%} of the interval, and fidelity analytic does not see packets wait for one "
        "another: its times are in doubt; fidelity auto does",
    )
