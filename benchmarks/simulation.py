"""How fast is the simulator, and how far from what the machine can do?

Two workloads: the digits CNN (random weights of the demo's shapes, half of all neurons spiking) and a random recurrent
network (10,000 neurons, 100 synapses each, one neuron in ten spiking) on 128 cores. Beside each packet-level run, in
the same process: the naive twin (a heap and Python objects), and a bare Numba loop over the same synapses that keeps no
time and counts nothing: the bound. Ratios are what to compare between machines.

    python benchmarks/simulation.py [--json] [--quick]
"""

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sfnhw.activity import Activity
from sfnhw.chip import Chip, load_chip
from sfnhw.mapping import Mapping, map_network
from sfnhw.memory import peak_rss_bytes
from sfnhw.network import AveragePool, Conv2d, Dense, Elementwise, Network, Population, Sparse
from sfnhw.neurons import IF, SFN, Events, Graded, Readout
from sfnhw.sim import price, simulate
from sfnhw.sim.channel_order import order_channels
from sfnhw.sim.node_places import node_places, row_places
from sfnhw.sim.packed import pack
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.naive_twin import PacketTwin


@nb.njit(cache=False)
def bare_synapses(offsets: np.ndarray, targets: np.ndarray, spikes: np.ndarray, state: np.ndarray) -> int:
    """Add one to every target of every spike, and nothing else."""
    operations = 0
    for i in spikes:
        for j in range(offsets[i], offsets[i + 1]):
            state[targets[j]] += 1
            operations += 1
    return operations


def digits_cnn() -> Network:
    """Return a network of the demo's shapes with random weights."""
    rng = np.random.default_rng(0)
    sfn = SFN.uniform(8)
    shapes = {"stem": (24, 8, 8), "conv1": (24, 8, 8), "add": (24, 8, 8), "conv2": (48, 4, 4), "pool": (48, 1, 1)}
    populations = [Population("image", (1, 8, 8), Graded(8), role="input")]
    populations += [Population(name, shape, sfn, function="relu") for name, shape in shapes.items()]
    populations.append(Population("out", (10,), Readout(), role="output"))
    projections = (
        Conv2d("image", "stem", rng.normal(size=(24, 1, 3, 3)), padding=(1, 1)),
        Conv2d("stem", "conv1", rng.normal(size=(24, 24, 3, 3)), padding=(1, 1)),
        Conv2d("conv1", "add", rng.normal(size=(24, 24, 3, 3)), padding=(1, 1)),
        Elementwise("stem", "add", np.ones(1)),
        Conv2d("add", "conv2", rng.normal(size=(48, 24, 3, 3)), stride=(2, 2), padding=(1, 1)),
        AveragePool("conv2", "pool", (4, 4)),
        Dense("pool", "out", rng.normal(size=(10, 48))),
    )
    return Network(tuple(populations), projections, "digits CNN")


def random_recurrent(neurons: int = 10_000, synapses: int = 100, timesteps: int = 20) -> Network:
    """Return a recurrent network with uniform targets and a delay of one timestep."""
    rng = np.random.default_rng(0)
    offsets = np.arange(neurons + 1) * synapses
    targets = rng.integers(0, neurons, neurons * synapses)
    return Network(
        (
            Population("kick", (1,), Events(timesteps), role="input"),
            Population("net", (neurons,), IF(timesteps), function="relu"),
            Population("out", (1,), Readout(timesteps), role="output"),
        ),
        (
            Sparse("kick", "net", np.ones(1), np.array([0, 1]), np.array([0])),
            Sparse("net", "net", rng.normal(size=len(targets)), offsets, targets, delay=1),
            Sparse("net", "out", np.ones(1), np.r_[0, np.ones(neurons, int)], np.array([0])),
        ),
        "random 10k x 100",
    )


def random_spikes(network: Network, samples: int, rate: float) -> Activity:
    """Every hidden neuron spikes with probability `rate`."""
    rng = np.random.default_rng(1)
    T = network.timesteps
    return Activity({p.name: (rng.random((samples, T, p.size)) < rate).astype(np.int16) for p in network.populations})


def measure(mapping: Mapping, activity: Activity, repeats: int) -> dict[str, Any]:
    """Median seconds of a packet-level run, one thread, compiled before; and the rates that follow."""
    simulate(mapping, activity.select(slice(0, 1)), threads=1)  # compile
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = simulate(mapping, activity, threads=1)
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    price(result)
    priced = time.perf_counter() - start
    median = statistics.median(seconds)
    on_link = result.tables.nodes.link >= 0
    packets = int(result.counts.sent.sum() + result.counts.ends.sum() + result.counts.readies.sum())
    hops = int(result.actions.node_flits[on_link].sum())
    operations = int(result.counts.row_synapses.sum())
    few = activity.select(slice(0, min(activity.samples, 8)))
    simulate(mapping, few.select(slice(0, 1)), threads=1, fidelity="flit")  # compile
    start = time.perf_counter()
    flit = simulate(mapping, few, threads=1, fidelity="flit")
    by_flit = time.perf_counter() - start
    start = time.perf_counter()
    simulate(mapping, activity, fidelity="analytic")
    analytic = time.perf_counter() - start
    return {
        "seconds": median,
        "samples": activity.samples,
        "packets_per_s": packets / median,
        "flit_hops_per_s": hops / median,
        "synaptic_operations_per_s": operations / median,
        "price_seconds": priced,
        "analytic_seconds": analytic,
        "flit_seconds_a_sample": by_flit / few.samples,
        "flit_over_packet_latency": float(flit.timing.latency.sum() / result.timing.latency[: few.samples].sum()),
        "flit_over_packet_interval": flit.timing.interval / result.timing.interval,
        "cores_used": mapping.cores_used,
        "table_bytes": table_bytes(mapping),
    }


def arrays_of(value: Any) -> list[np.ndarray]:
    """Return the arrays of a tuple of tuples, each piece of memory once."""
    if isinstance(value, np.ndarray):
        return [value]
    return [array for part in value for array in arrays_of(part)] if isinstance(value, tuple) else []


def table_bytes(mapping: Mapping) -> int:
    """Bytes of all arrays that the packet kernel, the closed form and the sums behind them read, but the activity."""
    tables = build_tables(mapping)
    read = (tables, pack(tables), node_places(tables), row_places(tables), order_channels(tables))
    arrays = {a.__array_interface__["data"][0]: a.nbytes for a in arrays_of(read)}
    return sum(arrays.values())


def empty_chip_bytes(chip: Chip) -> int:
    """Most bytes that Python and NumPy hold at once while one neuron is mapped on a chip, simulated and priced."""
    network = Network(
        (Population("x", (1,), Graded(8), role="input"), Population("y", (1,), Readout(), role="output")),
        (Dense("x", "y", np.ones((1, 1))),),
    )
    simulate(map_network(network, chip), random_spikes(network, 1, 1.0), threads=1)  # compile
    tracemalloc.start()
    price(simulate(map_network(network, chip), random_spikes(network, 1, 1.0), threads=1))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def twin_ratio(mapping: Mapping, activity: Activity) -> float:
    """Time of the naive twin over that of the kernel, for one sample."""
    one = activity.select(slice(0, 1))
    result = simulate(mapping, one, threads=1)
    sent = sent_neurons(mapping, one)[0]
    start = time.perf_counter()
    finish = PacketTwin(result.tables, mapping).run(sent)
    slow = time.perf_counter() - start
    assert finish == result.timing.latency[0]
    from sfnhw.sim.running import run_frames
    from sfnhw.sim.stream import check_finished, empty_tally

    t = result.tables
    packed = pack(t)
    times = []
    for _ in range(5):
        tally = empty_tally(t, 1, 1)
        start = time.perf_counter()
        check_finished(run_frames(sent, 1, t.slices, packed, t.fabric, tally))
        times.append(time.perf_counter() - start)
    return slow / statistics.median(times)


def bare_rate(network: Network, activity: Activity) -> float:
    """Synaptic operations a second of the bare loop over the recurrent projection."""
    p = next(p for p in network.projections if isinstance(p, Sparse) and p.delay)
    spikes = np.concatenate([np.flatnonzero(row) for row in activity.levels["net"][0]])
    state = np.zeros(network["net"].size, np.int64)
    bare_synapses(p.offsets, p.targets, spikes[:1], state)
    start = time.perf_counter()
    operations = bare_synapses(p.offsets, p.targets, spikes, state)
    return operations / (time.perf_counter() - start)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer samples and repeats")
    options = parser.parse_args()
    repeats, samples = (1, 8) if options.quick else (3, 100)

    chip = load_chip("reference")
    cnn = digits_cnn()
    mapping = map_network(cnn, chip)
    activity = random_spikes(cnn, samples, 0.5)
    rows: dict[str, dict[str, Any]] = {"digits_cnn": measure(mapping, activity, repeats)}
    rows["digits_cnn"]["naive_twin_time_ratio"] = twin_ratio(mapping, activity)

    steps = 5 if options.quick else 20
    start = time.perf_counter()
    net = random_recurrent(timesteps=steps)
    large = chip.replace(
        {
            "execution.mode": "barrier",
            "noc.columns": 16,
            "core.neurons": 80,
            "core.axons": 65536,
            "core.weight_memory.kib": 128,
        }
    )
    mapping = map_network(net, large)
    mapped = time.perf_counter() - start
    activity = random_spikes(net, 1, 0.1)
    rows["random_10k"] = measure(mapping, activity, repeats)
    rows["random_10k"]["build_and_map_seconds"] = mapped
    synapses = sum(p.weight.size for p in net.projections if isinstance(p, Sparse) and p.delay)
    rows["random_10k"]["table_bytes_per_synapse"] = table_bytes(mapping) / synapses
    rows["random_10k"]["empty_chip_bytes"] = empty_chip_bytes(large.replace({"execution.mode": "dataflow"}))
    bare = bare_rate(net, activity)
    rows["random_10k"]["bare_loop_operations_per_s"] = bare
    rows["random_10k"]["share_of_bare_loop"] = rows["random_10k"]["synaptic_operations_per_s"] / bare
    peak = peak_rss_bytes()
    if options.json:
        print(json.dumps({"rows": rows, "peak_rss_bytes": peak}))
        return 0
    for name, row in rows.items():
        print(f"{name}")
        for key, value in row.items():
            print(f"  {key:32} {value:,.3g}" if isinstance(value, float) else f"  {key:32} {value:,}")
    print(f"peak_rss_bytes {peak:,}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
