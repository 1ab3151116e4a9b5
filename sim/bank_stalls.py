"""Cycles in which synapse lanes and threshold units wait for banks of memory: a part of those in which they are busy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.mapping.unit_cycles import function_cycles, update_cycles
from sfnhw.network import Population
from sfnhw.sim.fanout import row_cycles
from sfnhw.sim.result import Result
from sfnhw.sim.tables import CYCLES, SYNAPSES, WORDS, sent_neurons, timed_rows
from sfnhw.units import ceil_div

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BankStalls:
    """Cycles, whole run.

    Attributes
    ----------
    synapse, threshold : (cores,) in which the lanes, or the threshold unit, wait for a bank.
    layers : population → the same of all its slices, (synapse, threshold).
    """

    synapse: Ints
    threshold: Ints
    layers: dict[str, tuple[int, int]]


def has_banks(chip: Chip) -> bool:
    """Whether either memory says how many banks it has; where it does not, there are always enough."""
    return chip.core.weight_memory.banks is not None or chip.core.state_memory.banks is not None


def bank_stalls(result: Result, activity: Activity) -> BankStalls | None:
    """Return the waits of a run for banks, or None where the chip does not say how many it has.

    Lanes, weight memory and state memory are pipelined, as are threshold unit, function unit and state memory: what the
    banks take beyond the slowest of the others is a wait (`sfnhw.mapping.unit_cycles`). It is the same at every fidelity.

    activity : that the result is of.
    """
    chip = result.mapping.chip
    if not has_banks(chip):
        return None
    out = BankStalls(np.zeros(chip.cores, np.int64), np.zeros(chip.cores, np.int64), {})
    for part in [r.result for r in result.rounds] or [result]:
        _add(out, part, activity)
    return out


def _add(out: BankStalls, result: Result, activity: Activity) -> None:
    mapping, tables = result.mapping, result.tables
    r, s, chip = tables.rows, tables.slices, mapping.chip
    sent = sent_neurons(mapping, activity).sum(axis=(0, 1), dtype=np.int64)[None]
    alone = tables.fabric._replace(axon_cycles=0)
    by_row = np.rint(row_cycles(s, timed_rows(r, _beyond_lanes(r.costs, chip)), sent, alone)[:, 0]).astype(np.int64)
    synapse, threshold = np.zeros(len(s.neurons), np.int64), np.zeros(len(s.neurons), np.int64)
    np.add.at(synapse, r.target, by_row)
    beyond = {p.name: _beyond_unit(chip, p) for p in mapping.network.populations}
    updates = result.counts.updates.sum(axis=1)
    for k, one in enumerate(mapping.slices):
        part = one.neurons // int(tables.parts.many[k])  # neurons of one walk
        walk = ceil_div(part, chip.core.threshold_unit.lanes)
        threshold[k] = int(updates[k]) // part * walk * beyond[one.population]
        before = out.layers.get(one.population, (0, 0))
        out.layers[one.population] = (before[0] + int(synapse[k]), before[1] + int(threshold[k]))
    on_core = s.terminal < chip.cores
    np.add.at(out.synapse, s.terminal[on_core], synapse[on_core])
    np.add.at(out.threshold, s.terminal[on_core], threshold[on_core])


def _beyond_lanes(costs: Ints, chip: Chip) -> Ints:
    """(kinds,) cycles of one run beyond those of the lanes; a written run has a word for each value, and no operation."""
    width = np.where(costs[:, SYNAPSES] > 0, costs[:, SYNAPSES], costs[:, WORDS])
    return np.asarray(costs[:, CYCLES] + -width // chip.core.synapse_lanes * chip.core.synapse_cycles)


def _beyond_unit(chip: Chip, population: Population) -> int:
    """Cycles of one update beyond what threshold unit and function unit take."""
    memory = chip.core.state_memory.banks
    if memory is None or population.role == "input":
        return 0
    free = chip.replace({"core.state_memory.banks": None})
    return update_cycles(chip, population) - max(update_cycles(free, population), function_cycles(chip, population))
