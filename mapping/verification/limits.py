"""What each slice asks of its core, and whether each core has it: from the network and the chip's fields alone."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sfnhw.chip import Chip
from sfnhw.chip.sharing import table_words
from sfnhw.errors import SfnhwError
from sfnhw.lowering import decode_word_bits
from sfnhw.mapping.verification.report import Violation
from sfnhw.network import Block, Network, Population, Projection
from sfnhw.units import BITS_PER_KIB, bits_for

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

# Field of a demand -> the chip field that limits it.
FIELDS = {
    "neurons": "core.neurons",
    "weight_bits": "core.weight_memory.kib",
    "state_bits": "core.state_memory.kib",
    "axons": "core.axons",
    "registers": "core.threshold_unit.registers",
}


@dataclass(frozen=True)
class Held:
    """What a target slice holds of one projection: weights, and what they take."""

    weights: int
    bits: int


def weights_held(p: Any, network: Network, block: Block) -> int:
    """Weights of one projection that a block needs, by picking them out of the weights' own array."""
    target, source = network[p.target], network[p.source]
    if p.kind in ("max_pool", "product", "stationary"):
        return 0
    if p.kind == "sparse":
        channel, row = np.divmod(p.targets // target.columns, target.rows)
        return int(((channel >= block.c0) & (channel < block.c1) & (row >= block.r0) & (row < block.r1)).sum())
    if p.kind == "dense":
        grid = np.arange(target.size).reshape(target.channels, target.rows, target.columns)
        return int(grid[block.c0 : block.c1, block.r0 : block.r1].size * p.weight.shape[1])
    if p.kind == "conv2d":
        return int(p.weight[block.c0 : block.c1].size)
    if p.kind == "transposed_conv2d":
        per_in, per_out = source.channels // p.groups, target.channels // p.groups
        out = np.arange(source.channels)[:, None] // per_in * per_out + np.arange(per_out)
        return int(((out >= block.c0) & (out < block.c1)).sum() * p.weight[0, 0].size)
    return block.c1 - block.c0  # elementwise, average_pool, upsample: one for each channel


def held(p: Projection, network: Network, block: Block, operands: int, chip: Chip) -> Held:
    """Weights and bits of one projection; `operands` : source neurons that a stationary projection writes there."""
    if p.kind == "stationary":
        value = decode_word_bits(network, chip.numerics, p.source) + bool(network[p.source].coding.signed)
        return Held(0, operands * value * chip.core.state_banks)
    count = weights_held(p, network, block)
    each: int = chip.core.weight_bits
    if p.kind == "sparse":
        each += bits_for((block.c1 - block.c0) * (block.r1 - block.r0) * network[p.target].columns)
    return Held(count, count * each)


def asked(
    network: Network, population: Population, block: Block, weights: int, axons: int, chip: Chip, banks: int
) -> dict[str, int]:
    """Return the demand of one block by field; `weights` : bits of its projections' weights."""
    core = chip.core
    neurons = (block.c1 - block.c0) * (block.r1 - block.r0) * population.columns
    if population.bias is not None:
        weights += core.accumulator_bits * (
            population.bias[block.c0 : block.c1].size if population.bias.ndim == 1 else neurons
        )
    state = neurons * core.accumulator_bits * banks
    for p in network.projections:
        if p.target == population.name and p.kind == "max_pool":
            source = network[p.source].coding
            units = source.max_level if source.burst else network.timesteps // network.window
            kernel: Any = getattr(p, "kernel")  # noqa: B009
            state += neurons * kernel[0] * kernel[1] * bits_for(units + 1) * (units > 1)
    registers = 0
    if population.function != "max":
        words = table_words(core.threshold_unit, population.coding.need(), block.c1 - block.c0, neurons)
        registers, state = words.registers, state + words.memory * core.threshold_unit.register_bits
    return {"neurons": neurons, "weight_bits": weights, "state_bits": state, "axons": axons, "registers": registers}


def accumulator_banks(network: Network, chip: Chip) -> dict[str, int]:
    """Accumulator sets of each population: the chip's and one for each timestep that a spike may be early, or under a barrier
    one more than the steps it may wait."""
    delay = {i: getattr(p, "delay", 0) for i, p in enumerate(network.projections)}
    if chip.execution.mode != "barrier":
        early = {p.name: 0 for p in network.populations}
        for i, p in enumerate(network.projections):
            early[p.target] = max(early[p.target], delay[i])
        return {name: chip.core.state_banks + steps for name, steps in early.items()}
    depth = {p.name: 0 for p in network.populations}
    for _ in network.populations:  # longest paths by relaxation
        for i, p in enumerate(network.projections):
            if not delay[i]:
                depth[p.target] = max(depth[p.target], depth[p.source] + 1)
    back = [depth[p.source] + 1 - depth[p.target] for i, p in enumerate(network.projections) if delay[i]]
    interval = max([1, *back])
    banks = {p.name: 1 for p in network.populations}
    for i, p in enumerate(network.projections):
        banks[p.target] = max(banks[p.target], 1 + depth[p.target] - depth[p.source] + delay[i] * interval)
    return banks


def limit_violations(mapping: "Mapping", demands: list[dict[str, int]]) -> Iterator[Violation]:
    """Demands that differ from `demands`, cores that hold more than they can, populations that a core cannot serve."""
    chip, network = mapping.chip, mapping.network
    cores: dict[int, list[int]] = defaultdict(list)
    for s, mine in zip(mapping.slices, demands, strict=True):
        where = f"slice {s.index} of {s.population!r}"
        for name, value in mine.items():
            said = getattr(mapping.demands[s.index], name)
            if said != value:
                yield Violation("demand", where, f"{said:,} {name} are noted, and it asks for {value:,}")
        if network[s.population].role != "input" and mapping.terminals[s.index] != mapping.io:
            cores[int(mapping.terminals[s.index])].append(s.index)
    gives = {
        "neurons": chip.core.neurons,
        "weight_bits": int(chip.core.weight_memory.kib * BITS_PER_KIB),
        "state_bits": int(chip.core.state_memory.kib * BITS_PER_KIB),
        "axons": chip.core.axons,
        "registers": chip.core.threshold_unit.registers,
    }
    one_table = chip.core.threshold_unit.sharing == "core"
    for core, members in sorted(cores.items()):
        for name, capacity in gives.items():
            parts = [demands[i][name] for i in members]
            used = max(parts) if name == "registers" and one_table else sum(parts)
            if used > capacity:
                unit = FIELDS[name]
                yield Violation("limit", f"core {core}", f"{used:,} {name}, and {unit} gives {capacity:,}")
        tables = {mapping.slices[i].population for i in members if demands[i]["registers"]}
        if one_table and len(tables) > 1:
            text = f"its one threshold table would serve {len(tables)} layers: {', '.join(sorted(tables))}"
            yield Violation("limit", f"core {core}", text)
    for population in network.populations:
        yield from _served(population, chip)


def _served(population: Population, chip: Chip) -> Iterator[Violation]:
    """What a core of this chip cannot do at all."""
    where, core, most = f"layer {population.name!r}", chip.core, chip.core.threshold_unit.most_thresholds
    if population.role == "input":
        return
    if population.needs_function_unit and not core.function_unit.lanes:
        yield Violation("limit", where, f"{population.function} needs a function unit, and the cores have none")
    if population.function == "max" and not core.max_pooling:
        yield Violation("limit", where, "max pooling, which core.max_pooling says the cores cannot do")
    if most is not None and population.role != "output" and population.coding.max_level > most:
        text = f"levels up to {population.coding.max_level}, and core.threshold_unit.most_thresholds is {most}"
        yield Violation("limit", where, text)
    try:
        table_words(core.threshold_unit, population.coding.need(), 1, 1)
    except SfnhwError as error:
        yield Violation("limit", where, str(error))
