"""The leaky integrate-and-fire coding: by hand, as laws, in integers, in torch, and on the chip."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sfnhw
from sfnhw.chip import load_chip
from sfnhw.convert.evaluate import _Neurons
from sfnhw.convert.plan import Planned
from sfnhw.errors import ConversionError, InputError, NetworkError
from sfnhw.lowering import lower
from sfnhw.mapping import map_network
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import IF, LIF, Graded, Readout, coding_from_config
from sfnhw.numerics import Numerics
from sfnhw.sim import simulate
from tests.naive import count
from tests.networks import random_activity
from tests.test_nir_export import spiking

STEPS = 12
trains = st.lists(st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3), min_size=STEPS, max_size=STEPS).map(np.array)
rules = st.tuples(st.sampled_from(["subtract", "zero", "none"]), st.booleans(), st.booleans())


def by_hand(x, beta, theta, reset, delayed, strict):
    """One neuron in plain Python, each rule written as its library writes it: leak first, on what was kept."""
    fires = (lambda v: v > theta) if strict else (lambda v: v >= theta)
    v, out = 0.0, []
    for current in x:
        if reset == "zero":  # snnTorch Leaky._base_zero: zeroed before the leak
            v = beta * (0.0 if fires(v) else v) + current
        elif reset == "none":
            v = beta * v + current
        elif delayed:  # snnTorch Leaky._base_sub: mem = beta*mem + x - reset*threshold
            v = beta * v + current - (theta if fires(v) else 0.0)
        else:  # taken off at once: what leaks is the rest
            v = beta * v + current
        out.append(int(fires(v)))
        if reset == "subtract" and not delayed and out[-1]:
            v -= theta
    return out


def test_worked_by_hand():
    # β = 1/2, θ = 1, x = 3/4: v = 3/4; 3/8 + 3/4 = 9/8, spike.
    # subtract: rest 1/8 → 1/16 + 3/4 = 13/16; 13/32 + 24/32 = 37/32, spike; rest 5/32 → 5/64 + 48/64, none.
    x = np.full((5, 1), 0.75)
    assert LIF(5, 0.5).encode(x).ravel().tolist() == [0, 1, 0, 1, 0]
    # late and undecayed: 9/16 + 12/16 − 1 = 5/16; 5/32 + 24/32 = 29/32; 29/64 + 48/64 = 77/64, spike.
    assert LIF(5, 0.5, delayed_reset=True).encode(x).ravel().tolist() == [0, 1, 0, 0, 1]
    # zero: 0 → 3/4; 9/8, spike; 3/4. No reset: 9/8, 21/16, 45/32 all fire.
    assert LIF(5, 0.5, reset="zero").encode(x).ravel().tolist() == [0, 1, 0, 1, 0]
    assert LIF(5, 0.5, reset="none").encode(x).ravel().tolist() == [0, 1, 1, 1, 1]
    # exactly at θ only the rule that includes it fires
    assert LIF(1, 0.5).encode(np.ones((1, 1))).item() == 1
    assert LIF(1, 0.5, strict=True).encode(np.ones((1, 1))).item() == 0


@given(trains, st.floats(0, 1), st.floats(0.2, 2), rules)
def test_equals_the_libraries_update_written_plainly(x, beta, theta, rule):
    reset, delayed, strict = rule
    coding = LIF(STEPS, beta, theta, reset, delayed, strict)
    found = coding.encode(x)
    for i in range(x.shape[1]):
        expected = by_hand(x[:, i], beta, theta, reset, delayed, strict)
        if found[:, i].tolist() != expected:  # the order of additions differs, so a membrane within 1e-9 of θ may tip
            away = [by_hand(x[:, i], beta, theta + d, reset, delayed, strict) for d in (-1e-9, 1e-9)]
            assert away[0] != away[1]


@given(trains, st.sampled_from(["subtract", "zero"]))
def test_without_a_leak_it_is_if(x, reset):
    assert np.array_equal(LIF(STEPS, 1.0, reset=reset).encode(x), IF(STEPS, reset=reset).encode(x))


@given(trains, trains, st.floats(0, 1))
def test_more_input_never_gives_fewer_spikes(x, more, beta):
    """Reset by subtraction without a leak: the count so far is monotone in the input; with any leak the first spike."""
    x, more = np.round(x * 64) / 64, np.round(np.abs(more) * 64) / 64  # sums stay exact
    low, high = LIF(STEPS, 1.0).encode(x), LIF(STEPS, 1.0).encode(x + more)
    assert (np.cumsum(high, axis=0) >= np.cumsum(low, axis=0)).all()
    low, high = LIF(STEPS, beta).encode(x), LIF(STEPS, beta).encode(x + more)
    first = [np.where(train.any(axis=0), train.argmax(axis=0), STEPS) for train in (low, high)]
    assert (first[1] <= first[0]).all()


@given(st.lists(st.integers(-500, 500), min_size=30, max_size=30), st.floats(0, 1))
def test_the_integer_leak_stays_within_its_bound(x, beta):
    """Below threshold: |v_int − v| ≤ Σ βᵏ(½ + |v|·2**-17), half an LSB of rounding and 2**-17 of β at each step."""
    coding = LIF(1, beta, threshold=1e5)
    table = coding.lower(np.ones(1), Numerics(threshold_bits=32))
    membrane, v, bound = np.zeros((1, 1, 1), np.int64), 0.0, 0.0
    for current in x:
        membrane += current
        v += current
        coding.fire(membrane, table)
        bound = (beta + 2**-17) * bound + 0.5 + abs(v) * 2**-17
        v *= beta
        assert abs(int(membrane.item()) - v) <= bound + 1e-9


@given(st.lists(st.integers(-80, 80), min_size=STEPS, max_size=STEPS), rules, st.sampled_from([0.0, 0.5, 1.0]))
def test_integers_are_exact_where_nothing_is_rounded(x, rule, beta):
    """Inputs that are multiples of 2**12 with θ = 50·2**12 and β a power of two lose no bit in 12 steps."""
    coding = LIF(STEPS, beta, 1.0, *rule)
    unit = 50 * 2.0**STEPS
    table = coding.lower(np.array([unit]), Numerics(threshold_bits=32))
    membrane, found = np.zeros((1, 1, 1), np.int64), []
    for current in x:
        membrane += current * 2**STEPS
        found.append(int(coding.fire(membrane, table).item()))
    assert found == by_hand([c / 50 * 50 for c in x], beta, 50.0, *rule)


@settings(max_examples=25, deadline=None)
@given(trains, st.floats(0, 1), rules)
def test_torch_side_equals_numpy_side(x, beta, rule):
    coding = LIF(STEPS, beta, 0.75, *rule)
    neurons = _Neurons({"a": coding}, {"a": np.array([2.0, 1.0, 0.5])}, torch.float64)
    planned = Planned("a", (3,), "hidden", "identity", None, False)
    scale = np.array([2.0, 1.0, 0.5])
    fired = [neurons.fire(planned, torch.tensor(step[None] * scale)).numpy()[0] / scale for step in x]
    assert np.array_equal(fired, coding.encode(x))


def test_one_beta_for_each_channel():
    betas = (0.25, 0.5, 1.0)
    x = np.random.default_rng(0).uniform(0, 1, (STEPS, 2, 3, 4))
    found = LIF(STEPS, betas).encode(x)
    for channel, beta in enumerate(betas):
        assert np.array_equal(found[:, :, channel], LIF(STEPS, beta).encode(x[:, :, channel]))
    with pytest.raises(NetworkError, match=r"lif.beta: found 3, expected one number, or 4"):
        Population("a", (4,), LIF(STEPS, betas))


def network(coding):
    rng = np.random.default_rng(3)
    populations = (
        Population("in", (6,), Graded(8), 1 / 255, role="input"),
        Population("a", (5,), coding),
        Population("out", (2,), Readout(coding.steps), role="output"),
    )
    return Network(
        populations, (Dense("in", "a", rng.normal(0.3, 0.4, (5, 6))), Dense("a", "out", rng.normal(size=(2, 5))))
    )


def test_the_leak_is_counted_and_priced_once_a_neuron_and_step():
    chip, x = load_chip("reference"), np.random.default_rng(1).random((3, 6))
    leaky = sfnhw.estimate(network(LIF(STEPS, 0.9)), chip, x, baselines=[])
    plain = sfnhw.estimate(network(LIF(STEPS, 1.0)), chip, x, baselines=[])
    counts = leaky.as_json()["counts"]
    assert counts["leak"] == 3 * STEPS * 5  # samples × T × LIF neurons; the readout does not leak
    assert plain.as_json()["counts"]["leak"] == 0
    energy = leaky.as_json()["energy_by_action_j"]["leak"] * 3  # of one inference
    assert energy == pytest.approx(counts["leak"] * 0.9023e-12, rel=1e-6)


def test_a_network_file_keeps_it(tmp_path):
    for coding in (LIF(4, (0.5,) * 5, 0.7, "zero", True, True), LIF(4, 0.5, reset="none"), IF(4, reset="zero")):
        assert coding_from_config(coding.config()) == coding
        path = network(coding).save(tmp_path / "n.sfn")
        assert Network.load(path)["a"].coding == coding


def test_convert_to_lif_and_record_agree_with_torch():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)).eval()
    x = np.random.default_rng(0).random((40, 8))
    converted = sfnhw.convert(module, x, coding="lif", timesteps=32, beta=1.0)
    same = sfnhw.convert(module, x, coding="if", timesteps=32)
    assert np.array_equal(sfnhw.record(converted, x).outputs, sfnhw.record(same, x).outputs)
    leaky = sfnhw.convert(module, x, coding="lif", timesteps=32, beta=0.9)
    hidden = [p.name for p in leaky.populations if p.role == "hidden"]
    spikes = {k: sfnhw.record(n, x).activity.spikes(n)[hidden[0]] for k, n in (("leaky", leaky), ("if", same))}
    assert spikes["leaky"] < spikes["if"]
    assert leaky.metadata["beta"] == 0.9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LIF(0), "lif.steps: found 0"),
        (lambda: LIF(4, 1.5), "lif.beta: found 1.5, expected 0 ≤ β ≤ 1"),
        (lambda: LIF(4, threshold=0), "lif.threshold: found 0"),
        (lambda: LIF(4, reset="hard"), "lif.reset: found 'hard', expected 'subtract', 'zero' or 'none'"),
        (lambda: LIF(4, strict=1), "lif.strict: found 1"),
        (lambda: IF(4, reset="none"), "if.reset: found 'none'"),
    ],
)
def test_bad_codings_say_what_is_wrong(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coding": "lif", "timesteps": 4}, "beta: is needed, expected a decay factor of one timestep"),
        ({"coding": "lif", "beta": 0.9}, "timesteps: is needed, expected an integer ≥ 1"),
        ({"coding": "if", "timesteps": 4, "beta": 0.9}, "beta: does not apply to coding='if'"),
    ],
)
def test_convert_asks_for_what_is_missing(options, message):
    with pytest.raises(ConversionError) as error:
        sfnhw.convert(torch.nn.Sequential(torch.nn.Linear(2, 2)), np.ones((2, 2)), **options)
    assert str(error.value).startswith(message)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), rules, st.sampled_from([0.0, 0.3, 0.9, 1.0]))
def test_recording_in_integers_equals_plain_python(seed, rule, beta):
    coding = LIF(STEPS, beta, 0.75, *rule, initial_potential=0.25)
    subject, numerics = network(coding), Numerics()
    x = np.random.default_rng(seed).random((2, 6))
    activity = sfnhw.record(subject, x, numerics=numerics).activity
    lowered = lower(subject, numerics)
    weights = [[int(w) << lowered.projections[0].shift for w in row] for row in lowered.projections[0].weight]
    table = lowered.populations["a"].table
    theta, start, m = int(table.thresholds[0, 0]), int(table.initial[0]), round(beta * 65536)
    for sample in range(2):
        levels = [int(v) for v in activity.levels["in"][sample, 0]]
        for j, row in enumerate(weights):
            v, train = start, []
            for _ in range(STEPS):
                v += sum(w * level for w, level in zip(row, levels, strict=True))
                train.append(int(v > theta if coding.strict else v >= theta))
                late = coding.reset == "subtract" and coding.delayed_reset
                if train[-1] and coding.reset == "zero":
                    v = 0
                if train[-1] and coding.reset == "subtract" and not late:
                    v -= theta
                v = (v * m + 32768) // 65536 - (theta if late and train[-1] else 0)
            assert activity.levels["a"][sample, :, j].tolist() == train


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1))
def test_every_packet_of_leaky_and_relayed_spikes_arrives(seed, rate):
    """Counts of the event simulation, of the closed form and of a walk over every synapse are one."""
    subject = spiking(seed, 3)
    chip = load_chip("reference").replace({"execution.mode": "barrier"})
    mapping = map_network(subject, chip)
    activity = random_activity(subject, seed, samples=2, rate=rate)
    result, walked = simulate(mapping, activity, threads=1), count(mapping, activity)
    assert int(result.counts.sent.sum()) == walked["packets"]
    assert int(result.counts.row_synapses.sum()) == walked["operations"]
    assert int(result.counts.delivered.sum()) == walked["delivered"]
    assert result.counts.equals(simulate(mapping, activity, fidelity="analytic").counts)
    leaky = [p for p in subject.populations if p.coding.kind == "lif" and 0 < p.coding.beta < 1]
    assert result.totals()["leak"] == 2 * 3 * sum(p.size for p in leaky)
