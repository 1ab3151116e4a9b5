"""How far is fidelity `packet` from `flit` by load: ``python -m benchmarks.noc_fidelities [--json] [NAME ...]``.

For each network and pattern: the saturation rate at `flit`, then the error of `packet`'s mean latency at 0.4, 0.7 and 0.9 of
it, the same packets for both, and by how much `packet` is faster. An error beyond 5 % up to 0.7, or 15 % at 0.9, is marked by a
star; w: the run warns. Networks that `packet` runs flit by flit, as `flit` does, are only counted (--json names them).
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sfnhw.sim.noc import NocConfig, Traffic, is_by_events, simulate_noc, sweep

BOUNDS = {0.4: 0.05, 0.7: 0.05, 0.9: 0.15}
CYCLES, WARMUP, SEEDS = 10_000, 3_000, 2


def _case(
    topology: str, size: int, vcs: int, buffer: int, flits: int, pattern: str = "uniform", **cycles: int
) -> Traffic:
    config = NocConfig(
        topology=topology,
        columns=size,
        rows=size,
        virtual_channels=vcs,
        buffer_flits=buffer,
        packet_flits=flits,
    )
    for stage, value in cycles.items():
        config = replace(config, **{f"{stage}_cycles": value})  # type: ignore[arg-type]  # none of them is a string
    return Traffic(config, pattern, ((size + 1, 0.1),) if pattern == "hotspot" else ())


def cases() -> Iterator[Traffic]:
    """Networks and patterns, one thing varied at a time, and some that vary several."""
    for topology in ("mesh", "torus", "cmesh"):
        few = 2 if topology == "torus" else 1
        for size in (4, 8, 16):
            for vcs in sorted({few, 2, 4}):
                yield _case(topology, size, vcs, 8, 1)
                yield _case(topology, size, vcs, 8, 4)
        for vcs in sorted({few, 2, 4}):
            yield _case(topology, 8, vcs, 8, 2)
            yield _case(topology, 8, vcs, 8, 8)
            yield _case(topology, 8, vcs, 16, 8)
            yield _case(topology, 16, vcs, 11, 5)
        for pattern in ("transpose", "bit-complement", "neighbor", "hotspot"):
            for vcs in (2, 4):
                yield _case(topology, 8, vcs, 8, 1, pattern)
                yield _case(topology, 8, vcs, 8, 4, pattern)
        for buffer, flits in ((2, 1), (4, 1), (4, 2), (4, 4), (6, 4), (16, 4)):
            yield _case(topology, 8, 2, buffer, flits)
            yield _case(topology, 8, 4, buffer, flits)
        yield _case(topology, 8, few, 10, 5, "bit-complement", route=0)
        yield _case(topology, 8, 4, 4, 4, link=2, credit=2)
        yield _case(topology, 8, 4, 8, 4, link=2, credit=2)
        yield _case(topology, 8, 2, 8, 3, link=3, credit=3)
        yield _case(topology, 8, 4, 8, 4, route=2)
        yield _case(topology, 8, 4, 8, 4, route=0)
        yield _case(topology, 8, 4, 8, 4, vc_alloc=2)
        yield _case(topology, 8, 2, 8, 1, switch_alloc=2)
        yield _case(topology, 8, 4, 8, 2, switch=2, link=2)
    yield _case("torus", 8, 3, 8, 1)
    yield _case("torus", 8, 3, 8, 4)
    yield _case("torus", 11, 2, 8, 4)


def name_of(traffic: Traffic) -> str:
    """Short name: topology and size, VCs × flits of a buffer, flits of a packet, pattern, stages that are not 1."""
    c = traffic.config
    stages = ("route", "vc_alloc", "switch_alloc", "switch", "link", "credit")
    slow = "".join(f" {s}={v}" for s in stages if (v := getattr(c, f"{s}_cycles")) != 1)
    return f"{c.topology}{c.columns} {c.virtual_channels}x{c.buffer_flits} f{c.packet_flits} {traffic.pattern}{slow}"


def compare(traffic: Traffic) -> dict[str, Any]:
    """Return the saturation rate and, for each share of it, both mean latencies, the error, and whether it is in the bound."""
    saturation = sweep(traffic, fractions=(0.1,), cycles=6_000, warmup=2_000).saturation_rate
    points, spent = [], {"flit": 0.0, "packet": 0.0}
    for share, bound in BOUNDS.items():
        mean, rate, warns = {}, share * saturation, False
        for fidelity in spent:
            begin = time.process_time()
            runs = [
                simulate_noc(traffic, rate, cycles=CYCLES, warmup=WARMUP, seed=seed, fidelity=fidelity)
                for seed in range(SEEDS)
            ]
            spent[fidelity] += time.process_time() - begin
            mean[fidelity] = sum(run.mean_latency or 0.0 for run in runs) / SEEDS
            warns = any(run.warning for run in runs)
        error = mean["packet"] / mean["flit"] - 1
        points.append({"share": share, **mean, "error": error, "warns": warns, "holds": abs(error) <= bound})
    return {"name": name_of(traffic), "saturation_rate": saturation, "points": points, "processor_s": spent}


def line(found: dict[str, Any]) -> str:
    """Return a row of the table."""
    marks = "".join(
        f" {100 * p['error']:+7.1f} %{'w' if p['warns'] else ' '}{' ' if p['holds'] else '*'}" for p in found["points"]
    )
    ratio = found["processor_s"]["flit"] / max(1e-9, found["processor_s"]["packet"])
    return f"{found['name']:44} {found['saturation_rate']:.4f}{marks}  {ratio:5.1f} times as fast"


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("names", nargs="*", help="only networks with one of these in their name")
    arguments = parser.parse_args()
    rows, by_flits = [], []
    for traffic in cases():
        name = name_of(traffic)
        if arguments.names and not any(part in name for part in arguments.names):
            continue
        if not is_by_events(traffic):
            by_flits.append(name)
            continue
        rows.append(compare(traffic))
        if not arguments.json:
            print(line(rows[-1]), flush=True)
    if arguments.json:
        print(json.dumps({"by_events": rows, "by_flits": by_flits}, indent=2))
        return 0
    beyond = sum(not point["holds"] for row in rows for point in row["points"])
    print(f"{len(rows)} networks by events, {beyond} errors beyond the bound; {len(by_flits)} flit by flit, as `flit`")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
