"""Recording: integer arithmetic held to torch, and to hand arithmetic."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.errors import ActivityError
from sfnhw.lowering import lower
from sfnhw.network import Dense, Network, Population, Sparse
from sfnhw.neurons import IF, SFN, Events, Graded, Readout
from sfnhw.numerics import Numerics
from sfnhw.record import record
from tests.networks import chain, random_inputs, random_network


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
            acc = torch.zeros(samples, *r.shape, dtype=torch.float64)
            bias = torch.tensor(side.bias, dtype=torch.float64)
            acc = acc + bias.reshape(-1, *[1] * (len(r.shape) - 1))
            pooled = None
            for p, q in zip(network.projections, lowered.projections, strict=True):
                delay = getattr(p, "delay", 0)
                if p.target != r.name or t < delay:
                    continue
                source = network[p.source]
                level = levels[p.source][t - delay].reshape(samples, *source.shape)
                words = torch.tensor(lowered.populations[p.source].words, dtype=torch.float64)
                x = level.sign() * words[level.abs().long()]
                w = torch.tensor(q.weight, dtype=torch.float64)
                if p.kind == "dense":
                    y = torch.nn.functional.linear(x.reshape(samples, -1), w).reshape(samples, *r.shape)
                elif p.kind == "conv2d":
                    y = torch.nn.functional.conv2d(x, w, None, p.stride, p.padding, p.dilation, p.groups)
                elif p.kind == "transposed_conv2d":
                    f = torch.nn.functional.conv_transpose2d
                    y = f(x, w, None, p.stride, p.padding, p.output_padding, p.groups, p.dilation)
                elif p.kind == "upsample":
                    y = torch.nn.functional.interpolate(x, scale_factor=p.factor, mode="nearest")
                    y = y * w.reshape(-1, 1, 1)
                elif p.kind == "average_pool":
                    y = torch.nn.functional.avg_pool2d(x, p.kernel, p.stride, p.padding, divisor_override=1)
                    y = y * w.reshape(-1, 1, 1)
                elif p.kind == "max_pool":
                    before = sums.get(p, torch.zeros_like(level))
                    sums[p] = before + level
                    f = torch.nn.functional.max_pool2d
                    pooled = f(sums[p].double(), p.kernel, p.stride) - f(before.double(), p.kernel, p.stride)
                    continue
                elif p.kind == "elementwise":
                    y = x * w.reshape(-1, *[1] * (len(r.shape) - 1))
                else:
                    matrix = torch.zeros(source.size, r.size, dtype=torch.float64)
                    neuron = np.repeat(np.arange(source.size), np.diff(p.offsets))
                    matrix.index_put_((torch.tensor(neuron), torch.tensor(p.targets)), w, accumulate=True)
                    y = (x.reshape(samples, -1) @ matrix).reshape(samples, *r.shape)
                acc = acc + y * 2.0**q.shift
            if pooled is not None:
                levels.setdefault(r.name, []).append(pooled.long())
                continue
            if r.coding.need().keeps_residual:
                start = torch.tensor(side.table.initial, dtype=torch.float64)
                start = start.reshape(-1, *[1] * (len(r.shape) - 1))
                acc = acc + membranes.get(r.name, start)
            acc = acc.clamp(-top - 1, top)
            thresholds = torch.tensor(side.table.thresholds)
            if r.coding.kind == "readout":
                level = acc.long()
            elif r.coding.kind == "graded":
                m = torch.tensor(side.table.multiplier).reshape(-1, *[1] * (len(r.shape) - 1))
                level = ((acc.long() * m + 2 ** (side.table.shift - 1)) >> side.table.shift).clamp(
                    0, r.coding.max_level
                )
            else:
                level = torch.zeros(acc.shape, dtype=torch.int64)
                for k in range(thresholds.shape[1]):
                    level += acc >= thresholds[:, k].reshape(-1, *[1] * (len(r.shape) - 1))
            if r.coding.need().keeps_residual:
                if r.coding.kind == "if":
                    acc = acc - level * thresholds[:, 0].reshape(-1, *[1] * (len(r.shape) - 1))
                membranes[r.name] = acc
            levels.setdefault(r.name, []).append(level)
    return {name: torch.stack([x.reshape(samples, -1) for x in steps], 1).numpy() for name, steps in levels.items()}


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
    network = random_network(seed, T, recurrent)
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
