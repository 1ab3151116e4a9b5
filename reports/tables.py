"""The tables of a run folder, as columns: cores, links, actions, layers and packet latencies."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.reports.layers import layer_rows
from sfnhw.run import Run
from sfnhw.sim import UNITS
from sfnhw.sim.bank_stalls import bank_stalls
from sfnhw.sim.cost import Energy, exact_sum
from sfnhw.units import JOULES_PER_ATTOJOULE

Table = dict[str, NDArray[Any]]
LIMITS = ("neurons", "weight_bits", "state_bits", "axons", "registers")


def all_tables(run: Run) -> dict[str, Table]:
    """Return table name → column name → array; the tables are those that `save_run` writes as npz."""
    tables = {
        "cores": core_table(run),
        "links": link_table(run),
        "actions": run.result.action_table(),
        "layers": layer_table(run),
    }
    if run.result.timing.packet_latency is not None:
        tables["packets"] = packet_table(run)
    return {name: {key: _plain(column) for key, column in table.items()} for name, table in tables.items()}


def core_table(run: Run) -> Table:
    """One row a core: core, x, y (of its router), layers (names, one a line), busy_<unit> (share of the inference), of it
    bank_stall_synapse and bank_stall_threshold (waits for banks, on a chip that says how many it has), what its slices ask of each limit, energy_j with energy_low_j and energy_high_j (per inference; on the first core at a
    router, this and the links out of it included)."""
    mapping = run.mapping
    columns = run.chip.columns
    cores = np.arange(run.chip.cores)
    router = cores // run.chip.noc.cores_per_router
    held: list[dict[str, None]] = [{} for _ in cores]
    for s in mapping.slices:
        terminal = int(mapping.terminals[s.index])
        if terminal != mapping.io:
            held[terminal][s.population] = None
    table: Table = {"core": cores, "x": router % columns, "y": router // columns}
    table["layers"] = np.array(["\n".join(" ".join(name.split("\n")) for name in names) for names in held])
    busy = run.result.utilisation()
    for i, unit in enumerate(UNITS):
        table[f"busy_{unit}"] = busy[:, i]
    stalls = bank_stalls(run.result, run.recording.activity)
    for unit in ("synapse", "threshold") if stalls else ():
        table[f"bank_stall_{unit}"] = getattr(stalls, unit) / max(float(run.result.timing.latency.sum()), 1.0)
    occupancy = mapping.occupancy()
    for limit in LIMITS:
        table[limit] = np.array([getattr(d, limit) for d in occupancy], np.int64)
    energies = list(run.cost.by_core().values())[: run.chip.cores]
    for column, key in (("energy_j", "value_aj"), ("energy_low_j", "low_aj"), ("energy_high_j", "high_aj")):
        table[column] = np.array([getattr(e, key) * JOULES_PER_ATTOJOULE / run.samples for e in energies])
    return table


def link_table(run: Run) -> Table:
    """One row a link between neighbouring routers: link, from_router, to_router, from_x, from_y, to_x, to_y, flits (per
    inference), busy (share of the inference in which it moves a flit)."""
    columns, rows = run.chip.columns, run.chip.rows
    link = np.arange(4 * columns * rows)
    router, direction = link // 4, link % 4
    x, y = router % columns, router // columns
    # East, west, south, north: the order of sfnhw.mapping.routes.STEP.
    to_x, to_y = x + np.array([1, -1, 0, 0])[direction], y + np.array([0, 0, 1, -1])[direction]
    real = (to_x >= 0) & (to_x < columns) & (to_y >= 0) & (to_y < rows)
    nodes = run.result.tables.nodes
    flits = np.zeros(len(link), np.int64)
    on_link = nodes.link >= 0
    np.add.at(flits, nodes.link[on_link], run.result.actions.flits.total()[on_link])
    total = max(1.0, float(run.result.timing.latency.sum()))
    table = {
        "link": link,
        "from_router": router,
        "to_router": to_x + columns * to_y,
        "from_x": x,
        "from_y": y,
        "to_x": to_x,
        "to_y": to_y,
        "flits": flits / run.samples,
        "busy": run.result.timing.link_busy / total,
    }
    return {name: column[real] for name, column in table.items()}


def layer_table(run: Run) -> Table:
    """`layer_rows` as columns; a time that is unknown is NaN."""
    rows = layer_rows(run)
    return {
        key: np.array([float("nan") if row[key] is None else row[key] for row in rows]) if rows else np.zeros(0)
        for key in rows[0]
    }


def packet_table(run: Run) -> Table:
    """Spike packets by latency: latency_cycles, packets (whole run). The last simulated bin is open above."""
    histogram = run.result.timing.packet_latency
    if histogram is None:
        return {"latency_cycles": np.zeros(0, np.int64), "packets": np.zeros(0, np.int64)}
    cycles = np.flatnonzero(histogram)
    return {"latency_cycles": cycles, "packets": histogram[cycles]}


def layer_action_energy_j(run: Run) -> dict[str, dict[str, float]]:
    """Return layer → action or static term → J per inference."""
    return {
        layer: {term: aj * JOULES_PER_ATTOJOULE / run.samples for term, aj in terms.items()}
        for layer, terms in run.cost.layer_by_action().items()
    }


def energy_bands_j(run: Run) -> dict[str, Any]:
    """Return ``{low, high}`` in J per inference of each reported energy: of the whole, `static`, and along every axis.

    They are sums at every row's low and high: the envelope. Within one action all energies have the band of its row.
    """
    cost = run.cost

    def band(energy: Energy) -> dict[str, float]:
        return {key: v for key, v in energy.as_joules(run.samples).items() if key != "value"}

    return {
        "total": band(cost.total),
        "static": band(cost.static),
        **{
            axis: {name: band(e) for name, e in getattr(cost, axis)().items() if e.high_aj}
            for axis in ("by_action", "by_layer", "by_core", "by_timestep")
        },
    }


def exact_energy_aj(run: Run) -> dict[str, Any]:
    """Return the whole run's energy in integer attojoules along every axis: each adds up to `total` exactly."""
    cost = run.cost
    return {
        "total": exact_sum(cost.value_aj),
        **{
            axis: {name: e.value_aj for name, e in getattr(cost, axis)().items() if e.value_aj}
            for axis in ("by_action", "by_layer", "by_core", "by_timestep")
        },
    }


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """No object arrays: what is saved must be readable without unpickling."""
    return column.astype(str) if column.dtype.kind == "O" else np.ascontiguousarray(column)
