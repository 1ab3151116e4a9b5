"""Which packet format each layer uses: the chip's, or with `packet.format: auto` the one whose packets take the least energy.

The energy of a layer's packets is that of everything that depends on their format, with the chip's prices: packets
assembled and injected, axon look-ups, packing and unpacking of several spikes, and flits through routers (with their clock), over links and over pins. Between
formats of equal energy (a chip whose prices are all-in has zeros here) the fewest flits through routers decide, then
their order in `FORMATS`. Leakage, which follows the latency, is left out. The choice is made before anything is simulated:
from what spikes, or, where that is not known, as if each neuron sent one spike in one timestep.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import PACKING
from sfnhw.activity import Activity, checked
from sfnhw.chip import Chip
from sfnhw.chip.links import between_chips
from sfnhw.mapping.packet_formats import AER, AUTO, FORMATS, Load, formats_for, packing
from sfnhw.mapping.routes import Routes
from sfnhw.mapping.slices import Slice
from sfnhw.mapping.unit_cycles import frames_of, port_cycles
from sfnhw.network import Block, Network, Population, Projection
from sfnhw.units import attojoules

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

Ints = NDArray[np.int64]
# format → attojoules, format → flits through routers, format → bits where packets are sent
Costs = tuple[dict[str, int], dict[str, int], dict[str, int]]


@dataclass(frozen=True)
class FormatChoice:
    """The packet format of one layer, and what it was chosen from.

    Attributes
    ----------
    format : of its packets.
    energy_aj : format → energy of the layer's packets, all samples; only formats that could be chosen. [aJ]
    flits : format → flits through routers, all samples.
    bits : format → bits of the packets where they are sent, all samples.
    """

    format: str
    energy_aj: dict[str, int]
    flits: dict[str, int]
    bits: dict[str, int]


@dataclass(frozen=True, eq=False)
class Weights:
    """(slices,) attojoules of each flit (besides, where it is of a packet of several spikes: packing), of each packet and of
    each spike that a slice sends; (slices,) routers of a flit.
    """

    flit: Ints
    packing: Ints
    packet: Ints
    spike: Ints
    routers: Ints


class Sent:
    """What the populations of a network send, a population at a time."""

    def __init__(self, network: Network, activity: Activity | None):
        """Raise ActivityError where it is an activity of another network; None: one spike of each neuron in one timestep."""
        self.network, self.activity = network, activity
        if activity is not None:
            checked(activity, network)
        self.samples = 1 if activity is None else activity.samples
        # Slices of a population follow one another, and one is asked for in several formats.
        self._last: tuple[str, NDArray[np.uint8]] | None = None
        self._block: tuple[tuple[str, Block], NDArray[np.uint8]] | None = None

    def frames(self, population: Population) -> NDArray[np.uint8]:
        """(samples · T, neurons) spikes, a burst counted as long as it is."""
        if self._last is None or self._last[0] != population.name:
            if self.activity is None:
                sent = np.ones((1, population.size), np.uint8)
            else:
                sent = self.activity.sent(self.network, population.name).reshape(-1, population.size)
            self._last = (population.name, sent)
        return self._last[1]

    def of(self, s: Slice) -> NDArray[np.uint8]:
        """(samples · T, neurons) the same of one slice."""
        population, key = self.network[s.population], (s.population, s.block)
        if s.block == population.block:
            return self.frames(population)
        if self._block is None or self._block[0] != key:
            self._block = (key, self.frames(population)[:, population.indices(s.block)])
        return self._block[1]

    def works(self, population: Population) -> NDArray[np.bool_]:
        """(samples · T,) whether the population works in a timestep."""
        if self.activity is None:
            return np.ones(1, np.bool_)
        within = np.arange(self.network.timesteps) % self.network.window < frames_of(self.network, population)
        return np.tile(within, self.samples)

    def load(self, s: Slice, chip: Chip, form: str, port: bool = False) -> Load:
        """Packets of one slice in one format, in each frame; port: the cycles at its port too, else flits again."""
        population = self.network[s.population]
        sent = self.of(s)
        laid = packing(population, s.block, chip, form)
        if not port:
            return laid.load(sent, self.works(population), chip.noc.flit_bits)
        pins = population.role == "input"
        return laid.load(sent, self.works(population), chip.noc.flit_bits, lambda flits: port_cycles(flits, chip, pins))


def looks_up_spikes(p: Projection, chip: Chip) -> bool:
    """Whether each spike of a packet is looked up by itself: where axon entries, or explicit synapses, are of single neurons.

    Else one entry holds for the whole source slice, and one look-up for all that a packet brings.
    """
    return p.has_indices or chip.core.axon_sharing == "neuron"


def planned_formats(network: Network, slices: Iterable[Slice], chip: Chip, activity: Activity | None) -> dict[str, str]:
    """Population → format before anything is placed: as if packets crossed two routers and the link between them.

    slices : of the populations that are asked for.

    Raises
    ------
    InputError : the chip's format has no room for bursts. ActivityError : an activity of another network.
    """
    allowed = {p.name: formats_for(p, chip) for p in network.populations}
    if chip.packet.format != AUTO:
        return {name: forms[0] for name, forms in allowed.items()}
    slices = tuple(slices)
    n = max(s.index for s in slices) + 1
    prices = _Prices(chip)
    lookups = np.full(n, prices.lookup)
    alike = Weights(
        flit=np.full(n, 2 * prices.router + attojoules(chip.link_price(False).value_pj)),
        packing=np.full(n, 2 * prices.packing),
        packet=np.full(n, prices.packet + prices.injection) + lookups,
        spike=np.zeros(n, np.int64),
        routers=np.full(n, 2),
    )
    costs = _costs(Sent(network, activity), slices, chip, alike, allowed)
    return {name: _cheapest(allowed[name], *cost).format for name, cost in costs.items()}


def chosen_formats(mapping: "Mapping", activity: Activity | None) -> dict[str, FormatChoice]:
    """Population → format on a mapping, with what it was chosen from: the trees, and the prices of what they pass.

    activity : what spikes; None: as if each neuron sent one spike in one timestep. With a fixed `packet.format` nothing is
    chosen, and the dictionaries of energies and flits are empty. Of a mapping in rounds all rounds count.

    Raises
    ------
    InputError : the chip's format has no room for bursts. ActivityError : an activity of another network.
    """
    network, chip = mapping.network, mapping.chip
    allowed = {p.name: formats_for(p, chip) for p in network.populations}
    if chip.packet.format != AUTO:
        return {name: FormatChoice(forms[0], {}, {}, {}) for name, forms in allowed.items()}
    sums: dict[str, Costs] = {name: ({}, {}, {}) for name in allowed}
    for part in [r.mapping for r in mapping.rounds] or [mapping]:
        costs = _costs(Sent(part.network, activity), part.slices, chip, _weights(part), allowed)
        for name, costs_of in costs.items():
            for total, own in zip(sums[name], costs_of, strict=True):
                for form, amount in own.items():
                    total[form] = total.get(form, 0) + amount
    return {name: _cheapest(allowed[name], *sums[name]) for name in allowed}


def formats_of(mapping: "Mapping", activity: Activity | None) -> dict[str, str]:
    """Population → format, as `chosen_formats` says."""
    return {name: choice.format for name, choice in chosen_formats(mapping, activity).items()}


def _cheapest(
    allowed: tuple[str, ...], energy: dict[str, int], flits: dict[str, int], bits: dict[str, int]
) -> FormatChoice:
    best = min(allowed, key=lambda form: (energy.get(form, 0), flits.get(form, 0), FORMATS.index(form)))
    return FormatChoice(best, energy, flits, bits)


def _costs(
    sent: Sent, slices: tuple[Slice, ...], chip: Chip, weights: Weights, allowed: dict[str, tuple[str, ...]]
) -> dict[str, Costs]:
    """Population → what its packets take in each format."""
    out: dict[str, Costs] = {}
    for s in slices:
        energy, flits, bits = out.setdefault(s.population, ({}, {}, {}))
        spikes = int(sent.of(s).sum())
        for form in allowed[s.population]:
            load = sent.load(s, chip, form)
            own = int(load.flits.sum())
            each = int(weights.flit[s.index]) + (0 if form == AER else int(weights.packing[s.index]))
            cost = own * each + int(load.packets.sum()) * int(weights.packet[s.index])
            energy[form] = energy.get(form, 0) + cost + spikes * int(weights.spike[s.index])
            flits[form] = flits.get(form, 0) + own * int(weights.routers[s.index])
            bits[form] = bits.get(form, 0) + int(load.bits.sum())
    return out


def packet_prices(chip: Chip) -> dict[str, int]:
    """Return the prices that a choice of formats depends on, by what they are for. [aJ]"""
    links = {f"energy.link_flit of a {way}": chip.link_price(way == "column").value_pj for way in ("row", "column")}
    return {f"energy of a {name}": aj for name, aj in vars(_Prices(chip)).items()} | {
        name: attojoules(pj) for name, pj in links.items()
    }


class _Prices:
    """The chip's prices of what packets take. [aJ]"""

    def __init__(self, chip: Chip):
        def of(action: str) -> int:
            return attojoules(chip.energy_price(action).value_pj)

        clock = float(getattr(chip.static_price("router_clock_pj"), "value_pj", 0.0))
        self.router = of("router_flit") + attojoules(clock)
        self.packet, self.injection, self.lookup = of("packet"), of("injection"), of("axon_lookup")
        self.pins = of("io_bit") * chip.noc.flit_bits
        self.packing = of(PACKING)


def _weights(mapping: "Mapping") -> Weights:
    """What a flit, a packet and a spike of each slice take on its tree, as `sfnhw.sim.price` prices them."""
    chip, routes, n = mapping.chip, mapping.routes, len(mapping.slices)
    prices = _Prices(chip)
    roots = np.diff(routes.root_first)
    node = np.full(len(routes), prices.router)
    link = routes.link.astype(np.int64)
    crosses = between_chips(chip, link)
    for vertical in (False, True):
        on = (link >= 0) & ((link % 4 >= 2) == vertical) & ~crosses
        node[on] += attojoules(chip.link_price(vertical).value_pj)
    node[crosses] += prices.pins
    np.add.at(node, _leaving(routes, mapping.io), prices.pins)
    flit, routers = np.zeros(n, np.int64), np.zeros(n, np.int64)
    np.add.at(flit, routes.owner, node)
    np.add.at(routers, routes.owner, 1)
    flit += np.where(mapping.terminals == mapping.io, roots * prices.pins, 0)
    c = mapping.connections
    alone = np.array([looks_up_spikes(p, chip) for p in mapping.network.projections], np.bool_)[c.projection]
    packets = prices.packet + prices.injection * roots
    lookups = np.bincount(c.source[~alone], minlength=n) * prices.lookup
    spikes = np.bincount(c.source[alone], minlength=n) * prices.lookup
    # Packed at a core, and unpacked at each slice that it is for.
    packed = (mapping.terminals != mapping.io) + np.bincount(c.source, minlength=n)
    return Weights(flit, packed * prices.packing, packets + lookups, spikes, routers)


def _leaving(routes: Routes, io: int) -> Ints:
    """Return the nodes at which packets leave over the pins."""
    node = np.repeat(np.arange(len(routes)), np.diff(routes.exit_first))
    return np.asarray(node[routes.exits == io])
