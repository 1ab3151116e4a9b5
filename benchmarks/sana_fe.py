"""Beside SANA-FE, the closest simulator of neuromorphic chips: the same network, spikes and prices in both, in one run.

    python -m benchmarks.sana_fe [--json] [--quick]

A random network (10,000 neurons of 100 synapses, about one neuron in ten spiking each step) on Loihi's 128 cores, with SANA-FE's
own prices and times (the preset `loihi-calibrated`, with those of a sparse synapse). Its targets are anywhere ("anywhere"), or
on 4 cores for each neuron ("4 cores"). SANA-FE runs in a process of its own and says which neurons spiked in each step; these
spikes are simulated here. Both run on one thread, timed in processor seconds, and on all cores of the machine, timed in wall
seconds. 127 cores hold neurons; the last one holds our readout, which SANA-FE has not.

Ratios are what to compare between machines. SANA-FE (`pip install sanafe`) is needed for this page only: without it the
benchmark says so and ends.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.sana_fe_peer import ENERGIES
from benchmarks.simulation import empty_chip_bytes, table_bytes
from sfnhw.activity import Activity
from sfnhw.chip import Chip, load_chip
from sfnhw.mapping import Mapping, map_network
from sfnhw.memory import peak_rss_bytes
from sfnhw.network import Network, Population, Sparse
from sfnhw.neurons import IF, Events, Readout
from sfnhw.sim import price, simulate
from sfnhw.sim.cost import TERMS, Cost
from sfnhw.sim.flits.wires import build_wires
from sfnhw.sim.packed import pack
from sfnhw.sim.result import Result
from sfnhw.sim.running import run_frames
from sfnhw.sim.stream import empty_tally
from sfnhw.sim.tables import build_tables, sent_neurons

NEURONS, SYNAPSES, CORES = 10_000, 100, 127
# Steps on the clock and steps whose spikes are kept, by timing model; the last one takes more than a second a step.
STEPS = {"simple": (20, 10), "detailed": (6, 6), "cycle": (2, 2)}
QUICK = {"simple": (5, 4), "detailed": (2, 2)}
THREADS = os.cpu_count() or 1
RUNS = 5  # of ours, tenths of a second each; a run of SANA-FE takes seconds
# Messages that a core takes in before it pushes back, for our fidelity `flit`: as many as the set's `link_buffer_size`, which
# its `detailed` model allows behind the last link too.
INPUT_PACKETS = 16
OURS = 100  # steps of our runs on the clock: the kept ones, again and again
# Actions that make up each energy of SANA-FE's.
PARTS = {
    "synapse": ("accumulate",),
    "soma": ("neuron_update", "spike"),
    "network": ("injection", "link_flit"),
}


def targets_of(kind: str) -> NDArray[np.int64]:
    """(NEURONS · SYNAPSES,) targets: anywhere, or on 4 cores for each neuron."""
    rng = np.random.default_rng(0)
    if kind == "anywhere":
        return rng.integers(0, NEURONS, NEURONS * SYNAPSES)
    bounds = np.arange(CORES + 1) * NEURONS // CORES
    cores = np.argsort(rng.random((NEURONS, CORES)), axis=1)[:, :4].repeat(SYNAPSES // 4, axis=1)
    size = np.diff(bounds)[cores]
    return (bounds[cores] + (rng.random(cores.shape) * size).astype(np.int64)).reshape(-1)


def recurrent(targets: NDArray[np.int64], timesteps: int) -> Network:
    """Return the network; what comes in (nothing) and the readout are ours alone."""
    one = np.r_[0, np.ones(NEURONS, int)]
    return Network(
        (
            Population("none", (1,), Events(timesteps), role="input"),
            Population("net", (NEURONS,), IF(timesteps)),
            Population("out", (1,), Readout(timesteps), role="output"),
        ),
        (
            Sparse("none", "net", np.ones(1), np.array([0, 1]), np.array([0])),
            Sparse("net", "net", np.ones(len(targets)), np.arange(NEURONS + 1) * SYNAPSES, targets, delay=1),
            Sparse("net", "out", np.ones(1), one, np.array([0])),
        ),
        "random",
    )


def loihi() -> Chip:
    """Loihi with the set that SANA-FE has, for sparse synapses: 33.6 pJ and 4.7 ns; as many neurons a core as fill it evenly."""
    return load_chip("loihi-calibrated").replace(
        {
            "energy.accumulate.energy_pj": 33.6,
            "core.synapse_cycles": 47,
            "core.neurons": -(-NEURONS // CORES),
            "core.axons": 1 << 20,  # neither checks axons here: each core hears more neurons than Loihi allows
        }
    )


def activity_of(spikes: NDArray[np.bool_]) -> Activity:
    """(steps, NEURONS) spikes as an activity."""
    steps = len(spikes)
    quiet = np.zeros((1, steps, 1), np.int16)
    return Activity({"none": quiet, "net": spikes[None].astype(np.int16), "out": quiet})


def peer(mapping: Mapping, targets: NDArray[np.int64], steps: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Run SANA-FE with every neuron on the core that it has in the mapping."""
    chip, rng = mapping.chip, np.random.default_rng(2)
    home = np.concatenate([np.full(s.neurons, mapping.terminals[s.index]) for s in mapping.slices_of("net")])
    router, each = np.divmod(home, chip.noc.cores_per_router)
    given = {
        "offsets": np.arange(NEURONS + 1) * SYNAPSES,
        "targets": targets,
        # It numbers tiles down the columns.
        "tile": router % chip.noc.columns * chip.noc.rows + router // chip.noc.columns,
        "core": each,
        "bias": 0.1 * rng.uniform(0.9, 1.1, NEURONS),
        "potential": rng.uniform(0, 1, NEURONS),
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("given.npz", "found.npz")]
        np.savez(paths[0], **given)
        asked = [f"{model}={timed}+{traced}" for model, (timed, traced) in steps.items()]
        command = [sys.executable, "-m", "benchmarks.sana_fe_peer", *paths, str(THREADS), *asked]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return dict(np.load(paths[1]))


def finite(mapping: Mapping) -> Mapping:
    """Return the mapping with input buffers of cores that fill."""
    return replace(mapping, chip=mapping.chip.replace({"core.input_packets": INPUT_PACKETS}))


def step_seconds(mapping: Mapping, activity: Activity, fidelity: str) -> NDArray[np.float64]:
    """(T,) seconds of each global step in which the network works, at fidelity packet or flit."""
    tables, T = build_tables(mapping), activity.timesteps
    sent, tally = sent_neurons(mapping, activity), empty_tally(tables, T, T, T + 2)
    wires = build_wires(mapping.chip, tables, sent) if fidelity == "flit" else None
    run_frames(sent[0], T, tables.slices, pack(tables), tables.fabric, tally, wires=wires)
    return np.diff(tally.step_end)[:T] / (mapping.chip.clock_mhz * 1e6)


def compare(
    found: dict[str, Any], model: str, first: int, own: dict[str, NDArray[np.float64]], cost: Cost
) -> dict[str, float]:
    """Energy and time of the kept steps of a timing model, ours over SANA-FE's.

    first : where these steps begin in our run; own : fidelity → (T,) seconds of our steps.
    """
    theirs = found[f"{model}_step_seconds"]
    kept = slice(first, first + len(theirs))
    in_steps = (cost.timestep >= kept.start) & (cost.timestep < kept.stop)
    mine = in_steps & (cost.population == cost.populations.index("net"))
    joules = dict(zip(ENERGIES, found[f"{model}_joules"].sum(axis=0), strict=True))
    ours = {
        part: int(cost.value_aj[mine & np.isin(cost.term, [TERMS.index(name) for name in names])].sum()) * 1e-18
        for part, names in PARTS.items()
    }
    out = {f"{part}_energy_ratio": ours[part] / joules[part] for part in PARTS}
    out["energy_ratio"] = sum(ours.values()) / sum(joules.values())
    out["peer_step_seconds"] = float(theirs.mean())
    for fidelity, seconds in own.items():
        ratio = seconds[kept] / theirs
        out[f"{fidelity}_step_time_ratio"] = float(seconds[kept].mean() / theirs.mean())
        out[f"{fidelity}_step_time_ratio_least"], out[f"{fidelity}_step_time_ratio_most"] = (
            float(ratio.min()),
            float(ratio.max()),
        )
    return out


def on_the_clock(mapping: Mapping, activity: Activity, fidelity: str) -> tuple[Result, Cost, dict[str, float]]:
    """Run with energy on; processor seconds of one thread: the median of `RUNS` after the first one, which compiles (of `flit` the second)."""
    taken = []
    for _ in range(1 + (RUNS if fidelity != "flit" else 1)):
        begin = time.process_time()
        result = simulate(mapping, activity, fidelity=fidelity, threads=1)
        cost = price(result)
        taken.append(time.process_time() - begin)
    return result, cost, rates_of(result, float(np.median(taken[1:])), activity.timesteps)


def together(mapping: Mapping, activity: Activity) -> dict[str, float]:
    """Run at fidelity `packet` with energy on, all cores; median wall seconds of `RUNS` after the first."""
    taken = []
    for _ in range(1 + RUNS):
        begin = time.perf_counter()
        result = simulate(mapping, activity, threads=THREADS)
        price(result)
        taken.append(time.perf_counter() - begin)
    return rates_of(result, float(np.median(taken[1:])), activity.timesteps)


def rates_of(result: Result, seconds: float, steps: int) -> dict[str, float]:
    """Return `rates` of a result.

    Messages are packets that enter the network.
    """
    messages = int(result.counts.node_packets[result.tables.nodes.roots].sum())
    synapses = int(result.counts.row_synapses.sum())
    return rates(seconds, steps, messages, synapses)


def rates(seconds: float, steps: float, messages: float, synapses: float) -> dict[str, float]:
    """Return what was done in so many seconds, by step and by second."""
    return {
        "seconds_a_step": seconds / steps,
        "messages_per_s": messages / seconds,
        "synaptic_operations_per_s": synapses / seconds,
    }


def measure(kind: str, steps: dict[str, tuple[int, int]], timesteps: int) -> dict[str, Any]:
    """Everything about one network."""
    targets = targets_of(kind)
    begin = time.process_time()
    mapping = map_network(recurrent(targets, timesteps), loihi(), placer="sequential")
    built = time.process_time() - begin
    found = peer(mapping, targets, steps)
    kept = np.concatenate([found[f"{model}_spikes"] for model in steps])
    activity = activity_of(np.resize(kept, (timesteps, NEURONS)))
    packet, cost, packet_speed = on_the_clock(mapping, activity, "packet")
    packet_together = together(mapping, activity)
    analytic, _, analytic_speed = on_the_clock(mapping, activity, "analytic")
    # Cycle by cycle only the kept steps, which begin the same in both.
    few = activity_of(kept)
    short = map_network(recurrent(targets, len(kept)), loihi(), placer="sequential")
    full = finite(short)
    _, _, flit_speed = on_the_clock(full, few, "flit")
    own = {"packet": step_seconds(short, few, "packet"), "flit": step_seconds(full, few, "flit")}
    row: dict[str, Any] = {
        "steps": {model: timed for model, (timed, _) in steps.items()}
        | {"packet": timesteps, "analytic": timesteps, "flit": len(kept)},
        "ours": {"packet": packet_speed, "analytic": analytic_speed, "flit": flit_speed},
        "peer": {model: rates(*found[f"{model}_speed"].tolist()) for model in steps},
        "threads": THREADS,
        "ours_together": {"packet": packet_together},
        "peer_together": {model: rates(*found[f"{model}_speed_together"].tolist()) for model in steps},
        "against": {},
        "analytic_over_packet_latency": analytic.latency_cycles / packet.latency_cycles,
        "memory": {
            "table_bytes_per_synapse": table_bytes(mapping) / len(targets),
            "peer_bytes_per_synapse": float(found["network_bytes"]) / len(targets),
            "peer_empty_chip_bytes": int(found["empty_chip_bytes"]),
            "peer_peak_rss_bytes": int(found["peak_rss_bytes"]),
            "peak_rss_bytes": peak_rss_bytes(),
        },
        "build_seconds": built,
        "peer_build_seconds": float(found["build_seconds"]),
    }
    first = 0
    for model, (_, traced) in steps.items():
        theirs = row["peer"][model]["synaptic_operations_per_s"]
        row["against"][model] = compare(found, model, first, own, cost) | {
            f"{name}_times_as_fast": speed["synaptic_operations_per_s"] / theirs for name, speed in row["ours"].items()
        }
        on_all = row["peer_together"][model]["synaptic_operations_per_s"]
        row["against"][model]["packet_times_as_fast_on_all_cores"] = (
            packet_together["synaptic_operations_per_s"] / on_all
        )
        first += traced
    return row


def show(name: str, row: dict[str, Any]) -> None:
    """Print one network's results."""
    print(f"targets {name}; steps on the clock {row['steps']}")
    for suffix, clock in (
        ("", "processor seconds, 1 thread"),
        ("_together", f"wall seconds, {row['threads']} threads"),
    ):
        print(f"  {clock:28} {'ms a step':>10} {'M messages/s':>13} {'M synapses/s':>13}")
        for who, part in (("SANA-FE", row["peer" + suffix]), ("sfnhw", row["ours" + suffix])):
            for mode, speed in part.items():
                numbers = (speed["seconds_a_step"] * 1e3, speed["messages_per_s"] / 1e6)
                print(
                    f"    {who + ' ' + mode:26} {numbers[0]:10.2f} {numbers[1]:13.3f} "
                    f"{speed['synaptic_operations_per_s'] / 1e6:13.2f}"
                )
    for model, ratios in row["against"].items():
        print(f"  over SANA-FE {model}: " + ", ".join(f"{key} {value:.4g}" for key, value in ratios.items()))
    print("  " + ", ".join(f"{key} {value:,.4g}" for key, value in row["memory"].items()))
    print(
        f"  analytic_over_packet_latency {row['analytic_over_packet_latency']:.4f}, build_seconds "
        f"{row['build_seconds']:.1f}, peer_build_seconds {row['peer_build_seconds']:.1f}"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer steps, and none cycle by cycle")
    options = parser.parse_args()
    if importlib.util.find_spec("sanafe") is None:
        print("SANA-FE is not installed (pip install 'sfnhw[bench]'), so nothing is compared with it.")
        return 0
    steps, timesteps = (QUICK, 20) if options.quick else (STEPS, OURS)
    rows: dict[str, Any] = {kind: measure(kind, steps, timesteps) for kind in ("anywhere", "4 cores")}
    empty = empty_chip_bytes(load_chip("loihi-calibrated").replace({"execution.mode": "dataflow"}))
    if options.json:
        print(json.dumps({"rows": rows, "empty_chip_bytes": empty}))
        return 0
    for name, row in rows.items():
        show(name, row)
    print(f"empty_chip_bytes {empty:,}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
