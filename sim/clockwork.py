"""What a chip's numbers say of times, where they change neither a mapping nor a count: what a sweep may vary for nothing."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.mapping import Mapping
from sfnhw.mapping.memory_banks import bank_cycles
from sfnhw.mapping.packet_choice import packet_prices
from sfnhw.mapping.packet_formats import AUTO
from sfnhw.mapping.unit_cycles import update_cycles
from sfnhw.network import Sparse
from sfnhw.sim.route_nodes import links_of
from sfnhw.sim.tables import CYCLES, STATE, SYNAPSES, WORDS, Fabric, Tables, fabric_of

Ints = NDArray[np.int64]

# Fields of a chip that change times only: the same packets go the same ways, and are counted the same.
TIMING_FIELDS = frozenset(
    {
        "core.axon_cycles",
        "core.axon_overlap",
        "core.synapse_cycles",
        "core.synapse_lanes",
        "core.threshold_unit.lanes",
        "core.threshold_unit.spike_cycles",
        "core.threshold_unit.update_cycles",
        "core.threshold_unit.waits_for_port",
        "core.function_unit.gelu_cycles",
        "core.function_unit.layer_norm_cycles",
        "core.function_unit.softmax_cycles",
        "execution.barrier_between",
        "execution.barrier_cycles",
        "io.bits_per_cycle",
        "noc.buffer_flits",
        "noc.credit_cycles",
        "noc.interface_cycles",
        "noc.link_cycles",
        "noc.port_cycles",
        "noc.route_cycles",
        "noc.switch_alloc_cycles",
        "noc.switch_cycles",
        "noc.vc_alloc_cycles",
        "noc.vertical_link_cycles",
        "noc.virtual_channels",
    }
)


class Clockwork(NamedTuple):
    """The numbers of one chip that the closed form's times follow.

    Attributes
    ----------
    fabric : of the chip.
    update, spike : (slices,) as in `SliceTable.update_cycles` and `.spike_cycles`.
    runs : (kinds,) cycles of a run of each kind, as in `RowTable.costs`.
    link, vertical : cycles of a link along a row, along a column, within a chip.
    """

    fabric: Fabric
    update: Ints
    spike: Ints
    runs: Ints
    link: int
    vertical: int

    @classmethod
    def of(cls, tables: Tables, chip: Chip) -> "Clockwork":
        """Return those of the chip that the tables are of."""
        s, noc = tables.slices, chip.noc
        vertical = noc.link_cycles if noc.vertical_link_cycles is None else noc.vertical_link_cycles
        runs = tables.rows.costs[:, CYCLES]
        return cls(tables.fabric, s.update_cycles, s.spike_cycles, runs, noc.link_cycles, vertical)


def retimed(tables: Tables, mapping: Mapping) -> Tables:
    """Return the tables of a mapping whose chip differs from theirs in `TIMING_FIELDS` at most.

    Where synapses are listed, how many lanes take a group of them and how long changes what meets in a bank: there the
    chips must have the same (`same_lanes`).
    """
    chip, s = mapping.chip, tables.slices
    update = np.array([update_cycles(chip, p) for p in mapping.network.populations], np.int64)
    spike = np.where(s.is_input, 0, chip.core.threshold_unit.spike_cycles).astype(np.int64)
    return tables._replace(
        slices=s._replace(update_cycles=update[s.population], spike_cycles=spike),
        nodes=tables.nodes._replace(**links_of(chip)),
        rows=tables.rows if lists(mapping) else tables.rows._replace(costs=_retimed_runs(tables.rows.costs, chip)),
        fabric=fabric_of(mapping, tables.slices),
    )


def lists(mapping: Mapping) -> bool:
    """Whether any synapses are listed one by one."""
    return any(isinstance(p, Sparse) for p in mapping.network.projections)


def same_lanes(chip: Chip) -> tuple[int, int]:
    """Return what chips must have in common where synapses are listed: lanes, and cycles of a group."""
    return chip.core.synapse_lanes, chip.core.synapse_cycles


def _retimed_runs(costs: Ints, chip: Chip) -> Ints:
    """(kinds, 4) costs of runs of neighbouring synapses with the cycles that they take on a chip."""
    costs, core = costs.copy(), chip.core
    # A written run has as many words as it has synapses, and counts none.
    width = np.where(costs[:, SYNAPSES] > 0, costs[:, SYNAPSES], costs[:, WORDS])
    lanes = -(-width // core.synapse_lanes) * core.synapse_cycles
    banks = (
        bank_cycles(costs[:, WORDS], core.weight_memory.banks),
        bank_cycles(costs[:, STATE], core.state_memory.banks),
    )
    costs[:, CYCLES] = np.maximum(lanes, np.maximum(*banks))
    return costs


def shared_fields(chip: Chip) -> dict[str, Any]:
    """Return the fields, flat, that chips looked at together must have in common: all but times, prices, names and the clock.

    With ``packet.format: auto`` prices decide which formats are the cheapest, and are among them.
    """
    fields = {name: value for name, value in chip.structure().items() if name not in TIMING_FIELDS}
    return fields | (packet_prices(chip) if chip.packet.format == AUTO else {})


def differences(chip: Chip, other: Chip) -> list[str]:
    """Fields in which two chips differ that are more than times, prices, names or a clock (`shared_fields`); sorted."""
    ours, theirs = shared_fields(chip), shared_fields(other)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
