"""One set of weights under several codings, without the data that it was calibrated on."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn

from sfnhw.convert import convert
from sfnhw.errors import NetworkError
from sfnhw.network import Network
from sfnhw.neurons import IF, MTN, Events, Graded, Readout
from sfnhw.recode import recode
from sfnhw.record import record

torch.set_num_threads(1)
INPUTS = np.random.default_rng(1).random((50, 1, 6, 6))


@lru_cache(maxsize=1)
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 1), nn.ReLU6(), nn.Flatten(), nn.Linear(20, 3)
    ).eval()


@lru_cache(maxsize=1)
def sfn() -> Network:
    return convert(module(), INPUTS, thresholds=8, lam=0.125)


def reference() -> np.ndarray:
    with torch.no_grad():
        return module()(torch.from_numpy(INPUTS).float()).numpy()


def error(network: Network) -> float:
    """Relative to the outputs themselves: those of an untrained network hardly vary from input to input."""
    expected = reference()
    return float(np.square(record(network, INPUTS).outputs - expected).sum() / np.square(expected).sum())


def test_if_has_the_thresholds_of_the_theorem():
    """θ_M = θ_IF / T with T = N (arXiv 2510.23383, Theorem 1): the step times N."""
    network = recode(sfn())
    assert network.timesteps == 8
    for name in ("0", "3"):
        assert network[name].coding == IF(8, 0.5)
        step = sfn()[name].scale  # uniform spacing: the first threshold is 1 unit
        limit = sfn()[name].statistics.get("cap", np.inf)
        assert np.allclose(network[name].scale, np.minimum(8 * step, limit))
    assert network["6"].coding == Readout(8)
    assert network.inputs[0] is sfn().inputs[0]
    assert network.projections == sfn().projections


def test_mtn_and_if_are_equal_where_the_theorem_holds():
    """A population fed by the static input sees the same value each step: its IF count over T is the MTN's level."""
    several, one = recode(sfn(), "if"), recode(sfn(), "mtn")
    count = record(several, INPUTS, numerics=None).activity.levels["0"].sum(axis=1)
    level = record(one, INPUTS, numerics=None).activity.levels["0"][:, 0]
    assert np.array_equal(count, level)


def test_max_pool_follows_its_source():
    for coding in ("if", "mtn", "graded"):
        network = recode(sfn(), coding)
        assert network["2"].coding == network["0"].coding
        assert np.array_equal(network["2"].scale, network["0"].scale)


def test_graded_is_nearly_the_trained_network_and_coarser_with_fewer_bits():
    eight, four, two = (error(recode(sfn(), "graded", bits=b)) for b in (8, 4, 2))
    assert eight < four < two
    assert eight < 1e-3  # 8-bit weights and activations: a step of 1/255, some layers
    assert recode(sfn(), "graded")["0"].coding == Graded(8)


def test_least_squares_clipping_beats_the_maximum_at_few_bits():
    narrow, wide = (recode(sfn(), "graded", bits=2, scaling=s) for s in ("mse", "max"))
    assert (narrow["0"].scale <= wide["0"].scale).all()
    assert error(narrow) < error(wide)


def test_scalings_by_hand():
    statistics = sfn()["0"].statistics
    assert np.allclose(recode(sfn(), "mtn", thresholds=5, scaling="max")["0"].scale, statistics["max"] / 5)
    assert np.allclose(recode(sfn(), "if", timesteps=5, scaling="quantile")["0"].scale, statistics["quantile"])
    assert recode(sfn(), "mtn", thresholds=5)["0"].coding == MTN(5, 0.5)
    # ReLU6: the top level never stands for more than 6.
    capped = recode(sfn(), "if", timesteps=1000)["3"]
    assert (capped.scale <= 6.0).all()


def test_other_spacing_spans_its_own_largest_threshold():
    network = convert(module(), INPUTS, lam=0.125, spacing="power-of-two", decode="threshold")
    # Largest threshold 2**7 units.
    assert np.allclose(recode(network, "mtn", thresholds=4)["0"].scale, network["0"].scale * 128 / 4)


def test_recoding_twice_and_back_from_a_file(tmp_path):
    again = Network.load(sfn().save(tmp_path / "a.sfn"))
    assert np.array_equal(record(recode(again), INPUTS).outputs, record(recode(sfn()), INPUTS).outputs)
    back = recode(recode(sfn(), "if"), "mtn")
    assert np.allclose(back["0"].scale, sfn()["0"].scale)


def test_missing_statistics_are_named():
    bare = replace(sfn(), populations=tuple(replace(p, statistics={}) for p in sfn().populations))
    with pytest.raises(
        NetworkError, match=r"population '0'\.statistics: its calibration statistics hold no 'clip_4bit'"
    ):
        recode(bare, "graded", bits=4)
    assert recode(bare, "if").timesteps == 8  # needs none


def test_signed_population_under_if():
    torch.manual_seed(0)
    network = convert(nn.Sequential(nn.Linear(4, 3), nn.Identity(), nn.Linear(3, 2)).eval(), np.eye(4), lam=0.2)
    assert network["0"].coding.signed
    assert recode(network, "graded", bits=4)["0"].coding == Graded(4, signed=True)
    with pytest.raises(NetworkError, match="population '0': has values of both signs"):
        recode(network, "if")
    with pytest.raises(NetworkError, match="needs 2 bits"):
        recode(network, "graded", bits=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"coding": "sfn"}, "expected one of if, mtn, graded"),
        ({"coding": "grade"}, "did you mean 'graded'"),
        ({"coding": "if", "bits": 4}, "does not apply to coding 'if'"),
        ({"coding": "graded", "bits": 17}, "from 1 to 16"),
        ({"coding": "if", "timesteps": 0}, "timesteps"),
        ({"coding": "if", "scaling": "mse"}, "scaling"),
        ({"coding": "mtn", "scaling": "steps"}, "did you mean 'step'"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(NetworkError) as found:
        recode(sfn(), **arguments)
    assert words in str(found.value)


def test_input_of_events_fixes_the_timesteps():
    first = replace(sfn().inputs[0], coding=Events(4), scale=np.ones(1))
    hidden = recode(sfn(), "if", timesteps=4)
    network = Network((first, *hidden.populations[1:]), hidden.projections)
    with pytest.raises(NetworkError, match="spikes in time"):
        recode(network, "mtn", thresholds=4)
