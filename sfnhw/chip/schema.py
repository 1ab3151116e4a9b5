"""What a chip file may say: every field with its unit, meaning and bounds. The prices are in `prices`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Part(BaseModel):
    """Base of all parts: frozen, strict about types, no unknown fields, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def entry(unit: str, description: str, beyond: str = "", **bounds: Any) -> Any:
    """Return a required field with a unit ('' where it has none), a meaning and bounds; beyond: where else to look for more."""
    return Field(description=description, json_schema_extra={"unit": unit, "beyond": beyond}, **bounds)


def optional(unit: str, description: str, default: Any = None, **bounds: Any) -> Any:
    """Return a field that may be left out; the description says what it is then."""
    return Field(default=default, description=description, json_schema_extra={"unit": unit}, **bounds)


MOST_BARRIER_CYCLES = 10**6


def _barrier(value: Any) -> Any:
    """Let a number pass, and a table of routers used -> cycles with whole numbers for keys (YAML's are texts)."""

    def whole(number: Any, low: int, high: int) -> bool:
        return isinstance(number, int) and not isinstance(number, bool) and low <= number <= high

    if whole(value, 0, MOST_BARRIER_CYCLES):
        return value
    if isinstance(value, dict) and value:
        table = {int(k) if isinstance(k, str) and k.isdecimal() else k: v for k, v in value.items()}
        # "1" and "01" are one number of routers, which cannot have two times.
        once = len(table) == len(value)
        if once and all(whole(k, 1, 1 << 20) and whole(v, 0, MOST_BARRIER_CYCLES) for k, v in table.items()):
            return dict(sorted(table.items()))
    raise ValueError("neither a number nor a table of cycles")


# One number, or routers that hold a used core -> cycles.
BarrierCycles = Annotated[
    Annotated[int, Field(ge=0, le=MOST_BARRIER_CYCLES)] | dict[int, int], BeforeValidator(_barrier)
]


class Technology(Part):
    """The process node and supply at which the chip is priced."""

    node_nm: float = entry("nm", "process node", ge=1, le=250)
    voltage_v: float = entry("V", "core supply voltage", gt=0.2, le=2.0)
    scaling: Literal["none", "stillmaker-baas-2017"] = entry(
        "",
        "rule that brings price rows of another node or supply here; with `none` such a row is an error",
        default="none",
    )
    clock_is_met: bool = entry(
        "",
        "`clock_mhz` is known to be met at this node and supply; else, where the chip scales, it is taken to be one that is "
        "met at those of `static.core_clock_pj`, and a report warns where logic here is slower",
        default=False,
    )


class Memory(Part):
    """An SRAM of one core."""

    kib: int = entry("KiB", "capacity", ge=1, le=65536)
    word_bits: int = entry("bits", "width of one word; a read moves a whole word", ge=8, le=1024)
    banks: int | None = optional(
        "",
        "banks, neighbouring words in neighbouring ones, each of which reads a word and writes one in a cycle: the lanes "
        "wait for words of one bank; left out: as many as the lanes need",
        ge=1,
        le=1024,
    )


class ThresholdUnit(Part):
    """What turns an accumulator into a level."""

    kind: Literal["parallel", "serial", "binary-search", "uniform", "power-of-two"] = entry(
        "",
        "microarchitecture: N comparators at once, one comparator N times, one comparator halving the table, a divider "
        "(uniform thresholds only), or a leading-one detector (power-of-two thresholds only)",
    )
    lanes: int = entry("neurons", "neurons updated at once", ge=1, le=256)
    update_cycles: int | None = optional(
        "cycles",
        "one neuron update, whatever it compares; left out: what the kind takes for its thresholds",
        ge=1,
        le=10_000,
    )
    spike_cycles: int = optional(
        "cycles",
        "what an update that ends in a spike (a burst, a result) takes beyond one that does not",
        0,
        ge=0,
        le=10_000,
    )
    waits_for_port: bool = optional(
        "",
        "the walk over the neurons goes on when the packets of a spike have left by the port; false: at once; left out: "
        "false",
        False,
    )
    most_thresholds: int | None = optional(
        "",
        "largest level of a neuron's spike: its thresholds for each polarity, its largest graded value, T of ttfs; 1: unit "
        "spikes; left out: what the registers hold",
        ge=1,
        le=1 << 20,
    )
    registers: int = entry("words", "threshold registers of one core", ge=1, le=1 << 20)
    register_bits: int = entry("bits", "width of a threshold register", ge=2, le=32)
    sharing: Literal["population", "channel", "core", "neuron"] = entry(
        "",
        "who shares a table of N thresholds: a slice, each of its channels, a whole core (its slices must be of one "
        "population), or each neuron has its own, kept in state memory",
    )


class FunctionUnit(Part):
    """What computes GELU, softmax and layer norm, between the accumulator and the threshold unit."""

    lanes: int = entry("values", "values that enter at once; 0 is a core without a function unit", ge=0, le=256)
    gelu_cycles: int = entry("cycles", "one value of a lane, GELU", ge=1, le=10_000)
    softmax_cycles: int = entry("cycles", "one value of a lane, softmax: all passes over the row", ge=1, le=10_000)
    layer_norm_cycles: int = entry("cycles", "one value of a lane, layer norm: all passes", ge=1, le=10_000)


class Core(Part):
    """One core: axon table, synapse lanes, memories and threshold unit."""

    neurons: int = entry("neurons", "neurons that a core may hold", ge=1, le=1 << 20)
    axons: int = entry("entries", "size of the axon table", ge=1, le=1 << 20)
    axon_sharing: Literal["slice", "neuron"] = entry(
        "", "one axon entry for each incoming source slice, or for each source neuron"
    )
    weight_bits: int = entry("bits", "signed weight, symmetric range", ge=2, le=16)
    decode_bits: int = entry("bits", "magnitude of a decode-table word (what a level stands for)", ge=1, le=16)
    accumulator_bits: int = entry("bits", "signed accumulator (membrane)", ge=8, le=48)
    overflow: Literal["saturate", "wrap"] = entry("", "what an accumulator does beyond its range")
    state_banks: int = entry(
        "", "accumulator sets: with 2, the next frame arrives while this one is thresholded", ge=1, le=2
    )
    synapse_lanes: int = entry("operations", "synaptic operations at once", ge=1, le=1024)
    synapse_cycles: int = optional(
        "cycles", "one group of `synapse_lanes` synaptic operations (or words written); left out: 1", 1, ge=1, le=10_000
    )
    max_pooling: bool = optional(
        "", "synapses can keep the largest level of a window; false: max pooling is refused; left out: true", True
    )
    input_packets: int | None = optional(
        "packets",
        "input buffer: packets that have left the network and wait for the axon look-up and the lanes (fidelity flit); "
        "left out: unlimited",
        ge=1,
        le=1 << 20,
    )
    axon_cycles: int = entry("cycles", "one axon look-up; 0 where it is part of the synaptic operations", ge=0, le=1000)
    axon_overlap: bool = optional(
        "",
        "a packet is looked up while the synapses of the one before are worked off; false: one after the other; left out: "
        "true",
        True,
    )
    weight_memory: Memory = entry("", "weights, explicit synapse indices, biases, stationary operands of products")
    state_memory: Memory = entry("", "accumulators, and thresholds where every neuron has its own")
    threshold_unit: ThresholdUnit = entry("", "what turns an accumulator into a level")
    function_unit: FunctionUnit = entry("", "GELU, softmax and layer norm; pipelined with the threshold unit")


class Noc(Part):
    """The network-on-chip."""

    topology: Literal["mesh"] = entry(
        "", "shape of the network", "tori are no part of a chip yet: `sfnhw noc` alone has them"
    )
    columns: int = entry("routers", "width of the mesh", ge=1, le=1024)
    rows: int = entry("routers", "height of the mesh", ge=1, le=1024)
    cores_per_router: int = optional(
        "cores", "cores of a tile, which share its router, each with a port of its own; left out: 1", 1, ge=1, le=64
    )
    routing: Literal["xy", "yx", "o1turn"] = entry(
        "",
        "dimension order: first along the row, then along the column; the other way round; or (needs two virtual channels) "
        "each multicast tree, or path of a unicast, one of the two, chosen by the mapper so that the fullest link is least",
    )
    cast: Literal["multicast", "unicast"] = entry(
        "", "one packet for all destinations that forks in routers, or one packet for each destination"
    )
    destinations: Literal["slice", "neuron"] = optional(
        "",
        "where the packets of a spike go: to every core that any neuron of its slice feeds, or (unicast only) only to those "
        "that its own neuron feeds; left out: slice",
        "slice",
    )
    flit_bits: int = entry("bits", "what a link moves in a cycle", ge=8, le=1024)
    header_bits: int = entry("bits", "route key in front of a packet; must be narrower than a flit", ge=1, le=64)
    route_entries: int | None = optional(
        "entries",
        "multicast table of a router: one for each tree that starts, passes, forks or ends there; left out: no limit",
        ge=1,
        le=2**32,
    )
    route_cycles: int = entry("cycles", "route computation (RC); 0 with lookahead", ge=0, le=100)
    vc_alloc_cycles: int = entry("cycles", "virtual-channel allocation (VA)", ge=0, le=100)
    switch_alloc_cycles: int = entry("cycles", "switch allocation (SA); 0 where it is speculative", ge=0, le=100)
    switch_cycles: int = entry("cycles", "switch traversal (ST); 0 where it is part of the link", ge=0, le=100)
    link_cycles: int = entry("cycles", "one link between neighbours", ge=1, le=1000)
    vertical_link_cycles: int | None = optional(
        "cycles", "one link between neighbours of a column; left out: as link_cycles", ge=1, le=1000
    )
    interface_cycles: int = entry("cycles", "injection and ejection together", ge=0, le=100)
    port_cycles: int = optional(
        "cycles", "one packet at its core's port into the network, at least one a flit; left out: 1", 1, ge=1, le=10_000
    )
    virtual_channels: int = entry("", "virtual channels of each input port", ge=1, le=64)
    buffer_flits: int | None = optional(
        "flits",
        "buffer of one virtual channel; left out: 8 at fidelity flit (more where a full packet is longer), unlimited at packet",
        ge=1,
        le=65_536,
    )
    credit_cycles: int | None = optional(
        "cycles",
        "a credit on its way back over a link, or to a core (fidelity flit); between chips it takes board.link_cycles; "
        "left out: as the link that it goes back over, and 1 to a core",
        ge=1,
        le=1000,
    )
    link_mm: float = entry("mm", "length of a link between neighbours", gt=0, le=100)


class Board(Part):
    """Several chips of one kind whose meshes are joined at their edges into one; one chip where nothing is said."""

    columns: int = optional("chips", "chips side by side; left out: 1", 1, ge=1, le=64)
    rows: int = optional("chips", "chips one below the other; left out: 1", 1, ge=1, le=64)
    link_cycles: int | None = optional(
        "cycles",
        "one flit from a chip's router to the next chip's; to be given where there are several chips",
        ge=1,
        le=100_000,
    )
    flit_cycles: int = optional(
        "cycles",
        "what one flit takes a link between chips: flit_bits over the width of its pins; left out: 1",
        1,
        ge=1,
        le=10_000,
    )


class Packet(Part):
    """How spikes are packed."""

    format: Literal["aer", "bundled", "bitmap", "dense", "auto"] = entry(
        "",
        "one address event a packet: route key, source index, level (aer); several of one bundle: (index, level) pairs "
        "(bundled), a bit for each neuron and a level for each spike (bitmap), a level for each neuron, zeros too (dense); or "
        "for each layer the one whose packets take the least energy (auto)",
    )
    bundle: Literal["position", "run"] = optional(
        "",
        "neurons of a bundle: those of one position or token (position), or of as many whole ones, one after the other, as "
        "`bundle_neurons` holds (run): a slice may have but one channel; with execution.granularity: row of one row; not for "
        "aer; left out: run",
        "run",
    )
    bundle_neurons: int = optional("neurons", "of a bundle at most; not for aer; left out: 64", 64, ge=1, le=4096)


class Execution(Part):
    """When a layer starts."""

    mode: Literal["dataflow", "barrier", "asynchronous"] = entry(
        "",
        "a layer starts when its inputs are in (end markers are sent); or at a global step; or, timestep by timestep, when "
        "those before it have ended theirs (as dataflow, with delays and recurrence)",
    )
    granularity: Literal["layer", "row"] = optional(
        "",
        "what starts by itself and sends end markers (not under a barrier): all that a core holds of a layer, or each row of "
        "a feature map (token of a sequence); left out: layer",
        "layer",
    )
    barrier_cycles: BarrierCycles = entry(
        "cycles",
        "one global synchronisation (barrier mode only): a number, or a table {routers with a used core: cycles}",
    )
    barrier_between: Literal["step", "linear"] = optional(
        "",
        "between two entries of a table of barrier_cycles: the lower one's cycles, or on the line between both; beyond its "
        "ends the nearest entry holds; left out: step",
        "step",
    )
    gate_idle_cores: bool = entry("", "cores that hold no slice are power gated: no leakage, no clock")
    rounds: Literal["none", "auto"] = optional(
        "",
        "a network larger than the chip: refused (none), or worked off in rounds, for each of which weights are read from "
        "the memory off the chip (auto; needs `off_chip` and its price); left out: none",
        "none",
    )

    def barrier_cycles_of(self, routers: int) -> int:
        """Return the cycles of one global synchronisation where so many routers (≥ 1) have a used core.

        Between the entries of a linear table: rounded to the nearest cycle, halves up.
        """
        table = self.barrier_cycles
        if isinstance(table, int):
            return table
        below = max((n for n in table if n <= routers), default=min(table))
        above = min((n for n in table if n >= routers), default=max(table))
        if self.barrier_between == "step" or above <= below:
            return table[below]
        rise, run = table[above] - table[below], above - below
        return table[below] + (2 * rise * (routers - below) + run) // (2 * run)


class Io(Part):
    """Where inputs enter and outputs leave."""

    router: tuple[int, int] = entry("(column, row)", "router that the pins attach to", strict=False)
    bits_per_cycle: int = entry("bits", "width of the pins, each way", ge=1, le=65536)


class OffChip(Part):
    """A memory beside the chip, behind its pins: weights and spikes of a network that is worked off in rounds."""

    bits_per_cycle: int | None = optional(
        "bits", "what it reads or writes in a cycle of the chip's clock; left out: there is none", ge=1, le=65536
    )
    latency_cycles: int = optional(
        "cycles", "from a round's request to the first bits of its weights; left out: 0", 0, ge=0, le=10**6
    )
