"""A mapping in figures: cores used, how full each limit is, slices of each layer, links of the routes."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.balance import Balance, balance
from sfnhw.mapping.quality import quality
from sfnhw.mapping.rounds.quality import round_rows
from sfnhw.mapping.route_tables import about_tables
from sfnhw.mapping.slices import LIMITS, Demand

if TYPE_CHECKING:
    from sfnhw.activity import Activity
    from sfnhw.mapping.mapping import Mapping
    from sfnhw.mapping.routes import Routes


def summary(mapping: "Mapping", activity: "Activity | None" = None) -> dict[str, Any]:
    """Return JSON values.

    ``limits`` (one for each limit of a core, over the cores that hold slices): ``limit``, ``field``, ``unit``,
    ``capacity``, ``largest``, ``mean``, and both as shares of the capacity. ``layers``: ``name``, ``slices``, ``neurons``,
    ``weight_bits`` (of all its slices: copies by position included), ``cores`` (one for each slice; [] at the pins),
    ``unit`` (that works longest for any of its slices) and its ``cycles`` an inference (None at the pins).
    ``bottleneck``: ``core``, ``unit``, ``layers`` there, ``cycles`` an inference of the busiest unit of any core.
    ``bounds``: what is achieved beside what no placement of these slices can beat, on what spikes in ``activity``, or as if
    each neuron sent one packet an inference; see `sfnhw.mapping.quality`. ``rounds``: see
    `sfnhw.mapping.rounds.quality.round_rows`. ``routes``: ``trees``, their ``links`` together, and the ``longest_hops`` of a
    packet; ``tokens`` likewise. ``tables``: of the routers, see `sfnhw.mapping.route_tables.about_tables`.
    """
    chip = mapping.chip
    work = balance(mapping, activity)
    return {
        "network": mapping.network.name,
        "chip": chip.name,
        "placer": mapping.placer,
        "cores_used": mapping.cores_used,
        "cores": chip.cores,
        "routers_used": mapping.routers_used,
        "routers": chip.routers,
        "slices": len(mapping.slices),
        "limits": _limits(mapping),
        "layers": _layers(mapping, work),
        "bottleneck": work.bottleneck(),
        "bounds": quality(mapping, activity, work).as_json(),
        "weighed_by": "the activity" if activity else "one packet from each neuron",
        "rounds": round_rows(mapping),
        "routes": _routes(mapping.routes),
        "tokens": _routes(mapping.ready_routes),
        "tables": about_tables(mapping),
    }


def _limits(mapping: "Mapping") -> list[dict[str, Any]]:
    used = mapping.occupancy()
    held = [used[core] for core in np.unique(mapping.terminals[mapping.terminals != mapping.io])]
    rows = []
    for f in fields(Demand):
        field, unit = LIMITS[f.name]
        amounts, capacity = [getattr(d, f.name) for d in held], getattr(mapping.capacity, f.name)
        largest, mean = max(amounts, default=0), sum(amounts) / max(len(amounts), 1)
        rows.append(
            {
                "limit": f.name,
                "field": field,
                "unit": unit,
                "capacity": capacity,
                "largest": largest,
                "mean": mean,
                "largest_share": largest / capacity,
                "mean_share": mean / capacity,
            }
        )
    return rows


def _layers(mapping: "Mapping", work: Balance) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    busiest = work.layers()
    for s, d, terminal in zip(mapping.slices, mapping.demands, mapping.terminals.tolist(), strict=True):
        empty = {"name": s.population, "slices": 0, "neurons": 0, "weight_bits": 0, "cores": []}
        empty |= busiest.get(s.population, {"unit": None, "cycles": None})
        row = rows.setdefault(s.population, empty)
        row["slices"] += 1
        row["neurons"] += s.neurons
        row["weight_bits"] += d.weight_bits
        row["cores"] += [terminal] if terminal != mapping.io else []
    return list(rows.values())


def _routes(routes: "Routes") -> dict[str, int]:
    return {
        "trees": len(routes.roots),
        "links": int((routes.link >= 0).sum()),
        "longest_hops": int(hops(routes).max(initial=0)),
    }


def hops(routes: "Routes") -> NDArray[np.int64]:
    """(nodes,) links from its root to each node: one more than to its parent, level by level."""
    parent = routes.parent
    depth = np.full(len(parent), -1, np.int64)
    here = np.flatnonzero(parent < 0)
    level = 0
    while len(here):
        depth[here] = level
        here = np.flatnonzero((depth < 0) & (depth[parent] == level))
        level += 1
    return depth
