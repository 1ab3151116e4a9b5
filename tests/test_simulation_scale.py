"""What makes simulation fast changes nothing: shortcuts against the long way, sums against plain Python, order of events."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.sim import kernel_state, simulate
from sfnhw.sim import wheel as wheel_module
from sfnhw.sim.fanout import row_costs, row_cycles
from sfnhw.sim.following import following
from sfnhw.sim.packed import pack
from sfnhw.sim.packet import _shares
from sfnhw.sim.route_nodes import ranges
from sfnhw.sim.running import run_frames
from sfnhw.sim.stream import check_finished, empty_tally, stream_interval
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.networks import chain, random_activity, random_network
from tests.test_simulation import REFERENCE, chips


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 4, 8, 16]),
    chips(modes=("barrier",)),
    st.floats(0, 1),
    st.integers(1, 3),
)
def test_under_a_barrier_the_interval_is_that_of_samples_run_back_to_back(seed, T, chip, rate, samples):
    network = random_network(seed, T, recurrent=T > 1)
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, samples, rate)
    result = simulate(mapping, activity, threads=1)
    tables, sent = result.tables, sent_neurons(mapping, activity)
    assert result.timing.interval == stream_interval(tables, pack(tables), sent, following(tables, sent)).interval


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), chips(modes=("barrier",)), st.floats(0, 1))
def test_under_a_barrier_the_interval_of_one_inference_is_a_step_in_which_all_layers_work(seed, chip, rate):
    """At T = 1 with one and the same inference again and again, a result comes with each step; all steps but the first and
    the last few are alike, so the interval is the length of any of them."""
    network = random_network(seed)
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, 1, rate)
    result = simulate(mapping, activity, threads=1)
    tables, depth, many = result.tables, max(network.depth.values()), 12
    frames = np.repeat(sent_neurons(mapping, activity)[0], many, axis=0)
    tally = empty_tally(tables, many, 1, many + depth)
    check_finished(run_frames(frames, 1, tables.slices, pack(tables), tables.fabric, tally))
    steps = np.diff(tally.step_end)[depth : many - 1]
    if not tally.carried[0]:  # else a step begins while links are still taken, and not all are alike
        assert set(steps.tolist()) == {result.timing.interval}


def test_under_a_barrier_long_samples_are_not_run_back_to_back(monkeypatch):
    """The shortcut is taken where steps end on an empty chip: a run of all samples would fail here."""

    def never(*_):
        raise AssertionError("all samples were run back to back")

    monkeypatch.setattr("sfnhw.sim.stream.stream_interval", never)
    network = random_network(7, 16, recurrent=True)
    mapping = map_network(network, REFERENCE.replace({"execution.mode": "barrier"}))
    result = simulate(mapping, random_activity(network, 7, 1, 0.2), threads=1)
    assert 0 < result.timing.interval < result.timing.latency[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), chips(), st.floats(0, 1), st.integers(0, 7))
def test_sums_over_fan_outs_are_those_of_a_walk_over_neurons(seed, T, chip, rate, axon_cycles):
    network = random_network(seed, T)
    mapping = map_network(network, chip)
    tables = build_tables(mapping)
    s, r, fabric = tables.slices, tables.rows, tables.fabric._replace(axon_cycles=axon_cycles)
    frames = sent_neurons(mapping, random_activity(network, seed, 2, rate)).reshape(2 * T, -1)
    costs, cycles = row_costs(s, r, frames), row_cycles(s, r, frames, fabric)
    c, lanes, each = mapping.connections, chip.core.synapse_lanes, chip.core.synapse_cycles
    for k in np.random.default_rng(seed).permutation(len(c))[:5]:
        source = mapping.slices[c.source[k]]
        mine = frames[:, s.first_neuron[source.index] :][:, : source.neurons].astype(int)
        runs, widths = c.runs(k, source.neurons), c.widths(k, source.neurons)
        written = r.stationary[k]
        assert costs[0, k].tolist() == (mine @ (runs * widths * (not written))).tolist()
        lane_cycles = runs * -(-widths // lanes) * each
        both = np.maximum(lane_cycles, axon_cycles) if chip.core.axon_overlap else lane_cycles + axon_cycles
        if chip.noc.destinations == "neuron":
            both *= lane_cycles > 0
        assert cycles[k].tolist() == (mine @ both).tolist()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_the_wheel_gives_events_by_time_and_those_of_a_cycle_in_order_of_arrival(seed, count):
    """Against a heap; delays from none to several times round the wheel."""
    w, rng = wheel_module, np.random.default_rng(seed)
    far = 3 * w.TURN_SLOTS << w.TURN_BITS
    memory = w.free_events(w.BUCKETS + count)
    times, events = memory["when_born"], memory["events"]
    events.reshape(-1, 8)[: w.BUCKETS, w.NEXT] = -1
    tail, many, free = np.arange(w.BUCKETS), np.zeros(w.TURN_SLOTS, np.int64), w.BUCKETS
    heads, queue, order, now, seen, expected = np.zeros(w.LISTS, np.int64), [], 0, 0, [], []

    def push(when):
        nonlocal free, order
        free = w.push(times, events, tail, many, free, now, when, 0, order, 0, 0)
        heapq.heappush(queue, (when, order))
        order += 1

    for _ in range(min(count, 20)):
        push(int(rng.integers(0, 3000)))
    while queue:
        expected.append(heapq.heappop(queue))
        while now < expected[-1][0]:  # turns begin one after the other
            now = min(expected[-1][0], ((now >> w.TURN_BITS) + 1) << w.TURN_BITS)
            if now & (w.WHEEL - 1) == 0:
                w.deal(times, events, tail, many, heads, now >> w.TURN_BITS)
        bucket = now & (w.WHEEL - 1)
        e = int(events[bucket * 8 + w.NEXT])
        assert e >= 0
        seen.append((int(times[e * 4 + w.WHEN]), int(events[e * 8 + w.WHAT])))
        events[bucket * 8 + w.NEXT] = events[e * 8 + w.NEXT]
        if events[bucket * 8 + w.NEXT] < 0:
            tail[bucket] = bucket
        while order < count and rng.random() < 0.7:
            push(now + int(rng.choice([0, rng.integers(0, 50), rng.integers(0, 100_000), rng.integers(0, far)])))
    assert seen == expected


@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from([0, 4, 16]))
def test_threads_share_all_samples_and_the_one_with_the_stream_takes_fewest(samples, threads, stream):
    bounds = _shares(samples, threads, stream)
    shares = np.diff(bounds)
    assert bounds[0] == 0
    assert bounds[-1] == samples
    assert (shares >= 0).all()
    assert len(shares) <= threads
    assert shares[0] + stream <= max(shares.max() + 1, stream) or len(shares) == 1


@pytest.mark.parametrize("mode", ["dataflow", "barrier"])
def test_little_memory_for_events_at_first_changes_nothing(monkeypatch, mode):
    """Events outgrow their memory again and again."""
    network = random_network(3, 2)
    mapping = map_network(network, load_chip("reference").replace({"execution.mode": mode}))
    tables = build_tables(mapping)
    packed = pack(tables)
    frames = sent_neurons(mapping, random_activity(network, 3, 2, 0.9)).reshape(4, -1)
    tallies = []
    for rooms in (1, kernel_state.FIRST_ROOMS):
        monkeypatch.setattr(kernel_state, "FIRST_ROOMS", rooms)
        tallies.append(empty_tally(tables, 4, 2))
        check_finished(run_frames(frames, 2, tables.slices, packed, tables.fabric, tallies[-1]))
    for one, other in zip(*tallies, strict=True):
        assert np.array_equal(one, other)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), chips(), st.sampled_from([2, 3, 4, 6]))
def test_the_closed_form_of_the_same_sample_several_times_is_that_of_one(seed, T, chip, times):
    """Results over narrow pins, whose end markers were once counted for each sample again, are what mostly binds here.

    As often as makes 12 in a row, as of one: the gaps of the first few results may differ by a cycle or so from all later ones.
    """
    network = random_network(seed, T)
    mapping = map_network(network, chip.replace({"io.bits_per_cycle": 1}))
    one = random_activity(network, seed, 1, 0.1)
    several = Activity({name: np.repeat(levels, times, axis=0) for name, levels in one.levels.items()})
    alone, together = (simulate(mapping, a, fidelity="analytic") for a in (one, several))
    assert together.timing.interval == pytest.approx(alone.timing.interval, rel=1e-12)
    assert (together.timing.busy == times * alone.timing.busy).all()
    assert (together.timing.latency == alone.timing.latency[0]).all()


def test_ranges():
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]


def test_results_come_no_faster_than_the_busiest_unit_works_whatever_is_measured():
    """Of 120 samples 119 are silent, and so are the 40 measured: a lane of the other one sets the pace.

    64 spikes of 64 synapses, 8 at once of 100 cycles, take it 51,200 cycles: a hundred-and-twentieth of that in the mean.
    """
    chip = REFERENCE.replace({"noc.columns": 2, "noc.rows": 1, "core.synapse_lanes": 8, "core.synapse_cycles": 100})
    mapping = map_network(chain([64, 64, 64]), chip)
    levels = {p.name: np.zeros((120, 1, 64), np.int16) for p in mapping.network.populations}
    for values in levels.values():
        values[17] = 1
    for fidelity in ("packet", "flit", "analytic"):
        timing = simulate(mapping, Activity(levels), fidelity=fidelity, threads=1).timing
        assert timing.streamed == 40
        assert timing.busy[:, 1].max() == 51_200
        assert timing.interval == 51_200 / 120
