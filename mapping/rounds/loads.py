"""What must be brought to the cores before a round: its weights, biases and thresholds, and the way that they take."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.chip.links import link_cycles
from sfnhw.mapping.routes import Routes, route
from sfnhw.mapping.slices import Slice, bias_bits, threshold_words, weight_bits
from sfnhw.network import Network, Stationary
from sfnhw.units import ceil_div

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Load:
    """One packet for each slice that has anything to load: a route key, then its bits, in whole flits.

    Attributes
    ----------
    slices : (loads,) slice of the round's mapping.
    bits : (loads,) read from the memory off the chip: weights with explicit synapse indices, biases, thresholds. Copies of
        weights that positions need are read each by itself; a product's stationary operand comes with the spikes.
    flits : (loads,) over the pins, and over each link of the way.
    weight_words, state_words : (loads,) written into weight memory, and (thresholds of single neurons) state memory.
    routes : of loads; the owner of a node is a place in `slices`.
    pin_cycles : in which the pins move the flits, or the slowest core writes its words.
    cycles : from the request to the last word written, before the round's first spike.
    """

    slices: Ints
    bits: Ints
    flits: Ints
    weight_words: Ints
    state_words: Ints
    routes: Routes
    pin_cycles: int
    cycles: int


def load_of(mapping: "Mapping") -> Load:
    """Derive the load of a round's mapping.

    cycles = `off_chip.latency_cycles` + H·(RC+VA+SA+ST) + Σ links + interface of the farthest core (H routers) + the
    cycles of all flits at the pins − 1, where the pins move a flit a cycle at most.
    """
    network, chip = mapping.network, mapping.chip
    parts = [(0, 0, 0)] * len(mapping.slices)
    tables: set[int] = set()
    for i in np.flatnonzero(mapping.terminals != mapping.io).tolist():
        core = int(mapping.terminals[i])
        parts[i] = _parts(network, mapping.slices[i], chip, core not in tables)
        # A core's one threshold table is loaded with the first slice that needs it.
        tables |= {core} if mapping.demands[i].registers and chip.core.threshold_unit.sharing == "core" else set()
    weights, states, registers = np.array(parts, np.int64).reshape(-1, 3).T
    slices = np.flatnonzero(weights + states + registers)
    weights, states, registers = weights[slices], states[slices], registers[slices]
    bits = weights + states + registers
    flits = -(-(chip.noc.header_bits + bits) // chip.noc.flit_bits)
    weight_words = -(-weights // chip.core.weight_memory.word_bits)
    state_words = -(-states // chip.core.state_memory.word_bits)
    cores = mapping.terminals[slices]
    routes = route(
        np.full(len(slices), mapping.io),
        [[int(core)] for core in cores],
        chip.noc.columns,
        chip.noc.rows,
        mapping.io_router,
        True,
        chip.noc.cores_per_router,
        chip.noc.routing == "yx",
    )
    written = np.bincount(cores, weight_words + state_words, minlength=1)
    total = int(flits.sum())
    at_pins = max(total, ceil_div(total * chip.noc.flit_bits, chip.io.bits_per_cycle), int(written.max()))
    cycles = chip.off_chip.latency_cycles + _way(routes, chip) + at_pins - 1 if len(slices) else 0
    return Load(slices, bits, flits, weight_words, state_words, routes, at_pins if len(slices) else 0, cycles)


def _parts(network: Network, s: Slice, chip: Chip, own_table: bool) -> tuple[int, int, int]:
    """(weight memory, state memory, threshold registers) bits of a slice that are there before its first spike."""
    population = network[s.population]
    into = [p for p in network.into(s.population) if not isinstance(p, Stationary)]
    weights = sum(weight_bits(p, network, s.block, chip) for p in into) + bias_bits(population, s.block, chip)
    words, each = threshold_words(population, s.block, chip), chip.core.threshold_unit.register_bits
    return weights, words.memory * each, words.registers * each * own_table


def _way(routes: Routes, chip: Chip) -> int:
    """Cycles from the pins to the farthest core: routers, links and interface, of a packet's head."""
    noc = chip.noc
    router = noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + noc.switch_cycles
    ways = np.bincount(routes.owner, router + link_cycles(chip, routes.link), minlength=1)
    return int(ways.max()) + int(noc.interface_cycles)
