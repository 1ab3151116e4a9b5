"""Recording: integer arithmetic held to torch, and to hand arithmetic."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.errors import ActivityError, NetworkError
from sfnhw.lowering import lower
from sfnhw.network import Dense, Network, Population, Sparse
from sfnhw.neurons import IF, MTN, SFN, TTFS, Events, Graded, Polarity, Readout
from sfnhw.numerics import Numerics
from sfnhw.record import record
from tests.networks import chain, random_inputs, random_network


def torch_sums(lowered, p, q, level):
    """What one projection adds to its target, in accumulator LSBs; level (samples, *source shape)."""
    source, target = lowered.network[p.source], lowered.network[p.target]
    samples = len(level)
    words = torch.tensor(lowered.populations[p.source].words, dtype=torch.float64)
    x = level.sign() * words[level.abs().long()]
    w = torch.tensor(q.weight, dtype=torch.float64)
    if p.kind == "dense":
        y = torch.nn.functional.linear(x.reshape(samples, -1), w).reshape(samples, *target.shape)
    elif p.kind == "conv2d":
        y = torch.nn.functional.conv2d(x, w, None, p.stride, p.padding, p.dilation, p.groups)
    elif p.kind == "average_pool":
        y = torch.nn.functional.avg_pool2d(x, p.kernel, p.stride, p.padding, divisor_override=1)
        y = y * w.reshape(-1, 1, 1)
    elif p.kind == "transposed_conv2d":
        f = torch.nn.functional.conv_transpose2d
        y = f(x, w, None, p.stride, p.padding, p.output_padding, p.groups, p.dilation)
    elif p.kind == "upsample":
        y = torch.nn.functional.interpolate(x, scale_factor=p.factor, mode="nearest")
        y = y * w.reshape(-1, 1, 1)
    elif p.kind == "elementwise":
        y = x * w.reshape(-1, *[1] * (len(target.shape) - 1))
    else:
        matrix = torch.zeros(source.size, target.size, dtype=torch.float64)
        neuron = np.repeat(np.arange(source.size), np.diff(p.offsets))
        matrix.index_put_((torch.tensor(neuron), torch.tensor(p.targets)), w, accumulate=True)
        y = (x.reshape(samples, -1) @ matrix).reshape(samples, *target.shape)
    return y * 2.0**q.shift


def per_channel(values, shape):
    return torch.tensor(values).reshape(-1, *[1] * (len(shape) - 1))


def torch_levels(lowered, inputs):
    """The same quantised network, evaluated by torch in float64 (exact below 2**53), step by step."""
    network, top = lowered.network, lowered.numerics.accumulator_max
    samples, T = len(inputs), network.timesteps
    levels = {network.inputs[0].name: [torch.tensor(inputs)] * T}
    membranes, sums = {}, {}
    for t in range(T):
        for r in network.order:
            if r.role == "input":
                continue
            side = lowered.populations[r.name]
            acc = torch.zeros(samples, *r.shape, dtype=torch.float64) + per_channel(side.bias, r.shape)
            pooled = None
            for p, q in zip(network.projections, lowered.projections, strict=True):
                delay = getattr(p, "delay", 0)
                if p.target != r.name or t < delay:
                    continue
                level = levels[p.source][t - delay].reshape(samples, *network[p.source].shape)
                if p.kind == "max_pool":
                    before = sums.get(p, torch.zeros_like(level))
                    sums[p] = before + level
                    f = torch.nn.functional.max_pool2d
                    pooled = f(sums[p].double(), p.kernel, p.stride) - f(before.double(), p.kernel, p.stride)
                    continue
                acc = acc + torch_sums(lowered, p, q, level)
            if pooled is not None:
                levels.setdefault(r.name, []).append(pooled.long())
                continue
            if r.coding.need().keeps_residual:
                acc = acc + membranes.get(r.name, per_channel(side.table.initial, r.shape).double())
            acc = acc.clamp(-top - 1, top)
            thresholds = torch.tensor(side.table.thresholds)
            if r.coding.kind == "readout":
                level = acc.long()
            elif r.coding.kind == "graded":
                m = per_channel(side.table.multiplier, r.shape)
                level = (acc.long() * m + 2 ** (side.table.shift - 1)) >> side.table.shift
                level = level.clamp(-r.coding.max_level if r.coding.signed else 0, r.coding.max_level)
            else:
                level = torch.zeros(acc.shape, dtype=torch.int64)
                for k in range(thresholds.shape[1]):
                    step = per_channel(side.table.thresholds[:, k], r.shape)
                    level += acc >= step
                    if r.coding.signed:
                        level -= (acc <= -step).long()
            if r.coding.need().keeps_residual:
                if r.coding.kind == "if":
                    acc = acc - level * per_channel(side.table.thresholds[:, 0], r.shape)
                membranes[r.name] = acc
            levels.setdefault(r.name, []).append(level)
    return {name: torch.stack([x.reshape(samples, -1) for x in steps], 1).numpy() for name, steps in levels.items()}


def torch_spike_times(lowered, inputs):
    """A TTFS network by its mechanism: layer after layer, spike after spike in time, against a threshold that falls.

    (samples, T, neurons) of each population: T − t where a neuron fires at step t, the accumulator of a readout.
    """
    network, top = lowered.network, lowered.numerics.accumulator_max
    samples, T = len(inputs), network.timesteps
    silent = torch.zeros(inputs.shape, dtype=torch.int64)
    trains = {network.inputs[0].name: [torch.tensor(inputs), *[silent] * (T - 1)]}
    for r in network.order:
        if r.role == "input":
            continue
        side = lowered.populations[r.name]
        acc = torch.zeros(samples, *r.shape, dtype=torch.float64) + per_channel(side.bias, r.shape)
        earliest = torch.full((samples, *r.shape), T)
        for t in range(T):  # the window of the layers before: a spike at step t is worth T − t
            for p, q in zip(network.projections, lowered.projections, strict=True):
                if p.target != r.name:
                    continue
                arrived = trains[p.source][t].reshape(samples, *network[p.source].shape)
                if p.kind == "max_pool":
                    hit = torch.nn.functional.max_pool2d((arrived != 0).double(), p.kernel, p.stride) > 0
                    earliest = torch.where(hit & (earliest == T), t, earliest)
                    continue
                worth = arrived if network[p.source].role == "input" else arrived.sign() * (T - t)
                acc = acc + torch_sums(lowered, p, q, worth)
        acc = acc.clamp(-top - 1, top)
        if r.role == "output":
            trains[r.name] = [acc.long(), *[torch.zeros_like(acc).long()] * (T - 1)]
            continue
        fired = torch.zeros(acc.shape, dtype=torch.bool)
        trains[r.name] = []
        for t in range(T):  # its own window
            falling = per_channel(side.table.thresholds[:, T - t - 1], r.shape)
            up = (acc >= falling) if r.function != "max" else earliest == t
            down = (acc <= -falling) & r.coding.signed & (r.function != "max")
            spike = (up.long() - down.long()) * ~fired
            fired = fired | (spike != 0)
            trains[r.name].append(spike * (T - t))
    return {name: torch.stack([x.reshape(samples, -1) for x in steps], 1).numpy() for name, steps in trains.items()}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.sampled_from(["population", "channel"]),
    st.integers(3, 10),
    st.integers(4, 24),
)
def test_recording_equals_torch_exactly(seed, T, recurrent, sharing, weight_bits, threshold_bits):
    network = random_network(seed, T, recurrent, window=False)
    numerics = Numerics(weight_bits=weight_bits, threshold_bits=threshold_bits)
    inputs = random_inputs(network, seed)
    got = record(network, inputs, numerics=numerics, threshold_sharing=sharing)
    image = got.activity.levels["image"][:, 0].astype(np.int64)
    expected = torch_levels(lower(network, numerics, sharing), image)
    for name, levels in expected.items():
        assert np.array_equal(got.activity.levels[name], levels), name
    lowered = lower(network, numerics, sharing)
    outputs = [expected[p.name][:, -1] * lowered.populations[p.name].lsb / T for p in network.outputs]
    assert np.array_equal(got.outputs, np.concatenate(outputs, axis=1))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 100_000),
    st.integers(2, 9),
    st.sampled_from(["population", "channel"]),
    st.integers(3, 10),
)
def test_spike_times_equal_torch_exactly(seed, T, sharing, weight_bits):
    """`record` takes each layer's level at once; torch lets time pass, spike by spike."""
    network = random_network(seed, T, window=True)
    numerics = Numerics(weight_bits=weight_bits)
    got = record(network, random_inputs(network, seed), numerics=numerics, threshold_sharing=sharing)
    image = got.activity.levels["image"].astype(np.int64)
    assert not image[:, 1:].any(), "the input is sent once"
    lowered = lower(network, numerics, sharing)
    expected = torch_spike_times(lowered, image[:, 0])
    for name, levels in expected.items():
        assert np.array_equal(got.activity.levels[name], levels), name
    outputs = [expected[p.name][:, 0] * lowered.populations[p.name].lsb for p in network.outputs]
    assert np.array_equal(got.outputs, np.concatenate(outputs, axis=1))
    hidden = [p.name for p in network.populations if p.role == "hidden"]
    assert all((got.activity.sent(network, name).sum(axis=1) <= 1).all() for name in hidden), "one spike a neuron"


def test_ttfs_network_is_the_mtn_network_in_time():
    """Same weights, N = T: the level of the MTN is what is left of the window at the spike; outputs are equal."""
    rng = np.random.default_rng(3)
    weights = [rng.normal(0, 0.4, (6, 5)), rng.normal(0, 0.4, (3, 6))]

    def network(coding):
        return Network(
            (
                Population("x", (5,), Graded(4), 1 / 4, role="input"),
                Population("h", (6,), coding, 0.3, function="relu", bias=np.full(6, 0.1)),
                Population("y", (3,), Readout(coding.timesteps), role="output", bias=np.full(3, 0.2)),
            ),
            (Dense("x", "h", weights[0]), Dense("h", "y", weights[1])),
        )

    x = rng.random((20, 5)) * 3
    in_time, at_once = record(network(TTFS(6, 0.5)), x), record(network(MTN(6, 0.5)), x)
    assert np.array_equal(in_time.outputs, at_once.outputs)
    levels = at_once.activity.levels["h"][:, 0]
    step = in_time.activity.levels["h"].argmax(axis=1)
    assert np.array_equal(np.where(levels > 0, 6 - levels, 0), step)
    burst = record(network(Polarity(6, 0.5)), x)
    assert np.array_equal(burst.outputs, at_once.outputs)
    assert burst.activity.spikes(network(Polarity(6)))["h"] == levels.sum()


def test_ttfs_is_not_mixed():
    def network(hidden, first=None, delay=0, T=4):
        return Network(
            (
                Population("x", (2,), first or Graded(4), role="input"),
                Population("a", (2,), TTFS(T)),
                Population("h", (2,), hidden),
                Population("y", (2,), Readout(T), role="output"),
            ),
            (Dense("x", "a", np.eye(2)), Dense("a", "h", np.eye(2), delay=delay), Dense("h", "y", np.eye(2))),
        )

    assert network(TTFS(4)).window == 4
    assert network(SFN.uniform(3), T=1).window == 1  # one step: nothing to wait for
    with pytest.raises(NetworkError, match=r"population 'h'\.coding: .* works in windows, .* found 'if'"):
        network(IF(4))
    with pytest.raises(NetworkError, match="is updated at one timestep only"):
        network(SFN.uniform(3))
    with pytest.raises(NetworkError, match=r"population 'x'\.coding: .* found 'events'"):
        network(TTFS(4), Events(4))
    with pytest.raises(NetworkError, match="work in windows have no delays"):
        network(TTFS(4), delay=1)


def test_integers_worked_by_hand():
    """Weights 1 and −1/2 at 8 bits, input step 1, SFN with unit 4, N = 2, then a readout of weight 1.

    Into `h`: normalised weights 1/4 and −1/8, largest 1/4 → α = (1/4)/127 units a LSB, integers 127 and −64
    (−63.5 rounds to even). Thresholds: 1 and 2 units = 508 and 1016 LSB. Inputs 5 and 1: 5·127 − 64 = 571 → level 1,
    worth one unit = 4.0 in the trained network's numbers, which the readout of weight 1 gives back.
    """
    network = Network(
        (
            Population("x", (2,), Graded(8), role="input"),
            Population("h", (1,), SFN.uniform(2), 4.0, function="relu"),
            Population("y", (1,), Readout(), role="output"),
        ),
        (Dense("x", "h", [[1.0, -0.5]]), Dense("h", "y", [[1.0]])),
    )
    lowered = lower(network, Numerics())
    assert lowered.projections[0].weight.tolist() == [[127, -64]]
    assert lowered.populations["h"].table.thresholds.tolist() == [[508, 1016]]
    got = record(network, np.array([[5.0, 1.0], [3.0, 0.0]]))
    assert got.activity.levels["h"][:, 0].tolist() == [[1], [0]]  # 3·127 = 381 < 508
    assert got.outputs == pytest.approx(np.array([[4.0], [0.0]]))


def test_accumulators_saturate_or_wrap_as_the_chip_says():
    """8 inputs of 255 with weight 1 make 2,040 in an 8-bit accumulator: it saturates at 127, or wraps.

    2,040 mod 256 = 248, which is 248 − 256 = −8 as a signed number.
    """
    network = chain([8, 1])
    x = np.full((1, 8), 255.0)
    for overflow, expected in (("saturate", 127), ("wrap", -8)):
        got = record(network, x, numerics=Numerics(accumulator_bits=8, overflow=overflow))
        assert got.activity.levels["l1"].ravel().tolist() == [expected]
        assert got.overflows == {"l1": 1}


def test_average_pool_alone_needs_no_multiplier():
    network = random_network(1)
    for seed in range(40):
        network = random_network(seed)
        if any(p.kind == "average_pool" for p in network.projections):
            break
    lowered = lower(network, Numerics())
    weight = next(
        q.weight for p, q in zip(network.projections, lowered.projections, strict=True) if p.kind == "average_pool"
    )
    assert (weight == 1).all()


def test_delay_of_one_timestep():
    """x → a directly, and x → b one step late: b's spikes are a's, shifted by one; the first step is silent."""
    identity = np.eye(3)
    network = Network(
        (
            Population("x", (3,), Events(4), role="input"),
            Population("a", (3,), IF(4), function="relu"),
            Population("b", (3,), IF(4), function="relu"),
            Population("y", (3,), Readout(4), role="output"),
        ),
        (
            Dense("x", "a", identity),
            Dense("x", "b", identity, delay=1),
            Dense("a", "y", identity),
            Dense("b", "y", identity),
        ),
    )
    x = np.random.default_rng(0).integers(0, 2, (5, 4, 3))
    levels = record(network, x).activity.levels
    assert np.array_equal(levels["a"], x)
    assert np.array_equal(levels["b"][:, 1:], x[:, :-1])
    assert not levels["b"][:, 0].any()


def test_recurrent_synapse_makes_a_neuron_fire_for_ever():
    """One kick, and a self-synapse of weight θ with a delay: a spike at every later step."""
    self_loop = Sparse("a", "a", [1.0], [0, 1], [0], delay=1)
    network = Network(
        (
            Population("x", (1,), Events(5), role="input"),
            Population("a", (1,), IF(5), function="relu"),
            Population("y", (1,), Readout(5), role="output"),
        ),
        (Dense("x", "a", [[1.0]]), self_loop, Dense("a", "y", [[1.0]])),
    )
    x = np.zeros((1, 5, 1))
    x[0, 1] = 1
    assert record(network, x).activity.levels["a"].ravel().tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 4)), "expected numbers of shape (samples, 3)"),
        (np.zeros((0, 3)), "at least one sample"),
        (np.array([[0.0, np.nan, 1.0]]), "NaN or infinite at index (0, 1)"),
        (np.array([["a", "b", "c"]]), "expected numbers of shape"),
        (np.array([[1, 2, 3]], dtype=object), "expected numbers of shape"),
        ({"nobody": np.zeros((1, 3))}, "expected arrays for ['l0']"),
    ],
)
def test_bad_inputs_say_what_is_wrong(inputs, message):
    with pytest.raises(ActivityError) as error:
        record(chain([3, 2]), inputs)
    assert message in str(error.value)


def test_bad_labels_say_what_is_wrong():
    with pytest.raises(ActivityError, match=r"labels: found .float64 \(2,\)., expected \(2,\) integers"):
        record(chain([3, 2]), np.zeros((2, 3)), labels=np.zeros(2))


def test_clipped_inputs_are_counted():
    got = record(chain([3, 2]), np.array([[0.0, 255.4, 300.0], [-1.0, 0.0, 0.0]]))
    assert got.clipped_inputs == 2  # 255.4 rounds to 255; 300 and −1 are beyond


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (np.array([0, 2]), "2"),
        (np.array([-1, 0]), "-1"),
        (np.array([0, 2**64 - 1], np.uint64), "18446744073709551615"),
    ],
)
def test_labels_are_indices_of_outputs(labels, found):
    with pytest.raises(
        ActivityError, match=rf"labels: found {found}, expected class indices from 0 to 1, one for each"
    ):
        record(chain([3, 2]), np.zeros((2, 3)), labels=labels)


@pytest.mark.filterwarnings("error")
def test_inputs_near_the_largest_number_are_clipped_like_any_other():
    network = chain([1, 1])
    small = Network((Population("l0", (1,), Graded(8), 0.001, role="input"), network["l1"]), network.projections)
    got = record(small, np.array([[1e308], [0.0]]))
    assert got.activity.levels["l0"].ravel().tolist() == [255, 0]
    assert got.clipped_inputs == 1


def two_layers(weight, coding, bias=0.0, out=1.0):
    return Network(
        (
            Population("x", (1,), Graded(8), role="input"),
            Population("h", (1,), coding, function="relu"),
            Population("y", (1,), Readout(), role="output", bias=np.array([bias])),
        ),
        (Dense("x", "h", [[weight]]), Dense("h", "y", [[out]])),
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("accumulator_bits", [24, 48])
def test_a_weight_far_above_the_scale_saturates_the_level(bits, accumulator_bits):
    """One input step is 10³⁰ levels: every input that is not zero gives the largest."""
    got = record(
        two_layers(1e30, Graded(bits)), [[0.0], [1.0], [255.0]], numerics=Numerics(accumulator_bits=accumulator_bits)
    )
    assert got.activity.levels["h"].ravel().tolist() == [0, 2**bits - 1, 2**bits - 1]


@pytest.mark.filterwarnings("error")
def test_a_threshold_that_no_accumulator_reaches_is_refused_by_name():
    with pytest.raises(NetworkError, match=r"population 'h': thresholds: .*the largest is 1e\+300 units of the scale"):
        record(two_layers(1.0, SFN((1.0, 1e300), (1.0, 2.0))), [[1.0]])


@pytest.mark.filterwarnings("error")
def test_a_bias_far_beyond_the_accumulator_saturates_and_is_counted_or_refused():
    """10¹⁰ over steps of about 10⁻¹⁴: a readout of 24 bits stands at its largest value, 2**23 − 1 steps."""
    network = two_layers(1.0, SFN.uniform(4), bias=1e10, out=1e-12)
    got = record(network, [[1.0]])
    assert got.activity.levels["y"].ravel().tolist() == [2**23 - 1]
    assert got.overflows["y"] == 1
    with pytest.raises(NetworkError, match=r"population 'y'.bias: .*or overflow: saturate"):
        record(network, [[1.0]], numerics=Numerics(overflow="wrap"))


@pytest.mark.filterwarnings("error")
def test_numbers_that_span_more_than_floats_are_refused_by_name():
    far = Network(
        (
            Population("x", (1,), Graded(8), 1e200, role="input"),
            Population("y", (1,), Readout(), role="output"),
        ),
        (Dense("x", "y", [[1e200]]),),
    )
    with pytest.raises(NetworkError, match="population 'y': its weights, its sources' scales and its own scale lie"):
        record(far, [[1.0]])
