"""Handwritten digits and networks for them: the real task of `sfnhw demo`, trained in seconds on a laptop."""

from sfnhw.digits.cnn import digits_cnn, train_digits_cnn
from sfnhw.digits.data import CLASSES, PIXEL_MAX, DigitsSplit, load_digits_split
from sfnhw.digits.vit import digits_vit, train_digits_vit

__all__ = [
    "CLASSES",
    "PIXEL_MAX",
    "DigitsSplit",
    "digits_cnn",
    "digits_vit",
    "load_digits_split",
    "train_digits_cnn",
    "train_digits_vit",
]
