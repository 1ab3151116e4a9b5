"""Instance segmentation: which pixels belong to which digit, by a small U-Net with four outputs.

After Panoptic-DeepLab (Cheng et al. 2020): where ink is, a map of the instances' centres, from each pixel the way to the
centre of its own, and, for every 2 × 2 pixels, which digit. Run from the checkout: python -m examples.digits_segmentation
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from torch import Tensor, nn

import sfnhw
from examples._answers import on_chip, show
from examples._scenes import CANVAS, Scenes, Score, Thing, box_of, draw_scenes, judge
from examples._training import conv_bn_relu, fit, outputs_of

BLOCK = 2  # pixels each way that have one class
NO_DIGIT = -1
WAY = 8.0  # pixels that one unit of a way to a centre is
SPREAD = 1.5  # pixels, of the bump that marks a centre
HEADS = ("digit", "ink", "centre", "way")
Arrays = dict[str, NDArray[np.float64]]
PIXELS = np.stack(np.meshgrid(np.arange(CANVAS), np.arange(CANVAS), indexing="ij")).astype(float)


def up(inputs: int, outputs: int) -> nn.Module:
    """Return the step to twice the size: a transposed convolution and ReLU."""
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 2, 2), nn.ReLU())


class UNet(nn.Module):
    """Down twice, up twice, with what was there before going down beside it (Ronneberger et al. 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.middle = conv_bn_relu(1, 6), conv_bn_relu(6, 16, 2)
        self.coarse = nn.Sequential(conv_bn_relu(16, 40, 2), conv_bn_relu(40, 40))
        self.up_middle, self.to_middle = up(40, 16), conv_bn_relu(32, 24)
        self.up_fine, self.to_fine = up(24, 8), conv_bn_relu(14, 12)
        self.digit = nn.Conv2d(24, 10, 1)
        self.ink, self.centre, self.way = (nn.Conv2d(12, n, 1) for n in (1, 1, 2))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Images (n, 1, 24, 24) → class scores on the blocks; ink, centres and ways on the pixels."""
        fine = self.fine(x)
        middle = self.middle(fine)
        middle = self.to_middle(torch.cat([self.up_middle(self.coarse(middle)), middle], dim=1))
        fine = self.to_fine(torch.cat([self.up_fine(middle), fine], dim=1))
        heads = {"ink": self.ink(fine), "centre": self.centre(fine), "way": self.way(fine)}
        return {"digit": self.digit(middle), **heads}


def targets_of(scenes: Scenes) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """Return what the heads should say; a centre is a Gaussian bump in the middle of a digit's box."""
    n, blocks = len(scenes.images), CANVAS // BLOCK
    digit = np.full((n, blocks, blocks), NO_DIGIT)
    ink, centre, way = (np.zeros((n, channels, CANVAS, CANVAS), np.float32) for channels in (1, 1, 2))
    for i, things in enumerate(scenes.things):
        for thing in things:
            assert thing.mask is not None
            to = (thing.box[:2] + thing.box[2:] - 1)[:, None, None] / 2 - PIXELS
            digit[i, thing.mask.reshape(blocks, BLOCK, blocks, BLOCK).any(axis=(1, 3))] = thing.label
            ink[i, 0, thing.mask] = 1
            way[i][:, thing.mask] = to[:, thing.mask] / WAY
            centre[i, 0] = np.maximum(centre[i, 0], np.exp(-(to**2).sum(axis=0) / (2 * SPREAD**2)))
    return {"digit": digit.astype(np.int64), "ink": ink, "centre": centre, "way": way}


def loss(said: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
    """Cross entropies, squared error of the centres, absolute error of the ways where ink is."""
    here = wanted["ink"][:, 0] > 0
    digit = nn.functional.cross_entropy(said["digit"], wanted["digit"], ignore_index=NO_DIGIT)
    ink = nn.functional.binary_cross_entropy_with_logits(said["ink"], wanted["ink"])
    centre = nn.functional.mse_loss(said["centre"], wanted["centre"])
    way = (said["way"].movedim(1, -1)[here] - wanted["way"].movedim(1, -1)[here]).abs().mean()
    return digit + ink + 20 * centre + way


def things_in(said: Arrays, least: float = 0.3) -> list[list[Thing]]:
    """Read the maps: each pixel of ink goes to the centre nearest to where it points; its digit is the pixels' vote."""
    scenes = []
    ink_of = said["ink"][:, 0] > 0
    digit_of = said["digit"].repeat(BLOCK, axis=2).repeat(BLOCK, axis=3)
    for digit, ink, (centre,), way in zip(digit_of, ink_of, said["centre"], said["way"], strict=True):
        peaks = np.argwhere((centre == maximum_filter(centre, 5)) & (centre >= least))
        things: list[Thing] = []
        if len(peaks) and ink.any():
            ends = (PIXELS + WAY * way)[:, ink].T
            owner = np.linalg.norm(ends[:, None] - peaks, axis=2).argmin(axis=1)
            for i, (row, column) in enumerate(peaks):
                mask = np.zeros_like(ink)
                mask[ink] = owner == i
                if mask.any():
                    label = int(digit[:, mask].sum(axis=1).argmax())
                    things.append(Thing(label, box_of(mask), float(np.clip(centre[row, column], 0, 1)), mask))
        scenes.append(things)
    return scenes


def main(
    scenes: int = 2500, epochs: int = 10, tests: int = 200, folder: str | None = "out/digits_segmentation"
) -> list[Score]:
    """Train on `scenes`, judge on `tests` others; returns the scores of the trained network and of the chip."""
    train, test = draw_scenes(scenes, seed=0), draw_scenes(tests, seed=0, test=True)
    unet = fit(UNet, train.images, targets_of(train), loss, epochs=epochs, batch=16)
    # Evenly spaced, 16 thresholds lose 5 points of F1 and 32 lose one; so do 16 that lie where the activations are.
    levels: dict[str, Any] = {"thresholds": 16, "spacing": "lloyd-max", "rounding": "nearest"}
    network = sfnhw.convert(unet, train.images[:96], **levels, search_samples=16, lambda_budget=10, name="digits U-Net")
    chip = sfnhw.load_chip("reference").replace({"noc.columns": 12, "noc.rows": 12})
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
