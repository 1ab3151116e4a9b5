"""A vision transformer on handwritten digits, as an SFormer: attention is products of spikes, the stream is graded.

Run from the checkout: python -m examples.digits_vit
"""

import torch

import sfnhw
from examples._answers import show
from sfnhw.digits import load_digits_split, train_digits_vit

THRESHOLDS = 16


def main(
    width: int = 48, depth: int = 2, epochs: int = 100, simulated: int = 16, folder: str | None = "out/digits_vit"
) -> tuple[float, float]:
    """Train, convert, judge on the 360 test images; returns accuracy of the trained network and of the chip.

    width, depth, epochs : see `sfnhw.digits.train_digits_vit`. simulated : test images that are simulated and priced.
    """
    digits = load_digits_split()
    module = train_digits_vit(width=width, depth=depth, epochs=epochs)
    network = sfnhw.convert(
        module, digits.train_images[:512], labels=digits.train_labels[:512], thresholds=THRESHOLDS, search_samples=64
    )
    # It takes 95 cores, and `reference` has 8 × 8.
    chip = sfnhw.load_chip("reference").replace({"noc.columns": 12})
    sharing = chip.core.threshold_unit.sharing
    recording = sfnhw.record(
        network, digits.test_images, labels=digits.test_labels, numerics=chip.numerics, threshold_sharing=sharing
    )
    with torch.no_grad():
        guesses = module(torch.from_numpy(digits.test_images)).argmax(dim=1).numpy()
    trained, accuracy = float((guesses == digits.test_labels).mean()), recording.accuracy or 0.0
    run = sfnhw.estimate(network, chip, digits.test_images[:simulated], baselines=("graded8",))
    lines = [
        f"trained    {trained:.2%}",
        f"on chip    {accuracy:.2%} ({len(digits.test_images)} test images, {THRESHOLDS} thresholds, one timestep)",
    ]
    show(lines, run, folder)
    return trained, accuracy


if __name__ == "__main__":
    main()
