"""Execution a row at a time, and asynchronous: against a naive twin, by hand, and as laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import ChipError, InputError, MappingError
from sfnhw.estimate import estimate
from sfnhw.mapping import map_network, verify
from sfnhw.mapping.balance import balance
from sfnhw.network import Conv2d, Network, Population, Sparse
from sfnhw.neurons import IF, SFN, Graded, Readout
from sfnhw.reports.coverage import coverage
from sfnhw.sim import simulate
from sfnhw.sim.event_log import PACKETS, record_events
from sfnhw.sim.event_records import EVENTS
from sfnhw.sim.parts import rows_needed
from tests import test_simulation
from tests.naive_twin import row_needs
from tests.networks import chain, random_activity, random_attention, random_inputs, random_network
from tests.test_simulation import assert_twin

REFERENCE = load_chip("reference")
BY_ROW = {"execution.granularity": "row"}


def chips(modes):
    """Any chip with room for the number of a row in a flit, however narrow."""
    return test_simulation.chips(modes=modes).map(lambda chip: chip.replace({"noc.header_bits": 10}))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 4]), chips(modes=("dataflow", "asynchronous")), st.floats(0, 1))
def test_every_cycle_a_row_at_a_time_equals_the_naive_twin(seed, T, chip, rate):
    network = random_network(seed, T)
    mapping = map_network(network, chip.replace(BY_ROW))
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), chips(modes=("dataflow",)), st.floats(0, 1))
def test_attention_a_token_at_a_time_equals_the_naive_twin(seed, chip, rate):
    network = random_attention(seed)
    mapping = map_network(network, chip.replace(BY_ROW))
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 5), chips(modes=("asynchronous",)), st.booleans(), st.floats(0, 1))
def test_asynchronous_recurrent_networks_equal_the_naive_twin_and_never_deadlock(seed, T, chip, by_row, rate):
    network = random_network(seed, T, recurrent=True)
    mapping = map_network(network, chip.replace(BY_ROW if by_row else {}))
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))


def column(rows: int = 2, last: tuple[int, int] = (1, 1)) -> Network:
    """An image of one column → 1 × 1 convolution → readout of as many rows."""
    shape = (1, rows, 1)
    populations = (
        Population("x", shape, Graded(8), role="input"),
        Population("a", shape, SFN.uniform(4), function="relu"),
        Population("y", shape, Readout(), role="output"),
    )
    padding = tuple(n // 2 for n in last)
    first = Conv2d("x", "a", np.ones((1, 1, 1, 1)))
    return Network(populations, (first, Conv2d("a", "y", np.ones((1, 1, *last)), padding=padding)))


def loop(T: int) -> Network:
    """x → a → y, and a → a a timestep later."""
    populations = (
        Population("x", (1,), Graded(8), role="input"),
        Population("a", (1,), IF(T)),
        Population("y", (1,), Readout(T), role="output"),
    )
    ends = (("x", "a", 0), ("a", "y", 0), ("a", "a", 1))
    return Network(populations, tuple(Sparse(a, b, [1.0], [0, 1], [0], delay) for a, b, delay in ends))


def all_ones(network: Network, T: int = 1) -> Activity:
    return Activity({p.name: np.ones((1, T, p.size), int) for p in network.populations})


SLOW = REFERENCE.replace({"noc.columns": 2, "noc.rows": 1, "core.threshold_unit.update_cycles": 50})


def test_two_rows_through_two_layers_worked_by_hand():
    """Pins and `a` on router 0, `y` on router 1; a neuron's update takes 50 cycles, two rows of one neuron each.

    Over one router a packet takes 7 cycles, over two 12 (test_simulation). Layer: x leaves in cycles 0 and 1, its marker in
    2, at a's core in 9; looked up 10. a walks until 60 and 110; spikes in 60 and 110, token 111, marker 112, at y's core in
    124, looked up 125. y: results of two flits (12 + 1 + 24 bits) when ready in 175 and 225; token 227, marker 228, at the
    pins in 240.
    Row: x leaves in 0, its row's marker in 1, the second row in 2 and 3. Row 0 of a is fed in 8 + 1 = 9 (its spike's synapse
    ends then too), row 1 in 11. Row 0 walks 9 to 59: spike 59, token 60, marker 61, at y's core in 73, looked up 74. Row 1
    walks 59 to 109: marker 111, at y in 123, looked up 124. y: row 0 from 74 to 124, row 1 from 124 to 174: result in 174
    and 175, token 176, marker 177, at the pins in 189.
    """
    network = column()
    for granularity, latency in (("layer", 240), ("row", 189)):
        mapping = map_network(network, SLOW.replace({"execution.granularity": granularity}), placer="sequential")
        assert mapping.terminals.tolist() == [2, 0, 1]
        assert simulate(mapping, all_ones(network)).timing.latency.tolist() == [latency]


def test_a_row_waits_for_the_rows_under_its_kernel_and_no_others_worked_by_hand():
    """Four rows, y under a 3 × 1 kernel: its row 0 needs rows 0 and 1 of a, its row 3 rows 2 and 3.

    As above a walks from 9 to 59, 109, 159 and 209. Row 1's spike is at y in 121, looked up 122, and its three synapses take
    the lane until 125; its marker, looked up in 124, waits for them. Row 0 of y walks 125 to 175, when row 2 of a has come
    just so; row 1 to 225, row 2 to 275, and row 3, fed long before, to 325. Its result leaves in 325 and 326, the token in
    327, the marker in 328: 340.
    """
    network = column(4, (3, 1))
    assert rows_needed(network, network.projections[1]).astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
    ]
    timing = simulate(map_network(network, SLOW.replace(BY_ROW), placer="sequential"), all_ones(network)).timing
    assert timing.latency.tolist() == [340]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([random_network, random_attention]))
def test_rows_need_what_their_synapses_read(seed, make):
    network = make(seed)
    needs = row_needs(network)
    for k, p in enumerate(network.projections):
        assert {(int(y), int(z)) for z, y in np.argwhere(rows_needed(network, p))} == needs[k]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), chips(modes=("dataflow",)), st.floats(0, 1), st.booleans())
def test_rows_change_times_and_control_and_nothing_else(seed, T, chip, rate, attention):
    """As many spikes, packets and synaptic operations, flits of packets too; an end marker and a token for each row."""
    network = random_attention(seed) if attention else random_network(seed, T)
    activity = random_activity(network, seed, samples=2, rate=rate)
    layer, row = (map_network(network, c) for c in (chip, chip.replace(BY_ROW)))
    assert layer.slices == row.slices
    assert verify(row).ok
    whole, parted = (simulate(m, activity, threads=1) for m in (layer, row))
    rows = np.array([s.block.rows for s in row.slices])
    a, b = whole.counts, parted.counts
    for name in ("sent", "updates", "spikes", "delivered", "node_packets", "row_packets", "row_synapses", "row_words"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert np.array_equal(a.row_state, b.row_state)
    assert np.array_equal(b.ends, a.ends * rows[:, None])
    assert np.array_equal(b.readies, a.readies * rows[:, None])
    before, after = whole.totals(), parted.totals()
    assert all(after[action] >= count for action, count in before.items())
    for name in ("accumulate", "multiply_bit", "neuron_update", "compare", "spike", "weight_write"):
        assert after[name] == before[name]
    # The closed form counts the same, and the mapper's balance has the same work.
    analytic = simulate(row, activity, fidelity="analytic")
    assert b.equals(analytic.counts)
    assert np.array_equal(parted.actions.core, analytic.actions.core)
    assert np.array_equal(parted.timing.link_busy, analytic.timing.link_busy)
    assert np.array_equal(parted.timing.busy[:, 2:], analytic.timing.busy[:, 2:])
    assert np.array_equal(parted.timing.busy[:-1], balance(row, activity).units[:-1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 4), chips(modes=("dataflow",)))
def test_one_row_is_a_layer(seed, T, chip):
    """Populations without rows work as they did, to the cycle."""
    rng = np.random.default_rng(seed)
    network = chain([int(n) for n in rng.integers(1, 60, 4)], IF(T))
    activity = random_activity(network, seed)
    whole, parted = (simulate(map_network(network, c), activity, threads=1) for c in (chip, chip.replace(BY_ROW)))
    assert whole.counts.equals(parted.counts)
    assert np.array_equal(whole.timing.latency, parted.timing.latency)
    assert whole.timing.interval == parted.timing.interval
    assert np.array_equal(whole.actions.core, parted.actions.core)


def test_rows_can_take_longer():
    """A port of 20 cycles a packet, rows of one silent neuron: all that leaves is markers and tokens, and they wait."""
    network = column(8)
    silent = Activity({p.name: np.zeros((1, 1, p.size), int) for p in network.populations})
    chip = REFERENCE.replace({"noc.port_cycles": 20})
    layer, row = (simulate(map_network(network, c), silent).latency_cycles for c in (chip, chip.replace(BY_ROW)))
    assert row > layer


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 4), chips(modes=("dataflow",)), st.booleans(), st.floats(0, 1))
def test_asynchronous_is_dataflow_where_nothing_is_delayed(seed, T, chip, by_row, rate):
    network = random_network(seed, T)
    activity = random_activity(network, seed, rate=rate)
    chip = chip.replace(BY_ROW if by_row else {})
    first, second = (
        simulate(map_network(network, chip.replace({"execution.mode": mode})), activity, threads=1)
        for mode in ("dataflow", "asynchronous")
    )
    assert first.counts.equals(second.counts)
    assert np.array_equal(first.timing.latency, second.timing.latency)
    assert first.timing.interval == second.timing.interval


def test_a_loop_worked_by_hand():
    """Pins and `a` on router 0, `y` on router 1, an update of 50 cycles, T = 2, everything spikes.

    x's first step leaves in 0 and 1: a is fed in 9 and walks to 59. Its spike leaves for itself (7 cycles over one router)
    and for y in 59, a token to itself and to x in 60, its marker in 61: at a's own core in 68, looked up 69. So step 1
    starts in 69, for x's second step has long come, and walks to 119; its marker leaves in 121, at y in 133, looked up 134.
    y's step 0 walks from 74 to 124 (its result leaves with the last step), its step 1 from 134 to 184: a result of two
    flits leaves in 184, the token in 186, the marker in 187, at the pins in 199.
    With one bank, a's step 1 waits until y has read out step 0: its token leaves in 124 and is at a in 136. a walks to 186,
    its marker leaves in 188, is at y in 200 and looked up in 201; y walks to 251, its marker leaves in 254: 266.
    """
    network = loop(2)
    for banks, latency in ((1, 266), (2, 199)):  # a has one set more, for the step after
        chip = SLOW.replace({"execution.mode": "asynchronous", "core.state_banks": banks})
        mapping = map_network(network, chip, placer="sequential")
        assert mapping.terminals.tolist() == [2, 0, 1]
        a, y = (mapping.demands[mapping.slices_of(name)[0].index].state_bits for name in ("a", "y"))
        assert (a, y) == (24 * (banks + 1), 24 * banks)
        assert verify(mapping).ok
        assert simulate(mapping, all_ones(network, 2)).timing.latency.tolist() == [latency]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 4), chips(modes=("asynchronous",)), st.booleans(), st.floats(0, 1))
def test_asynchronous_loops_are_counted_as_under_a_barrier(seed, T, chip, by_row, rate):
    """The mode changes no spike, packet or synaptic operation; the closed form counts what the packets do."""
    network = random_network(seed, T, recurrent=True)
    activity = random_activity(network, seed, rate=rate)
    mapping = map_network(network, chip.replace(BY_ROW if by_row else {}))
    assert verify(mapping).ok
    result = simulate(mapping, activity, threads=1)
    step = simulate(map_network(network, chip.replace({"execution.mode": "barrier"})), activity, threads=1)
    for name in ("accumulate", "spike", "neuron_update", "multiply_bit"):
        assert result.totals()[name] == step.totals()[name]
    assert int(result.counts.sent.sum()) == int(step.counts.sent.sum())
    analytic = simulate(mapping, activity, fidelity="analytic")
    assert result.counts.equals(analytic.counts)
    assert np.isfinite(analytic.timing.latency).all()
    assert analytic.timing.interval > 0


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_closed_form_is_near_the_packets(recurrent):
    """A row at a time, and asynchronous with a loop over three steps: each latency within 20 %."""
    for seed in range(12):
        network = random_network(seed, 3, recurrent=True) if recurrent else random_network(seed)
        changes = {"execution.mode": "asynchronous"} if recurrent else BY_ROW
        mapping = map_network(network, REFERENCE.replace({"core.neurons": 128, **changes}))
        activity = random_activity(network, seed, rate=0.4)
        packet, analytic = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "analytic"))
        assert analytic.latency_cycles == pytest.approx(packet.latency_cycles, rel=0.2)


def test_what_cannot_be_is_refused():
    with pytest.raises(ChipError, match=r"execution.granularity.*layer under execution.mode: barrier"):
        REFERENCE.replace({"execution.mode": "barrier", **BY_ROW})
    with pytest.raises(ChipError, match=r"execution.granularity.*'rows'"):
        REFERENCE.replace({"execution.granularity": "rows"})
    with pytest.raises(MappingError, match=r"noc.flit_bits.*one of 5 rows.*noc.flit_bits to 10"):
        map_network(column(5), REFERENCE.replace({"noc.header_bits": 7, "noc.flit_bits": 9, **BY_ROW}))
    narrow = REFERENCE.replace({"noc.header_bits": 7, "noc.flit_bits": 9})
    mapping = map_network(column(5), narrow)
    assert verify(mapping).ok
    found = verify(replace(mapping, chip=narrow.replace(BY_ROW)))
    assert [v.kind for v in found.violations] == ["tables"]
    with pytest.raises(InputError, match=r"delay.*barrier or asynchronous"):
        map_network(loop(2), REFERENCE)
    with pytest.raises(InputError, match=r"other operand.*dataflow or asynchronous"):
        map_network(random_attention(0), REFERENCE.replace({"execution.mode": "barrier"}))


def test_a_report_says_what_starts_and_what_is_left_out():
    network = random_network(3)
    for changes, starts, counters in ((BY_ROW, "each row (or token)", True), ({}, "a layer", False)):
        run = estimate(network, REFERENCE.replace(changes), random_inputs(network, 3), baselines=())
        said = coverage(run)
        assert f"the end markers that tell {starts} that its inputs are complete" in " ".join(said["counted"])
        assert ("counters of end markers" in " ".join(said["not_counted"])) == counters


def test_an_event_log_names_rows():
    """Each row of each slice walks once (but at the pins), and ends and is told ready as the counts say."""
    network = random_network(3)
    mapping = map_network(network, REFERENCE.replace({"core.neurons": 100, **BY_ROW}))
    activity = random_activity(network, 3, samples=1)
    log = record_events(mapping, activity).columns
    inside = [s for s in mapping.slices if network[s.population].role != "input"]
    walks = [(s.index, y) for s in inside for y in range(s.block.r0, s.block.r1)]
    at = log["event"] == EVENTS.index("threshold")
    assert sorted(zip(log["slice"][at].tolist(), log["row"][at].tolist(), strict=True)) == sorted(walks)
    injected = log["event"] == EVENTS.index("inject")
    for packet, slices in (("end", mapping.slices), ("ready", inside)):
        at = injected & (log["packet"] == PACKETS.index(packet))
        every = [(s.index, y) for s in slices for y in range(s.block.r0, s.block.r1)]
        assert sorted(zip(log["slice"][at].tolist(), log["row"][at].tolist(), strict=True)) == sorted(every)
    assert (log["row"][log["packet"] == PACKETS.index("spike")] == -1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 5), chips(modes=("asynchronous",)), st.floats(0.2, 1))
def test_no_accumulators_are_written_before_they_are_read_out(seed, T, chip, rate):
    """By the event log: of step t nothing leaves for b, d steps early, before b's walk of step t + d − B has ended.

    And b's walk of step t begins when all that came for it has been looked up.
    """
    network = random_network(seed, T, recurrent=True)
    mapping = map_network(network, chip)
    log = record_events(mapping, random_activity(network, seed, samples=1, rate=rate)).columns
    walk, leave, look = (log["event"] == EVENTS.index(name) for name in ("threshold", "inject", "axon"))
    sends = leave & (log["packet"] != PACKETS.index("ready"))
    delay = [getattr(p, "delay", 0) for p in network.projections]
    c = mapping.connections
    for a, b, k in zip(c.source.tolist(), c.target.tolist(), c.projection.tolist(), strict=True):
        early = max(delay[i] for i, p in enumerate(network.projections) if p.target == mapping.slices[b].population)
        for t in range(T):
            mine = sends & (log["slice"] == a) & (log["timestep"] == t)
            before = walk & (log["slice"] == b) & (log["timestep"] == t + delay[k] - chip.core.state_banks - early)
            assert log["begin_cycle"][mine].min() >= log["end_cycle"][before].max(initial=0)
            if t + delay[k] < T:
                came = look & (log["slice"] == a) & (log["target_slice"] == b) & (log["timestep"] == t)
                read = walk & (log["slice"] == b) & (log["timestep"] == t + delay[k])
                assert log["end_cycle"][came].max() <= log["begin_cycle"][read].min()
