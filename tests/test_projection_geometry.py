"""Projections with an awkward geometry: apply against torch, fan against the synapses one by one, MACs against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from sfnhw.errors import NetworkError
from sfnhw.network import AveragePool, Block, Conv2d, MaxPool, Population, TransposedConv2d, Upsample
from sfnhw.neurons import SFN
from tests.naive import synapses_of

torch.set_num_threads(1)
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


def population(name, shape):
    return Population(name, tuple(shape), SFN.uniform(4))


def synapse_matrix(p, source, target):
    """(target size, source size) number of synapses, from the naive walk."""
    by_name = {source.name: source, target.name: target}
    pair = type("Pair", (), {"projections": [p], "__getitem__": lambda self, name: by_name[name]})()
    counts = np.zeros((target.size, source.size), int)
    for _, i, o, _ in synapses_of(pair):
        counts[o, i] += 1
    return counts


def check_geometry(p, source, target, rng):
    """fan of any two blocks, and MACs, against the naive walk."""
    p.check(source, target)
    counts = synapse_matrix(p, source, target)
    assert p.macs(source, target) == counts.sum()

    def block(q):
        c, r = sorted(rng.choice(q.channels + 1, 2, replace=False)), sorted(rng.choice(q.rows + 1, 2, replace=False))
        return Block(int(c[0]), int(c[1]), int(r[0]), int(r[1]))

    for _ in range(3):
        a, b = block(source), block(target)
        expected = counts[target.indices(b)][:, source.indices(a)].sum(axis=0)
        assert np.array_equal(p.fan(source, target, a, b).per_neuron(source.block_size(a)), expected)
        beyond = np.setdiff1d(np.arange(source.size), source.indices(p.reach(source, target, b)))
        assert not counts[target.indices(b)][:, beyond].any()


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    groups=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    kernel=PAIR,
    stride=PAIR,
    dilation=PAIR,
    data=st.data(),
)
def test_transposed_convolution(size, groups, channels, kernel, stride, dilation, data):
    extra = tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    full = [
        (n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(size, stride, dilation, kernel, extra, strict=True)
    ]
    padding = tuple(data.draw(st.integers(0, min(3, (f - 1) // 2))) for f in full)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    weight = rng.integers(-5, 6, (channels[0] * groups, channels[1], *kernel)).astype(float)
    source = population("a", (channels[0] * groups, *size))
    target = population("b", (channels[1] * groups, *(f - 2 * p for f, p in zip(full, padding, strict=True))))
    p = TransposedConv2d("a", "b", weight, stride, padding, extra, dilation, groups)
    check_geometry(p, source, target, rng)
    x = rng.integers(-9, 10, (2, source.size)).astype(float)
    image, kernels = torch.tensor(x.reshape(2, *source.shape)), torch.tensor(weight)
    expected = functional.conv_transpose2d(image, kernels, None, stride, padding, extra, groups, dilation)
    assert np.array_equal(p.apply(x, weight, source, target), expected.flatten(1).numpy())
    # With integers everything is exact: scaling the ends is the same as scaling the weights.
    left, right = rng.integers(1, 5, source.channels).astype(float), rng.integers(1, 5, target.channels).astype(float)
    scaled = p.apply(x, p.scaled(left, right, source, target), source, target)
    ends = p.apply(x * np.repeat(left, source.positions), weight, source, target) * np.repeat(right, target.positions)
    assert np.array_equal(scaled, ends)
    by_target = p.by_target(right, weight, target) * weight
    assert np.array_equal(by_target, p.scaled(np.ones(source.channels), right, source, target))
    with FlopCounterMode(display=False) as flops:
        functional.conv_transpose2d(image[:1], kernels, None, stride, padding, extra, groups, dilation)
    assert p.dense_macs(source, target) * 2 == flops.get_total_flops()
    assert p.stored_weights(source, target, target.block) == weight.size


@settings(max_examples=30, deadline=None)
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)), factor=PAIR, seed=st.integers(0, 99))
def test_upsampling(shape, factor, seed):
    rng = np.random.default_rng(seed)
    source = population("a", shape)
    target = population("b", (shape[0], shape[1] * factor[0], shape[2] * factor[1]))
    p = Upsample("a", "b", factor)
    check_geometry(p, source, target, rng)
    x, weight = rng.normal(size=(2, source.size)), rng.normal(size=shape[0])
    expected = functional.interpolate(torch.tensor(x.reshape(2, *shape)), scale_factor=factor, mode="nearest")
    expected = expected * torch.tensor(weight)[:, None, None]
    assert np.array_equal(p.apply(x, weight, source, target), expected.flatten(1).numpy())
    assert p.dense_macs(source, target) == 0
    assert p.macs(source, target) == target.size


@pytest.mark.parametrize("size", [(7, 7), (8, 7), (5, 6), (1, 9), (2, 2)])
def test_kernel_three_stride_two_padding_one(size):
    """The stems of ResNets, on even and uneven sizes."""
    rng = np.random.default_rng(0)
    source = population("a", (2, *size))
    rows, columns = ((n - 1) // 2 + 1 for n in size)
    x = rng.integers(0, 9, (2, source.size)).astype(float)
    image = torch.tensor(x.reshape(2, *source.shape))
    weight = rng.integers(-3, 4, (4, 2, 3, 3)).astype(float)
    cases = [
        (Conv2d("a", "b", weight, 2, 1), 4, weight, functional.conv2d(image, torch.tensor(weight), None, 2, 1)),
        (MaxPool("a", "b", 3, 2, 1), 2, np.ones(1), functional.max_pool2d(image, 3, 2, 1)),
        (AveragePool("a", "b", 3, 2, 1), 2, np.ones(2), functional.avg_pool2d(image, 3, 2, 1, divisor_override=1)),
    ]
    for p, channels, w, expected in cases:
        target = population("b", (channels, rows, columns))
        check_geometry(p, source, target, rng)
        assert np.array_equal(p.apply(x, w, source, target), expected.flatten(1).numpy())


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    groups=st.integers(1, 3),
    kernel=PAIR,
    stride=PAIR,
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_dense_macs_of_a_convolution_are_the_framework_s(size, groups, kernel, stride, padding):
    conv = torch.nn.Conv2d(2 * groups, 3 * groups, kernel, stride, padding, groups=groups)
    with FlopCounterMode(display=False) as flops:
        out = conv(torch.zeros(1, 2 * groups, *size))
    source, target = population("a", (2 * groups, *size)), population("b", out.shape[1:])
    p = Conv2d("a", "b", conv.weight.detach().numpy(), stride, padding, groups=groups)
    p.check(source, target)
    assert p.dense_macs(source, target) * 2 == flops.get_total_flops()
    if padding == (0, 0):
        assert p.dense_macs(source, target) == p.macs(source, target)
    else:
        assert p.dense_macs(source, target) >= p.macs(source, target)


def test_bad_geometry_is_refused():
    weight = np.ones((2, 1, 2, 2))
    with pytest.raises(NetworkError, match=r"output_padding: found \(1, 1\), expected less than the stride"):
        TransposedConv2d("a", "b", weight, output_padding=1)
    with pytest.raises(NetworkError, match="groups: found 3, expected a divisor of 2"):
        TransposedConv2d("a", "b", weight, groups=3).check(population("a", (2, 2, 2)), population("b", (3, 3, 3)))
    with pytest.raises(NetworkError, match=r"target: found \(2, 4, 4\), expected shape \(2, 4, 6\)"):
        Upsample("a", "b", (2, 3)).check(population("a", (2, 2, 2)), population("b", (2, 4, 4)))
    with pytest.raises(NetworkError, match="factor: found 0, expected at least 1"):
        Upsample("a", "b", 0)
