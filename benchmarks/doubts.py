"""Whether fidelity `packet` warns where it is off: ``python -m benchmarks.doubts [--seconds S] [--seed N]``.

Random networks (chains of dense layers, and drawn ones with convolutions, pools, products and additions; recurrent ones where
execution allows) with random activity on random chips run at `packet` and at `flit`. Two families: `modes` (execution mode,
granularity, packet format, casts, routing, virtual channels, neurons a core; buffers of the preset), and `barriers` (8 and 16
routers, 1 to 8 virtual channels of 4 to 16 flits, lanes). Of each: how many runs are not warned of, of their interval alone, or of
more, and how far off latency and interval are there: `flit` over `packet` − 1, least and most, and how many beyond 5 % (and six
cycles).
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sfnhw.activity import Activity
from sfnhw.chip import Chip, load_chip
from sfnhw.errors import SfnhwError
from sfnhw.mapping import Mapping, map_network
from sfnhw.network import Network
from sfnhw.neurons import IF
from sfnhw.sim import Result, simulate
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")
FAMILIES = ("modes", "barriers")


class Case(NamedTuple):
    """One run at both fidelities."""

    seed: int
    fields: dict[str, Any]
    mapping: Mapping
    activity: Activity
    packet: Result
    flit: Result


def drawn_network(rng: np.random.Generator, seed: int, T: int, recurrent: bool) -> Network:
    """A chain of dense layers, or anything."""
    if rng.random() < 0.5:
        return chain([int(v) for v in rng.integers(10, 300, int(rng.integers(2, 5)))] + [10], IF(T))
    return random_network(seed, T, recurrent=recurrent)


def of_modes(rng: np.random.Generator) -> dict[str, Any]:
    """Settings of the first family."""
    V = int(rng.choice([1, 2, 4]))
    mode = str(rng.choice(["dataflow", "barrier", "asynchronous"]))
    fields: dict[str, Any] = {
        "execution.mode": mode,
        "execution.granularity": "row" if mode != "barrier" and rng.random() < 0.5 else "layer",
        "execution.barrier_cycles": int(rng.choice([0, 100])),
        "packet.format": str(rng.choice(["aer", "bundled", "bitmap", "dense", "auto"])),
        "noc.virtual_channels": V,
        "noc.routing": str(rng.choice(["xy", "yx", "o1turn"] if V > 1 else ["xy", "yx"])),
        "noc.cast": str(rng.choice(["multicast", "unicast"])),
        "core.neurons": int(rng.choice([16, 64, 256])),
        "core.synapse_lanes": int(rng.choice([4, 8, 32])),
    }
    if fields["packet.format"] != "aer" and rng.random() < 0.3:
        fields["packet.bundle_neurons"] = int(rng.choice([4, 8]))
    return fields


def of_barriers(rng: np.random.Generator) -> dict[str, Any]:
    """Settings of the second family."""
    return {
        "execution.mode": "barrier",
        "execution.barrier_cycles": int(rng.choice([1, 20, 100])),
        "noc.columns": 4,
        "noc.rows": int(rng.choice([2, 4])),
        "noc.cores_per_router": int(rng.choice([1, 2])),
        "noc.virtual_channels": int(rng.choice([1, 2, 4, 8])),
        "noc.buffer_flits": int(rng.choice([4, 8, 16])),
        "core.neurons": int(rng.choice([16, 32, 64])),
        "core.synapse_lanes": int(rng.choice([4, 16, 64])),
        "core.threshold_unit.lanes": int(rng.choice([1, 4])),
    }


def drawn(family: str, seed: int) -> Case | None:
    """The case of a seed; None where its network does not fit its chip, or `flit` refuses it."""
    rng = np.random.default_rng([FAMILIES.index(family), seed])
    fields = of_modes(rng) if family == "modes" else of_barriers(rng)
    mode = fields["execution.mode"]
    T = int(rng.choice([1, 1, 3, 6]))
    network = drawn_network(rng, seed, T, recurrent=T > 1 and mode != "dataflow")
    chip: Chip = REFERENCE.replace(fields)
    activity = random_activity(network, seed, int(rng.integers(1, 4)), float(rng.choice([0.02, 0.1, 0.3, 0.6, 0.9])))
    try:
        mapping = map_network(network, chip)
        packet, flit = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "flit"))
    except SfnhwError:
        return None
    return Case(seed, fields, mapping, activity, packet, flit)


def cases(family: str, seed: int, seconds: float) -> Iterator[Case]:
    """Cases of seeds from `seed` on until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        case = drawn(family, seed)
        seed += 1
        if case is not None:
            yield case


def off(case: Case) -> tuple[float, float, float]:
    """Least and most of the latencies, and the interval, at `flit` over `packet` − 1; 0 where they are six cycles apart or less."""
    here, there = case.packet.timing, case.flit.timing
    latency = np.where(abs(there.latency - here.latency) > 6, there.latency / here.latency - 1, 0.0)
    interval = there.interval / here.interval - 1 if abs(there.interval - here.interval) > 6 else 0.0
    return float(latency.min()), float(latency.max()), float(interval)


def table(family: str, found: list[tuple[int, list[str], tuple[float, float, float]]]) -> Iterator[str]:
    """Lines of a table; found : seed, warnings, and `off` of each run."""
    of_interval = [any("interval of inferences" in text for text in told) for _, told, _ in found]
    groups = {
        "not warned of": [not told for _, told, _ in found],
        "of their interval alone": [
            own and all("interval of inferences" in text for text in told)
            for own, (_, told, _) in zip(of_interval, found, strict=True)
        ],
        "of more": [any("interval of inferences" not in text for text in told) for _, told, _ in found],
    }
    for name, chosen in groups.items():
        some = np.array([errors for (*_, errors), mine in zip(found, chosen, strict=True) if mine]).reshape(-1, 3)
        if not len(some):
            continue
        latency = f"{some[:, 0].min():+.1%} to {some[:, 1].max():+.1%}, {(abs(some[:, :2]).max(axis=1) > 0.05).sum()} beyond 5 %"
        interval = f"{some[:, 2].min():+.1%} to {some[:, 2].max():+.1%}, {(abs(some[:, 2]) > 0.05).sum()} beyond 5 %"
        yield f"| {family} | {name} | {len(some):,} of {len(found):,} | {latency} | {interval} |"


def main() -> int:
    """Draw, run, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--seconds", type=float, default=300.0, help="for each family")
    options.add_argument("--seed", type=int, default=0, help="first seed")
    options.add_argument(
        "--list", action="store_true", help="also the seeds of what is off by more than 5 %% without a warning"
    )
    asked = options.parse_args()
    print("| networks | warned | runs | latency at flit | interval at flit |")
    print("| --- | --- | --- | --- | --- |")
    for family in FAMILIES:
        found = [(c.seed, list(c.packet.warnings), off(c)) for c in cases(family, asked.seed, asked.seconds)]
        for line in table(family, found):
            print(line, flush=True)
        if asked.list:
            for seed, told, errors in found:
                if not told and max(map(abs, errors)) > 0.05:
                    print(f"{family} {seed}: latency {errors[0]:+.1%} to {errors[1]:+.1%}, interval {errors[2]:+.1%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
