"""A small vision transformer for the digits: what an SFormer is converted from."""

from typing import TYPE_CHECKING

from sfnhw.digits.data import CLASSES
from sfnhw.digits.training import train
from sfnhw.errors import InputError

if TYPE_CHECKING:
    import torch

PATCH, PATCHES = 2, 16  # 2 × 2 pixels of 8 × 8


def digits_vit(width: int = 48, *, heads: int = 4, depth: int = 2) -> "torch.nn.Module":
    """Return the untrained transformer: patches, class token, `depth` pre-norm blocks, layer norm, classifier.

    width : features of a token, a multiple of `heads`; the hidden layer of a block has twice as many.
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            samples, tokens, _ = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(samples, tokens, 3, heads, width // heads)
            query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            mixed = nn.functional.scaled_dot_product_attention(query, key, value)
            x = x + self.proj(mixed.transpose(1, 2).reshape(samples, tokens, width))
            return x + self.fc2(nn.functional.gelu(self.fc1(self.norm2(x))))

    class DigitsViT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(1, width, PATCH, stride=PATCH)
            self.class_token = nn.Parameter(torch.zeros(1, 1, width))
            self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + PATCHES, width))
            self.blocks = nn.Sequential(*(Block() for _ in range(depth)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            patches = self.patch(images).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1) + self.positions
            return self.head(self.norm(self.blocks(tokens))[:, 0])

    if width < 1 or heads < 1 or depth < 0 or width % heads:
        raise InputError(
            field="width, heads, depth",
            found=(width, heads, depth),
            expected="a width that the heads divide, and no fewer than 0 blocks",
        )
    return DigitsViT()


def train_digits_vit(
    seed: int = 0, *, width: int = 48, heads: int = 4, depth: int = 2, epochs: int = 100, batch: int = 64
) -> "torch.nn.Module":
    """Train the transformer on the split of the same seed and return it in eval mode; see `sfnhw.digits.training`."""

    def build() -> "torch.nn.Module":
        return digits_vit(width, heads=heads, depth=depth)

    return train(build, seed, epochs=epochs, batch=batch, rate=3e-3, decay=0.05, clip=1.0)
