"""Which slices are on the chip in which round."""

from dataclasses import replace

import numpy as np

from sfnhw.chip import Chip
from sfnhw.errors import MappingError
from sfnhw.mapping.bounds import packing_bound
from sfnhw.mapping.grouping import group_slices
from sfnhw.mapping.slices import LIMITS, Demand, Slice, capacity, demand
from sfnhw.network import Network
from sfnhw.network.part import part_of


def plan_rounds(network: Network, slices: list[Slice], demands: list[Demand], chip: Chip) -> list[list[Slice]]:
    """Return the slices of each round, in network order.

    Layers follow one another into a round as long as the chip holds them. A layer that finds too little room begins the
    next round, and one that is larger than the whole chip is cut over rounds that it has to itself. Layers between which a
    delayed connection leads back stay together: in another round the spikes would come too late.

    Raises
    ------
    MappingError : layers of such a loop are more than the chip holds.
    """
    of: dict[str, list[Slice]] = {}
    for s in slices:
        if demands[s.index].neurons:
            of.setdefault(s.population, []).append(s)
    rounds: list[list[Slice]] = []
    now: list[Slice] = []
    for unit in _units(network):
        new = [s for name in unit for s in of[name]]
        if now and fits(network, [*now, *new], demands, chip):
            now += new
            continue
        rounds += [now] if now else []
        now = new
        if fits(network, new, demands, chip):
            continue
        if len(unit) > 1 or any(p.source == p.target for p in network.into(unit[0])):
            raise _loop_too_large(unit, new, chip)
        rounds += [new[i : i + chip.cores] for i in range(0, len(new), chip.cores)]
        now = []
    return rounds + ([now] if now else [])


def demands_in(network: Network, members: list[Slice], demands: list[Demand], chip: Chip) -> list[Demand]:
    """Return what all slices ask for where only these are on the chip: others' demands are as they were.

    Under a barrier the accumulator sets of a slice depend on how many steps its sources lie before it, and what comes back
    from off the chip comes at once.
    """
    if chip.execution.mode != "barrier":
        return demands
    part, _ = part_of(network, {s.population for s in members}, ())
    out = list(demands)
    for s in members:
        asked = demand(part, part[s.population], s.block, demands[s.index].axons, chip)
        out[s.index] = replace(demands[s.index], state_bits=asked.state_bits)
    return out


def _units(network: Network) -> list[list[str]]:
    """Populations that are on cores, in network order; those that a delayed connection joins backwards are one unit."""
    names = [p.name for p in network.order if p.role != "input"]
    place = {name: i for i, name in enumerate(names)}
    until = list(range(len(names)))
    for p in network.projections:
        if getattr(p, "delay", 0) and p.source in place and place[p.source] > place[p.target]:
            until[place[p.target]] = max(until[place[p.target]], place[p.source])
    units: list[list[str]] = []
    end = -1
    for i, name in enumerate(names):
        if i > end:
            units.append([])
        units[-1].append(name)
        end = max(end, until[i])
    return units


def fits(network: Network, members: list[Slice], demands: list[Demand], chip: Chip) -> bool:
    """Whether the chip holds these slices, those of inputs aside, at once; told by bounds where these are enough."""
    members = [s for s in members if demands[s.index].neurons]
    demands = demands_in(network, members, demands, chip)
    limit = capacity(chip)
    if not all(demands[s.index].fits(limit) for s in members):
        return False
    if len(members) <= chip.cores:
        return True
    for name in LIMITS:
        if name == "registers" and chip.core.threshold_unit.sharing == "core":
            continue
        sizes = np.array([getattr(demands[s.index], name) for s in members], np.int64)
        if packing_bound(sizes, getattr(limit, name)) > chip.cores:
            return False
    return len(group_slices(members, demands, chip, {})) <= chip.cores


def _loop_too_large(unit: list[str], slices: list[Slice], chip: Chip) -> MappingError:
    return MappingError(
        layer=unit[0],
        resource="noc.columns × noc.rows" + (" × noc.cores_per_router" if chip.noc.cores_per_router > 1 else ""),
        demand=len(slices),
        capacity=chip.cores,
        unit="cores for a loop of delayed connections, which cannot be cut over rounds",
        terms=tuple(f"{sum(s.population == name for s in slices):,} slices of layer {name!r}" for name in unit[:3]),
        levers=("a larger mesh", "a network without delayed connections that lead back"),
    )
