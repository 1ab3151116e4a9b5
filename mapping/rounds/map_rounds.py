"""map_rounds: every round's part of the network on the whole chip, and all of them as one mapping."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping.connections import Connections, connect
from sfnhw.mapping.mapping import Mapping
from sfnhw.mapping.rounds.plan import demands_in, plan_rounds
from sfnhw.mapping.rounds.round import Round
from sfnhw.mapping.rounds.routes import joined_routes
from sfnhw.mapping.slices import Demand, Slice
from sfnhw.network import Network
from sfnhw.network.part import Replayed, part_of

# Puts a part on the chip: (part, chip, slices, demands, connections, indices of the slices in the whole network).
LayOut = Callable[[Network, Chip, list[Slice], list[Demand], Connections, NDArray[np.int64]], Mapping]


def map_rounds(
    network: Network, chip: Chip, slices: list[Slice], demands: list[Demand], lay_out: LayOut, placer: str
) -> Mapping:
    """Map a network that is larger than the chip.

    Raises
    ------
    MappingError : see `plan_rounds`.
    """
    plan = plan_rounds(network, slices, demands, chip)
    return rounds_from(network, chip, slices, demands, plan, lay_out, placer)


def rounds_from(
    network: Network,
    chip: Chip,
    slices: Sequence[Slice],
    demands: Sequence[Demand],
    plan: list[list[Slice]],
    lay_out: LayOut,
    placer: str,
) -> Mapping:
    """Return the mapping of a plan: slices (not of inputs) of each round.

    What leads into a round from others is replayed at the pins, slice by slice as it was sent; inputs come in where they
    are first needed, and are replayed later on.
    """
    narrow = chip
    if chip.off_chip.bits_per_cycle is not None and chip.off_chip.bits_per_cycle < chip.io.bits_per_cycle:
        narrow = chip.replace({"io.bits_per_cycle": chip.off_chip.bits_per_cycle})
    of: dict[str, list[Slice]] = {}
    for s in slices:
        of.setdefault(s.population, []).append(s)
    last = _last_needed(network, plan)
    rounds: list[Round] = []
    entered: set[str] = set()
    terminals = np.full(len(slices), chip.cores, np.int64)
    noted = list(demands)
    for number, members in enumerate(plan):
        names = {s.population for s in members}
        leaving = {name for name in names if last.get(name, 0) > number}
        part, projections = part_of(network, names, leaving)
        outside = [s for p in part.order if p.role == "input" for s in of[p.name]]
        local = demands_in(network, members, noted, chip)
        mapping, home = _laid_out(part, narrow, outside, members, local, lay_out)
        rounds.append(_round(mapping, home, np.array(projections, np.int64), entered, last, number))
        entered |= {p.name for p in part.inputs}
        on_cores = rounds[-1].on_cores
        terminals[home[on_cores]] = mapping.terminals[on_cores]
        for i in on_cores.tolist():
            noted[int(home[i])] = mapping.demands[i]
    return Mapping(
        network=network,
        chip=chip,
        slices=tuple(slices),
        terminals=terminals,
        demands=tuple(noted),
        connections=connect(network, tuple(slices)),
        routes=joined_routes([(r.mapping.routes, r.home) for r in rounds], len(slices)),
        ready_routes=joined_routes([(r.mapping.ready_routes, r.home) for r in rounds], len(slices)),
        placer=placer,
        rounds=tuple(rounds),
    )


def _last_needed(network: Network, plan: list[list[Slice]]) -> dict[str, int]:
    """Population → the last round that something of it leads into."""
    last: dict[str, int] = {}
    for number, members in enumerate(plan):
        for name in {s.population for s in members}:
            last |= {p.source: max(number, last.get(p.source, 0)) for p in network.into(name)}
    return last


def _laid_out(
    part: Network, chip: Chip, outside: list[Slice], members: list[Slice], demands: list[Demand], lay_out: LayOut
) -> tuple[Mapping, NDArray[np.int64]]:
    """Put a round on the chip; slices from outside that reach nothing in it are left out, but one of each population."""
    used = _renumbered([*outside, *members])
    connections = connect(part, used)
    reaches = np.zeros(len(used), bool)
    reaches[connections.source] = True
    first = {s.population: i for i, s in reversed(list(enumerate(outside)))}
    kept = [s for i, s in enumerate(outside) if reaches[i] or first[s.population] == i]
    if len(kept) < len(outside):
        used = _renumbered([*kept, *members])
        connections = connect(part, used)
    asked = [Demand()] * len(kept) + [demands[s.index] for s in members]
    home = np.array([s.index for s in (*kept, *members)], np.int64)
    return lay_out(part, chip, list(used), asked, connections, home), home


def _renumbered(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    return tuple(replace(s, index=i) for i, s in enumerate(slices))


def _round(
    mapping: Mapping,
    home: NDArray[np.int64],
    projections: NDArray[np.int64],
    entered: set[str],
    last: dict[str, int],
    number: int,
) -> Round:
    replayed, saved = np.zeros(len(home), bool), np.zeros(len(home), bool)
    for s in mapping.slices:
        population = mapping.network[s.population]
        back = s.population in entered if population.role == "input" else False
        replayed[s.index] = isinstance(population, Replayed) or back
        saved[s.index] = last.get(s.population, 0) > number and not replayed[s.index]
    return Round(mapping, home, projections, replayed, saved)
