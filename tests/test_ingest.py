"""Architectures that people bring: each converts, agrees with its module, and its MACs are the framework's."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from sfnhw.convert import convert, size_of
from sfnhw.convert.trace import trace
from sfnhw.errors import ActivityError, ConversionError
from sfnhw.network import Conv2d, Dense, TransposedConv2d, Upsample
from sfnhw.record import record
from tests import architectures as a

torch.set_num_threads(1)

SMALL = {
    "resnet18": (lambda: a.resnet18(4, 10), 32),
    "resnet50": (lambda: a.resnet50(2, 10), 32),
    "vgg16_bn": (lambda: a.vgg16_bn(4, 16, 10, 1), 32),
    "mobilenet_v2": (lambda: a.mobilenet_v2(0.25, 10, 4), 33),
    "unet, transposed": (lambda: a.unet(3, 2, 2), 16),
    "unet, upsampled": (lambda: a.unet(3, 2, 2, transposed=False), 12),
    "segmentation": (lambda: a.segmentation(4, 5), 16),
    "detection": (lambda: a.detection(4, 3, 2), 24),
}
FULL = {  # published parameters and billions of multiply-accumulates at 224 × 224 (torchvision's model tables)
    "resnet18": (lambda: a.ResNet(a.basic_block, (2, 2, 2, 2), 1, 64, 1000), 11_689_512, 1.81),
    "resnet50": (lambda: a.ResNet(a.bottleneck, (3, 4, 6, 3), 4, 64, 1000), 25_557_032, 4.09),
    "vgg16_bn": (lambda: a.VGG((2, 2, 3, 3, 3), 64, 4096, 1000, 7), 138_365_992, 15.47),
    "mobilenet_v2": (lambda: a.MobileNetV2(1.0, 1000, 7), 3_504_872, 0.30),
}


def framework_macs(module: nn.Module, x: torch.Tensor) -> int:
    """Of one inference, by torch's own counter."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x[:1])
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


def images(size: int, samples: int = 4, channels: int = 3) -> torch.Tensor:
    return torch.rand((samples, channels, size, size), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def agree(module: nn.Module, x: torch.Tensor, tolerance: float = 2e-3):
    """Convert with 16-bit graded codes, and compare what record gives in real arithmetic with the module's results."""
    module = module.double().eval()
    network = convert(module, x, coding="graded", bits=16, input_bits=16)
    found = record(network, x.numpy(), numerics=None).outputs
    with torch.no_grad():
        expected = torch.cat([leaf.flatten(1) for leaf in pytree.tree_leaves(module(x))], dim=1).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
    assert network.dense_macs == framework_macs(module, x)
    return network


@pytest.mark.parametrize("name", FULL)
def test_test_architectures_are_the_published_ones(name):
    make, parameters, billions = FULL[name]
    with torch.device("meta"):
        module = make().eval()
        assert sum(p.numel() for p in module.parameters()) == parameters
        assert framework_macs(module, torch.zeros(1, 3, 224, 224)) / 1e9 == pytest.approx(billions, abs=0.01)


@pytest.mark.parametrize("name", SMALL)
def test_architecture_converts_and_agrees(name):
    """16 bits leave 2⁻¹⁶ for each of up to 55 layers, whose errors grow with every layer after them."""
    make, size = SMALL[name]
    module = make()
    network = agree(module, images(size), tolerance=2e-2 if name == "resnet50" else 5e-3)
    layers = Counter(type(m) for m in module.modules())
    became = network.metadata["coverage"]
    assert became["synapses"]["aten.conv2d.default"] == layers[nn.Conv2d]
    assert became["synapses"].get("aten.linear.default", 0) == layers[nn.Linear]
    assert became["synapses"].get("aten.conv_transpose2d.input", 0) == layers[nn.ConvTranspose2d]
    assert became["folded"]["aten.batch_norm.default"] == layers[nn.BatchNorm2d]
    # Batch norms are gone: what is left are the weights of the layers, and copies for the parts of concatenations.
    weights = sum(
        m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    )
    kinds = (Conv2d, Dense, TransposedConv2d)
    assert sum(p.weight.size for p in network.projections if isinstance(p, kinds)) == weights


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2"])
def test_full_size(name):
    module = getattr(a, name)()
    x = images(224, 1).float()
    network = convert(module, x, lam=0.1)
    assert network.dense_macs == framework_macs(module, x)
    assert np.isfinite(record(network, x.numpy()).outputs).all()


class Dense3(nn.Module):
    """DenseNet-like: every layer sees the concatenation of all before it, through batch norm and ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.ModuleList([nn.BatchNorm2d(4 + 3 * i) for i in range(3)])
        self.conv = nn.ModuleList([nn.Conv2d(4 + 3 * i, 3, 3, padding=1) for i in range(3)])
        self.pool, self.fc = nn.AvgPool2d(2), nn.Linear(13 * 9, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for norm, conv in zip(self.norm, self.conv, strict=True):
            x = torch.cat([x, conv(torch.relu(norm(x)))], dim=1)
        return self.fc(torch.flatten(nn.functional.dropout(self.pool(x), training=False), 1))


def test_dense_concatenations_with_norms_pools_and_a_classifier():
    network = agree(a.settle(Dense3()), images(6))
    # The last linear layer: one dense projection for each of the four parts.
    assert sorted(p.weight.shape for p in network.projections if isinstance(p, Dense)) == [(5, 27)] * 3 + [(5, 36)]


class Branches(nn.Module):
    """Inception-like: branches with pools and ReLU6, sums of concatenations, constants for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 3, 3, padding=1)
        self.twice = nn.ModuleList([nn.Conv2d(5, 2, 1), nn.Conv2d(5, 3, 1)])
        self.up, self.back = nn.Upsample(scale_factor=2), nn.ConvTranspose2d(5, 2, 3, 2, 1, 1)
        self.register_buffer("gain", torch.linspace(0.5, 1.5, 5)[:, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([self.one(x), nn.functional.relu6(self.three(x))], 1)
        again = torch.cat([conv(joined) for conv in self.twice], 1)
        joined = nn.functional.max_pool2d(torch.relu((joined + again) * self.gain + 0.1), 2)
        return torch.cat([self.back(joined), self.up(joined)], 1)


def test_branches_meet_in_sums_pools_and_the_result():
    network = agree(a.settle(Branches()), images(6))
    assert [p.shape for p in network.outputs] == [(2, 6, 6), (2, 6, 6), (3, 6, 6)]
    assert sum(isinstance(p, Upsample) for p in network.projections) == 2


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2, 4]),
    skip=st.booleans(),
    data=st.data(),
)
def test_random_decoder(kernel, stride, dilation, groups, skip, data):
    extra = data.draw(st.integers(0, max(stride, dilation) - 1))
    padding = data.draw(st.integers(0, min(2, dilation * (kernel - 1) // 2)))

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(2, 4, 3, padding=1)
            self.up = nn.ConvTranspose2d(4, 4, kernel, stride, padding, extra, groups, dilation=dilation)
            self.norm, self.head = nn.BatchNorm2d(4), nn.Conv2d(8 if skip else 4, 3, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.up(torch.relu(self.stem(x)))
            y = torch.relu(self.norm(x))
            return self.head(torch.cat([y, x], 1) if skip else y)

    agree(a.settle(Decoder()), images(4, channels=2))


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.scores, self.box = nn.Linear(6, 5), nn.Linear(5, 3), nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        x = torch.relu(self.trunk(x))
        return torch.softmax(self.scores(x), dim=1), {"box": self.box(x), "features": x}


def test_several_results_keep_their_order_and_names():
    module, x = TwoHeads().eval(), torch.rand(9, 6)
    network = convert(module, x, coding="graded", bits=16, input_bits=16)
    assert network.metadata["outputs"] == [
        {"name": "[0]", "shape": [3], "on_host": "softmax"},
        {"name": "[1]['box']", "shape": [4], "on_host": None},
        {"name": "[1]['features']", "shape": [5], "on_host": None},
    ]
    assert network.metadata["coverage"]["on_host"] == {"aten.softmax.int": 1}
    scores, rest = module(x)
    found = torch.from_numpy(record(network, x.numpy(), numerics=None).outputs)
    assert torch.allclose(found[:, :3].softmax(1).float(), scores, atol=1e-3)
    assert torch.allclose(found[:, 3:7].float(), rest["box"], atol=1e-3)
    assert torch.allclose(found[:, 7:].float(), rest["features"], atol=1e-3)


def test_labels_need_one_vector_of_scores():
    module, x = TwoHeads().eval(), torch.rand(9, 6)
    classes = np.zeros(9, int)
    with pytest.raises(
        ConversionError, match=r"labels are class indices.*outputs of shape \(3,\) and \(4,\) and \(5,\)"
    ):
        convert(module, x, labels=classes, lam=0.5)
    # Targets that a DataLoader carries anyway are no reason to fail.
    network = convert(module, [(x, torch.zeros(9, dtype=torch.long))], lam=0.5)
    assert "ann_accuracy" not in network.metadata
    assert record(network, x.numpy()).accuracy is None
    with pytest.raises(ActivityError, match="labels are class indices"):
        record(network, x.numpy(), labels=classes)


def test_targets_that_are_no_class_indices_are_passed_over():
    module = nn.Linear(6, 2).eval()
    x = torch.rand(9, 6)
    assert "ann_accuracy" not in convert(module, [(x, torch.rand(9, 4))], lam=0.5).metadata
    assert "ann_accuracy" in convert(module, [(x, torch.zeros(9, dtype=torch.int32))], lam=0.5).metadata


class Refused(nn.Module):
    def __init__(self, tail: nn.Module, axis: int = 1) -> None:
        super().__init__()
        self.conv, self.tail, self.axis = nn.Conv2d(3, 2, 1), tail, axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tail(torch.cat([torch.relu(self.conv(x)), x], self.axis) if self.axis else x)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Refused(nn.Conv2d(5, 5, 1, groups=5)), "tail: aten.conv2d.default: a grouped convolution of a concatenation; use"),
        (Refused(nn.Upsample(scale_factor=1.5), 0), "tail: aten.upsample_nearest2d.vec: upsampling of (6, 6) to (9, 9); use"),
        (Refused(nn.Upsample(scale_factor=2, mode="bilinear"), 0), "tail: aten.upsample_bilinear2d.vec: not supported; use nearest"),
        (Refused(nn.AdaptiveAvgPool2d(4), 0), "(6, 6) positions onto (4, 4) need windows of several sizes; choose output sizes"),
        (Refused(nn.Hardswish(), 0), "tail: aten.hardswish.default: not supported; use ReLU instead"),
        (Refused(nn.LayerNorm(6)), "tail: aten.layer_norm.default: works on a concatenation of 2 parts; let a convolution"),
    ],
)  # fmt: skip
def test_what_is_refused_names_the_module_the_operation_and_what_to_do(module, message):
    with pytest.raises(ConversionError) as error:
        convert(module.eval(), images(6).float())
    assert message in str(error.value)


def test_concatenation_along_another_axis_is_refused():
    class Tall(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([torch.relu(x), x], dim=2)

    with pytest.raises(
        ConversionError, match=r"the module itself: aten\.cat\.default: concatenation along axis 2; concat"
    ):
        convert(Tall().eval(), images(6).float())


@pytest.mark.parametrize("name", SMALL)
def test_size_from_shapes_is_that_of_the_network(name):
    """Also from a module on the meta device, where there is not a single weight to look at."""
    make, size = SMALL[name]
    module = make()
    network = convert(module, images(size).float(), lam=0.5)
    for m in (module, module.to("meta")):
        found = size_of(m, (3, size, size))
        assert [(layer.name, layer.shape) for layer in found.layers] == [(p.name, p.shape) for p in network.populations]
        assert (found.dense_macs, found.macs) == (network.dense_macs, network.macs)
        assert found.neurons == sum(p.size for p in network.populations)
        assert found.coverage == network.metadata["coverage"]
        biases = sum(p.bias.size for p in network.populations if p.bias is not None)
        assert found.weights >= sum(p.weight.size for p in network.projections if p.tensor_fields) + biases


def test_size_keeps_no_weights():
    """Every projection that is left holds one number, seen many times."""
    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 4)).eval()
    plan = trace(module, (1, 8, 8), signed=False, empty=True).plan
    assert [p.weight.shape for p in plan.projections] == [(2, 1, 3, 3), (4, 72)]
    assert not any(stride for p in plan.projections for stride in p.weight.strides)


def test_bad_sizes_are_refused():
    with pytest.raises(ConversionError, match=r"input_shape: found \(3, 0\), expected positive sizes"):
        size_of(nn.Linear(3, 2), (3, 0))
    with pytest.raises(ConversionError, match="module: found 'int', expected a torch"):
        size_of(3, (3,))
