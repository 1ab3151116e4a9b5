"""Rates: what is drawn from them obeys the laws of what they were estimated from."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.errors import ActivityError, InputError
from sfnhw.estimate import BASELINES, estimate
from sfnhw.mapping import map_network
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import IF, MTN, SFN, TTFS, Events, Graded, Readout
from sfnhw.rates import GRANULARITIES, Rates, compare, group_index
from sfnhw.record import record
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity, random_inputs, random_network

# Chance that a sound build fails one of the bounds below, for each example that Hypothesis tries.
ALPHA = 1e-9


def hoeffding(draws, spread=1.0):
    """How far the sum of independent draws, each within an interval of width `spread`, may be from its mean.

    P(|S − E S| ≥ t) ≤ 2·exp(−2t² / (n·spread²)) (Hoeffding 1963, theorem 2), solved for probability ALPHA.
    """
    return spread * math.sqrt(draws * math.log(2 / ALPHA) / 2)


def signed_network(steps=1):
    return Network(
        (
            Population("x", (3, 2, 2), Graded(4, signed=True), role="input"),
            Population("h", (5,), MTN(3, signed=True) if steps == 1 else IF(steps), function="identity"),
            Population("y", (2,), Readout(steps), role="output"),
        ),
        (Dense("x", "h", np.ones((5, 12))), Dense("h", "y", np.ones((2, 5)))),
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.sampled_from(GRANULARITIES))
def test_counts_are_right_in_the_mean(seed, T, by):
    """Expected spikes are the recorded ones exactly, and drawn ones lie within Hoeffding's bound of them."""
    network = random_network(seed % 50, T)
    activity = random_activity(network, seed, samples=3)
    if network.window < T:  # a static input is the same at every timestep
        levels = activity.levels["image"]
        activity = Activity({**activity.levels, "image": np.broadcast_to(levels[:, :1], levels.shape)})
    rates = Rates.of(activity, network, by)
    expected, recorded = rates.expected_spikes(network), activity.spikes(network)
    drawn = rates.sample(network, 40, seed)
    drawn.check(network)
    for p in network.populations:
        assert expected[p.name] * 3 == pytest.approx(recorded[p.name], rel=1e-9), p.name
        static = T > 1 and p.role == "input"
        draws = 40 * p.size * (1 if static else T)
        most = p.coding.max_level if p.coding.burst else 1
        bound = hoeffding(draws, spread=network.updates if static else most)
        assert abs(drawn.spikes(network)[p.name] - 40 * expected[p.name]) <= bound, p.name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.sampled_from(GRANULARITIES))
def test_each_level_is_as_frequent_as_recorded(seed, T, by):
    """Rows sum to 1; each level's probability is its share of the group, counted here one group at a time."""
    network = random_network(seed % 50, T)
    activity = record(network, random_inputs(network, seed, 4)).activity
    rates = Rates.of(activity, network, by)
    for p in network.populations:
        if p.role == "output":
            continue
        mine, group = rates.populations[p.name], group_index(p, by)
        values, table = mine.distribution()
        assert table.sum(axis=2) == pytest.approx(1, abs=1e-12)
        for t in range(mine.steps):
            for g in range(mine.groups):
                seen = activity.levels[p.name][:, t][:, group == g]
                assert table[t, g] == pytest.approx([(seen == v).mean() for v in values], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]))
def test_one_sample_neuron_by_neuron_is_drawn_back_exactly(seed, T):
    """The limit of fine groups: every probability is 0 or 1, so nothing is left to chance."""
    network = random_network(seed % 50, T)
    activity = record(network, random_inputs(network, seed, 1)).activity
    drawn = Rates.of(activity, network, "neuron").sample(network, 3, seed)
    for p in network.populations:
        if p.role != "output":
            assert (drawn.levels[p.name] == activity.levels[p.name]).all(), p.name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.booleans())
def test_a_neuron_whose_time_is_its_value_fires_once(seed, T, signed):
    """At most one spike in a window, with the level of its step; each step and sign as often as its rate says."""
    network = chain([3, 4, 2], TTFS(T, signed=signed))
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(2 * T + 1))  # one for each step and sign, and one for silence
    positive, negative = shares[:T], shares[T : 2 * T] * signed
    rows = {1: [[p] for p in positive]} | ({-1: [[p] for p in negative]} if signed else {})
    rates = Rates.given(network, {"l0": 0.3, "l1": {"by": "population", "levels": rows}})
    drawn = rates.sample(network, 500, seed).levels["l1"]
    assert ((drawn != 0).sum(axis=1) <= 1).all()
    left = np.arange(T, 0, -1)[None, :, None]
    assert (np.abs(drawn) == left * (drawn != 0)).all()
    bound = hoeffding(500 * 4)
    for t in range(T):
        assert abs((drawn[:, t] > 0).sum() - 2000 * positive[t]) <= bound
        assert abs((drawn[:, t] < 0).sum() - 2000 * negative[t]) <= bound
    assert rates.expected_spikes(network)["l1"] == pytest.approx(4 * (positive.sum() + negative.sum()))


def test_rates_that_would_make_such_a_neuron_fire_twice_are_refused():
    network = chain([3, 4, 2], TTFS(5))
    assert (Rates.given(network, {"*": 0.2}).sample(network, 3).levels["l1"] != 0).sum() == 3 * 4  # 5 · 0.2 is always
    with pytest.raises(ActivityError, match=r"rates\['l1'\]: a neuron fires once in 5 timesteps .* found 1\.25"):
        Rates.given(network, {"*": 0.25}).sample(network, 3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6))
def test_draws_depend_on_seed_and_name_alone(seed, T, few, more):
    """Other populations, their order and the number of samples change nothing; another seed does."""
    network = random_network(seed % 50, T)
    rates = Rates.given(network, {"*": 0.3})
    a = rates.sample(network, few, seed)
    turned = Network(network.populations[::-1], network.projections[::-1])
    other = Rates.given(turned, {"*": 0.33, "features": 0.3})
    b = other.sample(turned, few + more, seed)
    assert np.array_equal(a.levels["features"], b.levels["features"][:few])
    assert np.array_equal(a.levels["image"], rates.sample(network, few, seed).levels["image"])
    assert not np.array_equal(a.levels["image"], rates.sample(network, few, seed + 1).levels["image"])
    assert not np.array_equal(a.levels["image"], a.levels["conv"][:, :, : network["image"].size])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0, 1, 0.0, 1.0]), st.integers(0, 1000), st.integers(1, 300))
def test_rates_of_0_and_1_are_exact(rate, seed, levels):
    network = chain([7, 50, 3], SFN.uniform(levels))
    drawn = Rates.given(network, {"*": rate}).sample(network, 20, seed)
    assert (drawn.sent(network, "l1") == bool(rate)).all()
    assert drawn.levels["l1"].max() <= levels


def test_chunks_do_not_change_the_draw(monkeypatch):
    network = random_network(3, 3)
    rates = Rates.of(record(network, random_inputs(network, 3, 4)), network, "row")
    whole = rates.sample(network, 5, 1)
    monkeypatch.setattr("sfnhw.rates.sampling.CHUNK", 37)
    parts = rates.sample(network, 5, 1)
    for name, levels in whole.levels.items():
        assert np.array_equal(levels, parts.levels[name])


@pytest.mark.parametrize("by", GRANULARITIES)
@pytest.mark.parametrize("chunk", [1, 50, 400])
def test_chunks_do_not_change_the_counts(monkeypatch, by, chunk):
    network = random_network(3, 3)
    recording = record(network, random_inputs(network, 3, 7))
    whole = Rates.of(recording, network, by)
    monkeypatch.setattr("sfnhw.rates.recorded.CHUNK", chunk)
    parts = Rates.of(recording, network, by)
    for name, p in whole.populations.items():
        for key in ("probability", "levels", "offsets", "group"):
            assert np.array_equal(getattr(p, key), getattr(parts.populations[name], key))


def test_coding_laws():
    """Unsigned codings get no negative level, signed ones both signs, a readout sends each value once."""
    network = signed_network()
    drawn = Rates.given(network, {"x": 0.5, "h": {-3: 0.25, 1: 0.25}}).sample(network, 200, 0)
    assert set(np.unique(drawn.levels["x"])) == set(range(-7, 8))
    assert set(np.unique(drawn.levels["h"])) == {-3, 0, 1}
    assert drawn.spikes(network)["y"] == 200 * 2
    unsigned = chain([4, 4, 2])
    with pytest.raises(ActivityError, match="unsigned sfn coding does not have, found -1, expected levels from 0 to 4"):
        Rates.given(unsigned, {"l0": 0.1, "l1": {-1: 0.1}})


def test_a_static_input_stays_over_the_timesteps():
    network = chain([30, 20, 2], IF(5))
    drawn = Rates.given(network, {"*": 0.5}).sample(network, 4, 0)
    assert (drawn.levels["l0"] == drawn.levels["l0"][:, :1]).all()
    assert not (drawn.levels["l1"] == drawn.levels["l1"][:, :1]).all()
    with pytest.raises(ActivityError, match=r"rates\['l0'\]: found 'shape \(5, 1\)'"):
        Rates.given(network, {"*": 0.5, "l0": {"rate": [[0.1]] * 5}})


def test_rates_of_each_timestep_and_channel_are_kept():
    """Two channels over two timesteps, each with its own sure answer."""
    network = Network(
        (
            Population("x", (2, 1, 3), Events(2), role="input"),
            Population("y", (1,), Readout(2), role="output"),
        ),
        (Dense("x", "y", np.ones((1, 6))),),
    )
    rates = Rates.given(network, {"x": {"by": "channel", "rate": [[1, 0], [0, 1]]}})
    drawn = rates.sample(network, 3, 0).levels["x"]
    assert (drawn == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]).all()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("population", [0, 0, 0, 0, 0, 0, 0, 0]),
        ("channel", [0, 0, 0, 0, 1, 1, 1, 1]),
        ("row", [0, 0, 1, 1, 0, 0, 1, 1]),
        ("channel+row", [0, 0, 1, 1, 2, 2, 3, 3]),
        ("position", [0, 1, 2, 3, 0, 1, 2, 3]),
        ("neuron", [0, 1, 2, 3, 4, 5, 6, 7]),
        (np.array([[[7, 7], [7, 7]], [[2, 2], [2, 5]]]), [2, 2, 2, 2, 0, 0, 0, 1]),
    ],
)
def test_groups_worked_by_hand(by, expected):
    """Two channels of 2 × 2 positions, channel by channel, row by row."""
    assert group_index(Population("p", (2, 2, 2), Graded(4), role="input"), by).tolist() == expected


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 3]), st.sampled_from(GRANULARITIES))
def test_files_come_back_whole(tmp_path_factory, seed, T, by):
    path = tmp_path_factory.mktemp("rates") / "r.npz"
    network = random_network(seed % 50, T)
    rates = Rates.of(record(network, random_inputs(network, seed, 2)), network, by)
    rates.save(path)
    back = Rates.load(path, network)
    assert back.source == rates.source
    a, b = rates.sample(network, 3, 7), back.sample(network, 3, 7)
    assert all(np.array_equal(a.levels[name], b.levels[name]) for name in a.levels)
    assert [p.name for p in path.parent.iterdir()] == ["r.npz"]


def test_numbers_in_yaml_and_json(tmp_path):
    network = chain([4, 3, 2], SFN.uniform(2))
    (tmp_path / "r.yaml").write_text('l0: 0\n"*": {by: channel, levels: {1: [1, 0, 0], 2: [0, 1, 0]}}\n')
    (tmp_path / "r.json").write_text(
        json.dumps({"l0": 0, "l1": {"by": "neuron", "levels": {"1": [1, 0, 0], "2": [0, 1, 0]}}})
    )
    for name in ("r.yaml", "r.json"):
        drawn = Rates.load(tmp_path / name, network).sample(network, 2, 0)
        assert (drawn.levels["l1"] == [1, 2, 0]).all()
        assert not drawn.levels["l0"].any()


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"l0": 0.1, "l2": 0.1}, "expected one of l0, l1, l3"),
        ({"l0": 0.1, "l1x": 0.1}, "did you mean 'l1'?"),
        ({"l0": 0.1}, "a population is missing, found ['l0'], expected a rate for 'l1', or for '*'"),
        ({"l0": 1.1, "l1": 0}, "rates['l0']: found 1.1, expected probabilities from 0 to 1"),
        ({"l0": -0.1, "l1": 0}, "rates['l0']: found -0.1"),
        ({"l0": float("nan"), "l1": 0}, "rates['l0']: found nan"),
        ({"l0": True, "l1": 0}, "expected a firing rate"),
        ({"l0": "often", "l1": 0}, "expected a firing rate"),
        ({"l0": 0, "l1": {1: 0.7, 2: 0.4}}, "levels that sum to 1 at most"),
        ({"l0": 0, "l1": {0: 0.7, 2: 0.4}}, "level 0 is given, so levels must sum to 1"),
        ({"l0": 0, "l1": {9: 0.1}}, "found 9, expected levels from 0 to 4"),
        ({"l0": 0, "l1": {"lvels": {1: 0.1}}}, "unknown key (did you mean 'levels'?)"),
        ({"l0": 0, "l1": {"by": "chanel", "rate": 0.1}}, "did you mean 'channel'?"),
        (
            {"l0": 0, "l1": {"by": "channel", "rate": [0.1, 0.2]}},
            "found 'shape (2,)', expected one number, 3 (one a group)",
        ),
        ({"l0": 0, "l1": {"by": "channel"}}, "one of `rate` and `levels` is needed"),
        ({"l0": 0, "l1": 0, "l3": 0.5}, "a readout sends every value once"),
        ([0.1], "expected a mapping from population names"),
    ],
)
def test_bad_numbers_are_one_sentence(rates, message):
    network = Network(
        (
            Population("l0", (4,), Graded(8), role="input"),
            Population("l1", (3,), SFN.uniform(4)),
            Population("l3", (2,), Readout(), role="output"),
        ),
        (Dense("l0", "l1", np.ones((3, 4))), Dense("l1", "l3", np.ones((2, 3)))),
    )
    with pytest.raises(ActivityError) as error:
        Rates.given(network, rates)
    assert message in str(error.value)


def test_errors_in_a_file_name_its_line(tmp_path):
    (tmp_path / "r.yaml").write_text("l0: 0.1\nl1: 1.5\n")
    with pytest.raises(ActivityError, match=r"r\.yaml:2:\d+: rates\['l1'\]: found 1.5"):
        Rates.load(tmp_path / "r.yaml", chain([4, 3, 2]))


def test_bad_files_are_one_sentence(tmp_path):
    network, path = chain([4, 3, 2]), tmp_path / "r.npz"
    rates = Rates.given(network, {"*": 0.5})
    with pytest.raises(InputError, match=r"ends in \.npz"):
        rates.save(tmp_path / "r.txt")
    rates.save(path)
    with pytest.raises(ActivityError, match=r"rates\['l1'\]: made for another network, found 3, expected '?5 neurons"):
        Rates.load(path, chain([4, 5, 2]))
    with np.load(path) as body:
        arrays = dict(body)
    whole = path.read_bytes()
    for change, message in (
        ({"header": np.zeros(3, np.uint8)}, "the header is not JSON"),
        ({"0/probability": arrays["0/probability"] * 0.5}, "expected a sum of 1"),
        ({"0/probability": arrays["0/probability"] - 0.6}, "above 0"),
        ({"0/offsets": arrays["0/offsets"][::-1]}, "ascending"),
        ({"0/group": arrays["0/group"] + 1}, "expected a group from 0 to 0"),
    ):
        np.savez(path, **(arrays | change))
        with pytest.raises(ActivityError, match=message):
            Rates.load(path, network)
    np.savez(path, **{k: v for k, v in arrays.items() if k != "1/levels"})
    with pytest.raises(ActivityError, match=r"array '1/levels' \(of population 'l1'\) is missing"):
        Rates.load(path, network)
    for cut in (0, 10, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(ActivityError, match=r"cannot be read|not an"):
            Rates.load(path, network)
    with pytest.raises(ActivityError, match="no such file"):
        Rates.load(tmp_path / "none.npz")
    np.savez(path, inputs=np.zeros((2, 4)))
    with pytest.raises(ActivityError, match="no header"):
        Rates.load(path)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["population", "channel"]))
def test_packets_and_operations_of_a_sampled_run_lie_within_the_bound(seed, by):
    """A fully connected chain: every spike of a layer makes the same number of operations, so Hoeffding bounds them too."""
    network = chain([40, 30, 20, 4])
    activity = random_activity(network, seed, samples=6)
    found = compare(
        network, "reference", activity, Rates.of(activity, network, by), seed, samples=60, fidelity="analytic"
    )
    for layer, fan in (("l0", 30), ("l1", 20), ("l2", 4)):
        draws = 60 * network[layer].size
        for key in ("spikes", "packets"):
            pair = found.layers[layer][key]
            assert abs(pair.sampled - pair.recorded) * 60 <= hoeffding(draws)
        pair = found.layers[f"l{int(layer[1]) + 1}"]["synaptic_operations"]
        assert abs(pair.sampled - pair.recorded) * 60 <= hoeffding(draws, fan)
    for key in ("spikes", "packets", "synaptic_operations"):
        assert found.total[key].sampled == pytest.approx(sum(row[key].sampled for row in found.layers.values()))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_energy_of_a_sampled_run_lies_within_the_bound(seed):
    """Energy of events = what no spike costs + Σ over layers of (spikes · what one spike of that layer costs).

    What one spike costs is measured: all neurons of one layer fire, or none does. Then the sum over layers of
    draws · cost² takes the place of draws · spread² in Hoeffding's bound.
    """
    network = chain([40, 30, 20, 4])
    mapping = map_network(network, load_chip("reference"))

    def dynamic(activity):
        cost = price(simulate(mapping, activity, fidelity="analytic"))
        return (cost.total.value_aj - cost.static.value_aj) / cost.samples

    silence = {p.name: np.zeros((1, 1, p.size), np.int64) for p in network.populations}
    base, squares, samples = dynamic(Activity(silence)), 0.0, 50
    for name in ("l0", "l1", "l2"):
        each = (dynamic(Activity(silence | {name: silence[name] + 1})) - base) / network[name].size
        squares += samples * network[name].size * each**2
    activity = random_activity(network, seed, samples=6)
    drawn = Rates.of(activity, network).sample(network, samples, seed)
    bound = math.sqrt(squares * math.log(2 / ALPHA) / 2)
    assert abs(dynamic(drawn) - dynamic(activity)) * samples <= bound
    assert bound / samples < 0.25 * dynamic(activity)  # and that says something


def test_exact_rates_differ_in_nothing():
    """One sample, neuron by neuron: the sampled run is the recorded one, to the cycle and the attojoule."""
    network = random_network(7, 3)
    recording = record(network, random_inputs(network, 7, 1))
    found = compare(network, "reference", recording, Rates.of(recording, network, "neuron"), 5)
    for pair in [*found.total.values(), *(pair for row in found.layers.values() for pair in row.values())]:
        assert pair.sampled == pair.recorded
        assert pair.relative in (0.0, None)


def test_rates_lose_bursts():
    """Inferences that are all on or all off: the mean stays, the spread over samples and the slowest one do not.

    Recorded: half of the samples send all 200 inputs, half none; standard deviation 100. Drawn: binomial(200, ½), √50.
    """
    network = chain([200, 10, 2])
    levels = {p.name: np.zeros((20, 1, p.size), np.int64) for p in network.populations}
    levels["l0"][::2] = 1
    rates = Rates.of(Activity(levels), network, "neuron")
    found = compare(network, "reference", Activity(levels), rates, 0, samples=400)
    assert found.total["spikes_std"].recorded == pytest.approx(100)
    assert found.total["spikes_std"].sampled == pytest.approx(math.sqrt(50), rel=0.25)
    assert abs(found.layers["l0"]["spikes"].sampled - 100) * 400 <= hoeffding(400 * 200)
    assert found.total["latency_max_s"].sampled < found.total["latency_max_s"].recorded


def test_estimate_without_inputs_says_what_it_ran_on():
    network = random_network(4)
    rates = Rates.given(network, {"*": 0.2})
    run = estimate(network, "reference", rates=rates, samples=5, seed=3)
    data = run.as_json()
    assert run.samples == 5
    assert data["accuracy"] is None
    assert data["activity"] == "sampled from rates (given), seed 3"
    assert any("activity: sampled from rates (given), seed 3" in text for text in data["warnings"])
    assert any("seed 3" in text for text in data["coverage"]["counted"])
    assert not any("really causes" in text for text in data["coverage"]["counted"])
    assert (data["provenance"]["rates"], data["provenance"]["rates_seed"]) == ("given", 3)
    assert set(data["baselines_skipped"]) == set(BASELINES)
    assert "spikes drawn from rates" in run.summary()
    again = estimate(network, "reference", rates=rates, samples=5, seed=3)
    assert again.cost.total == run.cost.total


def test_estimate_with_both_runs_on_the_inputs_and_compares(tmp_path, few_figures):
    network = random_network(4)
    inputs = random_inputs(network, 4, 3)
    recording = record(network, inputs, numerics=load_chip("reference").numerics)
    plain = estimate(network, "reference", inputs, baselines=())
    both = estimate(network, "reference", inputs, rates=Rates.of(recording, network, "row"), baselines=(), seed=1)
    assert both.cost.total == plain.cost.total
    assert both.rates_comparison["recorded_samples"] == both.rates_comparison["sampled_samples"] == 3
    energy = both.rates_comparison["total"]["energy_j"]
    assert energy["recorded"] == plain.cost.total.as_joules(3)["value"]
    assert energy["relative"] == pytest.approx(energy["sampled"] / energy["recorded"] - 1)
    assert "against the recorded run" in both.summary()
    assert max(map(len, both.summary().splitlines())) <= 80
    page = (both.save(tmp_path / "run") / "report.html").read_text()
    assert "Spikes drawn from rates instead" in page


def test_estimate_needs_one_of_them():
    with pytest.raises(InputError, match="or rates"):
        estimate(random_network(4))
    with pytest.raises(InputError, match="found 'dict'"):
        estimate(random_network(4), rates={"*": 0.1})
    with pytest.raises(InputError, match="labels belong to inputs"):
        estimate(random_network(4), rates="r.npz", labels=np.array([1]))
    with pytest.raises(InputError, match="samples: are drawn from rates"):
        estimate(random_network(4), inputs=np.zeros((1, 2)), samples=3)


def test_more_samples_than_memory_holds_are_refused_at_once():
    """4 + 3 levels a sample of one timestep; 2^32 levels at most."""
    network = chain([4, 3, 2])
    rates = Rates.given(network, {"*": 0.5})
    with pytest.raises(
        ActivityError, match=f"samples: found '?{10**10:,}'?, expected at most {2**32 // 7:,} of 7 levels"
    ):
        rates.sample(network, 10**10)
