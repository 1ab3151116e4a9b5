"""How good a mapping is: what it achieves, beside what none can beat."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sfnhw.activity import Activity
from sfnhw.chip.links import between_chips
from sfnhw.mapping.balance import Balance, balance
from sfnhw.mapping.bounds import fewest_cores, least_crossings, least_traffic
from sfnhw.mapping.copies import neuron_copies, tree_of
from sfnhw.mapping.mapping import Mapping
from sfnhw.mapping.packet_choice import formats_of
from sfnhw.mapping.placement.problem import Ints, Mesh
from sfnhw.mapping.rounds.quality import quality_of_rounds
from sfnhw.mapping.routes import Routes
from sfnhw.mapping.traffic import PINS, Traffic, build_nets, slice_traffic
from sfnhw.mapping.worst_link import least_worst_link


@dataclass(frozen=True)
class Quality:
    """Achieved and bound; bounds but that of cycles hold for the slices, and what shares a core, as they are
    (`sfnhw.mapping.bounds`, `sfnhw.mapping.worst_link`).

    Attributes
    ----------
    traffic_links : flits over links (Σ over nets of flits × links of the tree), all samples.
    traffic_bound : of it.
    worst_link_load : flits over the fullest link, all samples.
    worst_link_bound : of it.
    crossings, crossings_bound : flits from chip to chip, all samples; 0 where there is one chip.
    cores_used, cores_bound : cores that hold a slice, and the packing bound.
    samples : inferences that flits and cycles are the sum of.
    busiest_cycles : of the busiest unit of any core, all samples: samples in a row come out no faster.
    busiest_bound : of it, for any cuts and any placement (`sfnhw.mapping.balance`).
    chips : on the board.
    """

    traffic_links: int
    traffic_bound: int
    worst_link_load: int
    worst_link_bound: int
    cores_used: int
    cores_bound: int
    samples: int
    busiest_cycles: int
    busiest_bound: int
    crossings: int = 0
    crossings_bound: int = 0
    chips: int = 1

    def as_json(self) -> list[dict[str, Any]]:
        """Rows of ``quantity``, ``unit``, ``achieved``, ``bound`` and their ``ratio``, per inference.

        A ratio is None where the bound is 0: no packet need go over a link.
        """
        flits = "flits an inference"
        rows: tuple[tuple[str, str, int, int, int], ...] = (
            ("cores", "cores", self.cores_used, self.cores_bound, 1),
            ("flits over links", flits, self.traffic_links, self.traffic_bound, self.samples),
            ("flits over the fullest link", flits, self.worst_link_load, self.worst_link_bound, self.samples),
            (
                "cycles of the busiest core",
                "cycles an inference",
                self.busiest_cycles,
                self.busiest_bound,
                self.samples,
            ),
        )
        if self.chips > 1:
            rows += (("flits from chip to chip", flits, self.crossings, self.crossings_bound, self.samples),)
        return [
            {
                "quantity": name,
                "unit": unit,
                "achieved": got / n,
                "bound": bound / n,
                "ratio": got / bound if bound else None,
            }
            for name, unit, got, bound, n in rows
        ]


def quality(
    mapping: Mapping, activity: Activity | None, work: Balance | None = None, formats: dict[str, str] | None = None
) -> Quality:
    """Compare a mapping with its bounds, on what spikes (None: as if each neuron sent one spike an inference).

    work : its `balance` on the same, where that is known already. formats : population → packet format, likewise.

    Raises
    ------
    ActivityError : an activity of another network.
    """
    formats = formats or formats_of(mapping, activity)
    work = work or balance(mapping, activity, formats)
    if mapping.rounds:
        return quality_of_rounds(mapping, activity, work, formats)
    network, chip = mapping.network, mapping.chip
    traffic = slice_traffic(network, mapping.slices, chip, activity, formats)
    loads = link_loads(mapping, traffic)
    on_core = mapping.terminals != mapping.io
    node_of = np.full(len(mapping.slices), PINS, np.int64)
    node_of[on_core] = np.unique(mapping.terminals[on_core], return_inverse=True)[1]
    is_output = np.array([network.to_pins(s.population) for s in mapping.slices])
    nets = build_nets(node_of, mapping.connections, is_output, traffic, chip.noc.cast, chip.noc.routing != "o1turn")
    mesh = Mesh.of(chip)
    bound = least_traffic(nets, mesh)
    return Quality(
        traffic_links=int(loads.sum()),
        traffic_bound=bound,
        worst_link_load=int(loads.max(initial=0)),
        worst_link_bound=least_worst_link(nets, mesh, bound),
        crossings=int(loads[between_chips(chip, np.arange(len(loads)))].sum()),
        crossings_bound=least_crossings(nets, mesh),
        chips=chip.chips,
        cores_used=mapping.cores_used,
        cores_bound=fewest_cores(mapping),
        samples=traffic.samples,
        busiest_cycles=work.busiest,
        busiest_bound=work.bound,
    )


def link_loads(mapping: Mapping, traffic: Traffic) -> Ints:
    """(4·routers,) flits over each link, all samples, from the routes as they are; see `Routes` for their numbers."""
    loads = np.zeros(4 * mapping.chip.routers, np.int64)
    ways: tuple[tuple[Routes, Ints], ...] = ((mapping.routes, traffic.forward), (mapping.ready_routes, traffic.back))
    for routes, flits in ways:
        on_link = routes.link >= 0
        through = flits[routes.owner]
        if routes is mapping.routes and traffic.own is not None:
            copies = neuron_copies(mapping)
            own = np.repeat(traffic.own, np.diff(copies.first))
            by_path = np.bincount(copies.places, own, len(routes.roots)).astype(np.int64)
            through = traffic.control()[routes.owner] + by_path[tree_of(routes.link, routes.roots)]
        np.add.at(loads, routes.link[on_link], through[on_link])
    return loads
