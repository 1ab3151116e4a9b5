"""How the preset `sfn1` was chosen: coordinate descent over the chip's fields on what the simulator says.

    python -m benchmarks.tune_chip [--json]

Starts at `reference`. Objective: geometric mean over the networks of energy × latency of an inference, on a chip that is no
larger than `reference`. One field at a time is set to every value of its list and the best is kept, until a whole round
changes nothing. Networks: the digits CNN (SFN, N = 8) and the digits vision transformer (SFN, N = 16), closed-form times.
The last table is at packet fidelity, on test images that the search has not seen.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sfnhw.activity import Recording
from sfnhw.chip import Chip, chip_area, load_chip
from sfnhw.convert import convert
from sfnhw.digits import load_digits_split, train_digits_cnn, train_digits_vit
from sfnhw.errors import SfnhwError
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.record import record
from sfnhw.sim import price, simulate

# Field → the values that are tried. The node, the mesh and the widths of arithmetic are given: the last decide accuracy.
FIELDS: dict[str, tuple[Any, ...]] = {
    "core.threshold_unit.kind": ("parallel", "serial", "binary-search"),
    "core.threshold_unit.lanes": (1, 2, 4, 8),
    "core.threshold_unit.registers": (32, 64, 128),
    "core.synapse_lanes": (4, 8, 16, 32, 64),
    "core.weight_memory.word_bits": (32, 64, 128, 256),
    "core.weight_memory.kib": (16, 32, 64),
    "core.state_memory.word_bits": (48, 64, 96, 192, 384),
    "core.state_memory.kib": (2, 4, 8),
    "core.neurons": (128, 256, 512),
    "core.axons": (256, 512, 1024),
    "core.function_unit.lanes": (1, 2, 4),
    "noc.flit_bits": (24, 32, 48, 64),
    "noc.virtual_channels": (1, 2, 4),
    "noc.route_cycles": (0, 1),
    "io.bits_per_cycle": (32, 64),
}
SAMPLES = 16
# A change must gain this much: not every rounding is a reason to change a chip.
LEAST_GAIN = 1.001

Case = tuple[Network, Recording]


def cases(first: int) -> list[Case]:
    """Return (network, activity on `SAMPLES` test images from `first` on) of what the chip is tuned for."""
    split = load_digits_split()
    numerics = load_chip("reference").numerics
    found = []
    for module, thresholds, name in ((train_digits_cnn(), 8, "digits CNN"), (train_digits_vit(), 16, "digits ViT")):
        network = convert(module, split.train_images, labels=split.train_labels, thresholds=thresholds, name=name)
        found.append((network, record(network, split.test_images[first : first + SAMPLES], numerics=numerics)))
    return found


def figures(chip: Chip, tuned_for: Sequence[Case], fidelity: str = "analytic") -> list[tuple[float, float]] | None:
    """Return (energy [J], latency [s]) of each network, or None where one does not fit."""
    out = []
    for network, recording in tuned_for:
        try:
            result = simulate(map_network(network, chip), recording.activity, fidelity=fidelity)
        except SfnhwError:
            return None
        out.append((price(result).total.as_joules(result.samples)["value"], result.latency_s))
    return out


def objective(found: list[tuple[float, float]] | None) -> float:
    """Return the geometric mean of energy × latency [J·s]; infinite where a network does not fit."""
    return float("inf") if found is None else float(np.exp(np.mean([np.log(e * t) for e, t in found])))


def changed(chip: Chip, field: str, value: Any, most_mm2: float) -> Chip | None:
    """Return the chip with one field changed; None where that is no chip, or one larger than is allowed."""
    try:
        other = chip.replace({field: value})
    except SfnhwError:
        return None
    return other if chip_area(other).total.value_mm2 <= most_mm2 else None


def tune(tuned_for: Sequence[Case], say: Callable[[str], None]) -> tuple[Chip, list[dict[str, Any]]]:
    """Return the chip at which no single change helps, and the steps that led there."""
    chip = load_chip("reference")
    most_mm2 = chip_area(chip).total.value_mm2
    best, steps, before = objective(figures(chip, tuned_for)), list[dict[str, Any]](), -1
    while len(steps) > before:
        before = len(steps)
        for field, values in FIELDS.items():
            for value in values:
                other = changed(chip, field, value, most_mm2) if value != chip.field(field) else None
                found = objective(figures(other, tuned_for)) if other else float("inf")
                if other and found * LEAST_GAIN < best:
                    gain = best / found if np.isfinite(best) else None
                    steps.append({"field": field, "from": chip.field(field), "to": value, "gain": gain})
                    say(f"{field}: {chip.field(field)} -> {value}" + (f", {gain:.3f} times" if gain else ", fits"))
                    chip, best = other, found
    return chip, steps


def main() -> None:
    """Tune, and print the steps and what they brought."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    start = load_chip("reference")
    chip, steps = tune(cases(0), lambda text: print(text, file=sys.stderr, flush=True))
    unseen, rows = cases(SAMPLES), []
    for name, one in (("reference", start), ("tuned", chip)):
        for case in unseen:
            found = figures(one, [case], "packet")
            energy, latency = found[0] if found else (None, None)
            area = chip_area(one).total.value_mm2
            row: dict[str, Any] = {
                "chip": name,
                "network": case[0].name,
                "energy_j": energy,
                "latency_s": latency,
                "area_mm2": area,
            }
            rows.append(row)
    changes = {f: chip.field(f) for f in FIELDS if chip.field(f) != start.field(f)}
    if asked.json:
        print(json.dumps({"steps": steps, "changes": changes, "rows": rows}, indent=2))
        return
    for row in rows:
        did = "does not fit"
        if row["energy_j"] is not None:
            did = f"{row['energy_j'] * 1e6:8.3f} uJ  {row['latency_s'] * 1e6:8.2f} us"
        print(f"{row['chip']:<10} {row['network']:<11} {did:<25} {row['area_mm2']:6.2f} mm2")
    for field, value in changes.items():
        print(f"{field}: {value}")


if __name__ == "__main__":
    main()
