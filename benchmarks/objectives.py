"""What cutting layers for an objective brings: cores, energy, latency and interval of the digits networks.

Digits CNN (SFN, N = 8) on `reference`, digits ViT (SFN, N = 16) on `sfn1` (it does not fit `reference`), 16 test images,
packet fidelity, as `sfnhw estimate --objective` has it: `kept` is false where the simulation preferred the fewest slices to
what the mapper's model chose. `seconds` is the processor time of choosing the cuts.

    python benchmarks/objectives.py [--json] [--fidelity packet]
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tune_chip import Case, cases
from sfnhw.chip import load_chip
from sfnhw.mapping import OBJECTIVES, Mapping, balance, choose_splits, map_network
from sfnhw.objective import better
from sfnhw.sim import price, simulate
from sfnhw.units import seconds

CHIPS = ("reference", "sfn1")


def _itself(mapping: Mapping) -> Mapping:
    return mapping


def rows(measured: Sequence[Case], fidelity: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each network and objective."""
    for (network, recording), name in zip(measured, CHIPS, strict=True):
        chip, activity = load_chip(name), recording.activity
        fewest = map_network(network, chip)
        simulated = partial(simulate, activity=activity, fidelity=fidelity)
        for objective in OBJECTIVES:
            started = time.process_time()
            chosen = map_network(
                network, chip, splits=choose_splits(network, chip, objective, activity=activity).splits
            )
            took = time.process_time() - started
            mapping, result, note = better(objective, chosen, partial(_itself, fewest), simulated)
            yield {
                "network": network.name,
                "chip": name,
                "objective": objective,
                "cores": mapping.cores_used,
                "energy_j": price(result).total.as_joules(result.samples)["value"],
                "latency_s": result.latency_s,
                "interval_s": seconds(result.timing.interval, chip.clock_mhz),
                "busiest_cycles": balance(mapping, activity).busiest / activity.samples,
                "kept": note is None,
                "seconds": took,
            }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--fidelity", default="packet", help="packet or analytic")
    asked = parser.parse_args()
    found = rows(cases(0), asked.fidelity)
    if asked.json:
        print(json.dumps(list(found), indent=2))
        return
    print(
        f"{'network':12}{'chip':11}{'objective':12}{'cores':>6}{'uJ':>8}{'us':>8}{'us apart':>10}{'model right':>13}{'s':>6}"
    )
    for row in found:
        print(
            f"{row['network']:12}{row['chip']:11}{row['objective']:12}{row['cores']:>6}{row['energy_j'] * 1e6:>8.3f}"
            f"{row['latency_s'] * 1e6:>8.2f}{row['interval_s'] * 1e6:>10.2f}"
            f"{'yes' if row['kept'] else 'no':>13}{row['seconds']:>6.1f}"
        )


if __name__ == "__main__":
    main()
