"""Instance segmentation: which pixels belong to which digit, by a small U-Net with three outputs.

As Panoptic-DeepLab (Cheng et al. 2020): a class for each pixel, a map of the instances' centres, and from each pixel the
way to the centre of its own. Run from the checkout: python -m examples.digits_segmentation
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from torch import Tensor, nn

import sfnhw
from examples._answers import on_chip, show
from examples._scenes import CANVAS, Scenes, Score, Thing, box_of, draw_scenes, judge
from examples._training import conv_bn_relu, fit, outputs_of

BACKGROUND = 10  # the class after the ten digits
WAY = 8.0  # pixels that one unit of a way to a centre is
SPREAD = 1.5  # pixels, of the bump that marks a centre
HEADS = ("digit", "centre", "way")
Arrays = dict[str, NDArray[np.float64]]
PIXELS = np.stack(np.meshgrid(np.arange(CANVAS), np.arange(CANVAS), indexing="ij")).astype(float)


class UNet(nn.Module):
    """Down twice, up twice by nearest neighbours, with what was there before going down beside it."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.fine, self.middle = conv_bn_relu(1, width), conv_bn_relu(width, 2 * width, 2)
        self.coarse = nn.Sequential(conv_bn_relu(2 * width, 4 * width, 2), conv_bn_relu(4 * width, 4 * width))
        self.to_middle, self.to_fine = conv_bn_relu(6 * width, 2 * width), conv_bn_relu(3 * width, 2 * width)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.digit, self.centre, self.way = (nn.Conv2d(2 * width, n, 1) for n in (11, 1, 2))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Images (n, 1, 24, 24) → class scores, centres and ways, each on the pixels."""
        fine = self.fine(x)
        middle = self.middle(fine)
        middle = self.to_middle(torch.cat([self.up(self.coarse(middle)), middle], dim=1))
        fine = self.to_fine(torch.cat([self.up(middle), fine], dim=1))
        return {"digit": self.digit(fine), "centre": self.centre(fine), "way": self.way(fine)}


def targets_of(scenes: Scenes) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """Return what the heads should say; a centre is a Gaussian bump in the middle of a digit's box."""
    n = len(scenes.images)
    digit = np.full((n, CANVAS, CANVAS), BACKGROUND)
    centre, way = (np.zeros((n, channels, CANVAS, CANVAS), np.float32) for channels in (1, 2))
    for i, things in enumerate(scenes.things):
        for thing in things:
            assert thing.mask is not None
            to = (thing.box[:2] + thing.box[2:] - 1)[:, None, None] / 2 - PIXELS
            digit[i, thing.mask] = thing.label
            way[i][:, thing.mask] = to[:, thing.mask] / WAY
            centre[i, 0] = np.maximum(centre[i, 0], np.exp(-(to**2).sum(axis=0) / (2 * SPREAD**2)))
    return {"digit": digit.astype(np.int64), "centre": centre, "way": way}


def loss(said: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
    """Cross entropy of the classes, squared error of the centres, absolute error of the ways where a digit is."""
    ink = wanted["digit"] != BACKGROUND
    digit = nn.functional.cross_entropy(said["digit"], wanted["digit"])
    centre = nn.functional.mse_loss(said["centre"], wanted["centre"])
    way = (said["way"].movedim(1, -1)[ink] - wanted["way"].movedim(1, -1)[ink]).abs().mean()
    return digit + 20 * centre + way


def things_in(said: Arrays, least: float = 0.3) -> list[list[Thing]]:
    """Read the maps: each pixel of ink goes to the centre nearest to where it points; its digit is the pixels' vote."""
    scenes = []
    for digit, (centre,), way in zip(said["digit"], said["centre"], said["way"], strict=True):
        peaks = np.argwhere((centre == maximum_filter(centre, 5)) & (centre >= least))
        ink = digit.argmax(axis=0) != BACKGROUND
        things: list[Thing] = []
        if len(peaks) and ink.any():
            ends = (PIXELS + WAY * way)[:, ink].T
            owner = np.linalg.norm(ends[:, None] - peaks, axis=2).argmin(axis=1)
            for i, (row, column) in enumerate(peaks):
                mask = np.zeros_like(ink)
                mask[ink] = owner == i
                if mask.any():
                    label = int(digit[:BACKGROUND, mask].sum(axis=1).argmax())
                    things.append(Thing(label, box_of(mask), float(np.clip(centre[row, column], 0, 1)), mask))
        scenes.append(things)
    return scenes


def main(
    scenes: int = 1500, epochs: int = 14, tests: int = 200, folder: str | None = "out/digits_segmentation"
) -> list[Score]:
    """Train on `scenes`, judge on `tests` others; returns the scores of the trained network and of the chip."""
    train, test = draw_scenes(scenes, seed=0), draw_scenes(tests, seed=0, test=True)
    unet = fit(UNet, train.images, targets_of(train), loss, epochs=epochs)
    network = sfnhw.convert(unet, train.images[:128], thresholds=16, search_samples=32, name="digits U-Net")
    chip = sfnhw.load_chip("reference").replace({"noc.columns": 16, "noc.rows": 16})
    scores = [
        judge(things_in(said), test.things, confident=0.3)
        for said in (outputs_of(unet, test.images), on_chip(network, chip, test.images, HEADS))
    ]
    run = sfnhw.estimate(network, chip, test.images[:8], baselines=("graded8",))
    lines = [f"trained    {scores[0]}", f"on chip    {scores[1]} ({tests} scenes)"]
    show(lines, run, folder)
    return scores


if __name__ == "__main__":
    main()
