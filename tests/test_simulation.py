"""Simulation: counts against a brute-force walk, times against hand arithmetic and a naive twin."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import ActivityError, MappingError, SimulationError
from sfnhw.mapping import map_network
from sfnhw.network import Dense, Network, Population, Sparse
from sfnhw.neurons import IF, MTN, SFN, TTFS, Coding, Graded, Polarity, Readout
from sfnhw.sim import simulate
from sfnhw.sim.counts import projection_arithmetic
from sfnhw.sim.kernel_state import LATENCY_BINS
from sfnhw.sim.tables import sent_neurons
from tests.naive import count
from tests.naive_twin import PacketTwin
from tests.networks import chain, random_activity, random_attention, random_network

REFERENCE = load_chip("reference")


BOARD = ("noc.columns", "noc.rows", "board.columns", "board.rows")


@st.composite
def chips(draw, modes=("dataflow", "barrier")):
    cast = draw(st.sampled_from(["multicast", "unicast"]))
    return REFERENCE.replace(
        {
            "noc.cast": cast,
            "noc.destinations": draw(st.sampled_from(["slice", "neuron"])) if cast == "unicast" else "slice",
            "core.axon_overlap": draw(st.booleans()),
            "core.threshold_unit.waits_for_port": draw(st.booleans()),
            "core.neurons": draw(st.integers(64, 200)),
            "core.synapse_lanes": draw(st.sampled_from([1, 4, 16])),
            "core.state_banks": draw(st.integers(1, 2)),
            "core.axon_cycles": draw(st.integers(0, 3)),
            "core.threshold_unit.kind": draw(st.sampled_from(["parallel", "serial", "binary-search"])),
            "core.threshold_unit.lanes": draw(st.sampled_from([1, 4])),
            "noc.flit_bits": draw(st.sampled_from([16, 32])),
            "noc.virtual_channels": draw(st.integers(1, 4)),
            "noc.vc_alloc_cycles": draw(st.integers(1, 2)),
            "noc.link_cycles": draw(st.integers(1, 3)),
            "noc.vertical_link_cycles": draw(st.sampled_from([None, 1, 4])),
            # A mesh of 8 × 8, cut into chips or not.
            **dict(zip(BOARD, draw(st.sampled_from([(8, 8, 1, 1), (2, 8, 4, 1), (1, 4, 8, 2)])), strict=True)),
            "board.link_cycles": draw(st.integers(1, 9)),
            "board.flit_cycles": draw(st.integers(1, 5)),
            "noc.cores_per_router": draw(st.integers(1, 4)),
            "noc.port_cycles": draw(st.sampled_from([1, 2, 5])),
            "noc.switch_cycles": draw(st.integers(0, 1)),
            "noc.buffer_flits": draw(st.sampled_from([None, 1, 3])),
            "core.synapse_cycles": draw(st.sampled_from([1, 3])),
            "core.threshold_unit.update_cycles": draw(st.sampled_from([None, 5])),
            "core.threshold_unit.spike_cycles": draw(st.sampled_from([0, 3])),
            "execution.barrier_cycles": draw(st.sampled_from([100, {1: 30, 3: 50, 9: 110}])),
            "execution.barrier_between": draw(st.sampled_from(["step", "linear"])),
            "io.bits_per_cycle": draw(st.sampled_from([8, 32])),
            "execution.mode": draw(st.sampled_from(modes)),
        }
    )


def assert_twin(mapping, activity):
    """The kernel and the twin agree on the latency of the sample and of every packet."""
    result = simulate(mapping, activity, threads=1)
    twin = PacketTwin(result.tables, mapping)
    assert twin.run(sent_neurons(mapping, activity)[0]) == result.timing.latency[0]
    assert twin.empty_at() == result.timing.occupied[0]
    histogram = np.bincount(np.minimum(twin.latencies, LATENCY_BINS - 1).astype(int), minlength=LATENCY_BINS)
    assert np.array_equal(histogram, result.timing.packet_latency)
    assert result.timing.packet_latency_sum == sum(twin.latencies)
    return result


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), chips(), st.floats(0, 1))
def test_sent_is_arrived_is_what_a_brute_force_walk_says(seed, T, chip, rate):
    """Packets, deliveries, look-ups, synaptic operations, flits over links and through routers; analytic = packet."""
    # Layers that work in windows (some seeds, T = 3) have no delays, under barrier execution either.
    network = random_network(seed, T, recurrent=chip.execution.mode == "barrier" and seed % 5 >= 2)
    try:
        mapping = map_network(network, chip)
    except MappingError:
        reject()  # more than the chip holds
    activity = random_activity(network, seed, samples=2, rate=rate)
    result = simulate(mapping, activity, threads=1)
    counts, walked = result.counts, count(mapping, activity)
    on_link = result.tables.nodes.link >= 0
    owner_flits = result.tables.slices.flits[result.tables.nodes.owner][:, None]
    assert int(counts.sent.sum()) == walked["packets"]
    assert int(counts.delivered.sum()) == walked["delivered"]
    assert int(counts.row_packets.sum()) == walked["lookups"]
    assert int(counts.row_synapses.sum()) == walked["operations"]
    assert int((counts.node_packets * owner_flits)[on_link].sum()) == walked["flit_hops"]
    assert int((counts.node_packets * owner_flits).sum()) == walked["flit_routers"]
    on_column = on_link & (result.tables.nodes.link % 4 >= 2)
    assert int((counts.node_packets * owner_flits)[on_column].sum()) == walked["column_hops"]
    assert result.totals()["spike"] == walked["spikes"]
    assert result.timing.packet_latency.sum() == walked["delivered"]
    analytic = simulate(mapping, activity, fidelity="analytic")
    assert counts.equals(analytic.counts)
    assert np.array_equal(result.timing.link_busy, analytic.timing.link_busy)
    assert np.array_equal(result.timing.busy, analytic.timing.busy)
    assert result.totals() == analytic.totals()
    assert np.array_equal(result.actions.core, analytic.actions.core)
    if chip.execution.mode == "barrier":
        assert not counts.ends.any()
        assert not counts.readies.any()
        assert result.totals()["injection"] == walked["injections"]
    else:
        # One end marker for each slice and frame in which it works, and one ready token a window, whatever fired.
        slices = result.tables.slices
        working = (
            np.arange(T) < np.where(slices.frames > 1, T, 1)[:, None] if network.window > 1 else np.full((1, T), True)
        )
        assert (counts.ends == 2 * working).all()
        assert (counts.readies[~slices.is_input].sum(axis=1) == 2 * network.updates).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), chips(modes=("dataflow",)), st.floats(0, 1))
def test_attention_is_counted_as_a_brute_force_walk_says_and_timed_as_the_naive_twin(seed, chip, rate):
    """Products of spikes: what streams meets what stays, what stays is written; every cycle as in the twin."""
    network = random_attention(seed)
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, samples=1, rate=rate)
    result = simulate(mapping, activity, threads=1)
    walked = count(mapping, activity)
    assert int(result.counts.sent.sum()) == walked["packets"]
    assert int(result.counts.delivered.sum()) == walked["delivered"]
    assert int(result.counts.row_packets.sum()) == walked["lookups"]
    assert int(result.counts.row_synapses.sum()) == walked["operations"]
    analytic = simulate(mapping, activity, fidelity="analytic")
    assert result.counts.equals(analytic.counts)
    assert np.array_equal(result.actions.core, analytic.actions.core)
    twin = PacketTwin(result.tables, mapping)
    assert twin.run(sent_neurons(mapping, activity)[0]) == result.timing.latency[0]
    assert twin.empty_at() == result.timing.occupied[0]
    assert result.timing.packet_latency_sum == sum(twin.latencies)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 4]), chips(modes=("dataflow",)), st.floats(0, 1))
def test_every_cycle_equals_the_naive_twin(seed, T, chip, rate):
    """The kernel's wheel and arrays against a heap and dictionaries: latency of the sample and of every packet."""
    network = random_network(seed, T, window=T > 1)
    mapping = map_network(network, chip)
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))


def test_threads_change_nothing():
    network = random_network(5, 2)
    mapping = map_network(network, REFERENCE)
    activity = random_activity(network, 5, samples=7)
    one, four = (simulate(mapping, activity, threads=n) for n in (1, 4))
    assert one.counts.equals(four.counts)
    assert np.array_equal(one.timing.latency, four.timing.latency)
    assert np.array_equal(one.timing.occupied, four.timing.occupied)
    assert np.array_equal(one.timing.busy, four.timing.busy)
    assert one.timing.interval == four.timing.interval


def lonely(columns: int, coding: Coding = SFN.uniform(4)):  # noqa: B008  frozen
    """One input neuron → one hidden neuron → one output, on a row of cores; returns the mapping with chosen cores."""
    network = Network(
        (
            Population("x", (1,), Graded(8), role="input"),
            Population("h", (1,), coding),
            Population("y", (1,), Readout(coding.timesteps), role="output"),
        ),
        (Sparse("x", "h", [1.0], [0, 1], [0]), Sparse("h", "y", [1.0], [0, 1], [0])),
    )
    chip = REFERENCE.replace({"noc.columns": columns, "noc.rows": 1, "io.router": (0, 0)})
    return network, map_network(network, chip, placer="sequential")


def test_latency_of_one_spike_through_the_chip_worked_by_hand():
    """Pins and `h` on router 0, `y` on router 1; unit pipeline stages, so a router takes R = 4 and a link L = 1.

    x: packet and end marker leave the pins in cycles 0 and 1 (32-bit flits, 32 bits a cycle).
    A packet alone over H routers takes 4H + (H−1) + 3: H = 1: 7, H = 2: 12. So the end marker of x is at h's core in
    cycle 1 + 7 = 8; look-up 1 → 9; the spike before it (cycle 7, look-up 8, synapse 8..9) is done at 9 too.
    h: threshold walk of 1 neuron, parallel: 1 cycle → 10, when the spike and the end of the walk are ready. The port
    takes a flit a cycle: spike 10, ready token 11, end marker 12. The end marker is at y's core in 12 + 12 = 24,
    looked up at 25.
    y: walk 1 cycle → 26: one readout packet of two flits (12 + 0 + 24 bits > 32) takes the port in 26 and 27; then
    token 28, end marker 29. Back to the pins over 2 routers: 29 + 12 = 41.
    """
    network, mapping = lonely(2)
    assert mapping.terminals.tolist() == [2, 0, 1]
    activity = Activity({p.name: np.ones((1, 1, 1), int) for p in network.populations})
    result = simulate(mapping, activity)
    assert result.timing.latency.tolist() == [41]
    # Packet latencies, ready to handed over: x→h 7, h→y 12, and y→pins 12 + 1 for its second flit.
    assert np.flatnonzero(result.timing.packet_latency).tolist() == [7, 12, 13]
    assert result.timing.packet_latency_sum == 7 + 12 + 13


def test_narrow_pins_hold_a_packet_until_its_last_bit_worked_by_hand():
    """The chip above with pins of one bit a cycle: a flit of 32 bits takes 32 cycles, the readout's two flits 64.

    x: the packet has its last bit over the pins in cycle 31, the end marker in 63; h's core has them at 38 and 70, the
    marker is looked up at 71, the walk ends at 72: spike 72, ready token 73, end marker 74, at y's core in 74 + 12 = 86,
    looked up at 87, walk → 88: readout 88 and 89, token 90, end marker 91.
    Out: the token of h is at the pins after 2 + 4 cycles, in 79, and takes them for 79 .. 110. The readout is there in
    88 + 2 + 4 + 1 + 4 = 99, waits until 111, holds them to 174 and has left, one cycle of ejection later, in 175. Its
    end marker holds them in 175 .. 206 and has left in 207.
    """
    network, mapping = lonely(2)
    narrow = map_network(network, mapping.chip.replace({"io.bits_per_cycle": 1}), placer="sequential")
    activity = Activity({p.name: np.ones((1, 1, 1), int) for p in network.populations})
    result = simulate(narrow, activity)
    assert result.timing.latency.tolist() == [207]
    assert np.flatnonzero(result.timing.packet_latency).tolist() == [12, 38, 175 - 88]


@pytest.mark.parametrize("mode", ["dataflow", "barrier"])
@pytest.mark.parametrize("bits", [1, 8])
def test_where_pins_are_all_that_counts_the_closed_form_is_near_the_packets(mode, bits):
    """100 packets in and 50 readouts of two flits out, each way at 32 / bits cycles a flit."""
    network = chain([100, 20, 50])
    activity = Activity({p.name: np.ones((1, 1, p.size), int) for p in network.populations})
    chip = REFERENCE.replace({"io.bits_per_cycle": bits, "execution.mode": mode, "core.synapse_lanes": 1024})
    mapping = map_network(network, chip)
    packet, analytic = (simulate(mapping, activity, fidelity=f).timing for f in ("packet", "analytic"))
    over_pins = (100 + 50 * 2) * 32 // bits
    assert packet.latency[0] > over_pins
    assert analytic.latency[0] == pytest.approx(packet.latency[0], rel=0.05)
    if mode == "dataflow":
        assert analytic.interval == pytest.approx(packet.interval, rel=0.1)
        assert analytic.busy[-1].tolist() == packet.busy[-1].tolist()


@pytest.mark.parametrize("hops", [0, 1, 5])
@pytest.mark.parametrize(
    ("stages", "link", "interface"), [((1, 1, 1, 1), 1, 3), ((2, 1, 3, 1), 2, 3), ((0, 1, 0, 1), 1, 1)]
)
def test_zero_load_latency_is_the_routers_formula(hops, stages, link, interface):
    """T0 = H·(RC+VA+SA+ST) + (H−1)·L + interface + (flits − 1)·SA, with H = hops + 1 routers (Dally & Towles)."""
    names = ("route_cycles", "vc_alloc_cycles", "switch_alloc_cycles", "switch_cycles")
    fields = {f"noc.{n}": v for n, v in zip(names, stages, strict=True)}
    fields |= {"noc.link_cycles": link, "noc.interface_cycles": interface, "noc.columns": hops + 2, "noc.rows": 1}
    chip = REFERENCE.replace(fields)
    network = chain([1, 1])
    mapping = map_network(network, chip, placer="sequential")
    mapping.terminals[1] = hops  # move the only slice along the row, and route anew
    from sfnhw.mapping import route

    routes = route(mapping.terminals, [[hops], [mapping.io]], hops + 2, 1, 0)
    moved = type(mapping)(**{**vars(mapping), "routes": routes})
    activity = Activity({"l0": np.ones((1, 1, 1), int), "l1": np.ones((1, 1, 1), int)})
    latencies = np.flatnonzero(simulate(moved, activity).timing.packet_latency)
    H, R = hops + 1, sum(stages)
    alone = H * R + (H - 1) * link + interface
    assert latencies.tolist() == [alone, alone + max(1, stages[2])]  # the graded input in one flit, the readout in two


def test_one_hot_link_passes_a_packet_in_max_flits_or_hold_over_channels():
    """100 spikes over one link: V = 1 with unit stages holds an input VC 3 cycles a packet; V ≥ 3 passes one a cycle.

    The pins inject one flit a cycle, so the last of 100 packets is at the far end 99·service later than the first.
    """
    network = chain([100, 1])
    activity = Activity({"l0": np.ones((1, 1, 100), int), "l1": np.zeros((1, 1, 1), int)})
    for channels, service in ((1, 3.0), (2, 1.5), (3, 1.0), (4, 1.0)):
        chip = REFERENCE.replace(
            {"noc.columns": 2, "noc.rows": 1, "io.router": (1, 0), "noc.virtual_channels": channels}
        )
        mapping = map_network(network, chip, placer="sequential")
        result = simulate(mapping, activity)
        latencies = np.repeat(np.arange(LATENCY_BINS), result.timing.packet_latency)
        alone = 2 * 4 + 1 + 3
        # All inputs are ready at cycle 0; packet k enters the link ⌈k·service⌉ cycles after the first.
        expected = np.ceil(np.arange(100) * service).astype(int) + alone
        expected = np.sort(np.append(expected, alone + 1))  # and the readout's two flits
        # Half cycles round up at the link and again at the ejection port: one cycle late at most, and none is lost.
        late = np.sort(latencies) - expected
        assert (late == 0).all() or (channels == 2 and set(late.tolist()) == {0, 1} and late[-1] == 0)


def test_a_core_serves_synapses_at_its_lanes():
    """50 spikes × 64 synapses on 8 lanes: 8 cycles a spike, 400 busy cycles; the lanes start with the first spike."""
    network = chain([50, 64, 1])
    mapping = map_network(network, REFERENCE)
    activity = Activity(
        {"l0": np.ones((1, 1, 50), int), "l1": np.zeros((1, 1, 64), int), "l2": np.zeros((1, 1, 1), int)}
    )
    result = simulate(mapping, activity)
    core = mapping.terminals[mapping.slices_of("l1")[0].index]
    assert result.timing.busy[core].tolist() == [51, 400, 64, 2]  # 50 spikes + end marker; 64 updates; token and marker


def test_pipelined_interval_is_the_slowest_stage():
    """One hidden core with 400 cycles of synapses and 64 of thresholds, two banks: a result every 400 cycles or so."""
    network = chain([50, 64, 1])
    activity = Activity(
        {"l0": np.ones((1, 1, 50), int), "l1": np.zeros((1, 1, 64), int), "l2": np.zeros((1, 1, 1), int)}
    )
    two = simulate(map_network(network, REFERENCE), activity).timing
    one = simulate(map_network(network, REFERENCE.replace({"core.state_banks": 1})), activity).timing
    assert 400 <= two.interval <= 410
    # With one bank the next frame may come only when this one is read out: synapses + walk + a round trip of a token.
    assert one.interval >= 400 + 64
    assert two.latency[0] == one.latency[0], "an isolated sample does not care"


def test_windows_of_different_inferences_overlap():
    """TTFS, T = 4, a hidden core of 64 silent neurons: a window is 4 walks of 64 cycles, so a result every 256 or so.

    The readout (1 neuron, 1 step) and the pins are faster. Alone an inference takes that window and the ways there.
    """
    network = chain([10, 64, 1], TTFS(4))
    silent = Activity({p.name: np.zeros((1, 4, p.size), int) for p in network.populations})
    timing = simulate(map_network(network, REFERENCE), silent).timing
    assert 256 <= timing.interval <= 256 + 10
    assert timing.latency[0] > 256
    analytic = simulate(map_network(network, REFERENCE), silent, fidelity="analytic").timing
    assert 256 <= analytic.interval <= 256 + 10
    # With one bank the next window may come only when this one is read out and the token is back.
    one = simulate(map_network(network, REFERENCE.replace({"core.state_banks": 1})), silent).timing
    assert one.interval > timing.interval
    assert one.latency[0] == timing.latency[0]


def test_barrier_steps_are_timesteps_and_depth():
    """T = 3 and two layers behind the input: 3 + 2 global steps a sample, each at least `barrier_cycles` long."""
    network = random_network(2, 3, window=False)
    chip = REFERENCE.replace({"execution.mode": "barrier", "execution.barrier_cycles": 50})
    result = simulate(map_network(network, chip), random_activity(network, 2, samples=2))
    steps = 3 - 1 + max(network.depth.values()) + 1
    assert result.counts.steps == 2 * steps
    assert (result.timing.latency >= 50 * steps).all()
    assert result.totals()["barrier"] == 2 * steps * result.mapping.cores_used


def test_barrier_steps_of_layers_in_windows():
    """TTFS, T = 3, layers of depth 1 and 2, readout of depth 3: windows start in steps 0, 3, 6 and 9.

    The readout needs the first step of its window only: 3·3 + 1 = 10 steps a sample. The input speaks in the first step of
    its window only, so in steps 1 and 2 nothing is to do; they take their barriers all the same.
    """
    network = chain([5, 4, 3, 2], TTFS(3))
    chip = REFERENCE.replace({"execution.mode": "barrier", "execution.barrier_cycles": 1000})
    result = simulate(map_network(network, chip), random_activity(network, 2, samples=2))
    assert result.counts.steps == 2 * 10
    assert (result.timing.latency >= 10 * 1000).all()
    slices, updates = result.tables.slices, result.counts.updates
    for name, each in (("l0", [0, 0, 0]), ("l1", [8, 8, 8]), ("l2", [6, 6, 6]), ("l3", [4, 0, 0])):
        i = [p.name for p in network.populations].index(name)
        assert updates[slices.population == i].sum(axis=0).tolist() == each


def test_a_burst_leaves_one_flit_after_the_other_worked_by_hand():
    """`lonely` with a burst of 3: x comes in as before and h's walk ends in cycle 10 (see above).

    The port takes the three spikes in cycles 10, 11, 12, then token 13 and end marker 14, which is at y's core in
    14 + 12 = 26, looked up at 27. y: walk 1 → 28; readout of two flits in 28 and 29; token 30; end marker 31, back at
    the pins in 31 + 12 = 43. Latencies from ready (10) to handed over: 12, 13, 14.
    """
    _, mapping = lonely(2, Polarity(5))
    levels = {"x": 1, "h": 3, "y": 1}
    activity = Activity({name: np.full((1, 1, 1), level) for name, level in levels.items()})
    result = simulate(mapping, activity)
    assert result.timing.latency.tolist() == [43]
    latencies = np.repeat(np.arange(LATENCY_BINS), result.timing.packet_latency)
    assert latencies.tolist() == [7, 12, 13, 13, 14]
    totals = result.totals()
    assert totals["accumulate"] == 1 + 3


def test_ttfs_windows_worked_by_hand():
    """`lonely` with TTFS over T = 3: x sends once; h works three steps, and fires in its second (level 2).

    x's end marker is looked up at h in cycle 9 (see above), its only one. h: steps of one cycle each. Step 0: ready
    at 10, nothing to send, end marker at port 10. Step 1 starts at 10: spike and end ready at 11: port 11 and 12. The
    third step starts when that end marker was emitted: at 11 (the port is asked then). It ends in 12; its ready token
    waits for the port: 13, end marker 14. At y's core in 14 + 12 = 26, looked up 27. From there as ever:
    walk → 28, two flits 28 and 29, token 30, end marker 31, pins 43.
    """
    _, mapping = lonely(2, TTFS(3))
    levels = {"x": [1, 0, 0], "h": [0, 2, 0], "y": [1, 0, 0]}
    activity = Activity({name: np.array(v).reshape(1, 3, 1) for name, v in levels.items()})
    result = simulate(mapping, activity)
    assert result.timing.latency.tolist() == [43]
    assert result.counts.ends.tolist() == [[1, 0, 0], [1, 1, 1], [1, 0, 0]]
    assert result.counts.readies.tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert result.counts.updates.tolist() == [[0, 0, 0], [1, 1, 1], [1, 0, 0]]
    totals = result.totals()
    # One comparison and one threshold read a step.
    assert (totals["compare"], totals["threshold_read"], totals["encode"]) == (3, 3, 0)


@pytest.mark.parametrize(
    ("coding", "decodes", "multiply_bits", "shift_bits"),
    [
        (MTN(6), 0, 2, 0),  # values to 6: 3 bits, 2 partial products beside the first
        (MTN(6, spacing="power-of-two"), 0, 0, 3),  # shift by 0 .. 5: 3 stages, the level is the exponent
        (MTN((1.0, 1.7, 4.0), spacing="free"), 1, 7, 0),  # an 8-bit decode word
        (IF(6), 0, 0, 0),  # unit spikes
        (IF(6, signed=True, threshold_scale=0.7), 0, 0, 0),
        (Polarity(6, signed=True), 0, 0, 0),  # ... however many
        (TTFS(6), 0, 2, 0),  # the step counter, 6 .. 1
        (TTFS(300), 0, 8, 0),  # 9 bits, beyond any decode table
    ],
    ids=str,
)
def test_synapses_compute_what_the_coding_asks(coding, decodes, multiply_bits, shift_bits):
    rng = np.random.default_rng(0)
    network = chain([3, 4, 2], coding)
    weights = [Dense(p.source, p.target, rng.normal(size=p.weight.shape)) for p in network.projections]
    how = projection_arithmetic(map_network(Network(network.populations, tuple(weights)), REFERENCE))[1]
    assert (how.decodes, how.multiply_bits, how.shift_bits) == (decodes, multiply_bits, shift_bits)


def test_ttfs_adds_its_bias_once_a_window():
    """Weight words read for the bias: ⌈4 · accumulator bits / word bits⌉, at h in the first of three steps only."""
    rng = np.random.default_rng(0)
    network = chain([3, 4, 2], TTFS(3))
    biased = tuple(replace(p, bias=rng.normal(size=p.channels)) if p.name == "l1" else p for p in network.populations)
    silent = Activity({p.name: np.zeros((1, 3, p.size), int) for p in network.populations})

    def words(populations):
        result = simulate(map_network(Network(populations, network.projections), REFERENCE), silent)
        return result.totals()["weight_read"]

    bits = 4 * REFERENCE.core.accumulator_bits
    assert words(biased) - words(network.populations) == -(-bits // REFERENCE.core.weight_memory.word_bits)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), chips())
def test_more_lanes_and_more_banks_never_take_longer_alone(seed, chip):
    network = random_network(seed)
    activity = random_activity(network, seed, samples=1)
    slow = simulate(map_network(network, chip.replace({"core.synapse_lanes": 1})), activity).timing
    fast = simulate(map_network(network, chip.replace({"core.synapse_lanes": 64})), activity).timing
    assert fast.latency[0] <= slow.latency[0]


def test_layers_start_and_end_in_order():
    network = random_network(7)
    result = simulate(map_network(network, REFERENCE), random_activity(network, 7))
    start, end = result.timing.layer_start, result.timing.layer_end
    assert (start <= end).all()
    assert (end.max(axis=1) <= result.timing.latency).all()
    order = [network.populations.index(p) for p in network.order]
    assert (np.diff(start[:, order], axis=1) >= 0).all()


def test_unknown_fidelity_gets_the_nearest_name():
    network = chain([3, 2])
    with pytest.raises(
        SimulationError,
        match=r"fidelity: found 'paket', expected one of packet, flit, auto, analytic \(did you mean 'packet'",
    ):
        simulate(map_network(network, REFERENCE), random_activity(network, 0), fidelity="paket")


def test_activity_of_another_network_is_refused():
    network = chain([3, 2])
    with pytest.raises(ActivityError, match=r"activity\['l0'\]: found \(2, 1, 4\)"):
        simulate(map_network(network, REFERENCE), random_activity(chain([4, 2]), 0))
