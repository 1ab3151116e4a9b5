"""Vision transformers built from a `transformers` configuration, without a download."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sfnhw.convert import convert, size_of
from sfnhw.errors import ConversionError
from sfnhw.network import Network
from sfnhw.record import record


class Logits(nn.Module):
    """The library's model returns an object; a network has outputs."""

    def __init__(self, attention: str = "sdpa", **sizes: int) -> None:
        super().__init__()
        from transformers import ViTConfig, ViTForImageClassification

        config = ViTConfig(**sizes)
        config._attn_implementation = attention
        self.model = ViTForImageClassification(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x).logits


SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": 24,
    "patch_size": 8,
    "num_labels": 5,
}


def macs(module: nn.Module, image: torch.Tensor) -> int:
    """What torch counts with attention written out: products of activations too."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(image)
    return counter.get_total_flops() // 2


def agrees(network: Network, module: nn.Module, images: torch.Tensor) -> float:
    """Largest difference of the outputs, relative to the largest output."""
    with torch.no_grad():
        expected = module(images).numpy()
    return float(
        np.abs(record(network, images.numpy(), numerics=None).outputs - expected).max() / np.abs(expected).max()
    )


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_small_one_agrees_and_its_macs_are_torchs(attention):
    torch.manual_seed(0)
    module = Logits(attention, **SMALL).double().eval()
    images = torch.randn(4, 3, 24, 24, dtype=torch.float64)
    network = convert(module, images, coding="graded", bits=16, input_bits=16)
    assert agrees(network, module, images) < 2e-3
    assert network.dense_macs == macs(module, images[:1])
    size = size_of(module, (3, 24, 24))
    assert (size.dense_macs, size.neurons) == (network.dense_macs, sum(p.size for p in network.populations))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_one_without_weights_has_the_same_size(attention):
    """The library makes a mask that hides no key, on the device of the weights: its values are known all the same."""
    module = Logits(attention, **SMALL).eval()
    assert size_of(module, (3, 24, 24)).layers == size_of(module.to("meta"), (3, 24, 24)).layers


def test_a_mask_made_of_weights_without_values_is_refused():
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
            self.shift = nn.Parameter(torch.ones(5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = (part(x.transpose(1, 2)).unsqueeze(1) for part in self.parts)
            mask = torch.arange(5, device=self.shift.device) + self.shift > 0
            return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(5, 5))

    module = Masked().eval()
    for m in (module, module.to("meta")):
        with pytest.raises(ConversionError, match="a mask, or grouped queries"):
            size_of(m, (4, 5))


@pytest.mark.slow
def test_a_billion_weights_from_shapes():
    """40 layers of width 1408 and 6144 at 257 tokens, as EVA's giant (Fang et al. 2023, Table 1)."""
    with torch.device("meta"):
        sizes = {"hidden_size": 1408, "num_hidden_layers": 40, "num_attention_heads": 16, "intermediate_size": 6144}
        module = Logits(**sizes, image_size=224, patch_size=14, num_labels=1000).eval()
        image = torch.rand(1, 3, 224, 224)
    size = size_of(module, (3, 224, 224))
    assert size.dense_macs == macs(module, image)
    matrices = 1000 * 1408 + 3 * 14 * 14 * 1408 + 40 * (4 * 1408**2 + 2 * 1408 * 6144)
    assert size.dense_macs == (
        1000 * 1408 + 256 * 3 * 14 * 14 * 1408 + 257 * 40 * (4 * 1408**2 + 2 * 1408 * 6144) + 40 * 2 * 257**2 * 1408
    )
    assert matrices < size.weights < 1.002 * matrices
    assert sum(layer.shape == (16, 257, 257) for layer in size.layers) == 40


@pytest.mark.slow
def test_vit_base_16():
    """86 M weights (Dosovitskiy et al. 2021, Table 1), 17.56 GMAC with attention; one timestep, 16 thresholds."""
    torch.manual_seed(0)
    module = Logits().eval()
    image = torch.rand(1, 3, 224, 224)
    network = convert(module, image, thresholds=16)
    assert 85e6 < network.parameters < 88e6
    assert network.dense_macs == macs(module, image) == 17_563_061_760
    assert record(network, image.numpy()).outputs.shape == (1, 2)
