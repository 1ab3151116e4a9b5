"""Tokens (tokens, features) as a network's input, and the first position of many: torch is the reference."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sfnhw.convert import size_of
from tests.test_traced_graph import Written, agreed, refusal

torch.set_num_threads(1)


def macs(module: nn.Module, shape: tuple[int, ...]) -> float:
    counter = FlopCounterMode(display=False)
    with counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        module(torch.zeros(1, *shape))
    return counter.get_total_flops() / 2


def encoder(norm_first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first)
    return Written(lambda self, x: self.h(self.t(self.e(x)).mean(1)), e=nn.Linear(5, 8), t=layer, h=nn.Linear(8, 3))


@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_layer_on_tokens(norm_first):
    torch.backends.mha.set_fastpath_enabled(False)  # its fused kernel is not counted by torch
    try:
        module = encoder(norm_first)
        network = agreed(module, (6, 5))
        assert network.inputs[0].shape == (1, 6, 5)
        assert network.dense_macs == size_of(module, (6, 5)).dense_macs == macs(module, (6, 5))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_several_layers_on_the_same_tokens_and_a_class_token():
    both = Written(
        lambda self, x: self.h((torch.relu(self.a(x)) + self.b(x)).mean(1)), a=nn.Linear(10, 8), b=nn.Linear(10, 8)
    )
    both.h = nn.Linear(8, 3)
    assert agreed(both, (6, 10)).dense_macs == 2 * 6 * 80 + 24

    def forward(self, x):
        tokens = torch.cat([self.cls.expand(x.shape[0], -1, -1), self.a(x)], 1) + self.p
        return self.h(self.n(tokens)[:, 0])

    parts = {"cls": nn.Parameter(torch.randn(1, 1, 8)), "p": nn.Parameter(torch.randn(1, 7, 8))}
    agreed(Written(forward, a=nn.Linear(10, 8), n=nn.LayerNorm(8), h=nn.Linear(8, 3), **parts), (6, 10))


def test_tokens_without_a_linear_layer_are_told_to_have_one():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
    assert "a linear layer must come first" in refusal(layer, (6, 8))


def test_the_first_position_of_an_image():
    forward = lambda self, x: self.h(self.n(torch.relu(self.c(x)).flatten(2).transpose(1, 2))[:, 0])  # noqa: E731
    agreed(Written(forward, c=nn.Conv2d(4, 6, 3), n=nn.LayerNorm(6), h=nn.Linear(6, 2)), (4, 8, 8))


def test_attention_whose_weights_nobody_reads():
    module = Written(
        lambda self, x: self.h(self.t(x, x, x)[0].mean(1)), t=nn.MultiheadAttention(8, 2, batch_first=True)
    )
    module.h = nn.Linear(8, 3)
    network = agreed(module, (6, 8))
    assert network.metadata["coverage"]["unused"]["aten.mean.dim"] == 1
