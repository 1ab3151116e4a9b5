"""A mapping in rounds: each round simulated by itself, its load before it, and all of them as one result.

One inference at a time: it loads the weights of every round, so counts of loads are for each sample. Loads do not overlap
with work: the cores' memories are in use. A round lasts until the chip is empty (`sfnhw.sim.timing.Timing.occupied`), which may
be after the last of its spikes has left over the pins, and the next load begins then: a round, as it is simulated, meets
nothing of the one before, and no ready word of a layer that has left comes to the one in its place. So an inference has its
results after all loads, all rounds but the last and the latency of that one, and the next inference begins when that one,
too, has left the chip empty.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sfnhw.actions import ACTION_INDEX
from sfnhw.activity import Activity
from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import FormatChoice, chosen_formats
from sfnhw.mapping.rounds import Load, Round, load_of
from sfnhw.sim.by_place import ByPlace, sums
from sfnhw.sim.counts import ActionCounts, Counts, NodeCounts, RowCounts, leaves_at_pins
from sfnhw.sim.result import Result
from sfnhw.sim.round_tables import joined_tables, rows_of
from sfnhw.sim.simulate import in_closed_form, of_one_round
from sfnhw.sim.tables import PACKING, Tables, build_tables
from sfnhw.sim.timing import Timing

Ints = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class RoundResult:
    """One round of a result.

    Attributes
    ----------
    result : of the round's own mapping: what happens between its first spike and its last, all samples.
    load : what is brought to the cores before, for each sample.
    saved_bits, replayed_bits : written to the memory off the chip for later rounds, and read from there, all samples.
    """

    result: Result
    load: Load
    saved_bits: int
    replayed_bits: int

    @property
    def run_cycles(self) -> float:
        """Mean over samples, from the end of the load until the chip is empty."""
        return float(self.result.timing.occupied.mean())

    @property
    def latency_cycles(self) -> float:
        """Mean over samples, from the request for the load until the chip is empty."""
        return self.load.cycles + self.run_cycles


def simulate_rounds(
    mapping: Mapping,
    activity: Activity,
    fidelity: str,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Simulate the rounds one after the other; see `sfnhw.sim.simulate`."""
    # What is replayed has the format in which it was sent: a choice for all rounds.
    formats = chosen_formats(mapping, activity)
    whole, results = len(mapping.rounds) * activity.samples, []
    for number, r in enumerate(mapping.rounds):
        before = number * activity.samples

        def tell(done: int, _: int, before: int = before) -> None:
            if progress:
                progress(before + done, whole)

        results.append(of_one_round(r.mapping, activity, fidelity, formats, threads, tell, stream=False))
    return joined(mapping, results, formats)


def rounds_in_closed_form(
    mapping: Mapping, tables: Tables, sent: NDArray[np.uint8], formats: dict[str, FormatChoice]
) -> Result:
    """The same at fidelity ``analytic``, with packets as long as `tables` has them.

    sent : (samples, T, neurons of the whole mapping in slice-major order) spikes.
    """
    first = tables.slices.first_neuron
    results = []
    for r in mapping.rounds:
        own = build_tables(r.mapping, {name: choice.format for name, choice in formats.items()})
        packed = {name: getattr(tables.slices, name)[r.home] for name in PACKING}
        own = own._replace(slices=own.slices._replace(**packed))
        mine = np.concatenate([sent[:, :, first[h] : first[h + 1]] for h in r.home.tolist()], axis=2)
        results.append(in_closed_form(r.mapping, own, mine, formats))
    return joined(mapping, results, formats)


def joined(mapping: Mapping, results: Sequence[Result], formats: dict[str, FormatChoice]) -> Result:
    """Put the rounds' results together: counts and busy cycles add up, times follow one another, loads are added."""
    loads = [load_of(r.mapping) for r in mapping.rounds]
    tables = joined_tables(mapping, [result.tables for result in results], loads, formats)
    samples = results[0].samples
    counts = _counts(mapping, tables, results)
    at_flit = [result.at_flit for result in results if result.at_flit is not None]
    actions, parts = _actions(mapping, tables, results, loads)
    return Result(
        mapping=mapping,
        tables=tables,
        fidelity=results[0].fidelity,
        samples=samples,
        counts=counts,
        actions=actions,
        timing=_timing(mapping, tables, results, loads),
        at_flit=np.any(at_flit, axis=0) if at_flit else None,
        interval_at_flit=bool(np.any(at_flit)),
        warnings=tuple(dict.fromkeys(text for result in results for text in result.warnings)),
        rounds=tuple(
            RoundResult(result, load, *bits) for result, load, bits in zip(results, loads, parts, strict=True)
        ),
        formats=formats,
    )


def _counts(mapping: Mapping, tables: Tables, results: Sequence[Result]) -> Counts:
    """Base counts by slice, connection and node of the whole; a replayed packet is sent once, in its own round.

    What is replayed is in the counts of nodes, and delivered.
    """
    T = results[0].counts.sent.shape[1]
    names = [f.name for f in fields(Counts) if f.name not in ("rows", "nodes", "steps")]
    out = {name: np.zeros((len(tables.slices.neurons), T), np.int64) for name in names}
    rows = {name: np.zeros((len(tables.rows.source), T), np.int64) for name in RowCounts._fields}
    for r, result in zip(mapping.rounds, results, strict=True):
        at = rows_of(mapping, r)
        for name, whole in rows.items():
            whole[at] += getattr(result.counts.rows, name).dense()
        for name, whole in out.items():
            once = np.ones(len(r.home), bool) if name == "delivered" else ~r.replayed
            np.add.at(whole, r.home[once], getattr(result.counts, name)[once])
    nodes = (
        _by_node([getattr(result.counts.nodes, name).dense() for result in results], results, tables)
        for name in NodeCounts._fields
    )
    return Counts(
        **out,
        rows=RowCounts(**{name: ByPlace.of(whole) for name, whole in rows.items()}),
        nodes=NodeCounts(*(ByPlace.of(part) for part in nodes)),
        steps=sum(result.counts.steps for result in results),
    )


def _by_node(values: Sequence[Ints], results: Sequence[Result], tables: Tables) -> Ints:
    """(route nodes, T) in the order of the whole: packets' nodes of all rounds, then tokens', then the loads' (0)."""
    cuts = [result.tables.nodes.packet_nodes for result in results]
    parts = [v[:cut] for v, cut in zip(values, cuts, strict=True)] + [
        v[cut:] for v, cut in zip(values, cuts, strict=True)
    ]
    known = sum(len(part) for part in parts)
    return np.concatenate([*parts, np.zeros((len(tables.nodes.owner) - known, values[0].shape[1]), np.int64)])


def _actions(
    mapping: Mapping, tables: Tables, results: Sequence[Result], loads: Sequence[Load]
) -> tuple[ActionCounts, list[tuple[int, int]]]:
    """Actions of all rounds with their loads, in timestep 0; and for each round the bits saved and replayed."""
    samples, T = results[0].samples, results[0].counts.sent.shape[1]
    core = np.zeros((results[0].actions.core.shape[0], len(tables.slices.neurons), T), np.int64)
    io_bits, packing, off_chip = (np.zeros(core.shape[1:], np.int64) for _ in range(3))
    bundles = False
    parts, at_pins = [], len(mapping.slices)
    for r, result, load in zip(mapping.rounds, results, loads, strict=True):
        places = r.home.copy()
        places[r.replayed] = at_pins + np.arange(int(r.replayed.sum()))
        at_pins += int(r.replayed.sum())
        core[:, places] += result.actions.core
        io_bits[places] += result.actions.io_bits
        if result.actions.packing_flits is not None:
            packing[places] += result.actions.packing_flits
            bundles = True
        read = np.where(r.replayed[:, None], result.actions.io_bits, 0)
        written = _leaving_bits(r, result)
        off_chip[places] += read + written
        parts.append((int(written.sum()), int(read.sum())))
        loaded = r.home[load.slices]
        core[ACTION_INDEX["weight_write"], loaded, 0] += samples * load.weight_words
        core[ACTION_INDEX["state_write"], loaded, 0] += samples * load.state_words
        io_bits[loaded, 0] += samples * load.flits * mapping.chip.noc.flit_bits
        off_chip[loaded, 0] += samples * load.bits
    flits = _by_node([result.actions.node_flits for result in results], results, tables)
    end = len(flits)
    for load in reversed(loads):
        flits[end - len(load.routes) : end, 0] = samples * load.flits[load.routes.owner]
        end -= len(load.routes)
    packed = packing if bundles else None
    return ActionCounts(core, ByPlace.of(flits), io_bits, packed, off_chip), parts


def _leaving_bits(r: Round, result: Result) -> Ints:
    """(slices, T) bits that are written off the chip: packets and end markers that leave, or come in from outside."""
    tables, counts = result.tables, result.counts
    leaves = leaves_at_pins(tables)
    leaves = leaves[(leaves < tables.nodes.packet_nodes) & r.saved[tables.nodes.owner[leaves]]]
    both = (counts.nodes.flits, counts.nodes.control)
    packets, control = sums(both, tables.nodes.owner[leaves], len(counts.sent), leaves)
    flits = packets + control
    bits = flits * r.mapping.chip.noc.flit_bits
    outside = tables.slices.is_input & r.saved
    # What enters is written once, however many copies of it go on from the pins.
    whole = counts.sent_flits + counts.ends
    return np.where(outside[:, None], whole * r.mapping.chip.noc.flit_bits, bits)


def _timing(mapping: Mapping, tables: Tables, results: Sequence[Result], loads: Sequence[Load]) -> Timing:
    samples = results[0].samples
    now = latency = np.zeros(samples, np.int64)
    names = {p.name: i for i, p in enumerate(mapping.network.populations)}
    start = np.full((samples, len(names)), NEVER, np.int64)
    end = np.zeros((samples, len(names)), np.int64)
    busy = np.zeros_like(results[0].timing.busy)
    link_busy = np.zeros_like(results[0].timing.link_busy)
    pins_busy = 0
    for r, result, load in zip(mapping.rounds, results, loads, strict=True):
        own = result.timing
        now = now + load.cycles
        entering = {s.population for s, replayed in zip(r.mapping.slices, r.replayed, strict=True) if not replayed}
        for k, p in enumerate(r.mapping.network.populations):
            if p.name in entering:  # what is replayed worked in an earlier round
                i, worked = names[p.name], own.layer_start[:, k] < NEVER
                start[:, i] = np.minimum(start[:, i], np.where(worked, own.layer_start[:, k] + now, NEVER))
                end[:, i] = np.maximum(end[:, i], np.where(worked, own.layer_end[:, k] + now, 0))
        latency = now + own.latency  # in the end that of the last round
        now = now + own.occupied
        busy += own.busy
        link_busy += own.link_busy
        pins_busy += own.pins_busy
        busy[mapping.io, 3] += samples * load.pin_cycles
        words = samples * (load.weight_words + load.state_words)
        np.add.at(busy[:, 1], r.mapping.terminals[load.slices], words)
        on_link = load.routes.link >= 0
        np.add.at(link_busy, load.routes.link[on_link], samples * load.flits[load.routes.owner[on_link]])
    last = results[-1].timing
    histograms = [result.timing.packet_latency for result in results]
    measured = [h for h in histograms if h is not None]
    return replace(
        last,
        latency=latency,
        occupied=now,
        interval=float(now.mean()),
        layer_start=start,
        layer_end=end,
        busy=busy,
        link_busy=link_busy,
        pins_busy=pins_busy,
        packet_latency=np.sum(measured, axis=0) if measured else None,
        packet_latency_sum=sum(result.timing.packet_latency_sum for result in results),
        packet_latency_max=max(result.timing.packet_latency_max for result in results),
        congestion=None,
        stream_congestion=None,
        streamed=samples,
    )
