"""The latency-load curve: where a network saturates, and the latency on the way there."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sfnhw.errors import InputError
from sfnhw.sim.noc.result import SATURATION_FACTOR, NocResult
from sfnhw.sim.noc.simulate import check_run, simulate_noc
from sfnhw.sim.noc.traffic import Traffic

# Fractions of the saturation rate, and how finely that is searched.
FRACTIONS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.97)
TOLERANCE = 0.0025
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class NocSweep:
    """A latency-load curve.

    Parameters
    ----------
    traffic : the network and the pattern.
    fidelity : of all runs.
    saturation_rate : highest rate found, in packets per node and cycle, at which the mean latency is at most three
        times that of the empty network, to 0.25 %.
    reached : whether the network saturates at all: with False, one packet per node and cycle still passes.
    points : a run for each fraction of the saturation rate, ascending.
    """

    traffic: Traffic
    fidelity: str
    saturation_rate: float
    reached: bool
    points: tuple[NocResult, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the curve as one JSON object."""
        packet = self.traffic.config.packet_flits
        return {
            "network": self.traffic.config.as_json(),
            "pattern": self.traffic.pattern,
            "hotspots": [{"node": node, "share": share} for node, share in self.traffic.hotspots],
            "fidelity": self.fidelity,
            "zero_load_latency_cycles": self.traffic.zero_load_latency,
            "mean_routers_visited": self.traffic.routers_visited,
            "saturation_rate_packets_per_node_cycle": self.saturation_rate,
            "saturation_flits_per_node_cycle": self.saturation_rate * packet,
            "saturates": self.reached,
            "notes": list(self.traffic.config.notes),
            "points": [
                {"fraction_of_saturation": point.rate / self.saturation_rate if point.rate else 0.0} | point.as_json()
                for point in self.points
            ],
        }


def sweep(
    traffic: Traffic,
    *,
    fractions: Sequence[float] = FRACTIONS,
    cycles: int = 60_000,
    warmup: int = 10_000,
    seed: int = 0,
    fidelity: str = "flit",
    threads: int | None = None,
    progress: Progress | None = None,
) -> NocSweep:
    """Search for the saturation rate, then run at `fractions` of it; the result does not depend on `threads`.

    Raises
    ------
    InputError : a number out of range, or no positive fractions.
    """
    check_run(0.0, cycles, warmup, seed, fidelity)
    if not fractions or min(fractions) <= 0:
        raise InputError(field="fractions", found=list(fractions), expected="positive fractions of the saturation rate")

    def run(rate: float, give_up: float | None = None) -> NocResult:
        return simulate_noc(traffic, rate, cycles=cycles, warmup=warmup, seed=seed, fidelity=fidelity, give_up=give_up)

    report = progress or (lambda *_: None)
    # Well beyond the limit a run need not go on.
    hopeless = 2 * SATURATION_FACTOR * traffic.zero_load_latency
    rate, reached = _saturation(traffic, lambda r: run(r, hopeless), threads, report)
    rates = [min(1.0, rate * fraction) for fraction in sorted(fractions)]
    points = []
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for point in pool.map(run, rates):
            points.append(point)
            report("latency-load curve", len(points), len(rates))
    return NocSweep(traffic, fidelity, rate, reached, tuple(points))


def _saturation(
    traffic: Traffic, run: Callable[[float], NocResult], threads: int | None, report: Progress
) -> tuple[float, bool]:
    """Bisect between a rate that passes and one that does not.

    Each step tries three rates inside the bracket, whatever the number of threads, and keeps the quarter that the
    first failure ends.
    """
    most = 1.0 / traffic.config.packet_flits
    limit = SATURATION_FACTOR * traffic.zero_load_latency
    if not run(most).saturated:
        return most, False
    low, high, step = 0.0, most, 0
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        while high - low > TOLERANCE * high:
            step += 1
            report("search for saturation", step, max(step, 7))
            tries = [low + share * (high - low) for share in (0.25, 0.5, 0.75)]
            passed = [not r.saturated and (r.mean_latency or 0.0) <= limit for r in pool.map(run, tries)]
            grid = [low, *tries, high]
            kept = passed.index(False) if False in passed else len(tries)
            low, high = grid[kept], grid[kept + 1]
    return low, True
