"""Every packet and every busy interval of one inference, at fidelity `packet`: what traces are made from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.errors import SimulationError, nearest
from sfnhw.mapping import Mapping
from sfnhw.mapping.packet_choice import formats_of
from sfnhw.mapping.rounds import load_of
from sfnhw.network import Network
from sfnhw.sim.event_records import (
    AXON,
    BARRIER,
    BEGIN,
    EJECT,
    END,
    FRAME,
    INDEX,
    INJECT,
    KIND,
    LINK,
    MORE,
    SYNAPSE,
    THRESHOLD,
    WHERE,
    WHO,
    WIDTH,
)
from sfnhw.sim.tables import Tables, build_tables, sent_neurons

if TYPE_CHECKING:
    from sfnhw.sim.event_waits import Waits

Ints = NDArray[np.int64]

EVENT_LIMIT = 1_000_000
# What a packet is: a spike, the end of its slice's timestep, or the word that accumulators are free again.
PACKETS = ("spike", "end", "ready")
NONE = -1
COLUMNS = (
    "event", "begin_cycle", "end_cycle", "core", "from_router", "direction", "layer", "slice", "target_layer",
    "target_slice", "packet", "neuron", "row", "timestep", "ready_cycle", "synapses", "wait_cycles", "injection_wait_cycles",
    "injection_cycles", "hop_cycles", "link_wait_cycles",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class EventLog:
    """Events of one inference alone on an empty chip, in order of their first cycle.

    A `threshold` event is a slice's walk through the threshold unit; `inject` and `eject` are a packet at a port into and
    out of the network, `link` a packet on a link, `axon` its look-up for one connection, `synapse` the lanes' work on it,
    `barrier` the synchronisation of all cores at the end of a global step. In [begin_cycle, end_cycle) the unit is taken; a
    packet is delivered at the end of its `eject`.

    Attributes
    ----------
    sample : which inference of the activity.
    events_in_all : those that the inference has; the log holds the first of them that were decided, up to the limit.
    layers : names that the columns `layer` and `target_layer` number.
    columns : name → (events,) integers, −1 where an event has none: `event` (place in `sfnhw.sim.event_records.EVENTS`),
        `begin_cycle`, `end_cycle`, `core` (the number of cores stands for the pins), `from_router` and `direction` of a link
        (0 east, 1 west, 2 south, 3 north), `layer` and `slice` (the packet's own; at `threshold` the one at work),
        `target_layer` and `target_slice` (at `axon` and `synapse`), `packet` (place in `PACKETS`), `neuron` (within its
        layer; of a packet of several spikes the first of its bundle, but at `synapse`, which is one spike's), `row` (within
        its layer, of a walk, an end marker or a token where rows work by themselves), `timestep`, `ready_cycle` (when the
        packet was ready at its core), `synapses` (operations of a `synapse`), `wait_cycles` and, of an `eject`, what its
        packet's way there took: `injection_wait_cycles`, `injection_cycles`, `hop_cycles`, `link_wait_cycles`
        (`sfnhw.sim.event_waits`).
    only : layers that the log was asked for, or None for all. Of other layers it has what they share with these alone.
    """

    sample: int
    events_in_all: int
    layers: tuple[str, ...]
    columns: dict[str, Ints]
    only: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.columns["event"])


def record_events(
    mapping: Mapping,
    activity: Activity,
    *,
    sample: int = 0,
    limit: int = EVENT_LIMIT,
    layers: Sequence[str] | None = None,
) -> EventLog:
    """Simulate one inference once more, at fidelity `packet`, and write down what happens.

    Parameters
    ----------
    sample : which one.
    limit : events at most; a log that is cut short says so (`EventLog.events_in_all`).
    layers : only packets that these layers send and work that is done for them; None: of all layers.

    Raises
    ------
    SimulationError : no such sample or layer, or a limit below 1.
    ActivityError : the activity does not fit the mapping's network.
    """
    activity.check(mapping.network)
    check_request(mapping.network, activity.samples, sample, limit, layers)
    one = activity.select(slice(sample, sample + 1))
    formats = formats_of(mapping, activity)
    only = None if layers is None else tuple(dict.fromkeys(layers))
    if not mapping.rounds:
        log, _ = _of_one(mapping, one, limit, layers, formats)
        return replace(log, sample=sample, only=only)
    parts: list[EventLog] = []
    begun = 0
    for r in mapping.rounds:
        own = (
            None
            if layers is None
            else [name for name in layers if name in {p.name for p in r.mapping.network.populations}]
        )
        begun += load_of(r.mapping).cycles
        log, cycles = _of_one(r.mapping, one, max(1, limit - sum(len(part) for part in parts)), own, formats)
        parts.append(_moved(log, mapping, r.home, begun))
        begun += cycles
    return EventLog(
        sample,
        sum(part.events_in_all for part in parts),
        parts[0].layers,
        {name: np.concatenate([part.columns[name] for part in parts])[:limit] for name in parts[0].columns},
        only,
    )


def check_request(
    network: Network,
    samples: int,
    sample: int = 0,
    limit: int = EVENT_LIMIT,
    layers: Sequence[str] | None = None,
) -> None:
    """Check what `record_events` is asked for; to be called before long work.

    Raises
    ------
    SimulationError : no such sample or layer, or a limit below 1.
    """

    def whole(value: int, low: int, high: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    if not whole(sample, 0, samples - 1):
        expected = f"a whole number from 0 to {samples - 1}"
        raise SimulationError(field="sample", found=sample, expected=expected)
    if not whole(limit, 1, 10**9):
        raise SimulationError(field="limit", found=limit, expected="a whole number from 1 to 1,000,000,000")
    names = [p.name for p in network.populations]
    for name in layers or ():
        if name not in names:
            hint = nearest(str(name), names)
            raise SimulationError("no such layer", field="layers", found=name, expected=f"a layer of the network{hint}")


def _of_one(
    mapping: Mapping, one: Activity, limit: int, layers: Sequence[str] | None, formats: dict[str, str]
) -> tuple[EventLog, int]:
    """Events of one sample, and cycles until the chip is empty. Numba is imported here: the closed form does without."""
    from sfnhw.sim.bundles import bundles_of
    from sfnhw.sim.event_waits import waits_of
    from sfnhw.sim.kernel_state import global_steps
    from sfnhw.sim.packed import pack
    from sfnhw.sim.running import run_frames
    from sfnhw.sim.stream import check_finished, empty_tally

    tables = build_tables(mapping, formats)
    sent = sent_neurons(mapping, one)[0]
    T = len(sent)
    watch = np.array([layers is None or s.population in layers for s in mapping.slices])
    log = np.zeros((limit + 1) * WIDTH, np.int64)
    steps = global_steps(tables.fabric, T) if tables.fabric.barrier else 0
    tally = empty_tally(tables, T, T, steps)._replace(
        log=log, watch=watch, watch_row=watch[tables.rows.source] | watch[tables.rows.target]
    )
    check_finished(run_frames(sent, T, tables.slices, pack(tables), tables.fabric, tally))
    noted = int(tally.noted[0])
    records = log.reshape(-1, WIDTH)[: min(noted, limit)]
    bundles = bundles_of(sent, tables.slices, tables.parts, tables.fabric)
    waits = waits_of(records, tables, bundles)
    if bundles is not None:
        _name_bundles(records, tables, bundles.first, bundles.lead)
    columns = _columns(mapping, tables, records, waits)
    barriers = _barriers(tally.step_end, tables.fabric.barrier_cycles)
    columns = {name: np.concatenate([column, barriers[name]])[:limit] for name, column in columns.items()}
    order = np.argsort(columns["begin_cycle"], kind="stable")
    names = tuple(p.name for p in mapping.network.populations)
    log_ = EventLog(0, noted + steps, names, {name: column[order] for name, column in columns.items()})
    return log_, int(tally.occupied[0])


def _barriers(step_end: Ints, cycles: int) -> dict[str, Ints]:
    """Columns of the barriers at the ends of the global steps; a barrier that takes no cycle is an event all the same."""
    columns = {name: np.full(len(step_end), NONE, np.int64) for name in COLUMNS}
    columns["event"][:] = BARRIER
    columns["begin_cycle"], columns["end_cycle"] = step_end - cycles, step_end
    return columns


def _name_bundles(records: Ints, tables: Tables, first: Ints, lead: NDArray[np.int32]) -> None:
    """Put the first neuron of its bundle in place of a packet's number, at all events but the lanes', which know the neuron.

    first, lead : of `sfnhw.sim.bundles.Bundles`.
    """
    kind, slices = records[:, KIND], len(tables.slices.neurons)
    numbered = np.flatnonzero((kind != SYNAPSE) & (kind != THRESHOLD) & (records[:, INDEX] >= 0))
    who = records[numbered, WHO]
    at_row = kind[numbered] == AXON
    own = who.copy()
    own[at_row] = tables.rows.source[who[at_row]]
    records[numbered, INDEX] = lead[first[records[numbered, FRAME] * slices + own] + records[numbered, INDEX]]


def _columns(mapping: Mapping, tables: Tables, records: Ints, waits: "Waits") -> dict[str, Ints]:
    """Name what the kernel has written."""
    s, r = tables.slices, tables.rows
    kind, who = records[:, KIND], records[:, WHO]
    at_row, on_link = np.isin(kind, (AXON, SYNAPSE)), kind == LINK
    rows = np.where(at_row, who, 0)
    own = np.where(at_row, r.source[rows] if len(r.source) else 0, who)
    target = np.where(at_row, r.target[rows] if len(r.source) else 0, NONE)
    is_packet = kind != THRESHOLD
    index = records[:, INDEX]
    # Control packets of row y are END − 2·y and READY − 2·y (`sfnhw.sim.packet_kernel`), a walk has y itself.
    row = np.where(is_packet, -1 - index >> 1, index)
    of_part = (mapping.chip.execution.granularity == "row") & (~is_packet | (index < 0))

    def only(where: NDArray[np.bool_], values: Ints) -> Ints:
        return np.where(where, values, NONE)

    return {
        "event": kind,
        "begin_cycle": records[:, BEGIN],
        "end_cycle": records[:, END],
        "core": only(~on_link, records[:, WHERE]),
        "from_router": only(on_link, records[:, WHERE] // 4 % tables.fabric.routers),
        "direction": only(on_link, records[:, WHERE] % 4),
        "layer": s.population[own],
        "slice": own,
        "target_layer": only(at_row, s.population[target]),
        "target_slice": target,
        "packet": only(is_packet, np.select([index >= 0, index % 2 != 0], [0, 1], 2)),
        "neuron": only(is_packet & (index >= 0), _neurons(mapping, own, np.maximum(index, 0))),
        "row": only(of_part, np.array([s.block.r0 for s in mapping.slices], np.int64)[own] + row),
        "timestep": records[:, FRAME],
        "ready_cycle": only(np.isin(kind, (INJECT, LINK, EJECT, AXON)), records[:, MORE]),
        "synapses": only(kind == SYNAPSE, records[:, MORE]),
        "wait_cycles": waits.wait,
        "injection_wait_cycles": waits.injection_wait,
        "injection_cycles": waits.injection,
        "hop_cycles": waits.hops,
        "link_wait_cycles": waits.link_wait,
    }


def _neurons(mapping: Mapping, own: Ints, index: Ints) -> Ints:
    """Neurons within their layers from those within their slices."""
    order = np.argsort(own, kind="stable")
    out = np.zeros(len(own), np.int64)
    slices, first = np.unique(own[order], return_index=True)
    for one, chosen in zip(slices.tolist(), np.split(order, first[1:]), strict=True):
        s = mapping.slices[one]
        out[chosen] = mapping.network[s.population].indices(s.block)[np.minimum(index[chosen], s.neurons - 1)]
    return out


def _moved(log: EventLog, mapping: Mapping, home: Ints, cycles: int) -> EventLog:
    """Return a round's log with the whole mapping's layers and slices, so many cycles later."""
    names = tuple(p.name for p in mapping.network.populations)
    layer = np.array([*(names.index(name) for name in log.layers), NONE], np.int64)
    slices = np.array([*home, NONE], np.int64)
    columns = dict(log.columns)
    for name in ("layer", "target_layer"):
        columns[name] = layer[columns[name]]
    for name in ("slice", "target_slice"):
        columns[name] = slices[columns[name]]
    for name in ("begin_cycle", "end_cycle", "ready_cycle"):
        columns[name] = np.where(columns[name] < 0, NONE, columns[name] + cycles)
    return EventLog(log.sample, log.events_in_all, names, columns)
