"""Converted codings: torch and NumPy agree level for level, metadata is complete, the file keeps everything."""

import json
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn

from sfnhw.convert import convert
from sfnhw.convert.clipping import CANDIDATES, optimal_clip
from sfnhw.convert.evaluate import Evaluator
from sfnhw.convert.trace import trace
from sfnhw.network import Network
from sfnhw.neurons import Graded
from sfnhw.record import record

torch.set_num_threads(1)


@lru_cache(maxsize=1)
def small() -> tuple[nn.Module, np.ndarray, np.ndarray]:
    torch.manual_seed(3)
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, groups=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip
    x = torch.rand(40, 1, 8, 8)
    module(x)  # running statistics other than 0 and 1
    module.eval()
    with torch.no_grad():
        labels = module(x).argmax(1).numpy()
    return module, x.numpy(), labels


CODINGS = [
    {"coding": "sfn", "lam": 0.125},
    {"coding": "sfn", "lam": 0.2, "spacing": "power-of-two", "rounding": "nearest", "decode": "threshold"},
    {"coding": "sfn", "lam": 0.2, "spacing": "lloyd-max", "rounding": "nearest"},
    {"coding": "mtn", "thresholds": 5},
    {"coding": "if", "timesteps": 6, "initial_potential": 0.25},
    {"coding": "graded", "bits": 5},
    {"coding": "mtn", "thresholds": 4, "spacing": "power-of-two"},
    {"coding": "mtn", "thresholds": 4, "spacing": "power-of-two", "rounding": "floor", "theta": "max"},
    {"coding": "mtn", "thresholds": (0.1, 0.3, 0.45, 1.0), "spacing": "free"},
    {"coding": "if", "timesteps": 3, "threshold_scale": "mse", "initial_potential": 0.0},
    {"coding": "if", "timesteps": 3, "threshold_scale": 0.8, "theta": "mse"},
    {"coding": "polarity", "thresholds": 6},
    {"coding": "ttfs", "timesteps": 6},
]


def signed() -> tuple[nn.Module, np.ndarray]:
    """A layer without a ReLU behind it: its population has both signs."""
    torch.manual_seed(5)
    module = nn.Sequential(nn.Linear(6, 5), nn.Identity(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    return module, np.random.default_rng(6).normal(size=(50, 6))


@pytest.mark.parametrize("both", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("options", CODINGS, ids=lambda o: f"{o['coding']}-{o.get('spacing', '')}")
def test_torch_agrees_with_record(options, both):
    """Two implementations of the same network, in float64: outputs equal to rounding, spikes equal exactly."""
    module, x = signed() if both else small()[:2]
    network = convert(module, x, **options)
    assert any(p.coding.signed for p in network.populations if p.role == "hidden") == both
    plan = trace(module, x.shape[1:], signed=both).plan
    codings = {p.name: p.coding for p in network.populations}
    scales = {p.name: p.scale for p in network.populations}
    outputs, rate, _ = Evaluator(plan).coded(x, codings, scales)
    recording = record(network, x, numerics=None)
    assert np.allclose(outputs, recording.outputs, rtol=1e-9, atol=1e-9)
    hidden = [p for p in network.populations if p.role == "hidden"]
    sent = sum(recording.activity.spikes(network)[p.name] for p in hidden)
    assert rate == pytest.approx(sent / (sum(p.size for p in hidden) * network.timesteps * len(x)), rel=1e-12)


def test_names_are_the_layers_own():
    module, x, _ = small()
    network = convert(module, x, lam=0.1)
    assert [p.name for p in network.populations] == ["input", "0", "3", "4", "6", "8"]
    assert network["3"].function == "max"
    assert network["3"].coding == network["0"].coding


def test_search_is_recorded_and_best_trial_wins():
    module, x, labels = small()
    network = convert(module, x, labels=labels, lambda_budget=9)
    found = network.metadata["lambda_search"]
    best = min(found["trials"], key=lambda t: t["loss"])
    assert network.metadata["lambda"] == best["lam"]
    assert 1 <= len(found["trials"]) <= 9
    low, high = found["range"]
    assert (low, high) == (0.25 / 8, 4 / 8)
    assert all(low <= t["lam"] * (1 + 1e-9) and t["lam"] <= high * (1 + 1e-9) for t in found["trials"])
    assert network.metadata["ann_accuracy"] == 1.0  # the labels are the module's own answers
    # Full scale λθN belongs near θ: λ is near 1/N, as the project's table says.
    assert 0.4 / 8 <= best["lam"] <= 2.5 / 8


def test_wrong_lambda_ruins_the_network():
    """λ = 1 at N = 8: thresholds reach 8θ, and nearly nothing fires (arXiv 2510.23383, ablation of λ)."""
    module, x, _ = small()
    errors = {}
    with torch.no_grad():
        reference = module(torch.from_numpy(x)).numpy()
    for lam in (1.0, 0.125):
        errors[lam] = np.square(record(convert(module, x, lam=lam), x).outputs - reference).mean()
    assert errors[1.0] > 10 * errors[0.125]


def test_network_file_keeps_all(tmp_path):
    module, x, labels = small()
    network = convert(module, x, labels=labels, lambda_budget=3, name="small")
    again = Network.load(network.save(tmp_path / "small.sfn"))
    assert again.metadata == json.loads(json.dumps(network.metadata))
    assert again.name == "small"
    for a, b in zip(network.populations, again.populations, strict=True):
        assert a.coding == b.coding
        assert sorted(a.statistics) == sorted(b.statistics)
        for key in a.statistics:
            assert np.array_equal(a.statistics[key], b.statistics[key])
    assert np.array_equal(record(network, x).outputs, record(again, x).outputs)


@pytest.mark.parametrize("options", CODINGS[6:], ids=lambda o: f"{o['coding']}-{o.get('spacing', '')}")
def test_every_coding_survives_the_file(options, tmp_path):
    module, x, _ = small()
    network = convert(module, x, **options)
    again = Network.load(network.save(tmp_path / "a.sfn"))
    assert [p.coding for p in again.populations] == [p.coding for p in network.populations]
    assert again.metadata == json.loads(json.dumps(network.metadata))
    assert np.array_equal(record(again, x).outputs, record(network, x).outputs)


def test_conversion_is_deterministic_and_leaves_the_module_alone():
    module, x, _ = small()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    first, second = (convert(module, x, lambda_budget=4) for _ in range(2))
    assert first.metadata == second.metadata
    assert all(np.array_equal(a.scale, b.scale) for a, b in zip(first.populations, second.populations, strict=True))
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_batches_with_labels_are_the_same_as_arrays():
    module, x, labels = small()
    batches = [(torch.from_numpy(x[i : i + 16]), torch.from_numpy(labels[i : i + 16])) for i in range(0, 40, 16)]
    from_batches = convert(module, batches, lambda_budget=2)
    from_arrays = convert(module, x, labels=labels, lambda_budget=2)
    assert from_batches.metadata == from_arrays.metadata


def test_theta_rules_by_hand():
    """One neuron, identity weight, inputs 0, .01 .. 1: max 1, quantile 0.5 of the non-zero 0.505."""
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double().eval()
    with torch.no_grad():
        module[0].weight.fill_(1)
        module[0].bias.zero_()
    x = np.arange(101)[:, None] / 100
    assert convert(module, x, lam=0.5, quantile=0.5)["0"].scale == pytest.approx([0.5 * 0.505], rel=1e-6)
    assert convert(module, x, lam=0.5, theta="max")["0"].scale == pytest.approx([0.5], rel=1e-6)
    assert convert(module, x, coding="graded", bits=3)["0"].scale == pytest.approx([1 / 7], rel=1e-6)
    assert convert(module, x, coding="mtn", thresholds=4, theta="max")["0"].scale == pytest.approx([1 / 4], rel=1e-6)
    assert convert(module, x, coding="if", timesteps=4, theta="max")["0"].scale == pytest.approx([1.0], rel=1e-6)


def test_least_squares_theta_is_of_the_codings_own_staircase():
    """Inputs 0, .01 .. 1 (uniform), N levels that round to the nearest, full scale c.

    Uniform levels: c = N/(N + 1/2) puts the last interval's end at 1, so every step is as wide as every other; two
    levels: 0.8. Powers of two, N = 2 (levels c/2, c, nothing below c/2): larger c is worse and smaller ones clip.
    """
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double().eval()
    with torch.no_grad():
        module[0].weight.fill_(1)
        module[0].bias.zero_()
    x = np.arange(101)[:, None] / 100

    def full(**options):
        population = convert(module, x, theta="mse", **options)["0"]
        return float(population.scale[0] * population.coding.values()[-1])

    for options in ({"coding": "mtn", "thresholds": 2}, {"coding": "ttfs", "timesteps": 2},
                    {"coding": "polarity", "thresholds": 2}, {"coding": "if", "timesteps": 2}):  # fmt: skip
        assert full(**options) == pytest.approx(0.8, rel=0.05), options
    # Rounding down (v(0) = 0) gains by a top level further down: steps c/2, each half a step low on average.
    assert full(coding="mtn", thresholds=2, initial_potential=0.0) < 0.8

    def error(c):  # by brute force, on the same values
        a = x.ravel()
        level = np.where(a >= 0.75 * c, c, np.where(a >= 0.5 * c, 0.5 * c, 0.0))
        return ((a - level) ** 2).sum()

    best = min(np.geomspace(0.05, 1, 400), key=error)
    assert full(coding="mtn", thresholds=2, spacing="power-of-two") == pytest.approx(best, rel=0.08)


def test_fitted_threshold_scale_helps_few_steps_and_is_recorded():
    module, x, _ = small()
    with torch.no_grad():
        reference = module(torch.from_numpy(x)).numpy()

    def error(**options):
        network = convert(module, x, coding="if", timesteps=2, initial_potential=0.0, **options)
        return np.square(record(network, x).outputs - reference).mean(), network

    (fitted, network), (plain, _) = error(threshold_scale="mse"), error()
    assert fitted < plain
    assert network.metadata["threshold_scale"] == "mse"
    assert 0.25 <= network["0"].coding.threshold_scale < 1


def test_dead_channels_get_a_usable_scale():
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1e-6, 0.0]]))
        module[0].bias.zero_()
    x = np.random.default_rng(0).random((30, 2))
    scale = convert(module, x, lam=0.125)["0"].scale
    # A channel that never or hardly fires keeps at least 1/20 of the population's θ.
    assert (scale >= 0.04 * scale[0]).all()
    zeros = convert(module, np.zeros((4, 2)), lam=0.125)
    assert np.isfinite(record(zeros, x).outputs).all()


def test_a_clip_is_not_that_of_one_column_of_each_image():
    """Images 16 wide whose borders are faint: every 16th magnitude is a border's, and says nothing of the rest."""
    rng = np.random.default_rng(0)
    image = np.abs(rng.normal(0, 1, (3, 64, 16, 16)))
    image[..., 0] *= 0.05
    flat = image.reshape(3, -1)
    clip = optimal_clip(flat, flat.max(axis=1), Graded(8, False))

    def error(at):
        step = at[:, None] / 255
        return ((flat - step * np.minimum(np.rint(flat / step), 255)) ** 2).sum(axis=1)

    best = np.min([error(share * flat.max(axis=1)) for share in CANDIDATES], axis=0)
    assert (error(clip) <= 1.1 * best).all()
