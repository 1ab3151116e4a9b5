"""The flit-level network simulator: cases worked by hand, laws, its twin, and an independent simulator's curves."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.errors import InputError
from sfnhw.sim.noc import NocConfig, Traffic, simulate_burst, simulate_noc, sweep
from sfnhw.sim.noc.result import quantile
from tests import naive_noc

REFERENCE = list(csv.DictReader((Path(__file__).parent / "data" / "noc_reference.csv").open()))
SATURATION = {1: 0.1406, 4: 0.4153}
STAGES = ("route", "vc_alloc", "switch_alloc", "switch", "link", "credit")


@st.composite
def configs(draw, ties=False):
    topology = draw(st.sampled_from(("mesh", "torus", "cmesh")))
    columns = draw(st.sampled_from((3, 4, 5) if ties else (3, 5)) if topology == "torus" else st.integers(1, 4))
    if topology == "cmesh":
        columns = 4
    fields = {f"{stage}_cycles": draw(st.integers(0 if stage == "route" else 1, 3)) for stage in STAGES}
    return NocConfig(
        topology=topology,
        columns=columns,
        rows=columns,
        virtual_channels=draw(st.integers(2 if topology == "torus" else 1, 5)),
        buffer_flits=draw(st.integers(1, 5)),
        packet_flits=draw(st.integers(1, 4)),
        routing=draw(st.sampled_from(("xy", "yx"))),
        **fields,
    )


def simulation(traffic, rate=0.0, burst=0, seed=0, fidelity="flit"):
    from sfnhw.sim.noc import flit, packet
    from sfnhw.sim.noc.measure import TOTALS, Measure
    from sfnhw.sim.noc.running import FOREVER

    measure = Measure(0, FOREVER, np.zeros(4096, np.int64), np.zeros(TOTALS, np.int64))
    return (packet if fidelity == "packet" else flit).Simulation(traffic, rate, burst, seed), measure


def lone_latency(config, node, fidelity="flit"):
    """Latency of the one packet that `node` sends to its bit complement."""
    traffic = Traffic(config, "bit-complement")
    sim, measure = simulation(traffic, burst=1, fidelity=fidelity)
    if fidelity == "flit":
        sim.sources.active[0], sim.sources.actives[0] = node, 1
    else:
        first = sim.hops.inputs + config.ports * config.router_columns * config.router_rows
        sim.hops.wheel[:], sim.hops.wheel[0] = -1, first + node
        sim.hops.next_event[first + node] = -1
    sim.advance(measure, 2000)
    (latency,) = np.flatnonzero(measure.histogram)
    return int(latency)


@pytest.mark.parametrize(
    ("fields", "node", "cycles"),
    [
        # 5 H + 2 with unit stages: corner to corner of a 4 × 4 mesh is over 7 routers.
        ({"columns": 4, "rows": 4}, 0, 37),
        ({"columns": 4, "rows": 4, "routing": "yx"}, 0, 37),
        ({"columns": 4, "rows": 4, "packet_flits": 6}, 0, 42),
        ({"columns": 4, "rows": 4, "virtual_channels": 1, "packet_flits": 6}, 5, 5 * 3 + 2 + 5),
        ({"columns": 1, "rows": 1}, 0, 7),
        ({"columns": 6, "rows": 2}, 0, 5 * 7 + 2),
        # Round the corner: from (0, 0) to (3, 3) there is one link each way.
        ({"columns": 4, "rows": 4, "topology": "torus"}, 0, 17),
        ({"columns": 5, "rows": 5, "topology": "torus", "virtual_channels": 3}, 12, 7),
        # Blocks of 2 × 2 nodes: three routers; node 5 and node 10 are in different blocks, node 1 to 14 too.
        ({"columns": 4, "rows": 4, "topology": "cmesh"}, 0, 17),
        ({"columns": 4, "rows": 2, "topology": "cmesh", "packet_flits": 2}, 1, 5 * 2 + 2 + 1),
        # Look-ahead routing takes no cycle.
        ({"columns": 4, "rows": 4, "route_cycles": 0}, 0, 4 * 7 + 2),
        # 7 routers of 2 + 3 + 1 + 2 cycles, 6 links of 4, injection and ejection 3, two more flits; they find the switch at
        # work for one cycle more.
        (
            {
                "columns": 4,
                "rows": 4,
                "packet_flits": 3,
                "route_cycles": 2,
                "vc_alloc_cycles": 3,
                "switch_cycles": 2,
                "link_cycles": 4,
            },
            0,
            7 * 8 + 6 * 4 + 3 + 2 + 1,
        ),
        # Body flits and their credits take 5 cycles there and back: a buffer of 4 waits once for each 4 flits, one of 1 always.
        ({"columns": 3, "rows": 1, "packet_flits": 9, "buffer_flits": 4}, 0, 17 + 8 + 2),
        ({"columns": 3, "rows": 1, "packet_flits": 5, "buffer_flits": 1}, 0, 17 + 4 * 5),
        # A switch allocator of 2 cycles sends a packet's flits 2 cycles apart.
        ({"columns": 2, "rows": 1, "packet_flits": 4, "switch_alloc_cycles": 2}, 0, 2 * 5 + 1 + 3 + 3 * 2),
        # A switch of 3 cycles takes the head, then three flits, then the fifth: they leave at 0, 3, 4, 5 and 6.
        ({"columns": 3, "rows": 1, "packet_flits": 5, "switch_cycles": 3}, 0, 3 * 6 + 2 + 3 + 6),
        # Flits 2 cycles apart before a switch of 3: they leave at 0, 3 and 6, as it begins with the third when it ends with
        # the second; with 3 apart each finds it empty.
        (
            {"columns": 3, "rows": 1, "packet_flits": 3, "switch_alloc_cycles": 2, "switch_cycles": 3},
            0,
            3 * 7 + 2 + 3 + 6,
        ),
        (
            {"columns": 3, "rows": 1, "packet_flits": 3, "switch_alloc_cycles": 3, "switch_cycles": 3},
            0,
            3 * 8 + 2 + 3 + 6,
        ),
    ],
)
def test_a_packet_alone(fields, node, cycles):
    config = NocConfig(**fields)
    assert lone_latency(config, node) == cycles
    assert lone_latency(config, node, fidelity="packet") == cycles


@given(configs(ties=True), st.sampled_from(("uniform", "bit-complement", "neighbor")))
@settings(max_examples=30)
def test_the_empty_networks_latency_is_the_mean_over_all_pairs(config, pattern):
    traffic = Traffic(config, pattern)
    c = config

    def router(node):
        return node % c.columns // c.concentration_columns, node // c.columns // c.concentration_rows

    def apart(a, b, size):
        return min(abs(a - b), size - abs(a - b)) if c.topology == "torus" else abs(a - b)

    routers = []
    for a in range(c.nodes):
        for b in range(c.nodes) if pattern == "uniform" else [traffic.target[a]]:
            (x, y), (to_x, to_y) = router(a), router(int(b))
            routers.append(1 + apart(x, to_x, c.router_columns) + apart(y, to_y, c.router_rows))
    mean = float(np.mean(routers))
    assert traffic.routers_visited == pytest.approx(mean)
    stages = c.route_cycles + c.vc_alloc_cycles + c.switch_alloc_cycles + c.switch_cycles
    body = c.body_cycles
    expected = mean * stages + (mean - 1) * c.link_cycles + 3 + body
    assert traffic.zero_load_latency == pytest.approx(expected)


@pytest.mark.parametrize(
    ("fields", "rate"),
    [
        ({"virtual_channels": 1}, 1 / 3),  # an input VC serves one packet at a time, 3 cycles each
        ({"virtual_channels": 2}, 2 / 3),
        ({"virtual_channels": 3}, 1),
        ({"virtual_channels": 1, "route_cycles": 0}, 1 / 2),
        ({"virtual_channels": 1, "vc_alloc_cycles": 2, "switch_alloc_cycles": 2}, 1 / 5),
        ({"virtual_channels": 1, "buffer_flits": 1}, 1 / 7),  # a credit is back after 7 cycles
        ({"virtual_channels": 1, "buffer_flits": 2}, 2 / 7),
        ({"virtual_channels": 2, "buffer_flits": 1, "link_cycles": 2, "credit_cycles": 3}, 2 / 10),
        ({"virtual_channels": 1, "packet_flits": 4}, 4 / 6),  # 3 cycles for the head, then a flit each cycle
    ],
)
def test_one_hot_link_takes_what_its_pipeline_allows(fields, rate):
    traffic = Traffic(NocConfig(columns=2, rows=1, **fields), "neighbor")
    cycles = 2520
    result = simulate_noc(traffic, 1.0, cycles=cycles, warmup=100)
    assert abs(result.accepted_rate - rate) * cycles <= 4
    assert result.saturated == (rate < 1)


@given(configs(), st.sampled_from(("transpose", "bit-complement", "neighbor")), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_every_packet_arrives_when_it_does_in_the_twin(config, pattern, burst):
    traffic = Traffic(config, pattern)
    latencies, network = naive_noc.run_burst(config, traffic.target, burst)
    sim, measure = simulation(traffic, burst=burst)
    sim.advance(measure, 100_000, drain=True)
    assert measure.histogram.tolist() == np.bincount(latencies, minlength=4096).tolist()
    assert network.most_in_buffer <= config.buffer_flits


@given(st.sampled_from(("mesh", "cmesh")), st.integers(1, 5), st.integers(1, 3), st.floats(0.02, 1), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_the_kernel_of_plain_networks_is_the_general_one(topology, vcs, flits, rate, seed):
    from sfnhw.sim.noc import flit_kernel

    config = NocConfig(topology=topology, columns=4, rows=4, virtual_channels=vcs, buffer_flits=3, packet_flits=flits)
    found = []
    for kernel in (flit_kernel.run_plain_cycles, flit_kernel.run_cycles):
        sim, measure = simulation(Traffic(config), rate=rate, seed=seed)
        assert sim.run_cycles is flit_kernel.run_plain_cycles
        sim.run_cycles = kernel
        sim.advance(measure, 800)
        found.append((measure.histogram.tolist(), measure.total.tolist(), sim.flit_hops))
    assert found[0] == found[1]
    assert found[0][2] > 0


@given(configs(ties=True), st.floats(0.01, 1), st.integers(0, 2**40))
@settings(max_examples=25, deadline=None)
def test_nothing_is_lost_and_buffers_never_overflow(config, rate, seed):
    from sfnhw.sim.noc.state import FLIT_HOPS

    sim, measure = simulation(Traffic(config), rate=rate, seed=seed)
    depth, f = config.buffer_flits, sim.fabric
    # Of the VCs that exist: those of links and of nodes. At the edge of a mesh, and beyond V, there are none.
    peer = np.concatenate([sim.state.ports["peer"], f.node_vc])
    o = (np.flatnonzero(peer >= 0)[:, None] << f.shift) + np.arange(f.vcs)
    i = peer[peer >= 0][:, None] + np.arange(f.vcs)
    into_router = i < len(sim.state.inputs)
    size = len(sim.packets.free)
    for _ in range(60):
        sim.advance(measure, 7)
        credits, count = sim.state.outputs["credits"].astype(int), sim.state.inputs["count"].astype(int)
        assert credits.max() <= depth
        assert count.max() <= depth
        # Flits in a buffer have taken a place that the sender knows of.
        assert (credits[o[into_router]] + count[i[into_router]] <= depth).all()
    # No packet after the one in front of each queue.
    sim.sources = sim.sources._replace(rate=0.0)
    sim.advance(measure, 8000)
    inside = size - int(sim.packets.top[0])
    assert inside == 0
    assert (sim.state.inputs["count"] == 0).all()
    assert (sim.state.outputs["credits"] == depth).all()
    assert (sim.state.ports["free"] == (1 << config.virtual_channels) - 1).all()
    created, arrived = int(measure.total[5]), int(measure.total[0])
    assert created == arrived == measure.histogram.sum()
    assert sim.state.counts[FLIT_HOPS] == measure.total[2] * config.packet_flits


@pytest.mark.parametrize("virtual_channels", [2, 3, 4])
@pytest.mark.parametrize(("flits", "depth"), [(1, 1), (5, 2), (3, 8)])
def test_a_torus_beyond_saturation_keeps_moving(virtual_channels, flits, depth):
    _overload(virtual_channels, flits, depth, chunks=5)


@pytest.mark.slow
@pytest.mark.parametrize("virtual_channels", [2, 3, 5])
@pytest.mark.parametrize(("flits", "depth"), [(1, 1), (4, 2), (3, 8)])
def test_a_torus_keeps_moving_for_long(virtual_channels, flits, depth):
    _overload(virtual_channels, flits, depth, chunks=120)


def _overload(virtual_channels, flits, depth, chunks):
    config = NocConfig(
        topology="torus",
        columns=6,
        rows=6,
        virtual_channels=virtual_channels,
        packet_flits=flits,
        buffer_flits=depth,
    )
    for pattern in ("uniform", "transpose"):
        sim, measure = simulation(Traffic(config, pattern), rate=1.0)
        before = 0
        for _ in range(chunks):
            sim.advance(measure, 1000)
            assert measure.total[4] > before
            before = int(measure.total[4])


def test_the_seed_decides_and_threads_do_not():
    traffic = Traffic(NocConfig(columns=4, rows=4))
    one, again, other = (simulate_noc(traffic, 0.3, cycles=2000, warmup=200, seed=s).as_json() for s in (5, 5, 6))
    assert one == again
    assert one["mean_latency_cycles"] != other["mean_latency_cycles"]
    curves = [
        sweep(traffic, fractions=(0.3, 0.9), cycles=1500, warmup=300, threads=threads).as_json() for threads in (1, 3)
    ]
    assert curves[0] == curves[1]


def test_packets_are_created_at_the_rate_and_each_is_counted_once():
    traffic = Traffic(NocConfig(columns=4, rows=4, virtual_channels=1))
    for rate, factor in ((0.02, 1.0), (0.9, 1.0)):
        result = simulate_noc(traffic, rate, cycles=20_000, warmup=500)
        created = result.packets + result.undelivered
        expected = rate * 16 * 20_000
        assert abs(created - expected) < 5 * np.sqrt(expected * (1 - rate)) * factor
    assert simulate_noc(traffic, 0.0, cycles=100, warmup=0).mean_latency is None


def test_a_share_goes_to_the_hot_node():
    config = NocConfig(columns=4, rows=4)
    result = simulate_noc(Traffic(config, "hotspot", ((5, 0.5),)), 0.02, cycles=50_000, warmup=100)
    to_five = np.mean([1 + abs(n % 4 - 1) + abs(n // 4 - 1) for n in range(16)])
    assert result.traffic.routers_visited == pytest.approx(0.5 * to_five + 0.5 * 3.5)
    assert result.routers_visited == pytest.approx(result.traffic.routers_visited, rel=0.02)


@pytest.mark.parametrize("row", [r for r in REFERENCE if r["fraction_of_saturation"] in ("0.25", "0.7", "0.8")])
def test_the_independent_simulator_agrees(row):
    _compare(row, cycles=30_000, seeds=1, tolerance=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("row", [r for r in REFERENCE if float(r["fraction_of_saturation"]) <= 0.9])
def test_the_independent_simulator_agrees_along_the_curve(row):
    _compare(row, cycles=60_000, seeds=3, tolerance=0.02)


def _compare(row, cycles, seeds, tolerance):
    config = NocConfig(virtual_channels=int(row["virtual_channels"]))
    rate = float(row["rate_packets_per_node_cycle"])
    runs = [simulate_noc(Traffic(config), rate, cycles=cycles, seed=seed) for seed in range(seeds)]
    assert np.mean([r.mean_latency for r in runs]) == pytest.approx(float(row["mean_latency_cycles"]), rel=tolerance)
    assert np.mean([r.accepted_rate for r in runs]) == pytest.approx(
        float(row["accepted_flits_per_node_cycle"]), rel=0.01
    )
    assert runs[0].routers_visited == pytest.approx(float(row["mean_routers_visited"]), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("virtual_channels", [1, 4])
def test_saturation_is_where_the_independent_simulator_has_it(virtual_channels):
    curve = sweep(Traffic(NocConfig(virtual_channels=virtual_channels)), fractions=(0.5,))
    assert curve.saturation_rate == pytest.approx(SATURATION[virtual_channels], rel=0.03)


def test_heads_of_lines_block_below_what_the_busiest_channel_takes():
    # Uniform traffic loads the middle channels of an 8 × 8 mesh with 8/4 packets a cycle for each packet per node:
    # at S = 3 cycles a packet and 1 VC they would take 1/6.
    bound = 1 / (8 / 4 * 3)
    rate = 0.93 * bound
    assert simulate_noc(Traffic(NocConfig(virtual_channels=1)), rate, cycles=20_000, warmup=2000).saturated
    assert not simulate_noc(Traffic(NocConfig(virtual_channels=4)), rate, cycles=3000, warmup=1000).saturated


def test_a_torus_with_a_channel_for_each_class_passes_less_than_a_mesh_and_says_so():
    """With as many channels again it passes more: the rate is between what the two pass."""

    def run(topology, channels):
        config = NocConfig(topology=topology, virtual_channels=channels)
        found = simulate_noc(Traffic(config), 0.28, cycles=3000, warmup=1000)
        return found.saturated, len(config.notes)

    assert run("torus", 2) == (True, 1)
    assert run("mesh", 2) == run("torus", 3) == run("torus", 4) == (False, 0)


@pytest.mark.parametrize("pattern", ["transpose", "bit-complement", "neighbor"])
def test_a_burst_takes_at_least_what_its_busiest_channel_takes(pattern):
    config, burst = NocConfig(columns=4, rows=4, virtual_channels=1), 20
    traffic = Traffic(config, pattern)
    load: dict[tuple[int, int, int], int] = {}
    for a, b in enumerate(traffic.target.tolist()):
        x, y, to_x, to_y = a % 4, a // 4, b % 4, b // 4
        while (x, y) != (to_x, to_y):
            dx = int(np.sign(to_x - x))
            dy = 0 if dx else int(np.sign(to_y - y))
            load[x, y, 2 * dx + dy] = load.get((x, y, 2 * dx + dy), 0) + 1
            x, y = x + dx, y + dy
    result = simulate_burst(traffic, burst)
    # Each packet holds the input VC behind the channel for 3 cycles; the first one comes 2 routers late at least.
    assert result.makespan >= max(load.values()) * burst * 3
    assert result.packets == 16 * burst
    assert result.makespan >= result.max_latency


def test_quantiles_by_hand():
    histogram = np.array([0, 2, 0, 1, 1, 0])
    assert quantile(histogram, 0, 0.5) == 1
    assert quantile(histogram, 0, 0.75) == 3
    assert quantile(histogram, 0, 0.99) == 4
    assert quantile(histogram, 4, 0.5) == 4  # half of eight
    assert quantile(histogram, 4, 0.6) is None  # among those that have not arrived
    assert quantile(histogram * 0, 0, 0.5) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"topology": "ring"}, "topology"),
        ({"topology": "torus", "virtual_channels": 1}, "deadlock"),
        ({"topology": "cmesh", "columns": 5}, "blocks of 2 × 2"),
        ({"concentration_columns": 2}, "cmesh"),
        ({"virtual_channels": 13}, "12 at most"),
        ({"buffer_flits": 0}, "buffer_flits"),
        ({"buffer_flits": 60_000}, "at most with"),
        ({"packet_flits": True}, "packet_flits"),
        ({"link_cycles": 0}, "link_cycles"),
        ({"routing": "zz"}, "routing"),
    ],
)
def test_networks_that_cannot_be(fields, said):
    with pytest.raises(InputError, match=said):
        NocConfig(**fields)


def test_traffic_that_does_not_fit():
    config = NocConfig(columns=4, rows=2)
    for pattern, hotspots, said in (
        ("transpose", (), "square"),
        ("hot", (), "pattern"),
        ("hotspot", (), "hotspot"),
        ("uniform", ((1, 0.5),), "hotspot"),
        ("hotspot", ((8, 0.5),), "0 to 7"),
        ("hotspot", ((1, 0.7), (2, 0.7)), "1 in all"),
    ):
        with pytest.raises(InputError, match=said):
            Traffic(config, pattern, hotspots)
    for arguments in ({"rate": 1.5}, {"rate": float("nan")}, {"cycles": 0}, {"seed": -1}, {"fidelity": "exact"}):
        with pytest.raises(InputError, match=next(iter(arguments))):
            simulate_noc(Traffic(config), **({"rate": 0.1} | arguments))
    with pytest.raises(InputError, match="burst"):
        simulate_burst(Traffic(config), 0)
