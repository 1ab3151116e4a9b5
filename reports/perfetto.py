"""An event log as a Perfetto trace: open ui.perfetto.dev in a browser and drop the file on it.

The file is in the JSON trace event format, which other viewers read too: a process for each core with a
thread for each unit, one for the links with a thread for each, one for each layer's packets from ready to delivered, and
one for the barriers of the whole chip.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from sfnhw.reports.event_file import EventFile, arrow
from sfnhw.sim.event_log import PACKETS
from sfnhw.sim.event_records import AXON, BARRIER, EJECT, EVENTS, INJECT, LINK, SYNAPSE, THRESHOLD
from sfnhw.units import PICOSECONDS_PER_MICROSECOND

Ints = NDArray[np.int64]

UNITS = {
    THRESHOLD: "threshold unit",
    INJECT: "port into the network",
    EJECT: "port out of the network",
    AXON: "axon look-up",
    SYNAPSE: "synapse lanes",
}
DIRECTIONS = ("east", "west", "south", "north")
CHUNK = 100_000


def write_perfetto(file: EventFile, chosen: NDArray[np.bool_], path: Path) -> None:
    """Write the chosen events; compressed where the name ends in .gz.

    Times are in microseconds of the chip's clock; the exact cycles are among each event's arguments.
    """
    with (
        gzip.open(path, "wt", encoding="utf-8", compresslevel=6)
        if path.suffix == ".gz"
        else path.open("w", encoding="utf-8") as out
    ):
        out.write('{"displayTimeUnit":"ns","otherData":')
        out.write(json.dumps({"network": file.network, "chip": file.chip, "sample": file.log.sample}))
        out.write(',"traceEvents":[\n')
        out.write(",\n".join(_names(file, chosen)))
        for part in np.array_split(np.flatnonzero(chosen), range(CHUNK, int(chosen.sum()), CHUNK)):
            _write(out, _units(file, part))
        for part in _packets(file, chosen):
            _write(out, part)
        out.write("\n]}\n")


def _write(out: TextIO, lines: Any) -> None:
    if len(lines):
        out.write(",\n" + ",\n".join(lines.to_pylist()))


def _processes(file: EventFile) -> tuple[int, int, int]:
    """Numbers of the processes of links, of the first layer's packets and of barriers; core c is c + 1, the pins come after
    the cores."""
    packets = file.cores + 3
    return file.cores + 2, packets, packets + len(file.log.layers)


def _names(file: EventFile, chosen: NDArray[np.bool_]) -> Iterator[str]:
    """Names of processes and threads, those that have any events."""
    links, packets, barriers = _processes(file)
    c = {name: column[chosen] for name, column in file.log.columns.items()}

    def named(what: str, name: str, pid: int, tid: int = 0) -> str:
        return json.dumps({"ph": "M", "name": f"{what}_name", "pid": pid, "tid": tid, "args": {"name": name}})

    at_core = c["core"] >= 0
    for core in np.unique(c["core"][at_core]).tolist():
        y, x = divmod(core // file.cores_per_router, file.columns)
        yield named("process", "pins" if core == file.cores else f"core {core} (x {x}, y {y})", core + 1)
    for core, event in np.unique(np.stack([c["core"], c["event"]])[:, at_core], axis=1).T.tolist():
        yield named("thread", UNITS[event], core + 1, event + 1)
    on_link = c["event"] == LINK
    if on_link.any():
        yield named("process", "links", links)
    for link in np.unique(c["from_router"][on_link] * 4 + c["direction"][on_link]).tolist():
        y, x = divmod(link // 4, file.columns)
        yield named("thread", f"router {link // 4} (x {x}, y {y}) {DIRECTIONS[link % 4]}", links, link + 1)
    for layer in np.unique(c["layer"][c["event"] == EJECT]).tolist():
        yield named("process", f"packets of {file.log.layers[layer]}", packets + layer)
    if (c["event"] == BARRIER).any():
        yield named("process", "all cores", barriers)
        yield named("thread", "barrier", barriers, BARRIER + 1)


def _texts(names: tuple[str, ...]) -> Any:
    """Names as they stand between the quotes of JSON, with an empty one for −1 at the end."""
    return arrow().array([*(json.dumps(name)[1:-1] for name in names), ""])


def _pick(texts: Any, codes: Ints) -> Any:
    return texts.take(arrow().array(np.where(codes < 0, len(texts) - 1, codes)))


def _time(cycles: Ints, clock_mhz: float) -> Any:
    """Microseconds as text, to the picosecond."""
    pa = arrow()
    whole, rest = np.divmod(np.rint(cycles * (PICOSECONDS_PER_MICROSECOND / clock_mhz)).astype(np.int64), 10**6)
    digits = pa.compute.utf8_lpad(pa.array(rest).cast("string"), 6, "0")
    return _joined(pa.array(whole).cast("string"), ".", digits)


def _joined(*parts: Any) -> Any:
    return arrow().compute.binary_join_element_wise(*parts, "")


def _text(values: Ints) -> Any:
    return arrow().array(values).cast("string")


def _packet_names(file: EventFile, c: dict[str, Ints]) -> Any:
    """`layer[neuron]` of a spike, `layer: end` and `layer: ready` of the others."""
    pa = arrow()
    layer = _pick(_texts(file.log.layers), c["layer"])
    spike = _joined(layer, "[", _text(c["neuron"]), "]")
    other = _joined(layer, ": ", _pick(_texts(PACKETS), c["packet"]))
    return pa.compute.if_else(pa.array(c["neuron"] >= 0), spike, other)


def _units(file: EventFile, part: Ints) -> Any:
    """Events of the units, as text of JSON."""
    pa = arrow()
    links, _, barriers = _processes(file)
    c = {name: column[part] for name, column in file.log.columns.items()}
    on_link, at_work, at_barrier = (c["event"] == event for event in (LINK, THRESHOLD, BARRIER))
    name = pa.compute.if_else(pa.array(at_work), _pick(_texts(file.log.layers), c["layer"]), _packet_names(file, c))
    name = pa.compute.if_else(pa.array(at_barrier), "barrier", name)
    target = _joined(" → ", _pick(_texts(file.log.layers), c["target_layer"]))
    name = _joined(name, pa.compute.if_else(pa.array(c["target_layer"] >= 0), target, ""))
    timestep, synapses, ready, waited = (
        pa.compute.if_else(pa.array(c[key] >= 0), _joined(f',"{key}":', _text(c[key])), "")
        for key in ("timestep", "synapses", "ready_cycle", "wait_cycles")
    )
    return _joined(
        '{"ph":"X","name":"', name,
        '","cat":"', _pick(_texts(EVENTS), c["event"]),
        '","pid":', _text(np.select([on_link, at_barrier], [links, barriers], c["core"] + 1)),
        ',"tid":', _text(np.where(on_link, c["from_router"] * 4 + c["direction"], c["event"]) + 1),
        ',"ts":', _time(c["begin_cycle"], file.clock_mhz),
        ',"dur":', _time(c["end_cycle"] - c["begin_cycle"], file.clock_mhz),
        ',"args":{"begin_cycle":', _text(c["begin_cycle"]),
        ',"end_cycle":', _text(c["end_cycle"]),
        timestep, synapses, ready, waited, "}}",
    )  # fmt: skip


def _packets(file: EventFile, chosen: NDArray[np.bool_]) -> Iterator[Any]:
    """Spans of the packets: from ready to the last of their deliveries, in two events each."""
    journeys = packet_journeys(file, chosen)
    _, first, _ = _processes(file)
    for part in np.array_split(
        np.arange(len(journeys["ready_cycle"])), range(CHUNK, len(journeys["ready_cycle"]), CHUNK)
    ):
        c = {name: column[part] for name, column in journeys.items()}
        if not len(part):
            continue
        same = _joined(
            ',"cat":"packet","name":"', _packet_names(file, c),
            '","id":', _text(part + 1),
            ',"pid":', _text(first + c["layer"]),
            ',"tid":0,"ts":',
        )  # fmt: skip
        args = _joined(',"args":{"timestep":', _text(c["timestep"]), ',"deliveries":', _text(c["deliveries"]), "}}")
        yield _joined('{"ph":"b"', same, _time(c["ready_cycle"], file.clock_mhz), args)
        yield _joined('{"ph":"e"', same, _time(c["end_cycle"], file.clock_mhz), "}")


def packet_journeys(file: EventFile, chosen: NDArray[np.bool_]) -> dict[str, Ints]:
    """Delivered packets among the chosen events: one row each, the copies of a multicast or unicast together.

    Columns: `layer`, `packet`, `neuron`, `timestep`, `ready_cycle`, `end_cycle` (its last delivery) and `deliveries`.
    Packets of a burst that were ready in the same cycle count as one.
    """
    c = {name: column[chosen] for name, column in file.log.columns.items()}
    at_end = c["event"] == EJECT
    keys = np.stack([c[name][at_end] for name in ("slice", "packet", "neuron", "timestep", "ready_cycle")])
    _, first, which, deliveries = np.unique(keys, axis=1, return_index=True, return_inverse=True, return_counts=True)
    end = np.zeros(len(first), np.int64)
    np.maximum.at(end, which.reshape(-1), c["end_cycle"][at_end])
    out = {name: c[name][at_end][first] for name in ("layer", "packet", "neuron", "timestep", "ready_cycle")}
    return out | {"end_cycle": end, "deliveries": deliveries}
