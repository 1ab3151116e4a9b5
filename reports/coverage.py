"""What a run's numbers count and what they do not, in sentences that hold for this run."""

from sfnhw.chip import Chip, moved_text
from sfnhw.network import Product, Stationary
from sfnhw.reports.overhead import is_multilevel
from sfnhw.reports.packet_formats import formats_text
from sfnhw.run import Run


def coverage(run: Run) -> dict[str, list[str]]:
    """Return ``{"counted": [...], "not_counted": [...]}``."""
    return {"counted": _counted(run), "not_counted": _not_counted(run)}


def _operations(run: Run, kind: str) -> str:
    """``conv2d 20, linear 1``: operations of the trained module that became this (`sfnhw.convert.coverage`), or ""."""
    found: dict[str, int] = run.network.metadata.get("coverage", {}).get(kind, {})
    total: dict[str, int] = {}
    for operation, times in found.items():
        name = operation.split(".")[1].strip("_")
        total[name] = total.get(name, 0) + times
    return ", ".join(f"{name} {times}" for name, times in total.items())


def _of_the_module(run: Run) -> list[str]:
    """Say what became of every operation of the trained module, where conversion recorded it."""
    texts = (
        ("synapses", "as synaptic operations"),
        ("neuron", "in the update of neurons"),
        ("folded", "in weights and biases, which they are folded into"),
        ("no_work", "as no work, since they move no value"),
    )
    parts = [f"{text}: {names}" for kind, text in texts if (names := _operations(run, kind))]
    return [f"Every operation of the trained module: {'; '.join(parts)}."] if parts else []


def _counted(run: Run) -> list[str]:
    chip, T = run.chip, run.network.timesteps
    out = [
        *_of_the_module(run),
        f"{run.samples} inferences; activity: {run.recording.sampled}."
        if run.recording.sampled
        else f"All {run.samples} inferences, each with the spikes that it really causes in integer arithmetic "
        f"({chip.core.weight_bits}-bit weights, {chip.core.accumulator_bits}-bit accumulators).",
        "In cores: axon look-ups, decode-table reads, weight, index and bias reads by the memory word, additions, "
        "partial products and shifts, accumulator reads and writes, neuron updates, threshold reads, compares, "
        "encodes, requantisation, decay of leaky membranes, packet assembly.",
        *_functions(run),
        "On the network-on-chip: every flit through every router and over every link, of spike packets"
        + (
            "."
            if chip.execution.mode == "barrier"
            else f", of the end markers that tell {_what_starts(chip)} that its inputs are complete, and of the ready tokens "
            "that free a buffer."
        ),
        "At the pins: the inputs coming in and the results going out, in whole flits"
        + (f"; the input comes in again at each of the {T} timesteps." if T > 1 and _static_input(run) else "."),
        "Leakage of "
        + ("the cores that hold a part of the network" if chip.execution.gate_idle_cores else "all cores")
        + " and of all routers for the time of one inference, and the clock of cores and routers in cycles in which they work.",
    ]
    if packed := formats_text(run):
        out.append(
            f"{packed} A packet is looked up once at each slice (each spike of it where axon entries or synapses are of single "
            "neurons); its spikes go to the synapse lanes one after the other, zeros in it cost their bits alone."
        )
    if run.mapping.rounds:
        out.append(
            f"{len(run.mapping.rounds)} rounds: for each inference, what each core needs of weights, biases and thresholds is "
            "read off the chip, passes pins, routers and links, and is written into the cores' memories, while nothing else "
            "happens; spikes that a later round needs are written off the chip and read again, over the same pins."
        )
    if run.network.window > 1:
        out.append(
            f"Layers that work one after the other in windows of {T} timesteps, a comparison for each neuron and timestep, "
            "and at the synapses a multiplication by the time that was left at the spike; the input comes in once."
        )
    if chip.execution.mode == "barrier":
        out.append(
            f"One global synchronisation a step: {run.result.tables.fabric.barrier_cycles} cycles, and one action on each "
            "used core."
        )
    if run.result.fidelity != "analytic":
        out.append(
            "Time: every packet through injection, routers, links, ejection, axon look-up, synapse lanes and threshold "
            "unit in integer cycles, waiting wherever another packet is served first."
        )
    else:
        out.append(
            "Time: a closed-form estimate from each layer's work, the longest route and the fullest link; the counts are "
            "exact."
        )
    return out


def _functions(run: Run) -> list[str]:
    """What function units and products of activations do, where the network has them."""
    network = run.network
    out = []
    functions = dict.fromkeys(p.function for p in network.populations if p.needs_function_unit)
    if functions:
        out.append(
            f"In function units ({', '.join(functions)}): one action and its cycles for each value; softmax and layer_norm "
            "include the pass that finds the maximum, mean or sum."
        )
    if any(isinstance(p, Stationary) for p in network.projections):
        out.append(
            "Products of activations: the stationary operand is written into weight memory and cleared again in each "
            "inference; the other streams past it when it is complete."
        )
    return out


def _what_starts(chip: Chip) -> str:
    return "each row (or token)" if chip.execution.granularity == "row" else "a layer"


def _not_counted(run: Run) -> list[str]:
    chip = run.chip
    out = []
    if run.recording.sampled:
        out.append(
            "What real inputs do: spikes are drawn independently, so bursts, correlations between neurons and layers, and "
            "differences between inputs are missing; latencies may be off either way, and their spread is too small."
        )
    if on_host := _operations(run, "on_host"):
        out.append(f"What the host computes from the network's outputs: {on_host}.")
    if unused := _operations(run, "unused"):
        out.append(f"Operations of the trained module that nothing of its result comes of, left out: {unused}.")
    if "packet" in run.result.sample_fidelity:
        which = "" if run.result.fidelity == "packet" else " in inferences at fidelity packet"
        out.append(f"Back-pressure{which}: queues are unbounded, so a full buffer never stops a sender.")
    elif run.result.fidelity == "analytic":
        out.append(
            "Queueing of single packets: where several sources meet at a link, only the link's total load is seen."
        )
    out += [
        "The host, loading of routing, axon and decode tables, standby and refresh of the memory off the chip, clock "
        "generation (PLL) and power conversion."
        if run.mapping.rounds
        else "The host, memory off the chip, loading of weights and routing tables, clock generation (PLL) and power conversion.",
        "Wires inside a core, layout, pads, power grid and process variation; prices hold at "
        f"{chip.technology.node_nm:g} nm and {chip.technology.voltage_v:g} V only{moved_text(chip)}.",
        "Overlap of inferences, in the energy of layers, actions and baselines: static energy is booked for one inference at "
        "a time, and a busy pipeline shares it (the total back to back is given beside the throughput).",
        f"Overflow within a sum: the {chip.core.overflow} rule is applied to each neuron's sum, not to every single addition.",
        "The area of decode tables and of the multipliers that requantise or leak, and what a wider flit would add to routers.",
    ]
    if chip.execution.granularity == "row":
        out.append(
            "The counters of end markers and ready tokens, a few bits for each row of each slice, in energy and area."
        )
    if chip.static.gate_leakage_uw is None:
        out.append("Leakage of logic inside cores, beyond what this chip's core_leakage row holds.")
    if formats_text(run):
        out.append(
            "The area and leakage of the registers in which packets of several spikes are put together and taken apart."
        )
    if any(is_multilevel(p) for p in run.network.populations):
        beyond = "In what many thresholds add: the time that a level's extra flits take (their energy is counted)"
        if any(isinstance(p, Product) for p in run.network.projections):
            beyond += ", and the wider words of a stationary operand in weight memory"
        out.append(beyond + ".")
    out += [f"Not modelled of this chip: {text}." for text in chip.not_modelled]
    return out


def _static_input(run: Run) -> bool:
    return any(p.coding.timesteps < run.network.updates for p in run.network.inputs)
