"""The handwritten digits.

Data: scikit-learn's copy of the UCI "Optical Recognition of Handwritten Digits" test set (Alpaydin and Kaynak, 1998):
1,797 images of 8 × 8 pixels with 17 grey levels. Nothing is downloaded.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
