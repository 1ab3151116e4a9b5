"""What each part of a slice has to do: the tables of `sfnhw.sim.tables` with a row for each part in place of each slice."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.parts import PartTable
from sfnhw.sim.route_nodes import ranges
from sfnhw.sim.tables import RowTable, SliceTable, Tables

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


class PartWork(NamedTuple):
    """Cycles of each frame, of all samples, of parts in place of slices and of jobs in place of connections."""

    packets: Reals  # (T, parts, samples)
    service: Reals  # (T, jobs, samples) synapse lanes and axon look-ups
    emission: Reals  # (T, parts, samples)
    head: Reals  # (T, parts, samples), as lag and behind: `sfnhw.sim.packet_ends.Sending`
    lag: Reals
    behind: Reals
    walk: Reals  # (T, parts, samples)
    tree_delay: Reals  # (parts,) longest way from a part to its destinations, alone
    way: Reals  # (jobs,) way of a packet from source to target, alone
    # As of `sfnhw.sim.recurrence.Work`, of parts:
    results: Reals  # (T, results, samples)
    to_pins: Reals  # (results,)
    word: float
    gap: Reals  # (parts,)
    back: Reals  # (parts,)


class Jobs(NamedTuple):
    """What comes from one part through one connection; jobs of a connection follow each other, row by row.

    Attributes
    ----------
    slices : parts in place of slices, the neurons of each side by side.
    rows : jobs in place of connections: `source` is a part, `target` still a slice.
    neurons : (neurons,) places of the parts' neurons in the order of the slices.
    connection : (jobs,) which connection.
    row : (jobs,) row of the source, within its slice.
    """

    slices: SliceTable
    rows: RowTable
    neurons: Ints
    connection: Ints
    row: Ints


def jobs_of(tables: Tables) -> Jobs:
    """Derive them: neuron (channel c, column x) of a part is neuron (c·rows + row)·columns + x of its slice."""
    s, q = tables.slices, tables.parts
    count, parts = q.many, len(q.owner)
    neurons = s.neurons[q.owner] // count[q.owner]
    part, own = np.repeat(np.arange(parts), neurons), ranges(np.zeros(parts, np.int64), neurons)
    row = np.arange(parts) - q.first[q.owner]
    columns, rows = q.columns[q.owner[part]], count[q.owner[part]]
    local = own + row[part] * columns + own // columns * columns * (rows - 1)
    many = {name: values[q.owner] for name, values in s._asdict().items() if name != "first_neuron"}
    many["neurons"] = neurons
    first = np.concatenate([[0], np.cumsum(neurons)]).astype(np.int64)
    connection = np.repeat(np.arange(len(tables.rows.source)), count[tables.rows.source])
    y = ranges(np.zeros(len(tables.rows.source), np.int64), count[tables.rows.source])
    rows_table = _rows(tables.rows, q, connection, y, local, first)
    return Jobs(
        SliceTable(**many, first_neuron=first), rows_table, s.first_neuron[q.owner[part]] + local, connection, y
    )


def _rows(r: RowTable, q: PartTable, connection: Ints, y: Ints, local: Ints, first: Ints) -> RowTable:
    """Return the jobs' table; local, first : neurons of the parts within their slices, end to end."""
    one = {name: getattr(r, name)[connection] for name in r._fields if name not in ("runs", "taps", "costs")}
    source = q.first[one["source"]] + y
    columns, apart = q.columns[one["source"]], q.many[one["source"]] > 1
    # Explicit synapses have a run for each neuron: those of a row are not side by side, and are written out.
    explicit = np.flatnonzero(apart & (one["positions"] == 1) & (one["run_stride"] > 0))
    runs: list[NDArray[Any]] = [r.runs]
    size = len(r.runs)
    one["run_first"], one["run_stride"] = (one[name].astype(np.int64) for name in ("run_first", "run_stride"))
    for job in explicit.tolist():
        mine = local[first[source[job]] : first[source[job] + 1]]
        runs.append(r.runs[one["run_first"][job] + mine * one["run_stride"][job]])
        one["run_first"][job], one["run_stride"][job] = size, 1
        size += len(mine)
    by_place = apart & (one["positions"] > 1)
    one["taps_first"] = one["taps_first"] + np.where(by_place, y * columns * one["taps_stride"], 0)
    one["positions"] = np.where(by_place, columns, one["positions"])
    pool: NDArray[Any] = np.concatenate(runs)
    return RowTable(**{**one, "source": source}, runs=pool, taps=r.taps, costs=r.costs)
