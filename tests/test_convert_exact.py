"""A network under a very fine code must give what the trained module gives: torch itself is the reference."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sfnhw.convert import convert
from sfnhw.ideal import ideal_outputs
from sfnhw.network import AveragePool, Conv2d, Dense, Elementwise, MaxPool
from sfnhw.record import record

torch.set_num_threads(1)


def agree(module: nn.Module, shape: tuple[int, ...], seed: int = 0, signed: bool = False, samples: int = 12):
    """Convert with 16-bit graded codes, run in real arithmetic, and compare the logits with torch's."""
    torch.manual_seed(seed)
    module = module.double().eval()
    x = torch.rand((samples, *shape), dtype=torch.float64) - (0.5 if signed else 0)
    network = convert(module, x, coding="graded", bits=16, input_bits=16)
    found = record(network, x.numpy().reshape(samples, *network.inputs[0].shape), numerics=None).outputs
    with torch.no_grad():
        expected = module(x).flatten(1).numpy()
    # 16 bits leave a relative step of 2**-16 = 1.5e-5 for each population; errors add over a few layers and fan-ins.
    scale = max(np.abs(expected).max(), np.abs(expected - expected.mean(axis=0)).max())
    assert np.abs(found - expected).max() <= 2e-3 * scale
    # Without any code the same file holds the trained network itself, to rounding in double precision.
    ideal = ideal_outputs(network, x.numpy().reshape(samples, *network.inputs[0].shape))
    assert np.abs(ideal - expected).max() <= 1e-9 * scale
    return network


def randomise(module: nn.Module, seed: int) -> nn.Module:
    """Batch norms with statistics that are not the neutral ones."""
    generator = torch.Generator().manual_seed(seed)
    for m in module.modules():
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
            m.running_mean.copy_(torch.randn(m.num_features, generator=generator) * 0.2)
            m.running_var.copy_(torch.rand(m.num_features, generator=generator) + 0.3)
            m.weight.data.copy_(torch.rand(m.num_features, generator=generator) + 0.5)
            m.bias.data.copy_(torch.randn(m.num_features, generator=generator) * 0.3)
    return module


class Residual(nn.Module):
    def __init__(self, channels: int, last_relu: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.last_relu = last_relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        y += x
        return nn.functional.relu(y) if self.last_relu else y


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    kernel=st.sampled_from([1, 2, 3]),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2, 4]),
    pool=st.sampled_from(["avg", "max", "adaptive", "none"]),
    residual=st.sampled_from(["none", "relu", "bare"]),
    signed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_random_cnn(kernel, stride, padding, dilation, groups, pool, residual, signed, seed):
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]
    conv = nn.Conv2d(4, 4, kernel, stride, padding, dilation, groups)
    layers += [conv, nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3)]
    if residual != "none":
        layers.append(Residual(4, residual == "relu"))
    if pool == "max" and residual == "bare":
        layers.append(nn.ReLU())
    layers += {
        "avg": [nn.AvgPool2d(2, 1, padding=1)],
        "max": [nn.MaxPool2d(2, 1, padding=1)],
        "adaptive": [nn.AdaptiveAvgPool2d(1)],
        "none": [],
    }[pool]
    body = nn.Sequential(*layers)
    size = body.double().eval()(torch.zeros(1, 2, 7, 6, dtype=torch.float64)).numel()
    agree(randomise(nn.Sequential(body, nn.Flatten(), nn.Linear(size, 3)), seed), (2, 7, 6), seed, signed)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(widths=st.lists(st.integers(1, 9), min_size=1, max_size=3), bn=st.booleans(), seed=st.integers(0, 99))
def test_random_mlp(widths, bn, seed):
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    before = 12
    for width in widths:
        layers += [nn.Linear(before, width), nn.BatchNorm1d(width) if bn else nn.Identity(), nn.ReLU()]
        before = width
    agree(randomise(nn.Sequential(*layers, nn.Linear(before, 2)), seed), (3, 4), seed, signed=True)


def test_batch_norm_behind_relu_folds_into_the_next_layer():
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2))
    network = agree(randomise(module, 1), (5,))
    assert [type(p) for p in network.projections] == [Dense, Dense]


def test_batch_norm_before_a_padded_convolution_stays_a_population():
    """With padding the offset must not reach the border, so the norm cannot fold forwards."""
    module = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, padding=1))
    network = agree(randomise(module, 2), (2, 5, 5))
    assert [type(p) for p in network.projections] == [Elementwise, Conv2d]
    assert network.populations[1].coding.signed


def test_max_pool_before_relu_is_moved_behind_it_through_a_batch_norm():
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    )
    network = agree(randomise(module, 3), (1, 6, 6))
    assert [type(p) for p in network.projections] == [Conv2d, MaxPool, Dense]
    assert [p.function for p in network.populations] == ["identity", "relu", "max", "identity"]
    assert [p.name for p in network.populations] == ["input", "0", "1", "5"]


def test_value_used_twice_is_computed_once():
    """Pre-activation block: the sum feeds a ReLU and a skip, so it becomes a signed population of its own."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 3, padding=1), nn.Linear(32, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.a(x)
            return self.c((x + self.b(torch.relu(x))).flatten(1))

    network = agree(Block(), (1, 4, 4))
    assert sum(isinstance(p, Conv2d) for p in network.projections) == 2
    assert network["a"].coding.signed


def test_in_place_operation_changes_later_uses():
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.a(x)
            x.relu_()
            return self.b(x)

    agree(InPlace(), (4,))


def test_constants_mean_over_positions_and_one_dimension():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 4, 3, stride=2, padding=1)
            self.fc = torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
            self.register_buffer("mean", torch.tensor([[[0.3], [0.1]]]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.conv((x - self.mean) / 0.5))
            return 2 * self.fc(x.mean(dim=-1)) - 1

    network = agree(Odd(), (2, 9))
    # Mean and deviation do not fold through the padding; the pool is AveragePool over one row of 5.
    assert [type(p) for p in network.projections] == [Elementwise, Conv2d, AveragePool, Dense]


def test_relu6_is_capped_by_the_scale():
    """Inputs drive the hidden value to 20; ReLU6 cuts at 6, so the top level must stand for 6 and not for more."""
    module = nn.Sequential(nn.Linear(1, 1), nn.ReLU6(), nn.Linear(1, 1))
    with torch.no_grad():
        for layer, weight in ((module[0], 20.0), (module[2], 1.0)):
            layer.weight.fill_(weight)
            layer.bias.zero_()
    network = agree(module, (1,), samples=64)
    hidden = network["0"]
    assert hidden.scale[0] * hidden.coding.max_level == pytest.approx(6.0, rel=1e-6)
    for coding in ({"coding": "mtn"}, {"lam": 1.0, "decode": "threshold"}, {"coding": "if", "timesteps": 4}):
        coded = convert(module, np.linspace(0, 1, 64)[:, None], **coding)["0"]
        assert coded.scale[0] * coded.coding.values()[-1] <= 6.0 * (1 + 1e-12)


def test_softmax_at_the_end_is_left_to_the_host():
    module = nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(dim=1)).eval()
    network = convert(module, np.random.default_rng(0).random((9, 4)))
    assert network.metadata["on_host"] == "log_softmax"
    assert np.allclose(network.projections[0].weight, module[0].weight.detach().numpy())
