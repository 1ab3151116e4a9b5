"""How fast is the network simulator, and how far from the reference: ``python -m benchmarks.noc [--json]``.

An 8 × 8 mesh, uniform traffic, 4 virtual channels of 8 flits, at half of its saturation rate: flit-hops (a flit through a
router) and packets a second of one thread, best of five in turns: single flits at `flit`, and packets of four at both
fidelities. Beside them a bound measured in the same run: the single flits carried along their routes with no buffers,
credits, virtual channels or arbiters (`benchmarks.noc_bound`). Then the worst error of `flit`'s mean latency against the curves
of an independent cycle-accurate simulator (tests/data), up to 90 % of saturation; that of `packet` against `flit` is in
`benchmarks.noc_fidelities`.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.noc_bound import carried
from sfnhw.memory import peak_rss_bytes
from sfnhw.sim.noc import NocConfig, Traffic, simulate_noc

REFERENCE = Path(__file__).resolve().parent.parent / "tests" / "data" / "noc_reference.csv"
HALF_OF_SATURATION = {1: 0.2077, 4: 0.0508}  # by flits of a packet
CYCLES = 60_000


def timed(run: Callable[[int], tuple[int, float]], cycles: int) -> dict[str, float]:
    """Flit-hops and packets a second of one run."""
    wall, processor = time.perf_counter(), time.process_time()
    hops, packets = run(cycles)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {
        "flit_hops_per_s": hops / wall,
        "flit_hops_per_processor_s": hops / processor,
        "packets_per_s": packets / wall,
    }


def speeds() -> dict[str, dict[str, float]]:
    """Best of five of each and the bound, in turns, so that they meet the same machine."""

    def simulated(fidelity: str, flits: int) -> Callable[[int], tuple[int, float]]:
        traffic, rate = Traffic(NocConfig(packet_flits=flits)), HALF_OF_SATURATION[flits]

        def run(cycles: int) -> tuple[int, float]:
            result = simulate_noc(traffic, rate, cycles=cycles, warmup=0, fidelity=fidelity)
            return result.flit_hops, result.packets

        return run

    runs = {f"{f}, {n} flit{'s' * (n > 1)}": simulated(f, n) for f, n in (("flit", 1), ("flit", 4), ("packet", 4))}
    runs["bound"] = lambda cycles: carried(Traffic(NocConfig()), HALF_OF_SATURATION[1], cycles)
    for run in runs.values():
        run(200)  # compiled or loaded
    found: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(5):
        for name, run in runs.items():
            found[name].append(timed(run, CYCLES))
    return {name: max(tries, key=lambda t: t["flit_hops_per_processor_s"]) for name, tries in found.items()}


def errors() -> list[dict[str, float]]:
    """Mean latencies of `flit`, those of the reference, and the error, load by load."""
    rows = []
    with REFERENCE.open() as file:
        for row in csv.DictReader(file):
            vcs, rate = int(row["virtual_channels"]), float(row["rate_packets_per_node_cycle"])
            if float(row["fraction_of_saturation"]) > 0.9:
                continue
            result = simulate_noc(Traffic(NocConfig(virtual_channels=vcs)), rate, cycles=CYCLES)
            reference, found = float(row["mean_latency_cycles"]), result.mean_latency or 0.0
            rows.append(
                {
                    "virtual_channels": vcs,
                    "fraction_of_saturation": float(row["fraction_of_saturation"]),
                    "reference_cycles": reference,
                    "simulated_cycles": found,
                    "error": found / reference - 1,
                }
            )
    return rows


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    speed = speeds()
    bound = speed["bound"]["flit_hops_per_processor_s"]
    against, memory = errors(), peak_rss_bytes()
    if as_json:
        found: dict[str, Any] = {"speed": speed, "against_reference": against, "peak_rss_bytes": memory}
        print(json.dumps(found, indent=2))
        return 0
    for name, s in speed.items():
        if name != "bound":
            print(
                f"noc {name:15} {s['flit_hops_per_s'] / 1e6:5.1f} M flit-hops/s "
                f"({s['flit_hops_per_processor_s'] / 1e6:.1f} M a processor second, "
                f"{s['flit_hops_per_processor_s'] / bound:.2f} of the bound), {s['packets_per_s'] / 1e6:.2f} M packets/s"
            )
    print(
        f"noc bound           {bound / 1e6:5.1f} M flit-hops a processor second: single flits along the same routes, "
        "without buffers, credits, virtual channels and arbiters"
    )
    worst = max(against, key=lambda row: abs(row["error"]))
    print(
        f"worst error of flit {100 * worst['error']:+.2f} % ({worst['virtual_channels']} VCs at "
        f"{worst['fraction_of_saturation']:.2f} of saturation)"
    )
    print(f"peak memory {memory / 2**20:.0f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
