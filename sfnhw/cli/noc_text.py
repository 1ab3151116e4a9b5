"""What `sfnhw noc` prints for people, in at most 80 columns."""

from textwrap import fill
from typing import TYPE_CHECKING

from sfnhw.cli.columns import WIDTH, columns

if TYPE_CHECKING:
    from sfnhw.sim.noc import NocResult, NocSweep, Traffic

LABEL = 24


def _network(traffic: "Traffic") -> str:
    c = traffic.config
    vcs = f"{c.virtual_channels} virtual channel{'s' if c.virtual_channels > 1 else ''} of {c.buffer_flits} flits"
    return f"{c.columns}x{c.rows} {c.topology}, {traffic.pattern} traffic; {vcs}, packets of {c.packet_flits}"


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _lines(rows: list[tuple[str, str]]) -> str:
    indent = " " * LABEL
    return "\n".join(
        fill(text, WIDTH, initial_indent=f"{name:<{LABEL}}", subsequent_indent=indent) for name, text in rows
    )


def _fidelity(r: "NocResult") -> str:
    return r.fidelity if r.by_events or r.fidelity == "flit" else f"{r.fidelity}, by flits"


def _warning(r: "NocResult") -> str:
    return "\n" + fill(f"warning: {r.warning}", WIDTH) if r.warning else ""


def _notes(traffic: "Traffic") -> str:
    return "".join("\n" + fill(f"note: {note}", WIDTH) for note in traffic.config.notes)


def _offered(r: "NocResult") -> str:
    """The rate, in flits too where a packet has several, and whether a node can send them."""
    text, flits = f"{r.rate:g} packets/node/cycle", r.offered_flits
    if flits is None or r.traffic.config.packet_flits == 1:
        return text
    beyond = ": more than a node can send, which is 1" if flits > 1 else ""
    return f"{text}, {flits:g} flits/node/cycle{beyond}"


def run_text(r: "NocResult") -> str:
    """One run of random traffic."""
    state = "saturated" if r.saturated else "not saturated"
    if r.undelivered:
        state += f": {r.undelivered:,} packets had not arrived, the mean is a lower bound"
    rows = [
        ("mean latency", f"{_number(r.mean_latency)} cycles ({r.zero_load_latency:.2f} in the empty network)"),
        ("p50, p99 latency", f"{_number(r.p50_latency, 0)}, {_number(r.p99_latency, 0)} cycles"),
        ("offered", _offered(r)),
        ("accepted", f"{_number(r.accepted_rate, 5)} flits/node/cycle"),
        ("routers visited", f"{_number(r.routers_visited)} in the mean"),
        ("packets measured", f"{r.packets:,} in {r.cycles:,} cycles ({_fidelity(r)}, seed {r.seed})"),
        ("network", state),
    ]
    return fill(_network(r.traffic), WIDTH) + "\n" + _lines(rows) + _notes(r.traffic) + _warning(r)


def burst_text(r: "NocResult") -> str:
    """A burst."""
    rows = [
        ("makespan", f"{r.makespan:,} cycles for {r.burst:,} packets from each node"),
        ("mean latency", f"{_number(r.mean_latency)} cycles ({r.zero_load_latency:.2f} in the empty network)"),
        ("p50, p99 latency", f"{_number(r.p50_latency, 0)}, {_number(r.p99_latency, 0)} cycles"),
        ("routers visited", f"{_number(r.routers_visited)} in the mean ({_fidelity(r)}, seed {r.seed})"),
    ]
    return fill(_network(r.traffic), WIDTH) + "\n" + _lines(rows) + _notes(r.traffic) + _warning(r)


def sweep_text(s: "NocSweep") -> str:
    """A latency-load curve."""
    auto = s.fidelity == "auto"
    head = ["of saturation", "rate", "mean", "p50", "p99", "accepted flits/node/cycle", *(["fidelity"] if auto else [])]
    rows = [
        [
            f"{(p.rate or 0.0) / s.saturation_rate:.2f}",
            f"{p.rate:.5f}",
            _number(p.mean_latency),
            _number(p.p50_latency, 0),
            _number(p.p99_latency, 0),
            _number(p.accepted_rate, 5) + (f"  {p.warning}" if p.warning else ""),
            *([p.fidelity] if auto else []),
        ]
        for p in s.points
    ]
    where = f"saturation: {s.saturation_rate:.5f} packets/node/cycle"
    if not s.reached:
        where = "no saturation: one flit per node and cycle passes"
    zero = f"empty network: {s.traffic.zero_load_latency:.2f} cycles over {s.traffic.routers_visited:.2f} routers"
    return "\n".join(
        [
            fill(_network(s.traffic), WIDTH),
            where,
            zero + _notes(s.traffic),
            "",
            columns(head, rows, [True] * (6 if auto else 5)),
        ]
    )
