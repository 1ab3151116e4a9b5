"""verify: whether a mapping is right, derived from scratch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.mapping.verification.arrays import array_faults, slice_faults
from sfnhw.mapping.verification.limits import accumulator_banks, asked, held, limit_violations, weights_held
from sfnhw.mapping.verification.report import Verification, Violation
from sfnhw.mapping.verification.rounds import joined
from sfnhw.mapping.verification.routes import reached, walk
from sfnhw.mapping.verification.synapses import Into, Synapses
from sfnhw.network import Population
from sfnhw.network.part import NetworkPart

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping


def verify(mapping: "Mapping") -> Verification:
    """Check a mapping against the network and the chip alone, with nothing that made it.

    Each neuron is in one slice and each slice on one core; each synapse, derived from the projections' definitions, is
    in the connection between its neurons' slices, and no connection says more; each slice asks for what it is noted to,
    and each core has it; and each route, walked through the tables alone, reaches exactly the cores of its targets (and
    the pins, for results), once, without cycles, by the chip's rule of routing; ready tokens likewise;
    and each router's multicast table, and the route keys, suffice for the trees that were walked.

    Returns what is wrong, and raises nothing. Where arrays do not hang together, or neurons are not each in one slice,
    what follows from them is not looked at.

    Of a mapping in rounds each round is checked so, and that together they are the network (`sfnhw.mapping.verification.rounds`).
    """
    if mapping.rounds:
        return _in_rounds(mapping)
    network = mapping.network
    size = {"slices": len(mapping.slices), "neurons": sum(p.size for p in network.populations)}
    found = array_faults(mapping)
    found = found or list(_neurons(mapping))
    if found:
        return Verification(tuple(found), **size)
    derived = _Derived(mapping)
    found += derived.violations
    found += _placement(mapping)
    found += limit_violations(mapping, derived.demands)
    at = mapping.terminals
    targets = {(a, int(at[b])) for a, b in derived.pairs}
    targets |= {(s.index, mapping.io) for s in mapping.slices if network.to_pins(s.population)}
    routes = walk(mapping, mapping.routes, "route")
    found += [*routes.violations, *reached(mapping, routes, targets, "route")]
    tokens = walk(mapping, mapping.ready_routes, "tokens")
    sources = {(b, int(at[a])) for a, b in derived.pairs}
    found += [*tokens.violations, *reached(mapping, tokens, sources, "tokens")]
    entries = routes.entries + tokens.entries if mapping.chip.noc.cast == "multicast" else 0 * routes.entries
    found += _tables(mapping, entries, max(routes.trees, tokens.trees))
    return Verification(
        tuple(found),
        **size,
        synapses=derived.synapses,
        stored_weights=derived.weights,
        weight_copies=derived.weights - derived.distinct,
        cores=len(np.unique(at[at != mapping.io])),
        trees=routes.trees,
        nodes=routes.nodes,
        links=routes.links,
        exits=len(routes.owner),
        table_entries=int(entries.max()),
    )


def _in_rounds(mapping: "Mapping") -> Verification:
    network = mapping.network
    found = [*slice_faults(mapping)] or list(_neurons(mapping))
    size = {"slices": len(mapping.slices), "neurons": sum(p.size for p in network.populations)}
    if found:
        return Verification(tuple(found), **size)
    parts = [verify(r.mapping) for r in mapping.rounds]
    distinct = sum(weights_held(p, network, network[p.target].block) for p in network.projections)
    copies = sum(part.stored_weights for part in parts) - distinct
    return joined(mapping, parts, Verification((), **size, weight_copies=copies))


def _neurons(mapping: "Mapping") -> Iterator[Violation]:
    """Slices of a population cover each of its neurons once: counted on a grid of channels × rows."""
    grids = {p.name: np.zeros((p.channels, p.rows), np.int32) for p in mapping.network.populations}
    for s in mapping.slices:
        grids[s.population][s.block.c0 : s.block.c1, s.block.r0 : s.block.r1] += 1
    for name, grid in grids.items():
        # A part of a network may hold a part of a layer; what is left out is with the other parts.
        missing = 0 if isinstance(mapping.network, NetworkPart) else int((grid == 0).sum())
        for number, what in ((missing, "no slice"), (int((grid > 1).sum()), "several slices")):
            if number:
                yield Violation("neurons", f"layer {name!r}", f"{number:,} rows of channels are in {what}")


def _placement(mapping: "Mapping") -> Iterator[Violation]:
    for s in mapping.slices:
        is_input, at_pins = mapping.network[s.population].role == "input", mapping.terminals[s.index] == mapping.io
        if is_input != at_pins:
            text = "inputs belong to the pins" if is_input else "is at the pins, and belongs on a core"
            yield Violation("placement", f"slice {s.index} of {s.population!r}", text)


def _tables(mapping: "Mapping", entries: NDArray[np.int64], trees: int) -> Iterator[Violation]:
    noc = mapping.chip.noc
    if noc.cast == "multicast" and trees > 2**noc.header_bits:
        text = f"{trees:,} trees of one kind, and noc.header_bits gives {2**noc.header_bits:,} route keys"
        yield Violation("tables", "the network", text)
    rows = max(s.block.r1 - s.block.r0 for s in mapping.slices)
    if mapping.chip.execution.granularity == "row" and 2 ** (noc.flit_bits - noc.header_bits) < rows:
        text = f"an end marker names one of {rows} rows in the {noc.flit_bits - noc.header_bits} bits beside its header"
        yield Violation("tables", "the network", text)
    if noc.route_entries is not None:
        for router in np.flatnonzero(entries > noc.route_entries).tolist():
            text = f"{entries[router]:,} entries, and noc.route_entries gives {noc.route_entries:,}"
            yield Violation(
                "tables", f"router ({router % mapping.chip.columns}, {router // mapping.chip.columns})", text
            )


class _Derived:
    """All that the network says about these slices: synapses between them, weights on them, what they ask for.

    pairs : (source slice, target slice) with at least one synapse.
    demands : of each slice, by field; of inputs nothing.
    """

    def __init__(self, mapping: "Mapping") -> None:
        self.mapping, network = mapping, mapping.network
        self.violations: list[Violation] = []
        self.pairs: set[tuple[int, int]] = set()
        self.synapses = self.weights = self.distinct = 0
        self.rows = self._rows()
        self.members: dict[str, list[int]] = {p.name: [] for p in network.populations}
        for s in mapping.slices:
            self.members[s.population].append(s.index)
        self.edges = {
            name: np.array([mapping.slices[i].block for i in members], np.int64).T
            for name, members in self.members.items()
        }
        self.bits = np.zeros(len(mapping.slices), np.int64)
        self.axons = np.zeros(len(mapping.slices), np.int64)
        for k, p in enumerate(network.projections):
            self._projection(k, Synapses(p, network))
        for a, b, k in sorted(self.rows):
            self._add(a, b, k, "a connection, and there are no synapses")
        banks = accumulator_banks(network, mapping.chip)
        self.demands = [
            dict.fromkeys(("neurons", "weight_bits", "state_bits", "axons", "registers"), 0)
            if network[s.population].role == "input"
            else asked(
                network,
                network[s.population],
                s.block,
                int(self.bits[s.index]),
                int(self.axons[s.index]),
                mapping.chip,
                banks[s.population],
            )
            for s in mapping.slices
        ]

    def _rows(self) -> dict[tuple[int, int, int], int]:
        """Connections by (source slice, target slice, projection)."""
        c, rows = self.mapping.connections, {}
        for row, key in enumerate(zip(c.source.tolist(), c.target.tolist(), c.projection.tolist(), strict=True)):
            if key in rows:
                self._add(*key, "stands in two connections")
            rows[key] = row
        return rows

    def _projection(self, k: int, synapses: Synapses) -> None:
        mapping, p, source = self.mapping, synapses.projection, synapses.source
        members, edges = np.array(self.members[p.source]), self.edges[p.source]
        one_each = mapping.chip.core.axon_sharing == "slice" and p.kind != "sparse"
        stored = 0
        for b in self.members[p.target]:
            block = mapping.slices[b].block
            into = synapses.into(block)
            totals = into.totals(source, edges)
            for a in members[totals > 0].tolist():
                self.pairs.add((a, b))
                self._compare(a, b, k, into, source)
            self.synapses += int(totals.sum())
            reaches = Into(np.minimum(into.channels, 1), np.minimum(into.positions, 1), None)
            if into.explicit is not None:
                reaches = Into(into.channels, into.positions, np.minimum(into.explicit, 1))
            self.axons[b] += (totals > 0).sum() if one_each else reaches.totals(source, edges).sum()
            mine = held(p, mapping.network, block, int(totals.sum()), mapping.chip)
            self.bits[b] += mine.bits
            stored += mine.weights
        self.weights += stored
        self.distinct += held(p, mapping.network, synapses.target.block, 0, mapping.chip).weights

    def _compare(self, a: int, b: int, k: int, into: Into, source: Population) -> None:
        """One connection against the synapses of each neuron of its source slice."""
        row = self.rows.pop((a, b, k), None)
        if row is None:
            self._add(a, b, k, "synapses, and no connection")
            return
        s = self.mapping.slices[a]
        if _factors_agree(self.mapping, row, into, source):
            return
        said, real = _said(self.mapping, row, s.neurons), into.of(source, s.block)
        wrong = int((said != real).sum())
        if wrong:
            self._add(a, b, k, f"{wrong:,} neurons with another number of synapses: {said.sum():,}, not {real.sum():,}")

    def _add(self, a: int, b: int, k: int, text: str) -> None:
        slices, p = self.mapping.slices, self.mapping.network.projections[k]
        where = f"{p.kind} from slice {a} of {slices[a].population!r} to slice {b} of {slices[b].population!r}"
        self.violations.append(Violation("synapses", where, text))


def _said(mapping: "Mapping", row: int, neurons: int) -> NDArray[np.int64]:
    """(neurons,) synapses of each source neuron as the connection's table has them."""
    c, i = mapping.connections, np.arange(neurons)
    width = c.width[c.width_first[row] + i // c.positions[row] * c.width_stride[row]].astype(np.int64)
    return np.asarray(width * c.taps[c.taps_first[row] + i % c.positions[row] * c.taps_stride[row]])


def _factors_agree(mapping: "Mapping", row: int, into: Into, source: Population) -> bool:
    """Whether channels and positions agree each by themselves: then all products do, and none need be written out."""
    c, block = mapping.connections, mapping.slices[mapping.connections.source[row]].block
    positions = (block.r1 - block.r0) * source.columns
    if into.explicit is not None or c.positions[row] != positions:
        return False
    width = c.width[c.width_first[row] :][: block.c1 - block.c0 if c.width_stride[row] else 1]
    taps = c.taps[c.taps_first[row] :][: positions if c.taps_stride[row] else 1]
    across = into.positions[block.r0 * source.columns : block.r1 * source.columns]
    return bool((width == into.channels[block.c0 : block.c1]).all() and (taps == across).all())
