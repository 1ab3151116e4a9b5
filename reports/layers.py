"""What a run says of each layer: one row a population, per inference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import ACTION_INDEX
from sfnhw.mapping.packet_formats import packing
from sfnhw.network import Population
from sfnhw.run import Run
from sfnhw.units import ceil_div, joules, seconds


def coding_label(population: Population) -> str:
    """Return the coding in a few words, e.g. ``sfn, N = 8``, ``if, T = 8``, ``graded, 8 bit``, ``softmax, then sfn, N = 8``."""
    coding = population.coding
    kind = coding.kind
    need = coding.need()
    if need.kind == "bank" and need.thresholds > 1:
        kind = f"{kind}, N = {need.thresholds}"
    elif coding.timesteps > 1:
        kind = f"{kind}, T = {coding.timesteps}"
    elif hasattr(coding, "bits"):
        kind = f"{kind}, {coding.bits} bit"
    if need.signed and need.kind != "none":
        kind += ", signed"
    if population.needs_function_unit:
        return f"{population.function}, then {kind}"
    return f"max of {kind}" if population.function == "max" else kind


def layer_rows(run: Run) -> list[dict[str, Any]]:
    """Return one row a population in network order; counts are per inference, times are means over samples.

    Keys: name, role, coding, neurons, cores, start_s, end_s, spikes (each carries a level or value), spike_rate
    (spikes per neuron and timestep), packets (of spikes, end markers and ready tokens), packet_format, spikes_per_packet
    (of those that carry spikes, or could; None where there is none), synaptic_operations (carried out *in* this layer,
    largest-of comparisons of max pooling included), payload_bits, packet_bits (of its largest slice: of one spike, or of a
    bundle in which each neuron spikes), packet_flits (mean of the packets of spikes; of that one where there is none),
    energy_j, energy_low_j, energy_high_j. start_s and end_s are None for a layer that never worked.
    """
    mapping, result = run.mapping, run.result
    network, counts = mapping.network, result.counts
    spikes, sent = result.by_population(counts.sent_spikes), result.by_population(counts.sent)
    flits = result.by_population(counts.sent_flits)
    packets = result.by_population(result.actions.core[ACTION_INDEX["packet"]])
    operations = synaptic_operations(run)
    energy = run.cost.by_layer()
    start, end = layer_times_s(run)
    index = {p.name: i for i, p in enumerate(network.populations)}
    rows = []
    for p in network.order:
        slices = mapping.slices_of(p.name)
        cores = {int(mapping.terminals[s.index]) for s in slices} - {mapping.io}
        widest = max(slices, key=lambda s: s.neurons)
        laid = packing(p, widest.block, mapping.chip, result.formats[p.name].format)
        bits = laid.bits(laid.full, laid.full)
        steps = 1 if p.coding.only_last_timestep else network.timesteps
        rows.append(
            {
                "name": p.name,
                "role": p.role,
                "coding": coding_label(p),
                "neurons": p.size,
                "cores": len(cores),
                "start_s": start[index[p.name]],
                "end_s": end[index[p.name]],
                "spikes": spikes[p.name] / run.samples,
                "spike_rate": spikes[p.name] / (run.samples * p.size * steps),
                "packets": packets[p.name] / run.samples,
                "packet_format": laid.format,
                "spikes_per_packet": spikes[p.name] / sent[p.name] if sent[p.name] else None,
                "synaptic_operations": operations[p.name] / run.samples,
                "payload_bits": laid.payload,
                "packet_bits": bits,
                "packet_flits": flits[p.name] / sent[p.name]
                if sent[p.name]
                else ceil_div(bits, run.chip.noc.flit_bits),
                "energy_j": joules(energy[p.name].value_aj) / run.samples,
                "energy_low_j": joules(energy[p.name].low_aj) / run.samples,
                "energy_high_j": joules(energy[p.name].high_aj) / run.samples,
            }
        )
    return rows


def synaptic_operations(run: Run) -> dict[str, int]:
    """Return population → synaptic operations carried out in it, whole run."""
    rows = run.result.tables.rows
    per_slice = np.zeros(run.result.counts.sent.shape, np.int64)
    np.add.at(per_slice, rows.target, run.result.counts.row_synapses)
    return run.result.by_population(per_slice)


def layer_times_s(run: Run) -> tuple[list[float | None], list[float | None]]:
    """Return (start, end) of each population in seconds, means over the samples in which it worked."""
    timing, clock_mhz = run.result.timing, run.chip.clock_mhz
    worked = timing.layer_start < np.iinfo(np.int64).max

    def mean(cycles: NDArray[np.int64]) -> list[float | None]:
        return [
            seconds(float(cycles[worked[:, i], i].mean()), clock_mhz) if worked[:, i].any() else None
            for i in range(cycles.shape[1])
        ]

    return mean(timing.layer_start), mean(timing.layer_end)
