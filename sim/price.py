"""price: counts × an energy table."""

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import CORE_ACTIONS, OFF_CHIP, PACKING
from sfnhw.chip import Chip, Price, logic_gates
from sfnhw.chip.links import between_chips
from sfnhw.errors import SimulationError
from sfnhw.sim.by_place import sum_by
from sfnhw.sim.cost import CHIP, NO_TIMESTEP, TERMS, Cost
from sfnhw.sim.node_places import node_places
from sfnhw.sim.result import Result
from sfnhw.sim.route_nodes import ranges
from sfnhw.sim.table_cache import derived
from sfnhw.units import attojoules

Ints = NDArray[np.int64]
MOST_AJ = 2**63 - 1


def price(result: Result, chip: Chip | None = None) -> Cost:
    """Turn counts into joules.

    Parameters
    ----------
    chip : whose energy table to use; default: the mapping's own. Another table (node, voltage, other constants) prices
        the same counts without a new simulation, so the chip must be the same in everything that was simulated.

    Raises
    ------
    SimulationError : the chip differs from the simulated one in more than its prices, or one cell costs more than 64-bit
        attojoules hold.
    """
    mapping = result.mapping
    chip = chip or mapping.chip
    _check_same(chip, mapping.chip)
    cells = _Cells()
    terminal, population = result.tables.slices.terminal, result.tables.slices.population
    for i, action in enumerate(CORE_ACTIONS):
        cells.counts(action, chip, terminal, population, result.actions.core[i])
    # Energy of routers and links is booked on the first core of their tile.
    each = chip.noc.cores_per_router
    # Route nodes are many, the places that they are at few: they are added up once, by link and router.
    at = derived(node_places, result.tables)
    passed = result.actions.passed
    if passed is None:
        passed = result.actions.flits.summed(at.key, len(at.link))
    router, layer, flits = _by_place(at.router, at.population, passed)
    cells.counts("router_flit", chip, router * each, layer, flits)
    through = np.zeros(chip.routers, np.int64)
    np.add.at(through, router, flits.sum(axis=1))
    used = at.link >= 0
    link, layer, flits = _by_place(at.link[used], at.population[used], passed[used])
    crossing = between_chips(chip, link)
    for vertical in (False, True):
        on = ((link % 4 >= 2) == vertical) & ~crossing
        cells.counts("link_flit", chip, link[on] // 4 * each, layer[on], flits[on], chip.link_price(vertical))
    cells.counts("io_bit", chip, np.full(len(population), mapping.io), population, result.actions.io_bits)
    # Between chips a flit passes pins: those of the chip that it leaves.
    bits = flits[crossing] * chip.noc.flit_bits
    cells.counts("io_bit", chip, link[crossing] // 4 * each, layer[crossing], bits)
    if result.actions.packing_flits is not None:
        cells.counts(PACKING, chip, terminal, population, result.actions.packing_flits)
    if result.actions.off_chip_bits is not None:
        cells.counts(OFF_CHIP, chip, np.full(len(population), mapping.io), population, result.actions.off_chip_bits)
    _static(cells, result, chip, through)
    names = tuple(p.name for p in mapping.network.populations)
    term, core, layer, timestep, value, low, high = cells.arrays()
    return Cost(term, core, layer, timestep, value, low, high, names, chip.cores, result.samples)


def _by_place(place: Ints, population: Ints, flits: Ints) -> tuple[Ints, Ints, Ints]:
    """(place, population, (n, T) flits): those of all route nodes at one place, of one population, added up."""
    width = int(population.max(initial=0)) + 1
    keys, key = np.unique(place * width + population, return_inverse=True)
    places, populations = np.divmod(keys, width)
    return places, populations, sum_by(key, flits, len(keys))


def _check_same(chip: Chip, simulated: Chip) -> None:
    ours, theirs = chip.structure(), simulated.structure()
    for name in sorted(ours):
        # Whether idle cores leak is a price.
        if name != "execution.gate_idle_cores" and ours[name] != theirs[name]:
            raise SimulationError(
                "this result was simulated on another configuration; only prices may differ",
                field=name,
                found=ours[name],
                expected=repr(theirs[name]),
            )


class _Cells:
    """Collects cells of a `Cost`."""

    def __init__(self) -> None:
        self.columns: list[list[Ints]] = [[] for _ in range(7)]

    def counts(
        self, term: str, chip: Chip, core: Ints, population: Ints, counts: Ints, own: Price | None = None
    ) -> None:
        """Price (rows, T) counts with the chip's row for an action, or a price of their own."""
        if not counts.any():
            return
        prices = astuple(own or chip.energy_price(term))
        rows, steps = np.nonzero(counts)
        energies = _energies(f"energy.{term}", counts[rows, steps], prices)
        self._add(term, core[rows], population[rows], steps, energies)

    def energies(self, term: str, core: Ints, population: Ints, energies: list[Ints]) -> None:
        """Add static energies."""
        self._add(term, core, population, np.full(len(core), NO_TIMESTEP), energies)

    def _add(self, term: str, core: Ints, population: Ints, steps: Ints, energies: list[Ints]) -> None:
        columns = [np.full(len(core), TERMS.index(term)), core, population, steps, *energies]
        for column, values in zip(self.columns, columns, strict=True):
            column.append(np.asarray(values, np.int64))

    def arrays(self) -> list[Ints]:
        """Return the seven columns."""
        return [np.concatenate(column) for column in self.columns]


def _energies(field: str, amounts: Ints, prices_pj: tuple[float, ...]) -> list[Ints]:
    """Amounts × each price in attojoules; raises SimulationError where a product does not fit 64 bits."""
    most = int(amounts.max(initial=0))
    for price_pj in prices_pj:
        if most * attojoules(price_pj) > MOST_AJ:
            raise SimulationError(
                f"{most:,} times {price_pj:g} pJ in one place and timestep is more than 64-bit attojoules hold (9.2 J)",
                field=field,
                expected="a lower price, or fewer samples in one run",
            )
    return [amounts * attojoules(price_pj) for price_pj in prices_pj]


def _static(cells: _Cells, result: Result, chip: Chip, through: Ints) -> None:
    """Leakage for the time that the inferences take, one at a time; clocks for the cycles in which units work.

    A core's clock runs while its synapse lanes or its threshold unit work (axon look-ups go on beside the synapses of the
    packet before), a router's for each flit that it passes on: through, (routers,) of them.
    """
    mapping, timing = result.mapping, result.timing
    cycles = int(timing.latency.sum())
    cores = np.arange(chip.cores)
    powered = np.isin(cores, mapping.terminals) if chip.execution.gate_idle_cores else np.ones(chip.cores, bool)

    def energies(term: str, amounts: Ints, parts: float = 1.0) -> list[Ints]:
        # 1 µW for one cycle of f MHz is 1/f pJ.
        per_cycle = chip.clock_mhz if term.endswith("_uw") else 1.0
        prices = tuple(v * parts / per_cycle for v in astuple(chip.static_price(term)))
        return _energies(f"static.{term}", amounts, prices)

    leaked = np.full(chip.cores, cycles)
    _shared(cells, "core_leakage", result, cores[powered], energies("core_leakage_uw", leaked[powered]))
    if chip.static.gate_leakage_uw is not None:
        gates = energies("gate_leakage_uw", leaked[powered], logic_gates(chip))
        _shared(cells, "gate_leakage", result, cores[powered], gates)
    active = np.minimum(timing.busy[:-1, 1] + timing.busy[:-1, 2], cycles)
    _shared(cells, "core_clock", result, cores, energies("core_clock_pj", active))
    # Routers pass other cores' packets: they are never gated.
    nobody = np.full(chip.routers, CHIP)
    at = np.arange(chip.routers) * chip.noc.cores_per_router
    cells.energies("router_leakage", at, nobody, energies("router_leakage_uw", np.full(chip.routers, cycles)))
    cells.energies("router_clock", at, nobody, energies("router_clock_pj", through))


def _shared(cells: _Cells, term: str, result: Result, cores: Ints, energies: list[Ints]) -> None:
    """Book a core's energy on the layers it holds, by neurons, without losing an attojoule; idle cores on the chip."""
    s = result.tables.slices
    order = np.argsort(s.terminal, kind="stable")
    first, end = (np.searchsorted(s.terminal[order], cores, side) for side in ("left", "right"))
    idle = first == end
    cells.energies(term, cores[idle], np.full(idle.sum(), CHIP), [e[idle] for e in energies])
    many = (end - first)[~idle]
    core, held = np.repeat(np.flatnonzero(~idle), many), order[ranges(first[~idle], many)]
    upto = np.cumsum(s.neurons[held])
    begin = np.repeat(np.cumsum(many) - many, many)
    upto = upto - (upto - s.neurons[held])[begin]  # neurons of the core up to each slice, that included
    whole = np.repeat(upto[np.cumsum(many) - 1], many)
    parts: list[Ints] = []
    for e in energies:
        upto_each, before = (_share(e[core], u, whole) for u in (upto, upto - s.neurons[held]))
        parts.append(upto_each - before)
    cells.energies(term, cores[core], s.population[held], parts)


def _share(energy: Ints, neurons: Ints, of: Ints) -> Ints:
    """⌊energy · neurons / of⌋ for neurons ≤ of, without a product of more than 64 bits."""
    quotient, rest = np.divmod(energy, of)
    return quotient * neurons + rest * neurons // of
