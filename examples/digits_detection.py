"""Detection: which digits stand where on a canvas, by an anchor-free grid head with three outputs.

Run from the checkout: python -m examples.digits_detection
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import sfnhw
from examples._answers import on_chip, show
from examples._scenes import CANVAS, Scenes, Score, Thing, box_iou, draw_scenes, judge
from examples._training import conv_bn_relu, fit, outputs_of

STRIDE = 4
GRID = CANVAS // STRIDE
USUAL = 8.0  # pixels: the size that a box is measured by
HEADS = ("object", "digit", "box")
Arrays = dict[str, NDArray[np.float64]]


class Detector(nn.Module):
    """Trunk to a 6 × 6 grid; for each cell: is a digit's centre in it, which digit, where and how large its box is."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            conv_bn_relu(1, width, 2),
            conv_bn_relu(width, 2 * width),
            conv_bn_relu(2 * width, 4 * width, 2),
            conv_bn_relu(4 * width, 4 * width),
        )
        self.object, self.digit, self.box = (nn.Conv2d(4 * width, n, 1) for n in (1, 10, 4))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Images (n, 1, 24, 24) → the three heads' maps, each on the grid."""
        x = self.trunk(x)
        return {"object": self.object(x), "digit": self.digit(x), "box": self.box(x)}


def targets_of(scenes: Scenes) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """Return what the heads should say: the cell of a box's centre, (dy, dx) in the cell, log of its size."""
    n = len(scenes.images)
    there, digit = np.zeros((n, 1, GRID, GRID), np.float32), np.zeros((n, GRID, GRID), np.int64)
    box = np.zeros((n, 4, GRID, GRID), np.float32)
    for i, things in enumerate(scenes.things):
        for thing in things:
            centre, size = (thing.box[:2] + thing.box[2:]) / 2 / STRIDE, thing.box[2:] - thing.box[:2]
            row, column = np.minimum(centre.astype(int), GRID - 1)
            there[i, 0, row, column], digit[i, row, column] = 1, thing.label
            box[i, :, row, column] = [*(centre - [row, column]), *np.log(size / USUAL)]
    return {"object": there, "digit": digit, "box": box}


def loss(said: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
    """Cross entropies, and absolute error of the boxes; class and box count where a centre is."""
    here = wanted["object"][:, 0] > 0
    there = nn.functional.binary_cross_entropy_with_logits(said["object"], wanted["object"], pos_weight=torch.tensor(4))
    digit = nn.functional.cross_entropy(said["digit"].movedim(1, -1)[here], wanted["digit"][here])
    box = (said["box"].movedim(1, -1)[here] - wanted["box"].movedim(1, -1)[here]).abs().mean()
    return there + digit + 2 * box


def things_in(said: Arrays, least: float = 0.05) -> list[list[Thing]]:
    """Read the maps: boxes of each scene, the most confident of those that overlap by more than half."""
    there = 1 / (1 + np.exp(-said["object"][:, 0]))
    scenes = []
    for i, score in enumerate(there):
        kept: list[Thing] = []
        cells = np.argwhere(score >= least)
        for row, column in sorted(cells.tolist(), key=lambda c: -score[c[0], c[1]]):
            dy, dx, high, wide = said["box"][i, :, row, column]
            centre = STRIDE * np.array([row + dy, column + dx])
            half = USUAL * np.exp([high, wide]) / 2
            box = np.concatenate([centre - half, centre + half])
            if all(box_iou(box, other.box) <= 0.5 for other in kept):
                kept.append(Thing(int(said["digit"][i, :, row, column].argmax()), box, float(score[row, column])))
        scenes.append(kept)
    return scenes


def main(
    scenes: int = 3000, epochs: int = 14, tests: int = 200, folder: str | None = "out/digits_detection"
) -> list[Score]:
    """Train on `scenes`, judge on `tests` others; returns the scores of the trained network and of the chip."""
    train, test = draw_scenes(scenes, seed=0), draw_scenes(tests, seed=0, test=True)
    detector = fit(Detector, train.images, targets_of(train), loss, epochs=epochs)
    network = sfnhw.convert(detector, train.images[:256], thresholds=16, search_samples=64, name="digits detector")
    chip = sfnhw.load_chip("reference")
    scores = [
        judge(things_in(said), test.things)
        for said in (outputs_of(detector, test.images), on_chip(network, chip, test.images, HEADS))
    ]
    run = sfnhw.estimate(network, chip, test.images[:16], baselines=("graded8",))
    lines = [f"trained    {scores[0]}", f"on chip    {scores[1]} ({tests} scenes)"]
    show(lines, run, folder)
    return scores


if __name__ == "__main__":
    main()
