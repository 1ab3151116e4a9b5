"""Whether a mapping's arrays hang together: what must hold before anything may follow their indices."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.verification.report import Violation

if TYPE_CHECKING:
    from sfnhw.mapping.connections import Connections
    from sfnhw.mapping.mapping import Mapping
    from sfnhw.mapping.routes import Routes

NODE_ARRAYS = ("owner", "router", "parent", "link")
ROW_ARRAYS = ("source", "target", "projection", "width_first", "width_stride", "taps_first", "taps_stride", "positions")


def array_faults(mapping: "Mapping") -> list[Violation]:
    """Return what is wrong with shapes and ranges; empty where every index points at something."""
    return [Violation("arrays", where, text) for where, text in _faults(mapping)]


def slice_faults(mapping: "Mapping") -> list[Violation]:
    """Return what is wrong with the slices, and with where they are, alone."""
    return [Violation("arrays", where, text) for where, text in _slice_faults(mapping)]


def _faults(mapping: "Mapping") -> Iterator[tuple[str, str]]:
    before = list(_slice_faults(mapping))
    yield from before
    if before:
        return
    yield from _row_faults(mapping, mapping.connections)
    for name in ("routes", "ready_routes"):
        yield from _route_faults(mapping, getattr(mapping, name), name)


def _slice_faults(mapping: "Mapping") -> Iterator[tuple[str, str]]:
    known = {p.name: p for p in mapping.network.populations}
    count = len(mapping.slices)
    for i, s in enumerate(mapping.slices):
        where = f"slice {i}"
        if s.index != i:
            yield where, f"its index is {s.index}"
        if s.population not in known:
            yield where, f"the network has no population {s.population!r}"
            continue
        p, b = known[s.population], s.block
        if not (0 <= b.c0 < b.c1 <= p.channels and 0 <= b.r0 < b.r1 <= p.rows):
            yield where, f"{tuple(b)} is no block of {s.population!r} ({p.channels} channels × {p.rows} rows)"
        elif s.neurons != b.channels * b.rows * p.columns:
            yield where, f"says {s.neurons} neurons, and its block has {b.channels * b.rows * p.columns}"
    yield from _whole_numbers("terminals", mapping.terminals, count, 0, mapping.io)
    if len(mapping.demands) != count:
        yield "demands", f"{len(mapping.demands)}, and there are {count} slices"


def _whole_numbers(name: str, array: NDArray[Any], size: int | None, low: int, high: int) -> Iterator[tuple[str, str]]:
    """One fault where `array` is not `size` integers from `low` to `high`."""
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iu":
        yield name, "not a row of integers"
    elif size is not None and len(array) != size:
        yield name, f"{len(array)} numbers, expected {size}"
    elif len(array) and (array.min() < low or array.max() > high):
        bad = int(np.flatnonzero((array < low) | (array > high))[0])
        yield name, f"entry {bad} is {int(array[bad])}, expected {low} to {high}"


def _pointers(name: str, array: NDArray[Any], size: int, end: int) -> Iterator[tuple[str, str]]:
    """One fault where `array` is not `size` ascending numbers from 0 to `end`."""
    fault = list(_whole_numbers(name, array, size, 0, end))
    if not fault and (array[0] != 0 or array[-1] != end or (np.diff(array) < 0).any()):
        fault = [(name, f"not ascending from 0 to {end}")]
    yield from fault


def _row_faults(mapping: "Mapping", c: "Connections") -> Iterator[tuple[str, str]]:
    network, rows = mapping.network, np.size(c.source)
    limits = {"source": (0, len(mapping.slices) - 1), "target": (0, len(mapping.slices) - 1)}
    limits |= {"projection": (0, len(network.projections) - 1), "positions": (1, 2**31)}
    limits |= dict.fromkeys(("width_stride", "taps_stride"), (0, 1))
    limits |= {"width_first": (0, np.size(c.width) - 1), "taps_first": (0, np.size(c.taps) - 1)}
    faults = [
        f for name in ROW_ARRAYS for f in _whole_numbers(f"connections.{name}", getattr(c, name), rows, *limits[name])
    ]
    for name in ("width", "taps"):
        faults += _whole_numbers(f"connections.{name}", getattr(c, name), None, 0, 2**31)
    faults += _pointers("connections.first", c.first, len(mapping.slices) + 1, rows)
    yield from faults
    if faults:
        return
    if (np.repeat(np.arange(len(mapping.slices)), np.diff(c.first)) != c.source).any():
        yield "connections.first", "does not lead to the rows of each source slice"
    neurons = np.array([s.neurons for s in mapping.slices], np.int64)[c.source]
    last = c.width_first + (neurons - 1) // c.positions * c.width_stride
    if (last >= len(c.width)).any():
        yield "connections.width_first", "leads beyond the end of connections.width"
    last = c.taps_first + (np.minimum(neurons, c.positions) - 1) * c.taps_stride
    if (last >= len(c.taps)).any():
        yield "connections.taps_first", "leads beyond the end of connections.taps"


def _route_faults(mapping: "Mapping", r: "Routes", name: str) -> Iterator[tuple[str, str]]:
    nodes, routers = np.size(r.router), mapping.chip.routers
    limits = {"owner": (0, len(mapping.slices) - 1), "router": (0, routers - 1), "parent": (-1, nodes - 1)}
    limits["link"] = (-1, 4 * routers - 1)
    faults = [f for key in NODE_ARRAYS for f in _whole_numbers(f"{name}.{key}", getattr(r, key), nodes, *limits[key])]
    faults += _whole_numbers(f"{name}.children", r.children, None, 0, nodes - 1)
    faults += _whole_numbers(f"{name}.exits", r.exits, None, 0, mapping.io)
    faults += _whole_numbers(f"{name}.roots", r.roots, None, 0, nodes - 1)
    yield from faults
    if not faults:
        yield from _pointers(f"{name}.child_first", r.child_first, nodes + 1, np.size(r.children))
        yield from _pointers(f"{name}.exit_first", r.exit_first, nodes + 1, np.size(r.exits))
        yield from _pointers(f"{name}.root_first", r.root_first, len(mapping.slices) + 1, np.size(r.roots))
