"""The trained network out of a .sfn file: held to torch, on the inputs of the estimate and no others."""

import numpy as np
import pytest
import torch
from torch import nn

from sfnhw.convert import convert
from sfnhw.errors import ActivityError
from sfnhw.estimate import estimate
from sfnhw.ideal import has_ideal, ideal_accuracy, ideal_outputs
from sfnhw.recode import recode
from sfnhw.reports.summary import accuracy_text
from tests.networks import chain


def attention() -> nn.Module:
    """A ViT block's operations: patches, layer norm, softmax attention, GELU, residual stream."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(1, 8, 2, 2)
            self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(8) for _ in range(3))
            self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
            self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
            self.head = nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.patch(x).flatten(2).transpose(1, 2)
            q, k, v = (t.unflatten(2, (2, 4)).transpose(1, 2) for t in self.qkv(self.norm1(x)).chunk(3, dim=2))
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            x = x + self.out(y.transpose(1, 2).flatten(2))
            x = x + self.down(nn.functional.gelu(self.up(self.norm2(x))))
            return self.head(self.norm3(x).mean(dim=1))

    torch.manual_seed(3)
    return Block().double().eval()


def test_a_transformer_in_reals_is_the_module():
    module, x = attention(), torch.rand(6, 1, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        expected = module(x).numpy()
    found = ideal_outputs(convert(module, x, coding="sfn"), x.numpy())
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()


def test_relu6_saturates():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU6(), nn.Linear(2, 1)).double().eval()
    with torch.no_grad():
        for layer in (module[0], module[2]):
            layer.weight.fill_(1.0)
            layer.bias.zero_()
    x = np.array([[1.0, 2.0], [5.0, 4.0]])
    # Two neurons each 3, or each min(9, 6): 3 + 3 and 6 + 6.
    assert ideal_outputs(convert(module, x), x).tolist() == [[6.0], [12.0]]


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4)).double().eval()
    calibration, test = torch.rand(64, 6, dtype=torch.float64), torch.rand(40, 6, dtype=torch.float64)
    with torch.no_grad():
        right, answers = module(calibration).argmax(1).numpy(), module(test).argmax(1).numpy()
    # Calibration labels are all right; a quarter of the test labels is wrong.
    labels = answers.copy()
    labels[::4] = (labels[::4] + 1) % 4
    return convert(module, calibration, labels=right), test.numpy(), labels


def test_the_difference_is_on_the_given_inputs(classifier):
    network, inputs, labels = classifier
    run = estimate(network, inputs=inputs, labels=labels, fidelity="analytic", baselines=())
    assert run.ann_accuracy_on_calibration == 1.0
    assert run.ann_accuracy == 0.75
    assert run.as_json()["ann_accuracy"] == 0.75
    assert run.as_json()["ann_accuracy_on_calibration"] == 1.0
    assert "trained network 75.00 %" in accuracy_text(run.as_json())
    # Another code of the same weights is another loss from the same trained network.
    assert ideal_accuracy(recode(network, "if", timesteps=2), inputs, labels) == 0.75


@pytest.mark.parametrize(
    ("coding", "options"),
    [
        ("sfn", {}),
        ("mtn", {}),
        ("if", {"timesteps": 4}),
        ("lif", {"timesteps": 4, "beta": 0.9}),
        ("graded", {}),
        ("polarity", {}),
        ("ttfs", {"timesteps": 4}),
    ],
)
def test_no_coding_changes_it(coding, options):
    """Signed and unsigned layers, one timestep or several, windows or none: the same trained network."""
    torch.manual_seed(1)
    # A leaky neuron has one sign.
    last = nn.ReLU() if coding == "lif" else nn.Identity()
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), last, nn.Linear(5, 3)).double().eval()
    x = torch.rand(16, 4, dtype=torch.float64)
    with torch.no_grad():
        expected = module(x).numpy()
    network = convert(module, x, coding=coding, **options)
    assert np.abs(ideal_outputs(network, x.numpy()) - expected).max() <= 1e-9 * np.abs(expected).max()


def test_without_labels_nothing_is_compared(classifier):
    network, inputs, _ = classifier
    run = estimate(network, inputs=inputs, fidelity="analytic", baselines=())
    assert run.ann_accuracy is None
    text = accuracy_text(run.as_json())
    assert "calibration set" in text
    assert "points" not in text


def test_a_network_made_by_hand_has_no_trained_one():
    network = chain([3, 4, 2])
    assert not has_ideal(network)
    assert ideal_accuracy(network, np.zeros((1, 3)), np.zeros(1, np.int64)) is None


def test_inputs_are_checked(classifier):
    with pytest.raises(ActivityError, match="numbers of shape"):
        ideal_outputs(classifier[0], np.zeros((2, 5)))
