"""How fast is the network simulator, and how far from the reference: ``python -m benchmarks.noc [--json]``.

An 8 × 8 mesh, uniform traffic, 4 virtual channels of 8 flits, at half of its saturation rate: flit-hops (a flit through a
router) and packets a second of one thread, for both fidelities, best of three. Then the worst error of the mean latency
against the curves of an independent cycle-accurate simulator (tests/data), up to 90 % of saturation.
"""

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

from sfnhw.memory import peak_rss_bytes
from sfnhw.sim.noc import NocConfig, Traffic, simulate_noc

REFERENCE = Path(__file__).resolve().parent.parent / "tests" / "data" / "noc_reference.csv"
HALF_OF_SATURATION = 0.2077
CYCLES, WARMUP = 60_000, 5_000


def speed(fidelity: str) -> dict[str, float]:
    traffic = Traffic(NocConfig())
    simulate_noc(traffic, HALF_OF_SATURATION, cycles=200, warmup=0, fidelity=fidelity)  # compiled or loaded
    best: dict[str, float] = {}
    for _ in range(3):
        wall, processor = time.perf_counter(), time.process_time()
        result = simulate_noc(traffic, HALF_OF_SATURATION, cycles=CYCLES, warmup=WARMUP, fidelity=fidelity)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        packets = result.packets * (CYCLES + WARMUP) / CYCLES
        found = {
            "flit_hops_per_s": result.flit_hops / wall,
            "flit_hops_per_processor_s": result.flit_hops / processor,
            "packets_per_s": packets / wall,
        }
        if found["flit_hops_per_processor_s"] > best.get("flit_hops_per_processor_s", 0.0):
            best = found
    return best


def errors(fidelity: str) -> list[dict[str, float]]:
    rows = []
    with REFERENCE.open() as file:
        for row in csv.DictReader(file):
            vcs, rate = int(row["virtual_channels"]), float(row["rate_packets_per_node_cycle"])
            if float(row["fraction_of_saturation"]) > 0.9:
                continue
            result = simulate_noc(Traffic(NocConfig(virtual_channels=vcs)), rate, cycles=CYCLES, fidelity=fidelity)
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
    found: dict[str, Any] = {f: {"speed": speed(f), "against_reference": errors(f)} for f in ("flit", "packet")}
    memory = peak_rss_bytes()
    if as_json:
        print(json.dumps(found | {"peak_rss_bytes": memory}, indent=2))
        return 0
    for fidelity, part in found.items():
        s, worst = part["speed"], max(part["against_reference"], key=lambda row: abs(row["error"]))
        print(
            f"noc {fidelity:6} {s['flit_hops_per_s'] / 1e6:5.1f} M flit-hops/s "
            f"({s['flit_hops_per_processor_s'] / 1e6:.1f} M a processor second), {s['packets_per_s'] / 1e6:.2f} M "
            f"packets/s; worst error {100 * worst['error']:+.2f} % ({worst['virtual_channels']} VCs at "
            f"{worst['fraction_of_saturation']:.2f} of saturation)"
        )
    print(f"peak memory {memory / 2**20:.0f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
