"""How long the units of each core work for an inference, which core is busiest, and what no cut can beat.

Samples that follow each other come out no faster than the busiest unit of any core works one off: the layer that sits
there is the bottleneck. The cycles are those that the simulation counts, exactly; time in which a unit waits for work is not
among them, nor links and pins.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.mapping.copies import neuron_copies
from sfnhw.mapping.objectives.packets import Packets, packets_of
from sfnhw.mapping.objectives.work import LayerWork
from sfnhw.mapping.packet_choice import formats_of, looks_up_spikes
from sfnhw.mapping.slices import parts_of
from sfnhw.mapping.unit_cycles import frames_of, port_cycles, unit_weights
from sfnhw.units import ceil_div

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

Ints = NDArray[np.int64]

# Units of a core, in the order of `sfnhw.sim.UNITS`, and what they are called in a sentence.
NAMES = ("axon look-up", "synapse lanes", "threshold unit", "injection port")


@dataclass(frozen=True, eq=False)
class Balance:
    """Cycles of units, all samples.

    Attributes
    ----------
    slices : (slices, 4) cycles that a slice takes of its core's axon look-up, synapse lanes, threshold unit, injection port.
    units : (cores + 1, 4) of each core; the last row is the pins.
    bound : cycles that the busiest unit works at least, however the layers are cut and placed: the work of all, on lanes
        that are never half empty, shared evenly by all cores of the chip. Weak where one row of one channel is much of the
        work, where the chip has far more cores than are used, and where widths do not fill the lanes.
    samples : inferences that the cycles are the sum of.
    """

    mapping: "Mapping"
    slices: Ints
    units: Ints
    bound: int
    samples: int

    @property
    def busiest(self) -> int:
        """Cycles of the busiest unit of any core."""
        return int(self.units[:-1].max(initial=0))

    def bottleneck(self) -> dict[str, Any]:
        """Return the busiest unit: ``core``, its ``unit``, its ``layers`` (most work first), ``cycles`` an inference."""
        core, unit = np.unravel_index(int(np.argmax(self.units[:-1])), self.units[:-1].shape)
        held = np.flatnonzero(self.mapping.terminals == core)
        held = held[np.argsort(-self.slices[held, unit], kind="stable")]
        names = dict.fromkeys(self.mapping.slices[i].population for i in held if self.slices[i, unit])
        return {
            "core": int(core),
            "unit": NAMES[unit],
            "layers": list(names),
            "cycles": self.busiest / self.samples,
        }

    def layers(self) -> dict[str, dict[str, Any]]:
        """Layer → the ``unit`` that works longest for any of its slices, and its ``cycles`` an inference; no inputs."""
        found: dict[str, dict[str, Any]] = {}
        for s, row in zip(self.mapping.slices, self.slices, strict=True):
            if self.mapping.network[s.population].role == "input":
                continue
            unit = int(np.argmax(row))
            cycles = int(row[unit]) / self.samples
            if cycles >= found.get(s.population, {"cycles": -1})["cycles"]:
                found[s.population] = {"unit": NAMES[unit], "cycles": cycles}
        return found


def balance(mapping: "Mapping", activity: Activity | None, formats: dict[str, str] | None = None) -> Balance:
    """Cycles of each unit on what spikes (None: as if each neuron sent one spike an inference).

    formats : population → packet format, where that is known already.

    Raises
    ------
    ActivityError : an activity of another network.
    """
    formats = formats or formats_of(mapping, activity)
    if mapping.rounds:
        return _of_rounds(mapping, activity, formats)
    network, chip = mapping.network, mapping.chip
    packets = packets_of(network, activity)
    weights = unit_weights(network, chip)
    layers = {p.name: LayerWork(network, p, chip, packets, weights, formats[p.name]) for p in network.populations}
    slices = np.zeros((len(mapping.slices), 4), np.int64)
    sent, spikes = np.zeros(len(slices), np.int64), np.zeros(len(slices), np.int64)
    for name, layer in layers.items():
        mine = [s.index for s in mapping.slices_of(name)]
        work = layer.of([mapping.slices[i].block for i in mine])
        slices[mine, 1] = work.synapse.sum(axis=0)
        slices[mine, 2] = work.threshold
        slices[mine, 3] = work.port
        sent[mine], spikes[mine] = work.packets, work.spikes
    copies = np.diff(mapping.routes.root_first)
    if chip.noc.destinations == "neuron":
        _own_copies(mapping, packets, slices)
    else:
        slices[:, 3] *= copies
    if chip.core.threshold_unit.waits_for_port:  # a unit that is held up does nothing else
        on_core = mapping.terminals != mapping.io
        slices[on_core, 2] += slices[on_core, 3]
    _add_lookups(mapping, packets, sent, spikes, slices)
    _add_control(mapping, packets, copies, slices)
    units = np.zeros((chip.cores + 1, 4), np.int64)
    np.add.at(units, mapping.terminals, slices)
    return Balance(mapping, slices, units, _bound(mapping, layers), packets.samples)


def _of_rounds(mapping: "Mapping", activity: Activity | None, formats: dict[str, str]) -> Balance:
    """The work of all rounds together, round after round on the same cores; loads are not among it, nor what is replayed."""
    parts = [balance(r.mapping, activity, formats) for r in mapping.rounds]
    slices = np.zeros((len(mapping.slices), 4), np.int64)
    for r, part in zip(mapping.rounds, parts, strict=True):
        np.add.at(slices, r.home[~r.replayed], part.slices[~r.replayed])
    units = np.sum([part.units for part in parts], axis=0)
    # Each round's bound holds for what its busiest unit does in all rounds; their sum would not: the units may differ.
    return Balance(mapping, slices, units, max(part.bound for part in parts), parts[0].samples)


def _add_lookups(mapping: "Mapping", packets: Packets, sent: Ints, spikes: Ints, slices: Ints) -> None:
    """Axon look-ups of what a source slice sends, and of its end markers, at each slice that it is connected to.

    sent, spikes : (slices,) packets, and spikes in them: one or the other is looked up (`looks_up_spikes`).
    """
    c, chip, network = mapping.connections, mapping.chip, mapping.network
    windows = 0 if chip.execution.mode == "barrier" else packets.samples * network.updates
    marks = np.array(
        [windows * frames_of(network, network[s.population]) * parts_of(s.block, chip) for s in mapping.slices],
        np.int64,
    )
    alone = np.array([looks_up_spikes(p, chip) for p in network.projections], np.bool_)[c.projection]
    looked_up = np.where(alone, spikes[c.source], sent[c.source]) + marks[c.source]
    if chip.noc.destinations == "neuron":
        grids = [packets.grid(s.population, s.block).reshape(-1) for s in mapping.slices]
        for k, a in enumerate(c.source.tolist()):
            looked_up[k] -= int(grids[a][c.synapses(k, mapping.slices[a].neurons) == 0].sum())
    np.add.at(slices[:, 0], c.target, chip.core.axon_cycles * looked_up)


def _own_copies(mapping: "Mapping", packets: Packets, slices: Ints) -> None:
    """Turn the cycles of one copy of each packet into those of the copies that its neuron sends."""
    first = neuron_copies(mapping).first
    begin = 0
    for s in mapping.slices:
        sent = packets.grid(s.population, s.block).reshape(-1)
        copies = np.diff(first[begin : begin + s.neurons + 1])
        begin += s.neurons
        # All packets of a slice take the port as long.
        slices[s.index, 3] = slices[s.index, 3] // max(1, int(sent.sum())) * int(sent @ copies)


def _add_control(mapping: "Mapping", packets: Packets, copies: Ints, slices: Ints) -> None:
    """Add end markers and ready tokens at the injection ports (dataflow)."""
    if mapping.chip.execution.mode == "barrier":
        return
    tokens = np.diff(mapping.ready_routes.root_first)
    windows = packets.samples * mapping.network.updates
    for s in mapping.slices:
        population = mapping.network[s.population]
        pins = population.role == "input"
        each = int(port_cycles(1, mapping.chip, pins))
        frames, parts = frames_of(mapping.network, population), parts_of(s.block, mapping.chip)
        slices[s.index, 3] += windows * each * parts * int(frames * copies[s.index] + (0 if pins else tokens[s.index]))


def _bound(mapping: "Mapping", layers: dict[str, LayerWork]) -> int:
    """Work of the synapse lanes, and of the threshold units, over all cores; the larger."""
    core, cores = mapping.chip.core, mapping.chip.cores
    synapses = sum(layer.synapses() for layer in layers.values())
    neurons = sum(layer.frames * layer.update * layer.population.size for layer in layers.values())
    each = (
        ceil_div(synapses * core.synapse_cycles, core.synapse_lanes * cores),
        ceil_div(neurons, core.threshold_unit.lanes * cores),
    )
    return max(each)
