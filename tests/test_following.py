"""Samples back to back: the set says which follow one another, not its order, and each counts as often as any other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import SimulationError
from sfnhw.mapping import map_network
from sfnhw.reports.summary import measured_text
from sfnhw.sim import simulate
from sfnhw.sim.following import USUAL, Following, following
from sfnhw.sim.packed import pack
from sfnhw.sim.stream import stream_interval
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.networks import chain, random_activity, random_network
from tests.test_simulation import chips

SMALL = load_chip("reference").replace({"noc.columns": 2, "noc.rows": 1})


def permuted(activity, order):
    return Activity({name: levels[order] for name, levels in activity.levels.items()})


def of_levels(levels):
    """Tables and spikes of a chain of 20, 20 and 4 neurons of which so many of each layer spike; levels : (samples, 3)."""
    sizes = (20, 20, 4)
    mapping = map_network(chain(list(sizes)), SMALL)
    names = [p.name for p in mapping.network.populations]
    spikes = {
        name: (np.arange(size) < np.array(levels)[:, i, None, None]).astype(int)
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
    }
    return build_tables(mapping), sent_neurons(mapping, Activity(spikes))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    st.one_of(chips(modes=("barrier",)), chips()),
    st.integers(2, 30),
    st.sampled_from(["packet", "flit", "analytic"]),
)
def test_the_interval_is_the_same_in_whatever_order_samples_come(seed, T, chip, samples, fidelity):
    """Samples of very unlike loads; some come twice, so that there are ties. What `flit` refuses it refuses in either order."""
    network, rng = random_network(seed, T), np.random.default_rng(seed)
    mapping = map_network(network, chip)
    parts = [
        random_activity(network, seed + k, 1, rate) for k, rate in enumerate(rng.choice([0, 0.05, 0.3, 0.9], samples))
    ]
    parts[-1] = parts[0]
    one = Activity({p.name: np.concatenate([part.levels[p.name] for part in parts]) for p in network.populations})
    other = permuted(one, rng.permutation(samples))

    def timed(activity):
        try:
            return simulate(mapping, activity, fidelity=fidelity, threads=1).timing
        except SimulationError as refused:
            return str(refused)

    first, second = timed(one), timed(other)
    if isinstance(first, str):
        assert fidelity == "flit"
        assert "buffer_flits" in first
        assert second == first
        return
    # Sums of the closed form may be added in another order; those of the simulation are of whole numbers.
    assert second.interval == pytest.approx(first.interval, rel=1e-9 if fidelity == "analytic" else 0)
    assert second.streamed == first.streamed
    assert second.stream_congestion == first.stream_congestion


def test_few_samples_are_all_measured_each_as_often_as_any_other():
    """Until they are 12; up to 48 there is nothing to choose."""
    for samples in (*range(1, USUAL + 1), 13, 24, 47, 48):
        follow = following(*of_levels([(k % 21, 20 - k % 21, k % 3) for k in range(samples)]))
        times = np.bincount(follow.order, minlength=samples)
        assert (times == max(1, -(-12 // samples))).all()
        assert (follow.chosen, follow.load) == (samples, 1.0)


def test_of_many_samples_one_of_each_stratum_is_taken_and_the_mean_is_that_of_all():
    """300 samples, so 43 of them: of strata of seven, and one of six in the middle, by what comes into the busiest core."""
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 21, (300, 3))
    tables, sent = of_levels(levels)
    follow = following(tables, sent)
    order = follow.order
    assert len(order) == len(set(order.tolist())) == 43
    # 20 synapses each behind the 20 inputs, 4 each behind the 20 neurons.
    rank = np.empty(300, int)
    rank[np.argsort(levels[:, 0], kind="stable")] = np.arange(300)
    counts = np.bincount(levels[:, 0], minlength=21)
    upto = np.cumsum(counts)
    bounds = np.cumsum([0] + 21 * [7] + [6] + 21 * [7])
    for stratum, load in enumerate(np.sort(levels[order, 0])):
        # One of each stratum, but that equal loads may be on either side of a bound.
        assert upto[load] - counts[load] < bounds[stratum + 1]
        assert upto[load] > bounds[stratum]
    assert follow.load == pytest.approx(levels[order, 0].mean() / levels[:, 0].mean(), abs=0.02)
    # Of 43 drawn at random a mean is off by 6 / √43 = 0.9 in the mean square.
    assert np.abs(levels[order, :2].mean(axis=0) - levels[:, :2].mean(axis=0)).max() < 0.3


@pytest.mark.parametrize("mode", ["dataflow", "barrier"])
def test_the_interval_of_those_chosen_is_about_that_of_all_in_a_row(mode):
    """300 samples, a fifth of which spike five times as much as the others, and come last in the file.

    All of them in another order are 1 % apart, on so small a chip; of thirty drawn at random, eight times, the worst was 23 % off.
    """
    network = chain([60, 40, 20, 4])
    mapping = map_network(network, load_chip("reference").replace({"execution.mode": mode, "core.neurons": 20}))
    parts = [random_activity(network, 5, 240, 0.15), random_activity(network, 6, 60, 0.75)]
    activity = Activity({p.name: np.concatenate([part.levels[p.name] for part in parts]) for p in network.populations})
    result = simulate(mapping, activity, threads=1)
    shuffled = Following(np.random.default_rng(0).permutation(300), 1)
    every = stream_interval(result.tables, pack(result.tables), sent_neurons(mapping, activity), shuffled).interval
    assert result.timing.streamed == 43
    assert result.timing.interval == pytest.approx(every, rel=0.04)
    light = simulate(mapping, parts[0], threads=1).timing.interval
    assert light < 0.9 * every  # the first of the file say nothing of the last


def test_a_load_that_no_choice_can_have_is_told():
    """One heavy sample among silent ones: of 40 all are measured; of 100 every third, and the heavy one would be three."""
    one_heavy = [(20, 20, 0)] + 99 * [(0, 0, 0)]
    assert following(*of_levels(one_heavy[:40])).load == 1.0
    follow = following(*of_levels(one_heavy))
    assert follow.chosen == 34
    heavy = bool((follow.order == 0).any())
    assert follow.load == pytest.approx(100 / 34 if heavy else 0.0)
    text = measured_text(
        {"back_to_back": {"inferences_measured": 34, "load_of_measured": 0.0}, "samples": 100, "fidelity": "packet"}
    )
    assert (
        text
        == " (34 of 100 inferences, chosen by load; their load is 0 % of that of all: few are much heavier or lighter)"
    )


def test_the_load_is_of_the_samples_in_order_by_hand():
    """Of spikes 1 and 3, 2 in the mean; of operations 2 and 2."""
    follow = Following(np.array([0, 1]), 1, np.array([[1, 3], [2, 2]]))
    assert follow.load == 1.0
    assert follow._replace(order=np.array([0])).load == 0.5
    assert follow._replace(order=np.array([1, 1])).load == 1.5


def test_what_is_measured_by_hand():
    """Three samples, twice each: three fill the chip, and six intervals are measured, from the last one's result on."""
    follow = Following(np.array([2, 0, 1, 2, 0, 1]), 1)
    assert follow.before == 3
    assert follow.run(1).tolist() == [2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert follow.interval(np.array([5, 6, 8, 11, 15, 20, 26, 33, 41, 99])) == (41 - 8) / 6
    # Results that come in twos, 0 and 10 cycles apart, of three samples: two stretches that each hold all three.
    twos = Following(np.array([0, 1, 2]), 2)
    finish = np.array([10, 10, 20, 20, 30])
    assert twos.run(0).tolist() == [0, 1, 2, 0, 1]
    assert twos.interval(finish) == ((finish[3] - finish[0]) / 3 + (finish[4] - finish[1]) / 3) / 2 == 5


def test_fidelities_measure_the_same_samples():
    """On so small a chip nothing waits, and results come as fast at each."""
    network = chain([20, 20, 4])
    mapping = map_network(network, SMALL)
    activity = random_activity(network, 3, 25, 0.3)
    found = [simulate(mapping, activity, fidelity=f, threads=1).timing for f in ("packet", "flit", "analytic")]
    assert [timing.streamed for timing in found] == [25, 25, 25]
    assert found[1].interval == pytest.approx(found[0].interval, rel=0.02)
    assert found[2].interval == pytest.approx(found[0].interval, rel=0.05)
