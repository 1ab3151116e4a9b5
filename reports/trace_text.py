"""The tables of `sfnhw trace`, for a terminal of 80 columns."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sfnhw.reports.terminal import WIDTH, plain, wrapped
from sfnhw.reports.text import elide, percent
from sfnhw.reports.trace_rows import PARTS, UNIT_NAMES

Row = Mapping[str, Any]
GAP = 2


def trace_text(rows: Sequence[Row], inference: Row) -> str:
    """Return four tables, a row a layer each: when and how much, where latency goes, work at cores, what is busiest.

    rows, inference : of `sfnhw.reports.trace_rows`. Names are elided in their middle; numbers are never cut.
    """
    parts = [_times(rows, bool(inference["global_steps"])), _latencies(rows), _work(rows), _busiest(rows)]
    if inference["global_steps"]:
        steps, cycles = inference["global_steps"], inference["barrier_cycles"]
        share = percent(inference["barrier_share"])
        parts.insert(0, wrapped(f"{steps:,} global step{'s' * (steps != 1)}; {cycles:,} cycles ({share}) in barriers"))
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts if part)


def _times(rows: Sequence[Row], barriers: bool) -> list[str]:
    columns = {
        "first": "first_cycle",
        "last": "last_cycle",
        **({"barriers": "barrier_cycles"} if barriers else {}),
        "cores": "cores",
        "packets": "spike_packets_delivered",
        "deliveries": "spike_packet_deliveries",
    }
    note = (
        f"first, last: cycles in which anything of it happened; {'barriers: cycles of those between; ' if barriers else ''}"
        "packets: of spikes that it sent; deliveries: of these, at each core and the pins"
    )
    return _table(tuple(columns), rows, lambda row: [_number(row[key]) for key in columns.values()], note)


def _latencies(rows: Sequence[Row]) -> list[str]:
    head = ("mean", "p99", "longest", "port\nwait", "port", "hops", "link\nwait", "exit\nwait", "exit")

    def cells(row: Row) -> list[str]:
        parts = row["mean_latency_parts_cycles"] or dict.fromkeys(PARTS)
        whole = (f"{key}_packet_latency_cycles" for key in ("mean", "p99", "longest"))
        return [*(_number(row[key]) for key in whole), *(_number(parts[part]) for part in PARTS)]

    note = (
        "cycles from ready to delivered, and the mean's parts: waiting for the injection port; the port; routers and links "
        "as in an empty network; waiting for links; waiting for the ejection port; that port"
    )
    return _table(head, [row for row in rows if row["spike_packet_deliveries"]], cells, note)


def _work(rows: Sequence[Row]) -> list[str]:
    head = ("axon\nwait", "axon", "lanes\nwait", "lanes", "threshold")
    keys = ("mean_axon_wait_cycles", "axon_cycles", "mean_synapse_wait_cycles", "synapse_cycles", "threshold_cycles")
    note = (
        "axon wait, lanes wait: mean cycles of a spike's packet from its delivery to its look-up, and from there to the "
        "lanes; the others: cycles of work for the layer, all its cores"
    )
    some = [row for row in rows if any(row[key] for key in keys)]
    return _table(head, some, lambda row: [_number(row[key]) for key in keys], note)


def _busiest(rows: Sequence[Row]) -> list[str]:
    def cells(row: Row) -> list[str]:
        unit, link = row["busiest_unit"], row["busiest_link"]
        return [
            f"{UNIT_NAMES[unit['unit']]} of {unit['place']}" if unit else "-",
            percent(unit["busy_share"]) if unit else "-",
            link["place"] if link else "-",
            percent(link["busy_share"]) if link else "-",
        ]

    note = "what works most for the layer, and its share of the cycles from first to last"
    return _table(("busiest unit", "busy", "busiest link", "busy"), rows, cells, note)


def _number(value: float | int | None) -> str:
    """Four digits at least; what is longer than a million is so many of them. --json has them whole."""
    if value is None:
        return "-"
    if value >= 10**6:
        return f"{value / 10**6:.4g}M"
    return f"{value:,.1f}" if isinstance(value, float) and value < 10**4 else f"{value:,.0f}"


def _table(head: Sequence[str], rows: Sequence[Row], cells: Callable[[Row], list[str]], note: str) -> list[str]:
    """Align numbers under heads of one line or two; the layer comes last, and gets what room there is."""
    if not rows:
        return []
    body = [cells(row) for row in rows]
    heads = [["", *name.split("\n")][-2:] for name in head]
    widths = [max(*map(len, words), *(len(row[i]) for row in body)) for i, words in enumerate(heads)]
    room = max(8, WIDTH - sum(width + GAP for width in widths))
    lines = []
    for texts, last in [
        *(([words[k] for words in heads], ("", "layer")[k]) for k in range(2)),
        *((row, plain(elide(of["layer"], room, ".."))) for row, of in zip(body, rows, strict=True)),
    ]:
        lines.append("".join(f"{text:>{width}}" + " " * GAP for text, width in zip(texts, widths, strict=True)) + last)
    return [line for line in lines if line.strip()] + wrapped(note)
