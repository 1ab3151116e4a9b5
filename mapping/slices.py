"""Slices: the parts of populations that cores hold, and what each asks of its core."""

from dataclasses import astuple, dataclass, fields, replace

from sfnhw.chip import Chip
from sfnhw.chip.sharing import Words, table_words
from sfnhw.lowering import decode_word_bits
from sfnhw.network import Block, MaxPool, Network, Population, Projection, Stationary
from sfnhw.units import BITS_PER_KIB, bits_for, ceil_div


@dataclass(frozen=True)
class Slice:
    """One block of one population, with its incoming weights. The input populations' slices live at the chip's pins.

    Attributes
    ----------
    index : position in `Mapping.slices`.
    population : name.
    block : channels × rows.
    neurons : block size.
    """

    index: int
    population: str
    block: Block
    neurons: int


@dataclass(frozen=True)
class Demand:
    """What slices ask of a core, or what a core offers; every field is one limit of the core.

    Attributes
    ----------
    neurons : neurons held.
    weight_bits : weight memory: weights (shared ones once), explicit synapse indices, biases. [bits]
    state_bits : state memory: accumulators × banks, pooling counters, thresholds of single neurons. [bits]
    axons : entries of the axon table.
    registers : threshold registers. [words]
    """

    neurons: int = 0
    weight_bits: int = 0
    state_bits: int = 0
    axons: int = 0
    registers: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def fits(self, capacity: "Demand") -> bool:
        """Whether every field is within `capacity`."""
        return all(a <= b for a, b in zip(astuple(self), astuple(capacity), strict=True))

    def violated(self, capacity: "Demand") -> str | None:
        """Name of the field that is exceeded by the largest factor, or None."""
        over = {
            f.name: getattr(self, f.name) / max(getattr(capacity, f.name), 0.5)
            for f in fields(self)
            if getattr(self, f.name) > getattr(capacity, f.name)
        }
        return max(over, key=over.__getitem__) if over else None


# The chip field and the unit of each limit, for messages.
LIMITS = {
    "neurons": ("core.neurons", "neurons"),
    "weight_bits": ("core.weight_memory.kib", "bits"),
    "state_bits": ("core.state_memory.kib", "bits"),
    "axons": ("core.axons", "axon-table entries"),
    "registers": ("core.threshold_unit.registers", "threshold registers"),
}


def capacity(chip: Chip) -> Demand:
    """Return the limits of one core."""
    core = chip.core
    return Demand(
        neurons=core.neurons,
        weight_bits=int(core.weight_memory.kib * BITS_PER_KIB),
        state_bits=int(core.state_memory.kib * BITS_PER_KIB),
        axons=core.axons,
        registers=core.threshold_unit.registers,
    )


def parts_of(block: Block, chip: Chip) -> int:
    """Parts of a slice that start by themselves and send end markers and ready tokens of their own: 1, or its rows."""
    return block.rows if chip.execution.granularity == "row" else 1


def weight_bits(projection: Projection, network: Network, block: Block, chip: Chip) -> int:
    """Weight memory that a block needs for one projection: explicit synapses also store their target's index.

    A stationary operand is stored decoded, one set for each bank: the next frame's arrives while this one's is used.
    """
    source, target = network[projection.source], network[projection.target]
    bits = chip.core.weight_bits
    if isinstance(projection, Stationary):
        bits = operand_bits(network, projection.source, chip) * chip.core.state_banks
    if projection.has_indices:
        bits += bits_for(target.block_size(block))
    return projection.stored_weights(source, target, block) * bits


def operand_bits(network: Network, name: str, chip: Chip) -> int:
    """Bits of one stored value of a stationary operand: the magnitude of its largest decode word, and the sign."""
    return decode_word_bits(network, chip.numerics, name) + int(network[name].coding.signed)


def bias_bits(population: Population, block: Block, chip: Chip) -> int:
    """Weight memory for a block's biases: one for each channel, or one for each neuron, at the accumulator's width."""
    if population.bias is None:
        return 0
    each = block.channels if population.bias.ndim == 1 else population.block_size(block)
    return each * int(chip.core.accumulator_bits)


def bias_words(population: Population, block: Block, chip: Chip) -> int:
    """Words of weight memory that a block's biases are read in, in each window: row by row where rows start by themselves."""
    parts = parts_of(block, chip)
    bits = bias_bits(population, block._replace(r1=block.r0 + block.rows // parts), chip)
    return parts * ceil_div(bits, chip.core.weight_memory.word_bits)


def state_banks(network: Network, population: Population, chip: Chip) -> int:
    """Accumulator sets that the slices of a population need.

    Dataflow: `core.state_banks`. Asynchronous: as many, and one more where spikes come in that are for the timestep after.
    Barrier: spikes sent in one global step are integrated in the next, so a connection that skips k steps needs k + 1 sets
    (a dendritic delay line), an ordinary one 2.
    """
    if chip.execution.mode != "barrier":
        return chip.core.state_banks + max((getattr(p, "delay", 0) for p in network.into(population.name)), default=0)
    return 1 + max((step_skew(network, p) for p in network.into(population.name)), default=0)


def step_skew(network: Network, projection: Projection) -> int:
    """Global steps from a spike's emission to its use under `barrier` execution (at least 1)."""
    skew = network.depth[projection.target] - network.depth[projection.source]
    return skew + getattr(projection, "delay", 0) * initiation_interval(network)


def initiation_interval(network: Network) -> int:
    """Global steps from one timestep to the next under `barrier` execution: 1 unless a delayed projection leads back.

    A delayed spike of depth d_s is needed one timestep later at depth d_t: d_s + 1 ≤ d_t + interval.
    """
    back = [
        network.depth[p.source] - network.depth[p.target] + 1 for p in network.projections if getattr(p, "delay", 0)
    ]
    return max([1, *back])


def demand(network: Network, population: Population, block: Block, axons: int, chip: Chip) -> Demand:
    """What one block asks of its core, given the axon entries of its sources."""
    core = chip.core
    neurons = population.block_size(block)
    weights = sum(weight_bits(p, network, block, chip) for p in network.into(population.name))
    weights += bias_bits(population, block, chip)
    states = neurons * core.accumulator_bits * state_banks(network, population, chip)
    for p in network.into(population.name):
        source = network[p.source].coding
        spikes = source.max_level if source.burst else network.updates
        if isinstance(p, MaxPool) and spikes > 1:
            # Running sums of the inputs of every window (see sfnhw.record): one counter of unit spikes for each.
            states += neurons * p.kernel[0] * p.kernel[1] * bits_for(spikes + 1)
    words = threshold_words(population, block, chip)
    states += words.memory * core.threshold_unit.register_bits
    return Demand(neurons, weights, states, axons, words.registers)


def threshold_words(population: Population, block: Block, chip: Chip) -> Words:
    """Threshold words of a block, in registers and in state memory; pooled maxima pass without any."""
    if population.function == "max":
        return Words(0)
    return table_words(chip.core.threshold_unit, population.coding.need(), block.channels, population.block_size(block))


def together(before: Demand, new: Demand, chip: Chip) -> Demand:
    """Return what slices ask of the core that they share: the sum, but a core's one threshold table counts once."""
    both = before + new
    if chip.core.threshold_unit.sharing != "core":
        return both
    return replace(both, registers=max(before.registers, new.registers))
