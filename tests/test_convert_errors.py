"""What cannot be converted is refused by name, and all of it at once."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from sfnhw.convert import convert
from sfnhw.convert.options import options_from
from sfnhw.errors import ConversionError

IMAGES = np.random.default_rng(0).random((6, 1, 6, 6))
ROWS = np.random.default_rng(0).random((6, 4))


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()


def test_all_unsupported_operations_are_reported_with_their_paths():
    body = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Hardswish(), nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2), nn.SiLU(), nn.Flatten()
    )
    module = nn.Sequential(body, nn.Linear(32, 2)).eval()
    with pytest.raises(ConversionError) as error:
        convert(module, IMAGES)
    text = str(error.value)
    assert text.startswith("3 operations cannot be converted")
    for path, operation in (("0.1", "hardswish"), ("0.3", "group_norm"), ("0.4", "silu")):
        assert f"{path}: aten.{operation}" in text
    assert "use batch norm" in text


@pytest.mark.parametrize(
    ("module", "inputs", "words"),
    [
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)),
            IMAGES,
            "put the ReLU before it",
        ),
        (
            nn.Sequential(nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), nn.Flatten()),
            IMAGES,
            "count_include_pad",
        ),
        (nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten()), IMAGES, "divide the input's"),
        (nn.Sequential(nn.MaxPool2d(2, dilation=2), nn.Flatten()), IMAGES, "dilation=1"),
        (nn.Sequential(nn.AvgPool2d(4, ceil_mode=True), nn.Flatten()), IMAGES, "ceil_mode"),
        (nn.Sequential(nn.Conv2d(1, 1, 2, padding="same")), IMAGES, "odd kernel"),
        (nn.Sequential(nn.Hardtanh(-1, 1), nn.Linear(4, 2)), ROWS, "lower bound of -1"),
        (nn.Sequential(nn.Softmax(dim=1), nn.Linear(4, 2)), ROWS, "attention scores"),
        (nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2, track_running_stats=False)), ROWS, "running statistics"),
    ],
)
def test_refused_by_name(module, inputs, words):
    with pytest.raises(ConversionError) as error:
        convert(module.eval(), inputs)
    assert words in str(error.value)


def test_product_of_activations():
    class Product(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.relu(x)

    with pytest.raises(ConversionError, match="product of two activations"):
        convert(Product().eval(), ROWS)


def test_training_mode_names_the_layer():
    module = linear()
    module[1].train()
    with pytest.raises(ConversionError, match=r"^1: is in training mode; call \.eval\(\) first"):
        convert(module, ROWS)


def test_data_dependent_branch_is_a_clear_error():
    class Branch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(ConversionError, match="must take one tensor and not branch on its values"):
        convert(Branch().eval(), ROWS)


def test_a_module_that_is_not_a_function_of_its_input_is_caught():
    class Random(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x) * random.random()  # Python's own, which no graph shows

    with pytest.raises(ConversionError, match="does not compute what the module does"):
        convert(Random().eval(), ROWS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"coding": "snf"}, "did you mean 'sfn'"),
        ({"treshold": 8}, "did you mean 'thresholds'"),
        ({"thresholds": 0}, "thresholds"),
        ({"thresholds": True}, "thresholds"),
        ({"coding": "if"}, "timesteps"),
        ({"timesteps": 4}, "expected 1 with coding='sfn'"),
        ({"quantile": 1.5}, "quantile"),
        ({"spacing": "power"}, "power-of-two"),
        ({"lam": -0.1}, "lam"),
        ({"lam": float("nan")}, "lam"),
        ({"lambda_range": (0.5, 0.1)}, "lambda_range"),
        ({"lambda_budget": 0}, "lambda_budget"),
        ({"coding": "mtn", "initial_potential": 1.0}, "expected 0 ≤ v(0) < 1"),
        ({"initial_potential": 0.5}, "does not apply to coding='sfn'"),
        ({"coding": "mtn", "spacing": "power-of-two", "initial_potential": 0.5}, "does not apply to coding='mtn'"),
        ({"coding": "mtn", "rounding": "nearest"}, "rounding: does not apply to coding='mtn' with uniform"),
        ({"coding": "mtn", "spacing": "density"}, "expected uniform or power-of-two or free with coding='mtn'"),
        ({"coding": "mtn", "spacing": "free"}, "expected ascending thresholds, such as"),
        ({"coding": "mtn", "spacing": "free", "thresholds": (1.0, 0.5)}, "ascending positive"),
        ({"coding": "mtn", "spacing": "free", "thresholds": (0.5, "1")}, "ascending positive"),
        ({"coding": "mtn", "spacing": "power-of-two", "thresholds": 17}, "at most 16 powers of two"),
        ({"coding": "mtn", "threshold_scale": 0.5}, "threshold_scale"),
        ({"coding": "if", "timesteps": 4, "threshold_scale": 0}, "threshold_scale"),
        ({"coding": "polarity", "thresholds": 300}, "from 1 to 255"),
        ({"coding": "ttfs"}, "an integer ≥ 1 with coding='ttfs'"),
        ({"labels": np.zeros(3, int)}, "expected 6 integers"),
        ({"labels": np.zeros(6)}, "expected 6 integers"),
        ({"labels": np.array([0, 1, 2, 0, 1, 0])}, "labels: found 2, expected class indices from 0 to 1"),
        ({"labels": np.array([0, 1, -1, 0, 1, 0])}, "labels: found -1, expected class indices from 0 to 1"),
        ({"lambda_range": (0.5,)}, "expected (low, high)"),
        ({"seed": -1}, "seed: found -1"),
        ({"stream_bits": 12}, "the module has no residual stream"),
        ({"initial_potential": "half", "coding": "mtn"}, "expected 0 ≤ v(0) < 1"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ConversionError) as error:
        convert(linear(), ROWS, **options)
    assert words in str(error.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_calibration_names_the_place(bad):
    rows = ROWS.copy()
    rows[2, 1] = bad
    with pytest.raises(ConversionError, match=r"index \(2, 1\)"):
        convert(linear(), rows)


@pytest.mark.parametrize("rows", [np.zeros((0, 4)), np.zeros(4), np.array(["a"]), []])
def test_empty_or_shapeless_calibration(rows):
    with pytest.raises(ConversionError, match="calibration"):
        convert(linear(), rows)


def test_not_a_module():
    with pytest.raises(ConversionError, match=r"expected a torch\.nn\.Module"):
        convert("model.pt", ROWS)


def test_inputs_that_forward_does_not_take_are_told_by_their_shape_alone(capfd):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()
    with pytest.raises(
        ConversionError, match=r"Sequential fails on inputs of shape \(samples, 5, 8, 8\) \(RuntimeError: "
    ):
        convert(module, np.ones((4, 5, 8, 8), np.float32))
    assert capfd.readouterr() == ("", "")


# One value of each option that some coding lacks, in its range, and what that coding needs to be complete.
VALUES = {
    "thresholds": 8, "bits": 8, "spacing": "uniform", "rounding": "floor", "decode": "mean", "initial_potential": 0.5,
    "threshold_scale": 1.0, "lambda_range": (0.1, 1.0), "lambda_budget": 3, "spike_weight": 0.01, "search_samples": 512,
    "beta": 0.9, "reset": "subtract",
}  # fmt: skip
NEEDS = {"if": {"timesteps": 2}, "ttfs": {"timesteps": 2}, "lif": {"timesteps": 2, "beta": 0.9}}
HAS = {  # by hand, from docs/codings.md
    "sfn": {"thresholds", "spacing", "rounding", "decode"}
    | {"lambda_range", "lambda_budget", "spike_weight", "search_samples"},
    "mtn": {"thresholds", "spacing", "initial_potential"},
    "if": {"initial_potential", "threshold_scale"},
    "lif": {"initial_potential", "beta", "reset"},
    "polarity": {"thresholds", "initial_potential"},
    "ttfs": {"initial_potential"},
    "graded": {"bits"},
}


@pytest.mark.parametrize("coding", list(HAS))
def test_an_option_that_the_coding_does_not_have_is_an_error_even_at_its_default_value(coding):
    for name, value in VALUES.items():
        given = {"coding": coding, **NEEDS.get(coding, {}), name: value}
        if name in HAS[coding]:
            assert getattr(options_from(given), name) == value
        else:
            with pytest.raises(ConversionError, match=f"^{name}: does not apply to coding='{coding}'"):
                options_from(given)
    assert options_from({"coding": coding, **NEEDS.get(coding, {}), "rounding": None, "lam": None}).lam is None


def test_options_of_the_search_and_the_quantile_need_what_uses_them():
    for name in ("lambda_range", "lambda_budget", "spike_weight", "search_samples"):
        with pytest.raises(ConversionError, match=f"^{name}: does not apply.*λ is searched"):
            options_from({"lam": 0.1, name: VALUES[name]})
    assert options_from({"coding": "if", "timesteps": 2, "quantile": 0.9}).quantile == 0.9
    for rest in ({"theta": "max"}, {"coding": "graded"}):
        with pytest.raises(ConversionError, match=r"^quantile: does not apply.*expected theta='quantile'"):
            options_from({"quantile": 0.9, **rest})


@pytest.mark.parametrize(("bad", "what"), [(np.nan, "NaN"), (np.inf, "infinite values"), (-np.inf, "infinite values")])
def test_a_weight_that_is_no_number_is_told_by_its_layer(bad, what):
    module = nn.Sequential()
    module.add_module("conv1", nn.Conv2d(1, 2, 3))
    module.add_module("norm", nn.BatchNorm2d(2))
    module.eval()
    with torch.no_grad():
        module.norm.running_var[1] = bad
    with pytest.raises(ConversionError, match=f"^layer 'norm': running_var holds {what}, expected finite numbers"):
        convert(module, IMAGES)
    with torch.no_grad():
        module.conv1.weight[1, 0, 2, 2] = bad
    with pytest.raises(ConversionError, match=f"^layer 'conv1': weight holds {what}, expected finite numbers"):
        convert(module, IMAGES)
