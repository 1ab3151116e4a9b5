"""Theorem 2 of arXiv 2510.23383 on the digits CNN itself: convolutions, residual addition, average pool, classifier.

The CNN is converted and its weights are replaced by ones that keep the theorem's conditions: non-negative, and each
neuron's (with its bias) sum to at most θ = 1. They are multiples of 1/1024 with 127/1024 the largest, so that real
arithmetic is exact and 8-bit weights hold them without rounding: equality means equality, in both.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from sfnhw.convert import convert
from sfnhw.digits import digits_cnn, load_digits_split
from sfnhw.neurons import MTN, Graded
from sfnhw.numerics import Numerics
from sfnhw.recode import recode
from sfnhw.record import record

D = 1024
HIDDEN = ("stem", "block.conv1", "block.add", "down", "pool")


@lru_cache(maxsize=1)
def architecture():
    return convert(digits_cnn(4).eval(), load_digits_split().train_images[:16], coding="mtn", thresholds=4)


def rows(rng, shape, budget):
    """Weights (out, ...) ≥ 0, multiples of 1/D, each row at most budget/D in all, the largest 127/D."""
    fan_in = int(np.prod(shape[1:]))
    counts = rng.multinomial(budget - 127, np.ones(fan_in) / fan_in, size=shape[0])
    counts[:, 0] = 127
    return np.minimum(counts, 127).reshape(shape) / D


def cnn(seed, T, v0, change=lambda name, weight: weight):
    """The digits CNN as MTNs with N = T and θ_M = 1/T; `change` may break the conditions."""
    rng = np.random.default_rng(seed)
    base = architecture()
    weights = {}
    for i, p in enumerate(base.projections):
        if p.kind == "conv2d":
            # Half of the residual sum's θ goes to the shortcut; 16/1024 of each θ to the bias.
            weights[i] = change(p.target, rows(rng, p.weight.shape, (D // 2 if p.target == "block.add" else D) - 16))
        elif p.kind == "elementwise":
            weights[i] = np.full(p.weight.shape, 0.5)
        elif p.kind == "dense":
            weights[i] = rng.integers(-127, 128, p.weight.shape) / D
            weights[i].flat[0] = 127 / D
    projections = tuple(replace(p, weight=weights[i]) if i in weights else p for i, p in enumerate(base.projections))
    populations = []
    for p in base.populations:
        bias = None if p.bias is None else rng.integers(0, 17, p.bias.shape) / D
        if p.role == "input":
            populations.append(replace(p, coding=Graded(5), scale=np.full(1, 1 / 16)))  # 17 grey levels
        elif p.role == "output":
            populations.append(replace(p, bias=bias))
        else:
            populations.append(replace(p, coding=MTN(T, v0), scale=np.full(p.channels, 1 / T), bias=bias))
    return replace(base, populations=tuple(populations), projections=projections)


def both(network, T, v0, numerics):
    images = load_digits_split().test_images[:12]
    over_time = recode(network, "if", timesteps=T, initial_potential=v0)
    assert [p.scale[0] for p in over_time.populations if p.role == "hidden"] == [1.0] * len(HIDDEN)
    return record(over_time, images, numerics=numerics), record(network, images, numerics=numerics)


def test_architecture_is_the_digits_cnn():
    base = architecture()
    assert tuple(p.name for p in base.populations if p.role == "hidden") == HIDDEN
    assert [p.kind for p in base.projections].count("conv2d") == 4


@pytest.mark.parametrize("numerics", [None, Numerics()], ids=["real", "chip"])
@pytest.mark.parametrize(("T", "v0"), [(1, 0.5), (2, 0.5), (4, 0.5), (8, 0.5), (16, 0.25)])
def test_if_over_t_steps_equals_mtn_in_one(T, v0, numerics):
    slow, once = both(cnn(T, T, v0), T, v0, numerics)
    for name in HIDDEN:
        sums = slow.activity.levels[name].sum(axis=1)
        assert np.array_equal(sums, once.activity.levels[name][:, 0]), name
        assert sums.any(), name
    assert np.array_equal(slow.outputs, once.outputs)


@pytest.mark.parametrize("numerics", [None, Numerics()], ids=["real", "chip"])
def test_inhibition_breaks_it_behind_the_first_layer(numerics):
    """Every second weight negative: inputs behind the stem change sign over time. The stem, whose input is the same
    at every step, still agrees; the layers after it do not."""

    def change(name, weight):
        signed = weight.copy()
        if name != "stem":
            signed.reshape(len(weight), -1)[:, 1::2] *= -1
        return signed

    T = 16
    slow, once = both(cnn(0, T, 0.5, change), T, 0.5, numerics)
    sums = {name: slow.activity.levels[name].sum(axis=1) for name in HIDDEN}
    assert np.array_equal(sums["stem"], once.activity.levels["stem"][:, 0])
    assert not np.array_equal(sums["block.conv1"], once.activity.levels["block.conv1"][:, 0])
    assert not np.array_equal(slow.outputs, once.outputs)
    # An IF neuron cannot take a spike back: it says at least what the MTN says, wherever its own input agrees.
    assert (sums["block.conv1"] >= once.activity.levels["block.conv1"][:, 0]).all()


def test_more_than_theta_at_once_breaks_it():
    """Weights doubled, so that a step can bring up to 2θ: only one spike leaves a step, and the last ones come too late.

    IF neurons then say at most what the MTN says where their inputs agree, and less somewhere.
    """

    def change(name, weight):
        return 2 * weight if name == "block.conv1" else weight

    T = 4
    slow, once = both(cnn(0, T, 0.0, change), T, 0.0, None)
    sums = slow.activity.levels["block.conv1"].sum(axis=1)
    levels = once.activity.levels["block.conv1"][:, 0]
    assert np.array_equal(slow.activity.levels["stem"].sum(axis=1), once.activity.levels["stem"][:, 0])
    assert (sums <= levels).all()
    assert (sums < levels).any()
