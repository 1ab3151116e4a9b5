"""Multicast tables: how many entries each router needs, and whether it has them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sfnhw.chip import Chip
from sfnhw.errors import MappingError
from sfnhw.mapping.grouping import terms_of
from sfnhw.mapping.routes import Ints, Routes
from sfnhw.mapping.slices import parts_of
from sfnhw.units import bits_for

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping


def table_entries(mapping: "Mapping") -> Ints:
    """(routers,) entries of each router's multicast table: one for each tree that starts, passes, forks or ends there.

    Trees of packets and of ready tokens alike; straight passes count too (no default routes). All 0 under unicast: there
    a packet names its destination, and dimension order finds the way without a table.
    """
    routers = mapping.chip.routers
    if mapping.chip.noc.cast == "unicast":
        return np.zeros(routers, np.int64)
    trees = (mapping.routes, mapping.ready_routes)
    return np.asarray(sum(np.bincount(r.router, minlength=routers) for r in trees), np.int64)


def route_keys(routes: Routes, ready_routes: Routes) -> int:
    """Route keys that multicast trees need: as many as there are trees of packets, or of ready tokens if those are more.

    What kind of packet it is stands beside the key, so one key serves a tree of either kind.
    """
    return max(len(routes.roots), len(ready_routes.roots))


def check_tables(mapping: "Mapping") -> None:
    """Hold a multicast mapping to `noc.route_entries` and `noc.header_bits`, and any to markers of one flit.

    Raises
    ------
    MappingError : a router's table is short, with what its entries are for; there are more trees than keys; or a flit has
        no room for the number of a row.
    """
    chip = mapping.chip
    _check_rows(mapping)
    if chip.noc.cast == "unicast":
        return
    keys = route_keys(mapping.routes, mapping.ready_routes)
    if keys > 2**chip.noc.header_bits:
        raise MappingError(
            layer=None,
            resource="noc.header_bits",
            demand=keys,
            capacity=2**chip.noc.header_bits,
            unit="route keys",
            terms=(
                f"{len(mapping.routes.roots):,} trees of packets",
                f"or {len(mapping.ready_routes.roots):,} of ready tokens",
            ),
            levers=(f"raise noc.header_bits to {(keys - 1).bit_length()}", *_without_tables()),
        )
    entries = table_entries(mapping)
    limit = chip.noc.route_entries
    if limit is not None and entries.max(initial=0) > limit:
        raise _short(mapping, int(entries.argmax()), int(entries.max()), limit)


def _check_rows(mapping: "Mapping") -> None:
    """Raise where an end marker, one flit, cannot name the row that it ends: one of its slice, beside the route key."""
    chip = mapping.chip
    most = max(mapping.slices, key=lambda s: parts_of(s.block, chip))
    bits = chip.noc.header_bits + bits_for(parts_of(most.block, chip))
    if bits > chip.noc.flit_bits:
        raise MappingError(
            layer=most.population,
            resource="noc.flit_bits",
            demand=bits,
            capacity=chip.noc.flit_bits,
            unit="bits of an end marker",
            terms=(f"{chip.noc.header_bits} bits of route key", f"one of {parts_of(most.block, chip)} rows"),
            levers=(f"raise noc.flit_bits to {bits}", "execution.granularity: layer", "slices of fewer rows (splits)"),
        )


def _short(mapping: "Mapping", router: int, demand: int, limit: int) -> MappingError:
    """Return the error for the router with the most entries, which names the layers that most of them are for."""
    y, x = divmod(router, mapping.chip.columns)
    count: dict[str, int] = {}
    for routes, what in ((mapping.routes, "packets"), (mapping.ready_routes, "ready tokens")):
        for owner in routes.owner[routes.router == router].tolist():
            name = f"{what} of layer {mapping.slices[owner].population!r}"
            count[name] = count.get(name, 0) + 1
    return MappingError(
        layer=None,
        resource="noc.route_entries",
        demand=demand,
        capacity=limit,
        unit=f"entries in the multicast table of router ({x}, {y})",
        terms=terms_of(count, "trees"),
        levers=(f"raise noc.route_entries to {demand}", "another placer", *_without_tables()),
    )


def _without_tables() -> tuple[str, ...]:
    return ("noc.cast: unicast, which needs no tables, and sends a packet for each destination",)


def about_tables(mapping: "Mapping") -> dict[str, Any]:
    """Return JSON values: ``largest`` table and its ``router`` (column, row), ``mean`` over routers with entries, ``limit``
    (None: none), ``keys`` and ``keys_limit``; all 0 under unicast, which has no tables. In rounds: of the round with the largest."""
    if mapping.rounds:  # each round has tables of its own
        return max(
            (about_tables(r.mapping) for r in mapping.rounds), key=lambda found: (found["largest"], found["keys"])
        )
    chip: Chip = mapping.chip
    entries = table_entries(mapping)
    fullest = int(entries.argmax())
    filled = entries[entries > 0]
    keys = route_keys(mapping.routes, mapping.ready_routes) if len(filled) else 0
    return {
        "largest": int(entries[fullest]),
        "router": [fullest % chip.columns, fullest // chip.columns],
        "mean": float(filled.mean()) if len(filled) else 0.0,
        "limit": chip.noc.route_entries,
        "keys": keys,
        "keys_limit": 2**chip.noc.header_bits,
    }
