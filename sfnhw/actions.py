"""The countable things that the hardware does. Counts are integers; a chip's energy table prices each of them.

A new action is one row here; every chip file must then price it (`load_chip` says so by name).
"""

from typing import NamedTuple


class Action(NamedTuple):
    """One row of the vocabulary: where it happens (`core`, `network` or `io`), and what one count of it is."""

    name: str
    place: str
    meaning: str


ACTIONS: tuple[Action, ...] = (
    Action("axon_lookup", "core", "an arriving packet looked up for one slice: which synapses it feeds"),
    Action("decode_read", "core", "a decode-table word read: what value the packet's level stands for"),
    Action("weight_read", "core", "a word read from weight memory (weights, explicit synapse indices, biases)"),
    Action(
        "weight_write", "core", "a word written to weight memory (the stationary operand of a product, clearing it)"
    ),
    Action(
        "accumulate",
        "core",
        "an addition into an accumulator: one for each synaptic operation but those of max pooling",
    ),
    Action("multiply_bit", "core", "one partial product of weight × value: P − 1 for a P-bit value, 0 for unit spikes"),
    Action("shift_bit", "core", "one stage of the shifter that multiplies by a power of two"),
    Action("state_read", "core", "a word read from state memory (accumulators, thresholds of single neurons)"),
    Action("state_write", "core", "a word written to state memory"),
    Action("neuron_update", "core", "one neuron taken through the threshold unit: bias added, control"),
    Action("threshold_read", "core", "a threshold register read"),
    Action("compare", "core", "a comparator used once (thresholds; largest-of in max pooling)"),
    Action("encode", "core", "one result of N > 1 comparisons turned into a level index"),
    Action("requantise", "core", "one fixed-point multiply and shift that makes a graded activation"),
    Action("gelu", "core", "one value through the function unit: GELU"),
    Action("softmax", "core", "one value through the function unit: softmax over its row"),
    Action("layer_norm", "core", "one value through the function unit: normalised over the channels of its position"),
    Action("leak", "core", "one fixed-point multiply and shift that makes a membrane decay"),
    Action("spike", "core", "a neuron update that ended in a spike (or burst): what it takes beyond one that did not"),
    Action("packet", "core", "a packet assembled: route key looked up, index and level packed"),
    Action(
        "injection",
        "core",
        "a packet put into the network: once for all destinations (multicast), or for each (unicast)",
    ),
    Action("barrier", "core", "one core taking part in one global synchronisation"),
    Action("router_flit", "network", "a flit through one router: buffer, allocation, crossbar"),
    Action("link_flit", "network", "a flit over one link between neighbouring routers"),
    Action("io_bit", "io", "a bit over the pins of a chip: in, out, or to the next chip of a board"),
)

ACTION_NAMES: tuple[str, ...] = tuple(a.name for a in ACTIONS)
ACTION_INDEX: dict[str, int] = {name: i for i, name in enumerate(ACTION_NAMES)}
CORE_ACTIONS: tuple[str, ...] = tuple(a.name for a in ACTIONS if a.place == "core")

# What happens beside the chip, where a network larger than the chip is worked off in rounds.
OFF_CHIP = "off_chip_bit"
# What packets of several spikes take beside what one address event takes.
PACKING = "packing_flit"

# Rows of a chip's energy table that need not be there, with what they are: prices of an action in a special place, and of
# what not every chip has.
OPTIONAL_ROWS: dict[str, str] = {
    "link_flit_vertical": "link_flit over a link between routers of a column; left out: as link_flit",
    OFF_CHIP: "a bit read from or written to the memory off the chip; only a network worked off in rounds needs it",
    PACKING: "a flit of a packet of several spikes packed at its sender, or unpacked for one slice; left out: none beyond `packet`",
}

# Energy that time costs, not events: priced in power or per cycle, in the chip file's `static` section.
STATIC_TERMS: tuple[str, ...] = ("core_leakage", "gate_leakage", "router_leakage", "core_clock", "router_clock")
