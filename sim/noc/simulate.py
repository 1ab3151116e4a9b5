"""The doors: one run of a network, at any fidelity."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sfnhw.errors import InputError
from sfnhw.sim.noc.result import NocResult, quantile
from sfnhw.sim.noc.traffic import Traffic

FIDELITIES = ("packet", "flit", "auto")
# Cycles are kept in 32 bits; a run beyond saturation takes warmup + 2·cycles.
MOST_CYCLES = 700_000_000
MOST_BURST = 1_000_000
# Fidelity `packet` warns where the mean latency is beyond so many times that of the empty network (with uniform traffic at
# 0.65 to 0.9 of the saturation rate; docs/noc.md), or a port passes more than that share of what it can: where few
# ports are busy, the mean does not tell.
NEAR_SATURATION, FULL_PORT = 1.2, 0.65
# With more than one virtual channel `packet` is near enough to `flit` on paths of so many routers, and for packets of so many
# flits at most (`is_by_events`; python -m benchmarks.noc_fidelities).
LONG_PATH, LONGEST_PACKET = 5.0, 5
_BURST = "a burst is beyond saturation: fidelity packet errs here by up to 15 %, flit does not"
if TYPE_CHECKING:
    from sfnhw.sim.noc.running import InFlight, Run

Progress = Callable[[int, int], None]


def simulate_noc(
    traffic: Traffic,
    rate: float,
    *,
    cycles: int = 60_000,
    warmup: int = 10_000,
    seed: int = 0,
    fidelity: str = "flit",
    progress: Progress | None = None,
    give_up: float | None = None,
) -> NocResult:
    """Random traffic: each node creates a packet in a cycle with probability `rate`.

    Packets created in `cycles` cycles after `warmup` are measured, and waited for. The same seed gives the same result.
    Fidelity `packet` runs networks that it has no good model of flit by flit too (`is_by_events`), and warns in the result
    where the network is near saturation or beyond; `auto` gives the result of `flit` there.
    With `give_up` the run ends, as saturated, once the mean latency is beyond so many cycles.

    Raises
    ------
    InputError : a number out of range, or an unknown fidelity.
    """
    check_run(rate, cycles, warmup, seed, fidelity)

    def at(engine: str) -> tuple[NocResult, float]:
        from sfnhw.sim.noc import running

        run = running.run(_in_flight(engine, traffic, rate, 0, seed), cycles, warmup, progress, give_up)
        return _result(traffic, run, engine, rate, 0, seed, cycles, warmup), run.fullest_port

    if fidelity == "flit":
        return at("flit")[0]
    if is_by_events(traffic):
        result, fullest = at("packet")
        full = fullest > FULL_PORT * traffic.config.channel_rate
        warning = _warning(result, "fidelity packet errs here by up to 15 % and more, flit does not", full)
        return at("flit")[0] if fidelity == "auto" and warning else replace(result, warning=warning)
    result, _ = at("flit")
    warning = _warning(result, "a little more load, or another seed, changes the latency much")
    return result if fidelity == "auto" and warning else replace(result, fidelity="packet", warning=warning)


def is_by_events(traffic: Traffic) -> bool:
    """Whether fidelity `packet` moves whole packets event by event; other networks it runs flit by flit, as `flit` does.

    Its packets pass a port one after the other, where flits of several take turns. For the mean latency that is nearly the
    same (docs/noc.md) where

    - packets are longer than a flit: single flits are as many events either way, and no arbiter chooses between them here;
    - a buffer holds two packets: in a shorter one who waits for a port keeps the link behind it idle;
    - allocators and the switch take a cycle: longer ones serve what waits in batches;
    - packets wait in one virtual channel; or go over 5 routers and more in the mean, as who takes turns is late at the last
      router, but early at those before; and have 5 flits at most, as both grow with their length.
    """
    c = traffic.config
    deep = c.packet_flits > 1 and c.buffer_flits >= 2 * c.packet_flits
    plain = c.vc_alloc_cycles == c.switch_alloc_cycles == c.switch_cycles == 1
    turns = c.packet_flits <= LONGEST_PACKET and traffic.routers_visited >= LONG_PATH
    return deep and plain and (c.virtual_channels == 1 or turns)


def _warning(result: NocResult, what: str, full: bool = False) -> str | None:
    mean, empty = result.mean_latency, result.zero_load_latency
    if not full and not result.undelivered and (mean is None or mean <= NEAR_SATURATION * empty):
        return None
    return f"{'saturated' if result.saturated else 'near saturation'}: {what}"


def simulate_burst(traffic: Traffic, burst: int, *, seed: int = 0, fidelity: str = "flit") -> NocResult:
    """Every node sends `burst` packets, all created in cycle 0, and a barrier waits for the last one.

    A burst is beyond saturation: `auto` runs it at `flit`, and `packet` warns where it does not (`is_by_events`).

    Raises
    ------
    InputError : a number out of range, or an unknown fidelity.
    """
    _check_whole("burst", burst, 1, MOST_BURST)
    check_run(0.0, 1, 0, seed, fidelity)
    from sfnhw.sim.noc import running

    # A burst is beyond saturation by its nature: `auto` asks the referee.
    engine = "packet" if fidelity == "packet" and is_by_events(traffic) else "flit"
    run = running.run_burst(_in_flight(engine, traffic, 0.0, burst, seed))
    result = _result(traffic, run, engine, None, burst, seed, run.cycles, 0)
    if fidelity != "packet":
        return result
    return replace(result, fidelity="packet", warning=_BURST if result.by_events else None)


def _in_flight(engine: str, traffic: Traffic, rate: float, burst: int, seed: int) -> "InFlight":
    """Return the traffic at a fidelity; Numba is imported with the first."""
    if engine == "flit":
        from sfnhw.sim.noc import flit

        return flit.Simulation(traffic, rate, burst, seed)
    from sfnhw.sim.noc import packet

    return packet.Simulation(traffic, rate, burst, seed)


def check_run(rate: float, cycles: int, warmup: int, seed: int, fidelity: str) -> None:
    """Check what a run is asked for."""
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= 1:
        raise InputError(field="rate", found=rate, expected="packets per node and cycle, from 0 to 1")
    _check_whole("cycles", cycles, 1, MOST_CYCLES)
    _check_whole("warmup", warmup, 0, MOST_CYCLES)
    _check_whole("seed", seed, 0, (1 << 63) - 1)
    if fidelity not in FIDELITIES:
        raise InputError(field="fidelity", found=fidelity, expected=f"one of {', '.join(FIDELITIES)}")


def _check_whole(field: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(field=field, found=value, expected=f"a whole number from {low} to {high:,}")


def _result(
    traffic: Traffic,
    run: "Run",
    fidelity: str,
    rate: float | None,
    burst: int,
    seed: int,
    cycles: int,
    warmup: int,
) -> NocResult:
    packets, latency, routers, largest, flits = (int(v) for v in run.totals[:5])
    seen = packets + run.waiting
    return NocResult(
        traffic=traffic,
        fidelity=fidelity,
        by_events=fidelity == "packet",
        rate=rate,
        burst=burst,
        seed=seed,
        cycles=cycles,
        warmup=warmup,
        packets=packets,
        undelivered=run.waiting,
        mean_latency=(latency + run.waiting_cycles) / seen if seen else None,
        p50_latency=quantile(run.histogram, run.waiting, 0.5),
        p99_latency=quantile(run.histogram, run.waiting, 0.99),
        max_latency=largest if packets else None,
        accepted_rate=flits / (traffic.config.nodes * cycles),
        routers_visited=routers / packets if packets else None,
        makespan=None if rate is not None else run.last_ejection,
        flit_hops=run.flit_hops,
    )
