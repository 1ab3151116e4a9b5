"""verify of a mapping in rounds: each round by itself, and that together they are the whole network, in an order that works."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sfnhw.mapping.verification.report import Verification, Violation
from sfnhw.mapping.verification.synapses import Synapses

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping
    from sfnhw.mapping.rounds.round import Round


def joined(mapping: "Mapping", parts: list[Verification], whole: Verification) -> Verification:
    """Put the rounds' own reports together, with what only the whole can tell.

    Each slice that is not of an input is on a core in one round, the one that the whole mapping notes; what a round
    replays was sent in an earlier one, and written off the chip there; and the rounds' synapses are those of the network.

    parts : of each round's mapping. whole : what is known of the whole (slices, neurons, violations).
    """
    found = list(whole.violations)
    for number, part in enumerate(parts):
        found += [Violation(v.kind, f"round {number + 1}, {v.where}", v.text) for v in part.violations]
    found += _slices(mapping)
    for number, r in enumerate(mapping.rounds):
        found += _replays(mapping, number, r)
    synapses, expected = sum(p.synapses for p in parts), synapses_of(mapping)
    if synapses != expected:
        found.append(
            Violation("synapses", "all rounds", f"{synapses:,} synapses together, and the network has {expected:,}")
        )
    at = mapping.terminals
    return Verification(
        tuple(found),
        slices=whole.slices,
        neurons=whole.neurons,
        synapses=synapses,
        stored_weights=sum(p.stored_weights for p in parts),
        weight_copies=whole.weight_copies,
        cores=len(np.unique(at[at != mapping.io])),
        trees=sum(p.trees for p in parts),
        nodes=sum(p.nodes for p in parts),
        links=sum(p.links for p in parts),
        exits=sum(p.exits for p in parts),
    )


def synapses_of(mapping: "Mapping") -> int:
    """All synapses of a network, from the projections' definitions; a stationary operand's for each slice that it is for."""
    network, total = mapping.network, 0
    for p in network.projections:
        synapses = Synapses(p, network)
        edges = np.array([synapses.source.block], np.int64).T
        blocks = [synapses.target.block]
        if p.kind == "stationary":
            blocks = [s.block for s in mapping.slices if s.population == p.target]
        total += sum(int(synapses.into(block).totals(synapses.source, edges).sum()) for block in blocks)
    return total


def _slices(mapping: "Mapping") -> Iterator[Violation]:
    times = np.zeros(len(mapping.slices), np.int64)
    for number, r in enumerate(mapping.rounds):
        for s, index in zip(r.mapping.slices, r.home.tolist(), strict=True):
            where = f"round {number + 1}, slice {s.index}"
            mine = mapping.slices[index]
            if (s.population, s.block) != (mine.population, mine.block):
                yield Violation("rounds", where, f"is noted as slice {index}, which is another")
        on = r.on_cores
        times[r.home[on]] += 1
        if (r.mapping.terminals[on] != mapping.terminals[r.home[on]]).any():
            yield Violation("rounds", f"round {number + 1}", "a slice is on another core than the whole mapping says")
    on_core = mapping.terminals != mapping.io
    for index in np.flatnonzero(times != on_core):
        s = mapping.slices[index]
        yield Violation("rounds", f"slice {index} of {s.population!r}", f"is on cores in {times[index]} rounds")


def _replays(mapping: "Mapping", number: int, r: "Round") -> Iterator[Violation]:
    """What is read from off the chip was written there before; what comes in from outside comes in once."""
    written = {int(i) for before in mapping.rounds[:number] for i in before.home[before.saved]}
    entered = {
        int(i) for before in mapping.rounds[:number] for i in before.home[before.mapping.terminals == mapping.io]
    }
    for s in r.mapping.slices:
        where = f"round {number + 1}, slice {s.index} of {s.population!r}"
        index, at_pins = int(r.home[s.index]), bool(r.mapping.terminals[s.index] == mapping.io)
        is_input = mapping.network[s.population].role == "input"
        if r.replayed[s.index] and index not in written:
            yield Violation("rounds", where, "is read from off the chip, where nobody has written it")
        if at_pins and not r.replayed[s.index] and (not is_input or index in entered):
            yield Violation(
                "rounds", where, "comes in from outside, and is not an input that does so for the first time"
            )
        if r.saved[s.index] and not at_pins and not r.mapping.network.to_pins(s.population):
            yield Violation("rounds", where, "is written off the chip, and does not leave at the pins")
