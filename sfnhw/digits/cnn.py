"""A small residual CNN with batch norm for the digits."""

from typing import TYPE_CHECKING

from sfnhw.digits.data import CLASSES
from sfnhw.digits.training import train
from sfnhw.errors import InputError

if TYPE_CHECKING:
    import torch


def digits_cnn(width: int = 24) -> "torch.nn.Module":
    """Return the untrained CNN: stem, residual block, stride-2 convolution, average pooling, classifier.

    width : channels of the first stage (≥ 1); the second has twice as many. With 24: 5,642 neurons and 22,872 weights.
    """
    import torch
    from torch import nn

    class ResidualBlock(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + x)

    class DigitsCNN(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
            self.stem_bn = nn.BatchNorm2d(width)
            self.block = ResidualBlock(width)
            self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)
            self.down_bn = nn.BatchNorm2d(2 * width)
            self.pool = nn.AvgPool2d(2)
            self.classifier = nn.Linear(2 * width * 4, CLASSES)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.stem_bn(self.stem(x)))
            x = self.block(x)
            x = torch.relu(self.down_bn(self.down(x)))
            return self.classifier(torch.flatten(self.pool(x), 1))

    if width < 1:
        raise InputError(field="width", found=width, expected="an integer ≥ 1 (channels)")
    return DigitsCNN(width)


def train_digits_cnn(seed: int = 0, *, width: int = 24, epochs: int = 30, batch: int = 64) -> "torch.nn.Module":
    """Train the CNN on the split of the same seed and return it in eval mode; see `sfnhw.digits.training`."""
    return train(lambda: digits_cnn(width), seed, epochs=epochs, batch=batch, rate=1e-2, decay=1e-2)
