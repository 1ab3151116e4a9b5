"""One set of weights under several codings, without the data that it was calibrated on."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn

from sfnhw.convert import convert
from sfnhw.errors import NetworkError
from sfnhw.estimate import baseline
from sfnhw.network import Network
from sfnhw.neurons import IF, MTN, Events, Graded, Readout
from sfnhw.recode import calibrated_scaling, recode
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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("if", {"coding": "if", "timesteps": 8}),
        ("mtn", {"coding": "mtn", "thresholds": 8}),
        ("polarity", {"coding": "polarity", "thresholds": 8}),
        ("ttfs", {"coding": "ttfs", "timesteps": 8}),
        ("graded8", {"coding": "graded", "bits": 8, "theta": "mse"}),
        ("graded", {"coding": "graded", "bits": 4, "theta": "mse"}),
    ],
)
@pytest.mark.parametrize("rule", [{}, {"theta": "max"}, {"quantile": 0.9}])
def test_a_rival_is_calibrated_as_convert_calibrates_it(name, options, rule):
    """Whatever λ the network has: it was found for the network's own thresholds."""
    network = convert(module(), INPUTS, thresholds=8, lam=0.07, **rule)
    own = convert(module(), INPUTS, **(options if "theta" in options else rule | options))
    rival = baseline(network, name)
    for p in own.populations:
        assert rival[p.name].coding == p.coding
        # Any scale serves a channel that was silent; of quantised ones the two ways take different ones.
        spoke = np.asarray(p.statistics.get("max", 1.0)) > 0 if "theta" in options else slice(None)
        assert np.array_equal(rival[p.name].scale[spoke], p.scale[spoke])
    for mine, theirs in zip(rival.projections, own.projections, strict=True):
        assert np.array_equal(mine.weight, theirs.weight)
    # Other thresholds than those that the network's steps would give.
    if options["coding"] != "graded":
        assert not np.allclose(rival["0"].scale, recode(network, scaling="step", **options)["0"].scale)


def test_what_a_rival_is_calibrated_by():
    fitted = convert(module(), INPUTS, thresholds=8, lam=0.125, theta="mse")
    assert calibrated_scaling(fitted) == "mse"
    assert calibrated_scaling(sfn()) == calibrated_scaling(recode(sfn(), "if")) == "quantile"
    bare = replace(sfn(), populations=tuple(replace(p, statistics={}) for p in sfn().populations))
    assert calibrated_scaling(bare) is None
    # Nothing is known but the thresholds themselves.
    assert np.array_equal(baseline(bare, "if")["0"].scale, recode(sfn(), "if", scaling="step")["0"].scale)


def test_missing_statistics_are_named():
    bare = replace(sfn(), populations=tuple(replace(p, statistics={}) for p in sfn().populations))
    with pytest.raises(
        NetworkError, match=r"population '0'\.statistics: its calibration statistics hold no 'clip_4bit'"
    ):
        recode(bare, "graded", bits=4)
    assert recode(bare, "if").timesteps == 8  # needs none


def test_signed_populations_keep_their_sign_under_every_coding():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.Identity(), nn.Linear(3, 2)).eval()
    x = np.random.default_rng(2).normal(size=(60, 4))
    network = convert(module, x, lam=0.2)
    assert network["0"].coding.signed
    with torch.no_grad():
        expected = module(torch.from_numpy(x).float()).numpy()
    for coding, size in (
        ("if", {"timesteps": 64}),
        ("ttfs", {"timesteps": 64}),
        ("mtn", {"thresholds": 64}),
        ("polarity", {"thresholds": 64}),
        ("graded", {"bits": 7}),
    ):
        again = recode(network, coding, scaling="max", **size)
        assert again["0"].coding.signed
        found = record(again, x)
        assert (found.activity.levels["0"] < 0).any(), coding
        assert np.abs(found.outputs - expected).max() < 0.05 * np.abs(expected).max(), coding
    assert recode(network, "if")["0"].coding == IF(8, 0.0, signed=True)  # no offset that would favour one sign
    with pytest.raises(NetworkError, match="needs 2 bits"):
        recode(network, "graded", bits=1)


def test_ttfs_and_polarity_compute_what_the_mtn_does():
    """Same N, same step: in time, or as bursts, the outputs are the MTN's to the last bit."""
    mtn, ttfs, polarity = (recode(sfn(), c) for c in ("mtn", "ttfs", "polarity"))
    assert (ttfs.timesteps, polarity.timesteps) == (8, 1)
    outputs = record(mtn, INPUTS).outputs
    assert np.array_equal(record(ttfs, INPUTS).outputs, outputs)
    assert np.array_equal(record(polarity, INPUTS).outputs, outputs)
    # ... and back: T levels, not T·T.
    assert recode(ttfs, "mtn")["0"].coding == MTN(8, 0.5)
    assert np.allclose(recode(ttfs, "if")["0"].scale, recode(mtn, "if")["0"].scale)


def test_spacings_of_the_mtn():
    powers = recode(sfn(), "mtn", spacing="power-of-two", thresholds=4)
    assert powers["0"].coding == MTN(4, spacing="power-of-two", rounding="nearest")
    # The top level, 2**3 units, stands where the eight uniform ones ended.
    assert np.allclose(powers["0"].scale, sfn()["0"].scale * 8 / 8)
    free = recode(sfn(), "mtn", spacing="free", thresholds=(0.1, 0.25, 0.5, 1.0), scaling="max")
    assert free["0"].coding.thresholds == (0.1, 0.25, 0.5, 1.0)
    assert np.allclose(free["0"].scale, sfn()["0"].statistics["max"])
    assert error(free) > error(recode(sfn(), "mtn", thresholds=64, scaling="max"))


def test_least_squares_scaling_is_the_codings_own():
    """No candidate clipping point has a smaller error on the kept quantiles than the one that is chosen."""
    population = sfn()["0"]
    sample, top = population.statistics["magnitudes"], population.statistics["max"]
    for coding, size in (("mtn", {"thresholds": 3}), ("if", {"timesteps": 3}), ("ttfs", {"timesteps": 3})):
        new = recode(sfn(), coding, scaling="mse", **size)["0"]

        def loss(scale, new=new):
            unit = scale[:, None]
            return ((sample - unit * new.coding.represent(sample / unit)) ** 2).sum(axis=1)

        levels = new.coding.values()[-1]
        for share in (0.3, 0.5, 0.8, 1.0):
            assert (loss(new.scale) <= loss(np.where(top > 0, share * top, 1.0) / levels) * 1.1 + 1e-12).all()


def test_threshold_scale_is_fitted_or_given():
    given = recode(sfn(), "if", timesteps=3, threshold_scale=0.8)
    assert given["0"].coding == IF(3, 0.5, threshold_scale=0.8)
    fitted = recode(sfn(), "if", timesteps=3, threshold_scale="mse", initial_potential=0.0, scaling="max")
    # v(0) = 0 rounds down, on average by half a spike: a lower threshold makes up for it.
    assert fitted["0"].coding.threshold_scale < 1
    plain = recode(sfn(), "if", timesteps=3, initial_potential=0.0, scaling="max")
    assert error(fitted) < error(plain)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"coding": "sfn"}, "expected one of if, mtn, polarity, ttfs, graded"),
        ({"coding": "grade"}, "did you mean 'graded'"),
        ({"coding": "if", "bits": 4}, "does not apply to coding 'if'"),
        ({"coding": "graded", "bits": 17}, "from 1 to 16"),
        ({"coding": "if", "timesteps": 0}, "timesteps"),
        ({"coding": "if", "spacing": "power-of-two"}, "does not apply to coding 'if'"),
        ({"coding": "mtn", "threshold_scale": 0.8}, "threshold_scale"),
        ({"coding": "mtn", "rounding": "floor"}, "rounding: does not apply"),
        ({"coding": "mtn", "spacing": "free", "thresholds": 4}, "a tuple of thresholds"),
        ({"coding": "mtn", "spacing": "free", "thresholds": (2.0, 1.0)}, "ascending"),
        ({"coding": "polarity", "thresholds": 256}, "from 1 to 255"),
        ({"coding": "if", "threshold_scale": -1.0}, "above 0"),
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
