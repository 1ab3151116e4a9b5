"""Handwritten digits and a CNN for them: the real task of `sfnhw demo`, trained in seconds on a laptop.

Data: scikit-learn's copy of the UCI "Optical Recognition of Handwritten Digits" test set (Alpaydin and Kaynak, 1998):
1,797 images of 8 × 8 pixels with 17 grey levels. Nothing is downloaded.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError

if TYPE_CHECKING:
    import torch

PIXEL_MAX = 16.0  # of scikit-learn's digits, per its data description
CLASSES = 10


class DigitsSplit(NamedTuple):
    """Images (n, 1, 8, 8) float32 in [0, 1] and labels (n,) int64, for training and for testing."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def load_digits_split(seed: int = 0) -> DigitsSplit:
    """Return the 80/20 split, stratified by class: 1,437 training and 360 test images."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images[:, None] / PIXEL_MAX).astype(np.float32)
    labels = digits.target.astype(np.int64)
    a, b, c, d = train_test_split(images, labels, test_size=0.2, random_state=seed, stratify=labels)
    return DigitsSplit(a, c, b, d)


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
    """Train the CNN on the split of the same seed and return it in eval mode.

    AdamW on a one-cycle schedule, images shifted by up to one pixel. Deterministic for one seed and torch version:
    one thread (sums come in one order), a generator of its own; torch's global state is put back as it was.
    """
    import torch
    from torch import nn

    if epochs < 1 or batch < 2:
        raise InputError(
            field="epochs, batch", found=(epochs, batch), expected="at least 1 epoch, and 2 images a batch"
        )
    split = load_digits_split(seed)
    images, labels = torch.from_numpy(split.train_images), torch.from_numpy(split.train_labels)
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        module = digits_cnn(width)
        optimiser = torch.optim.AdamW(module.parameters(), lr=1e-3, weight_decay=1e-2)
        steps = epochs * (len(images) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=steps)
        loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
        module.train()
        for _ in range(epochs):
            order = torch.randperm(len(images))
            for i in range(len(images) // batch):
                index = order[i * batch : (i + 1) * batch]
                loss = loss_of(module(_shift(images[index])), labels[index])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                schedule.step()
    return module.eval()


def _shift(images: "torch.Tensor") -> "torch.Tensor":
    """Move a batch by −1, 0 or 1 pixels each way; what enters is background."""
    import torch

    down, right = (int(v) for v in torch.randint(0, 3, (2,)))
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    return padded[:, :, down : down + images.shape[2], right : right + images.shape[3]]
