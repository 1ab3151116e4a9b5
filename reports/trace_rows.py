"""An event log summed up by layer: what its packets wait for on their way, what its cores do, and which unit works most."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.reports.event_file import EventFile
from sfnhw.reports.perfetto import packet_journeys
from sfnhw.sim.event_log import PACKETS
from sfnhw.sim.event_records import EVENTS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# What a packet's latency is made of, in the order of its way, and the column of the log (at `eject`; None: its own cycles).
PARTS: dict[str, str | None] = {
    "injection_wait": "injection_wait_cycles",
    "injection": "injection_cycles",
    "hops": "hop_cycles",
    "link_wait": "link_wait_cycles",
    "ejection_wait": "wait_cycles",
    "ejection": None,
}
UNIT_NAMES = {
    "threshold": "threshold unit",
    "inject": "injection port",
    "eject": "ejection port",
    "axon": "axon look-up",
    "synapse": "synapse lanes",
}


def layer_names(file: EventFile, chosen: Bools) -> list[str]:
    """Layers that any chosen event is of, or is for."""
    c = file.log.columns
    return [
        name
        for number, name in enumerate(file.log.layers)
        if (((c["layer"] == number) | (c["target_layer"] == number)) & chosen).any()
    ]


def layer_rows(file: EventFile, chosen: Bools, layers: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return one row a layer that any chosen event is of; of these `layers` alone, unless that is None.

    Keys, in cycles where the name says so: layer; events; cores (that hold it); first_cycle, last_cycle (of its events);
    spike_packets_delivered, spike_packet_deliveries (a packet has one at each core and the pins);
    mean_packet_latency_cycles, p99_packet_latency_cycles, longest_packet_latency_cycles (of the deliveries, from ready to
    handed over; None where there is none); mean_latency_parts_cycles (`PARTS`: they add up to the mean);
    axon_cycles, synapse_cycles, threshold_cycles (work for this layer, all its cores);
    mean_axon_wait_cycles (from a spike packet's delivery to its look-up here), mean_synapse_wait_cycles (from its look-up to
    the lanes); barrier_cycles (of barriers between its first and last cycle); busiest_unit (`unit`, `core`, `place`,
    `busy_cycles`, `busy_share` of the cycles from first to last) and busiest_link (`from_router`, `direction`, `place`, and
    the same), with what they do for this layer alone; None where there is none.
    """
    c = {name: column[chosen] for name, column in file.log.columns.items()}
    event = {name: c["event"] == number for number, name in enumerate(EVENTS)}
    spike = c["packet"] == PACKETS.index("spike")
    journeys = packet_journeys(file, chosen)
    sent = journeys["layer"][journeys["packet"] == PACKETS.index("spike")]
    took = c["end_cycle"] - c["begin_cycle"]
    at_work = np.where(c["target_layer"] >= 0, c["target_layer"], c["layer"])
    rows = []
    for number, name in enumerate(file.log.layers):
        mine = (c["layer"] == number) | (c["target_layer"] == number)
        if not mine.any() or (layers is not None and name not in layers):
            continue
        own, here = c["layer"] == number, at_work == number
        first, last = int(c["begin_cycle"][mine].min()), int(c["end_cycle"][mine].max())
        holds = (event["threshold"] | event["inject"]) & own | (event["axon"] | event["synapse"]) & here
        cores = np.unique(c["core"][holds])
        barriers = np.minimum(c["end_cycle"], last) - np.maximum(c["begin_cycle"], first)
        rows.append(
            {
                "layer": name,
                "events": int(mine.sum()),
                "cores": int((cores < file.cores).sum()),
                "first_cycle": first,
                "last_cycle": last,
                "spike_packets_delivered": int((sent == number).sum()),
                **_latency(c, event["eject"] & spike & own),
                **{f"{unit}_cycles": int(took[event[unit] & here].sum()) for unit in ("axon", "synapse", "threshold")},
                "mean_axon_wait_cycles": _mean(
                    c["wait_cycles"][event["axon"] & here & spike & (c["wait_cycles"] >= 0)]
                ),
                "mean_synapse_wait_cycles": _mean(c["wait_cycles"][event["synapse"] & here]),
                "barrier_cycles": int(np.maximum(barriers[event["barrier"]], 0).sum()),
                "busiest_unit": _busiest_unit(file, c, took, holds | event["eject"] & own, last - first),
                "busiest_link": _busiest_link(file, c, took, event["link"] & own, last - first),
            }
        )
    return rows


def inference_row(file: EventFile, chosen: Bools) -> dict[str, Any]:
    """Return first_cycle and last_cycle of the chosen events (a word that accumulators are free may come later),
    global_steps, barrier_cycles and their barrier_share of the cycles between."""
    c = {name: column[chosen] for name, column in file.log.columns.items()}
    works, barrier = c["packet"] != PACKETS.index("ready"), c["event"] == EVENTS.index("barrier")
    works = works if works.any() else np.ones_like(works)
    first, last = int(c["begin_cycle"][works].min()), int(c["end_cycle"][works].max())
    cycles = int((c["end_cycle"] - c["begin_cycle"])[barrier].sum())
    return {
        "first_cycle": first,
        "last_cycle": last,
        "global_steps": int(barrier.sum()),
        "barrier_cycles": cycles,
        "barrier_share": cycles / max(1, last - first),
    }


def _latency(c: Mapping[str, Ints], delivered: Bools) -> dict[str, Any]:
    latency = (c["end_cycle"] - c["ready_cycle"])[delivered]
    ejection = (c["end_cycle"] - c["begin_cycle"])[delivered]
    parts = {part: ejection if name is None else c[name][delivered] for part, name in PARTS.items()}
    many = len(latency)
    return {
        "spike_packet_deliveries": many,
        "mean_packet_latency_cycles": _mean(latency),
        "p99_packet_latency_cycles": int(np.sort(latency)[int(np.ceil(0.99 * many)) - 1]) if many else None,
        "longest_packet_latency_cycles": int(latency.max()) if many else None,
        "mean_latency_parts_cycles": {part: _mean(cycles) for part, cycles in parts.items()} if many else None,
    }


def _mean(values: Ints) -> float | None:
    return float(values.mean()) if len(values) else None


def _busiest_unit(file: EventFile, c: Mapping[str, Ints], took: Ints, of: Bools, span: int) -> dict[str, Any] | None:
    if not of.any():
        return None
    unit, cycles = _largest(c["core"][of] * len(EVENTS) + c["event"][of], took[of])
    core, event = divmod(unit, len(EVENTS))
    place = "the pins" if core == file.cores else f"core {core}"
    return {"unit": EVENTS[event], "core": core, "place": place, **_busy(cycles, span)}


def _busiest_link(file: EventFile, c: Mapping[str, Ints], took: Ints, of: Bools, span: int) -> dict[str, Any] | None:
    if not of.any():
        return None
    link, cycles = _largest(c["from_router"][of] * 4 + c["direction"][of], took[of])
    router, direction = divmod(link, 4)
    y, x = divmod(router, file.columns)
    dx, dy = ((1, 0), (-1, 0), (0, 1), (0, -1))[direction]
    place = f"({x}, {y}) to ({x + dx}, {y + dy})"
    return {"from_router": router, "direction": direction, "place": place, **_busy(cycles, span)}


def _largest(keys: Ints, amounts: Ints) -> tuple[int, int]:
    """Return the key with the largest sum, the first of several, and that sum."""
    names, which = np.unique(keys, return_inverse=True)
    sums = np.bincount(which.reshape(-1), amounts)
    return int(names[sums.argmax()]), int(sums.max())


def _busy(cycles: int, span: int) -> dict[str, Any]:
    return {"busy_cycles": cycles, "busy_share": cycles / max(1, span)}
