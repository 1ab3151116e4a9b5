"""Scenes of handwritten digits on a canvas, and how detections are judged, in plain numpy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from sfnhw.digits import load_digits_split

CANVAS = 24  # pixels
SIZES = (8, 9, 10, 11, 12)  # of a digit before its margins are cut off
MOST = 3  # digits in a scene
INK = 0.3  # what belongs to a digit's mask


class Thing(NamedTuple):
    """One digit in a scene, or one that a network says is there.

    label : 0 to 9. box : (4,) top, left, bottom, right in pixels, the ends outside. score : confidence, 0 to 1.
    mask : (canvas, canvas) bool, or None where only boxes are asked for.
    """

    label: int
    box: NDArray[np.float64]
    score: float = 1.0
    mask: NDArray[np.bool_] | None = None


class Scenes(NamedTuple):
    """Images (n, 1, canvas, canvas) float32 in [0, 1], and the things in each."""

    images: NDArray[np.float32]
    things: list[list[Thing]]


def draw_scenes(count: int, *, seed: int, test: bool = False) -> Scenes:
    """Draw scenes of 1 to 3 digits that may touch but not overlap, over faint noise.

    Digits for training and testing are different ones (`sfnhw.digits.load_digits_split`).
    """
    split = load_digits_split()
    digits, labels = (split.test_images, split.test_labels) if test else (split.train_images, split.train_labels)
    rng = np.random.default_rng([seed, int(test)])
    scaled = {size: zoom(digits[:, 0], (1, size / 8, size / 8), order=1) for size in SIZES}
    images = rng.uniform(0, 0.1, (count, 1, CANVAS, CANVAS)).astype(np.float32)
    things: list[list[Thing]] = []
    for image in images[:, 0]:
        taken = np.zeros((CANVAS, CANVAS), bool)
        placed: list[Thing] = []
        wanted = int(rng.integers(1, MOST + 1))
        while len(placed) < wanted:
            which, size = int(rng.integers(len(digits))), int(rng.choice(SIZES))
            top, left = rng.integers(0, CANVAS - size + 1, 2)
            window = np.s_[top : top + size, left : left + size]
            digit = scaled[size][which]
            mask = np.zeros_like(taken)
            mask[window] = digit > INK
            if not (mask & taken).any():
                taken |= mask
                image[window] = np.maximum(image[window], digit)
                placed.append(Thing(int(labels[which]), box_of(mask), 1.0, mask))
        things.append(placed)
    return Scenes(np.clip(images, 0, 1), things)


def box_of(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the tight box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1], float)


def box_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return intersection over union of two boxes."""
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    common = float(sides.prod())
    return common / (float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - common)


def iou(a: Thing, b: Thing) -> float:
    """Return intersection over union: of the masks where both have one, else of the boxes."""
    if a.mask is None or b.mask is None:
        return box_iou(a.box, b.box)
    return float((a.mask & b.mask).sum() / (a.mask | b.mask).sum())


def matches(found: Sequence[Thing], true: Sequence[Thing], at: float = 0.5) -> list[int]:
    """Return, for each found thing, the index of the true one of its class that it overlaps by `at`, or -1.

    The most confident chooses first; a true thing is found once (as PASCAL VOC, Everingham et al. 2010).
    """
    out, free = [-1] * len(found), set(range(len(true)))
    for i in sorted(range(len(found)), key=lambda i: -found[i].score):
        overlaps = {j: iou(found[i], true[j]) for j in free if true[j].label == found[i].label}
        best = max(overlaps, key=overlaps.__getitem__, default=-1)
        if best >= 0 and overlaps[best] >= at:
            out[i] = best
            free.remove(best)
    return out


class Score(NamedTuple):
    """How good detections are: F1 and mean average precision, both at IoU 0.5, and the mean IoU of true things.

    A true thing that was not found counts as an IoU of 0.
    """

    f1: float
    map50: float
    mean_iou: float

    def __str__(self) -> str:
        return f"F1 {self.f1:.3f}, mAP@0.5 {self.map50:.3f}, mean IoU {self.mean_iou:.3f}"


def judge(found: Sequence[Sequence[Thing]], true: Sequence[Sequence[Thing]], confident: float = 0.5) -> Score:
    """Judge the things found in each scene; F1 and mean IoU take those whose score is at least `confident`."""
    hits: list[tuple[int, float, bool]] = []
    right, said, overlap = 0, 0, 0.0
    for some, real in zip(found, true, strict=True):
        hits += [(t.label, t.score, m >= 0) for t, m in zip(some, matches(some, real), strict=True)]
        sure = [t for t in some if t.score >= confident]
        pairs = [(t, real[m]) for t, m in zip(sure, matches(sure, real), strict=True) if m >= 0]
        right, said = right + len(pairs), said + len(sure)
        overlap += sum(iou(a, b) for a, b in pairs)
    total = sum(len(real) for real in true)
    labels = {t.label for real in true for t in real}
    return Score(2 * right / (said + total), mean_average_precision(hits, true, labels), overlap / total)


def mean_average_precision(
    hits: Sequence[tuple[int, float, bool]], true: Sequence[Sequence[Thing]], labels: set[int]
) -> float:
    """Return the mean over classes of the area under precision against recall, precision made monotone.

    hits : (label, score, whether it matched) of everything found. PASCAL VOC 2010 and later, Everingham et al.
    """
    areas = []
    for label in sorted(labels):
        positives = sum(t.label == label for real in true for t in real)
        ranked = [ok for _, _, ok in sorted((h for h in hits if h[0] == label), key=lambda h: -h[1])]
        correct = np.cumsum(np.array(ranked, int))
        precision = correct / np.arange(1, len(ranked) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        areas.append(float(envelope[np.array(ranked, bool)].sum()) / positives)
    return float(np.mean(areas))
