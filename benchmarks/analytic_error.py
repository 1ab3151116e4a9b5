"""How far times at fidelity `analytic` are from those at `packet`; the table of docs/execution.md.

Small random networks (those of the tests), two samples each, on the `reference` chip with a setting drawn by the seed.
Printed is analytic over packet: of the mean latency, and of the interval; of rounds, each by itself, the mean latency and the
cycles until the chip is empty, after which the next one is loaded.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import sfnhw
from sfnhw.activity import Activity
from sfnhw.errors import MappingError
from sfnhw.mapping import Mapping, map_network
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import IF, Events, Readout
from sfnhw.sim import simulate
from tests.networks import random_activity, random_attention, random_network

LAYER: dict[str, Any] = {"execution.granularity": "layer"}
ROW: dict[str, Any] = {"execution.granularity": "row"}
NEAR = 0.15


class Draw(NamedTuple):
    """A network on a chip, and what its neurons send."""

    name: str
    mapping: Mapping
    activity: Activity


def drawn(name: str, network: Network, changes: dict[str, Any], activity: Activity) -> Iterator[Draw]:
    """Yield it, or nothing where the network does not fit."""
    try:
        yield Draw(name, map_network(network, sfnhw.load_chip("reference").replace(changes)), activity)
    except MappingError:
        return


def one_timestep(granularity: dict[str, Any], networks: Any = random_network, many: int = 60) -> Iterator[Draw]:
    """T = 1, as wide as the preset's pins."""
    for seed in range(many):
        network = networks(seed)
        changes = {**granularity, "core.neurons": (64, 256)[seed % 2]}
        yield from drawn(str(seed), network, changes, random_activity(network, seed, 2))


def several_timesteps(granularity: dict[str, Any], many: int = 100) -> Iterator[Draw]:
    """2 to 10 timesteps, dataflow or asynchronous, with delays in every third network."""
    for seed in range(many):
        T, delays = (2, 3, 5, 10)[seed % 4], not seed % 3
        network = random_network(seed, T, recurrent=delays, window=False)
        changes = {
            **granularity,
            "execution.mode": "asynchronous" if delays or seed % 2 else "dataflow",
            "core.neurons": (16, 64)[seed // 2 % 2],
        }
        yield from drawn(str(seed), network, changes, random_activity(network, seed, 2, (0.05, 0.3)[seed // 3 % 2]))


def narrow_pins(granularity: dict[str, Any], many: int = 96) -> Iterator[Draw]:
    """Pins of 1 to 4 bits a cycle, where a flit has 32, and 1 or 3 timesteps."""
    for seed in range(many):
        T = (1, 3)[seed // 3 % 2]
        network = random_network(seed, T)
        changes = {
            **granularity,
            "io.bits_per_cycle": (1, 2, 4)[seed % 3],
            "core.neurons": (16, 64)[seed // 6 % 2],
        }
        yield from drawn(str(seed), network, changes, random_activity(network, seed, 2, (0.05, 0.3)[seed // 12 % 2]))


def tiny_with_narrow_pins(granularity: dict[str, Any]) -> Iterator[Draw]:
    """4 inputs, 4 neurons and 1 to 32 results, of which each is sent, on 2 cores with pins of 1 to 4 bits a cycle."""
    for results in (1, 2, 3, 4, 8, 32):
        for T in (1, 3):
            populations = (
                Population("in", (4,), Events(T), role="input"),
                Population("h", (4,), IF(T), function="relu"),
                Population("out", (results,), Readout(T), role="output"),
            )
            network = Network(populations, (Dense("in", "h", np.eye(4)), Dense("h", "out", np.ones((results, 4)))))
            activity = Activity({p.name: np.ones((1, T, p.size), np.int32) for p in populations})
            for bits in (1, 2, 4):
                changes = {**granularity, "noc.columns": 2, "noc.rows": 1, "io.bits_per_cycle": bits}
                yield from drawn(f"{results}, {T}, {bits}", network, changes, activity)


def several_spikes(granularity: dict[str, Any], many: int = 96) -> Iterator[Draw]:
    """Packets of several spikes: few or some neurons spike, which holds the walk up or does not; wide or narrow pins."""
    for seed in range(many):
        network = random_network(seed, (1, 3)[seed % 2])
        changes = {
            **granularity,
            "packet.format": ("bundled", "auto")[seed // 2 % 2],
            "core.threshold_unit.spike_cycles": (0, 50)[seed // 4 % 2],
            "io.bits_per_cycle": (32, 2)[seed // 8 % 2],
            "core.neurons": (64, 256)[seed // 16 % 2],
        }
        yield from drawn(str(seed), network, changes, random_activity(network, seed, 2, (0.02, 0.3)[seed // 32 % 2]))


def in_rounds(many: int = 60) -> Iterator[Draw]:
    """Rounds on two cores, which slices share: 1 or 3 timesteps, dataflow or asynchronous (with delays), layers or rows."""
    for seed in range(many):
        T, late = (1, 3)[seed % 2], bool(seed // 2 % 2)
        network = random_network(seed, T, recurrent=late and T > 1)
        changes = {
            "noc.columns": 1,
            "noc.rows": 2,
            "core.axons": 1 << 16,
            "core.neurons": 64,
            "execution.rounds": "auto",
            "execution.mode": "asynchronous" if late else "dataflow",
            "execution.granularity": ("layer", "row")[seed // 4 % 2],
            "io.bits_per_cycle": (8, 32)[seed // 8 % 2],
        }
        for draw in drawn(str(seed), network, changes, random_activity(network, seed, 2, 0.4)):
            if draw.mapping.rounds:
                yield draw


FAMILIES = {
    "T = 1, layers": lambda: one_timestep(LAYER),
    "T = 1, rows": lambda: one_timestep(ROW),
    "attention, layers": lambda: one_timestep(LAYER, random_attention),
    "attention, rows": lambda: one_timestep(ROW, random_attention),
    "T = 2 to 10, layers": lambda: several_timesteps(LAYER),
    "T = 2 to 10, rows": lambda: several_timesteps(ROW),
    "narrow pins, layers": lambda: narrow_pins(LAYER),
    "narrow pins, rows": lambda: narrow_pins(ROW),
    "narrow pins, tiny, layers": lambda: tiny_with_narrow_pins(LAYER),
    "narrow pins, tiny, rows": lambda: tiny_with_narrow_pins(ROW),
    "several spikes a packet, layers": lambda: several_spikes(LAYER),
    "several spikes a packet, rows": lambda: several_spikes(ROW),
    "each round": in_rounds,
}


def times(draw: Draw, fidelity: str) -> list[tuple[float, float]]:
    """Mean latency and interval, in cycles; of each round mean latency, and cycles until the chip is empty."""
    result = simulate(draw.mapping, draw.activity, fidelity=fidelity, threads=1)
    if result.rounds:
        return [(r.result.latency_cycles, r.run_cycles) for r in result.rounds]
    return [(result.latency_cycles, result.timing.interval)]


def ratios(draws: Iterator[Draw]) -> NDArray[np.float64]:
    """(draws, or rounds of them, 2) analytic over packet: latency, interval; where nothing leaves, as many cycles are equal."""
    found = [pair for draw in draws for pair in zip(times(draw, "analytic"), times(draw, "packet"), strict=True)]
    ours, theirs = np.array(found).transpose(1, 0, 2)
    return np.where(theirs > 0, ours / np.maximum(theirs, 1.0), 1.0 + (ours > 0))


def row_of(name: str, found: NDArray[np.float64]) -> str:
    """One line of the table."""
    cells = []
    for column in found.T:
        cells += [f"{value:.2f}" for value in np.quantile(column, (0, 0.05, 0.5, 0.95, 1))]
        cells.append(f"{(np.abs(column - 1) <= NEAR).mean():.0%}")
    return f"| {name} | {len(found)} | " + " | ".join(cells) + " |"


def main() -> int:
    """Measure and print."""
    columns = "min | 5 % | median | 95 % | max | within 15 %"
    print(f"| networks | number | latency: {columns} | interval: {columns} |")
    print("| --- | --- |" + " --- |" * 12)
    for name, draws in FAMILIES.items():
        print(row_of(name, ratios(draws())), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
