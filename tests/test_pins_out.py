"""The pins' output port: results, their end markers and ready tokens for the inputs leave by it one after the other."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import IF, Events, Readout
from sfnhw.reports.pace import pace
from sfnhw.sim import record_events, simulate
from sfnhw.sim.event_log import PACKETS
from sfnhw.sim.event_records import EVENTS
from sfnhw.sim.pins import served
from tests.networks import random_activity, random_network
from tests.test_overhead import run_of
from tests.test_simulation import chips

REFERENCE = load_chip("reference")


def three_layers(results: int, T: int = 1) -> Network:
    """4 inputs, 4 neurons, and results that hear them all."""
    populations = (
        Population("in", (4,), Events(T), role="input"),
        Population("h", (4,), IF(T), function="relu"),
        Population("out", (results,), Readout(T), role="output"),
    )
    return Network(populations, (Dense("in", "h", np.eye(4)), Dense("h", "out", np.ones((results, 4)))))


def all_spike(network: Network, T: int = 1, samples: int = 1) -> Activity:
    """Every neuron, at every time."""
    return Activity({p.name: np.ones((samples, T, p.size), np.int32) for p in network.populations})


@pytest.mark.parametrize("fidelity", ["packet", "flit", "auto", "analytic"])
@pytest.mark.parametrize("granularity", ["layer", "row"])
def test_what_leaves_by_hand(fidelity, granularity):
    """8 results of two flits, 8 cycles each over pins of 4 bits a cycle; an end marker behind them, and the word of one layer.

    8 · 16 + 8 + 8 cycles an inference: with 8 virtual channels results alone come at their ports as fast.
    """
    network = three_layers(8)
    settings_ = {"noc.columns": 2, "noc.rows": 1, "io.bits_per_cycle": 4, "noc.virtual_channels": 8}
    mapping = map_network(network, REFERENCE.replace({**settings_, "execution.granularity": granularity}))
    result = simulate(mapping, all_spike(network, samples=3), fidelity=fidelity)
    assert result.tables.slices.flits[2] == 2
    assert result.timing.pins_busy == 3 * (8 * 16 + 8 + 8)
    assert result.timing.interval >= 8 * 16 + 8 + 8


def test_under_a_barrier_results_alone_leave():
    network = three_layers(8)
    mapping = map_network(network, REFERENCE.replace({"io.bits_per_cycle": 4, "execution.mode": "barrier"}))
    for fidelity in ("packet", "analytic"):
        assert simulate(mapping, all_spike(network), fidelity=fidelity).timing.pins_busy == 8 * 16


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    chips(modes=("dataflow", "barrier")),
    st.sampled_from([1, 3, 8, 32]),
    st.sampled_from(["layer", "row"]),
    st.floats(0, 1),
)
def test_every_packet_that_leaves_is_counted_and_results_come_no_faster(seed, T, chip, bits, granularity, rate):
    """As many cycles as the packets in the log that leave take one by one; the same at each fidelity."""
    by_row = {"execution.granularity": granularity} if chip.execution.mode == "dataflow" else {}
    network = random_network(seed, T)
    mapping = map_network(network, chip.replace({"io.bits_per_cycle": bits, **by_row}))
    activity = random_activity(network, seed, 1, rate)
    packet, analytic = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "analytic"))
    log = record_events(mapping, activity).columns
    leaves = (log["event"] == EVENTS.index("eject")) & (log["core"] == chip.cores)
    spike = log["packet"][leaves] == PACKETS.index("spike")
    flits = np.where(spike, packet.tables.slices.flits[log["slice"][leaves]], 1)
    cycles = sum(max(n, -(-n * chip.noc.flit_bits // bits)) for n in flits.tolist())
    for timing in (packet.timing, analytic.timing):
        assert timing.pins_busy == cycles
        assert timing.interval >= cycles


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), st.sampled_from([1, 4]), st.integers(1, 3))
def test_flits_too(seed, T, bits, samples):
    network = random_network(seed, T)
    mapping = map_network(network, REFERENCE.replace({"io.bits_per_cycle": bits}))
    activity = random_activity(network, seed, samples)
    packet, flit = (simulate(mapping, activity, fidelity=f, threads=1).timing for f in ("packet", "flit"))
    assert packet.pins_busy == flit.pins_busy
    for timing in (packet, flit):
        assert timing.interval >= timing.pins_busy / samples


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=12), st.integers(0, 40))
def test_one_server_takes_what_comes_in_order_of_arrival(items, never):
    """Against a clock that goes from item to item; of the second column one more item never comes."""
    comes = np.array([*(when for when, _ in items), never], float)
    takes = np.array([*(cycles for _, cycles in items), 1], float)
    other = comes.copy()
    other[-1] = np.inf
    found = served(np.stack([comes, other], axis=1), np.stack([takes, takes], axis=1))
    for column, when in ((0, comes), (1, other)):
        queue = [(at, k) for k, at in enumerate(when) if np.isfinite(at)]
        heapq.heapify(queue)
        free = 0.0
        while queue:
            at, k = heapq.heappop(queue)
            free = max(free, at) + takes[k]
            assert found[k, column] == free


@pytest.mark.parametrize("granularity", ["layer", "row"])
@pytest.mark.parametrize("seed", range(15))
def test_over_narrow_pins_latencies_are_within_15_percent_of_the_packets(seed, granularity):
    """No law: few random networks are further off (`benchmarks.analytic_error`), and these examples are the same in every run."""
    rng = np.random.default_rng(seed)
    T, bits, rate = int(rng.choice([1, 3])), int(rng.choice([1, 2, 4])), float(rng.choice([0.05, 0.3]))
    network = random_network(seed, T)
    changes = {"execution.granularity": granularity, "io.bits_per_cycle": bits, "core.neurons": 64}
    mapping = map_network(network, REFERENCE.replace(changes))
    activity = random_activity(network, seed, 2, rate)
    packet, analytic = (simulate(mapping, activity, fidelity=f, threads=1).timing for f in ("packet", "analytic"))
    assert analytic.latency == pytest.approx(packet.latency, rel=0.15)


@pytest.mark.parametrize("results", [1, 8, 32])
@pytest.mark.parametrize("T", [1, 3])
@pytest.mark.parametrize("bits", [1, 4])
def test_where_the_pins_are_all_that_counts_latencies_are_the_packets(results, T, bits):
    """Tokens hold the port while results come: without them these were up to an eighth too short."""
    network = three_layers(results, T)
    mapping = map_network(network, REFERENCE.replace({"noc.columns": 2, "noc.rows": 1, "io.bits_per_cycle": bits}))
    packet, analytic = (
        simulate(mapping, all_spike(network, T), fidelity=f, threads=1).timing for f in ("packet", "analytic")
    )
    assert analytic.latency == pytest.approx(packet.latency, rel=0.02)
    assert analytic.layer_end[0, 2] == pytest.approx(packet.layer_end[0, 2], rel=0.02)


def test_the_report_names_the_output_port_where_it_is_busiest():
    network = three_layers(32)
    run = run_of(network, REFERENCE.replace({"io.bits_per_cycle": 4}), all_spike(network))
    found = pace(run)["bottleneck"]
    assert (found["unit"], found["place"], found["core"], found["layers"]) == ("ejection", "the pins", None, ["out"])
    assert found["busy_share"] == (32 * 16 + 8 + 8) / run.result.timing.interval
